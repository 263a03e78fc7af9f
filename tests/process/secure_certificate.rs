//! Over TLS, the endpoints show the certificate of today, and nobody who speaks something else or
//! nothing holds up others.

use std::time::Duration;

use daemonset_controller::runtime::secure::self_signed::{SelfSigned, VALIDITY};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, advance};
use tokio_rustls::rustls::ProtocolVersion;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::openmetrics;
use crate::secure_world::{Files, World, meanwhile, pair, pass};
use crate::tls;

const SECOND: Duration = Duration::from_secs(1);

/// Time for the files to be read again, and to settle.
const REREAD: Duration = Duration::from_secs(12);

/// Whether the server shows this certificate, which is for that name.
async fn shows(world: &World, pair: &SelfSigned, name: &str) -> bool {
    let stream = tls::connect(world.address, &pair.certificate, name, tls::ALL).await;
    stream.is_ok()
}

/// A metric of the certificate.
fn metric(world: &World, name: &str) -> Option<f64> {
    let metrics = openmetrics::parse(&world.monitor.exposition()).expect("metrics");
    metrics.get(&format!("daemonset_controller_certificate_{name}"), &[])
}

#[tokio::test(start_paused = true)]
async fn both_versions_of_tls_are_spoken_and_a_wrong_name_is_noticed() {
    let (world, pair) = World::new().await;
    for (offered, agreed) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let stream = tls::connect(world.address, &pair.certificate, "first.test", &[offered]).await;
        let stream = stream.expect("a handshake");
        assert_eq!(stream.get_ref().1.protocol_version(), Some(agreed));
        let answer = tls::ask(stream, "GET", "/healthz", None).await;
        assert_eq!(answer.expect("an answer").0, 200);
    }
    assert!(!shows(&world, &pair, "other.test").await);
}

#[tokio::test(start_paused = true)]
async fn a_new_certificate_is_shown_without_a_restart_and_open_connections_go_on() {
    let (world, first) = World::new().await;
    let (second, until) = (pair("first"), metric(&world, "expiry_timestamp_seconds"));
    assert!(until.is_some(), "it is a metric");
    world.files.write(&second);
    pass(5 * SECOND).await;
    let open = tls::connect(world.address, &first.certificate, "first.test", tls::ALL).await;
    let open = open.expect("the first certificate is still shown");
    pass(REREAD - 5 * SECOND).await;
    assert!(shows(&world, &second, "first.test").await);
    assert!(!shows(&world, &first, "first.test").await);
    let answer = tls::ask(open, "GET", "/healthz", None).await;
    assert_eq!(answer.expect("an answer").0, 200);
    assert_eq!(metric(&world, "valid"), Some(1.0));
}

/// The kubelet swaps the link to a directory with both files.
#[tokio::test(start_paused = true)]
async fn the_link_of_a_mounted_secret_is_followed() {
    let (world, first) = World::new().await;
    let other = Files::new();
    let second = pair("first");
    other.write(&second);
    for (link, target) in [
        (&world.files.certificate, &other.certificate),
        (&world.files.key, &other.key),
    ] {
        let fresh = link.with_extension("fresh");
        std::os::unix::fs::symlink(target, &fresh).expect("a link");
        std::fs::rename(fresh, link).expect("swapped");
    }
    pass(REREAD).await;
    assert!(shows(&world, &second, "first.test").await);
    assert!(!shows(&world, &first, "first.test").await);
}

#[tokio::test(start_paused = true)]
async fn while_the_files_cannot_be_used_the_last_good_pair_is_shown_and_said_to_be_old() {
    let (world, first) = World::new().await;
    let second = pair("first");
    let certificate = std::fs::read(&world.files.certificate).expect("text");
    let broken: [&dyn Fn(); 5] = [
        // Only half of the new pair is there.
        &|| world.files.write_certificate(&second),
        &|| world.files.write_key(&second),
        // It is being written.
        &|| std::fs::write(&world.files.certificate, &certificate[..200]).expect("written"),
        &|| std::fs::write(&world.files.key, "").expect("written"),
        &|| std::fs::remove_file(&world.files.key).expect("removed"),
    ];
    for (number, breaks) in broken.iter().enumerate() {
        breaks();
        pass(REREAD).await;
        assert!(shows(&world, &first, "first.test").await, "{number}");
        assert_eq!(metric(&world, "valid"), Some(0.0), "{number}");
        let (_, _, ready) = world.ask(&first, "GET", "/readyz", None).await;
        let line = "[-]certificate failed: the files of the certificate cannot be used";
        assert!(ready.contains(line), "{ready}");
        world.files.write(&first);
        pass(REREAD).await;
        assert_eq!(metric(&world, "valid"), Some(1.0), "{number}");
    }
    world.files.write(&second);
    pass(REREAD).await;
    assert!(shows(&world, &second, "first.test").await);
    let (_, _, ready) = world.ask(&second, "GET", "/readyz?verbose", None).await;
    assert!(
        ready.contains("[+]certificate ok: valid until 20"),
        "{ready}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_files_the_certificate_is_made_and_made_anew_in_time() {
    let world = World::self_signed().await;
    let until = || metric(&world, "expiry_timestamp_seconds").expect("it is a metric");
    let first = until();
    // Its year is not yet about to end, and then it is.
    for (ages, anew) in [(VALIDITY * 8 / 10, false), (VALIDITY / 10, true)] {
        advance(ages).await;
        pass(REREAD).await;
        assert_eq!(until() > first, anew);
    }
    assert!(until() - first > VALIDITY.as_secs_f64() / 2.0);
    assert!(world.certificate.is_self_signed());
}

#[tokio::test(start_paused = true)]
async fn who_speaks_plain_http_to_the_port_of_tls_is_told_so() {
    let (world, pair) = World::new().await;
    let mut stream = TcpStream::connect(world.address).await.expect("room");
    let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer reader\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.0 400 "), "{answer}");
    assert!(
        answer.ends_with("Client sent an HTTP request to an HTTPS server.\n"),
        "{answer}"
    );
    assert_eq!(world.reviewer.count("TokenReview"), 0);
    for nonsense in [
        &b"\x16\x03\x01\x00\x05hello"[..],
        b"\x16",
        b"\xff\xff\xff\xff",
    ] {
        let mut stream = TcpStream::connect(world.address).await.expect("room");
        stream.write_all(nonsense).await.expect("sent");
        let mut answer = Vec::new();
        // However it ends.
        let _ = meanwhile(stream.read_to_end(&mut answer)).await;
        assert!(answer.len() < 100, "an alert at most: {answer:?}");
        assert_eq!(world.ask(&pair, "GET", "/healthz", None).await.0, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_finish_the_handshake_is_ended() {
    let (world, _) = World::new().await;
    for begun in [
        &b""[..],
        b"\x16",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let start = Instant::now();
        let mut stream = TcpStream::connect(world.address).await.expect("room");
        stream.write_all(begun).await.expect("sent");
        let mut answer = Vec::new();
        let _ = meanwhile(stream.read_to_end(&mut answer)).await;
        let took = start.elapsed();
        assert!(
            took >= 10 * SECOND && took < 30 * SECOND,
            "{begun:?}: {took:?}"
        );
    }
}

#[tokio::test]
async fn a_probe_is_answered_however_many_others_do_not_shake_hands() {
    let (world, pair) = World::new().await;
    let begun = Instant::now();
    let mut idle = Vec::new();
    for n in 0..300 {
        let mut stream = TcpStream::connect(world.address).await.expect("room");
        if n % 2 == 0 {
            stream.write_all(b"\x16\x03\x01").await.expect("sent");
        }
        idle.push(stream);
    }
    for _ in 0..20 {
        assert_eq!(world.ask(&pair, "GET", "/healthz", None).await.0, 200);
    }
    let took = begun.elapsed();
    assert!(took < 10 * SECOND, "by time alone: {took:?}");
}
