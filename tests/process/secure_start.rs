//! A certificate that cannot be used is said at the start, with what to do, and ends the process.

use std::process::Output;

use crate::secure_world::{Files, pair};
use crate::tls::pem;

/// `run` with these arguments, for an API server that is not there.
fn run(files: &Files, args: &[&str]) -> Output {
    let kubeconfig = files.certificate.with_file_name("config");
    let text = r#"{"apiVersion": "v1", "kind": "Config", "current-context": "a",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}]}"#;
    std::fs::write(&kubeconfig, text).expect("written");
    let mut command = crate::binary::alone();
    command.arg("run").arg("--kubeconfig").arg(kubeconfig);
    command.args(["--bind-address=127.0.0.1", "--http-port=0"]);
    command.args(args).output().expect("it runs")
}

fn refused(files: &Files, args: &[&str], parts: &[&str]) {
    let output = run(files, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    for part in parts {
        assert!(said.contains(part), "{args:?}: no {part:?} in {said}");
    }
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}

#[test]
fn files_that_make_no_certificate_are_refused_and_named() {
    let files = Files::new();
    let (first, second) = (pair("first"), pair("second"));
    let good = (
        pem("CERTIFICATE", &first.certificate),
        pem("PRIVATE KEY", &first.key),
    );
    let cut = good.0[..good.0.len() / 2].to_owned();
    let of_another = pem("PRIVATE KEY", &second.key);
    let encrypted = pem("ENCRYPTED PRIVATE KEY", &first.key);
    let old_form = good.1.replace(
        "-----\nM",
        "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n\nM",
    );
    assert!(old_form.contains("Proc-Type"));
    let no_der = pem("CERTIFICATE", b"hello");
    let no_key = pem("PRIVATE KEY", b"hello");
    for (certificate, key, parts) in [
        (
            None,
            Some(&*good.1),
            &["tls.crt cannot be read", "No such file"][..],
        ),
        (
            Some(&*good.0),
            None,
            &["tls.key cannot be read", "No such file"],
        ),
        (
            Some(""),
            Some(&*good.1),
            &["tls.crt holds no certificate", "BEGIN CERTIFICATE"],
        ),
        (
            Some("hello"),
            Some(&*good.1),
            &["tls.crt holds no certificate"],
        ),
        (
            Some(&*good.1),
            Some(&*good.1),
            &["tls.crt holds no certificate"],
        ),
        (
            Some(&*cut),
            Some(&*good.1),
            &["tls.crt is no PEM file", "has no end"],
        ),
        (
            Some(&*good.0),
            Some(""),
            &["tls.key holds no private key", "BEGIN PRIVATE KEY"],
        ),
        (
            Some(&*good.0),
            Some(&*good.0),
            &["tls.key holds no private key"],
        ),
        (
            Some(&*good.0),
            Some(&*of_another),
            &["tls.key is not the key of the first", "tls.crt"],
        ),
        (
            Some(&*good.0),
            Some(&*encrypted),
            &["tls.key is encrypted", "openssl pkey"],
        ),
        (
            Some(&*good.0),
            Some(&*old_form),
            &["tls.key is encrypted", "openssl pkey"],
        ),
        (
            Some(&*no_der),
            Some(&*good.1),
            &["cannot be used", "tls.crt"],
        ),
        (
            Some(&*good.0),
            Some(&*no_key),
            &["cannot be used", "tls.key"],
        ),
    ] {
        for (file, text) in [(&files.certificate, certificate), (&files.key, key)] {
            let _ = std::fs::remove_file(file);
            if let Some(text) = text {
                std::fs::write(file, text).expect("written");
            }
        }
        let args = [
            "--metrics-secure".to_owned(),
            format!("--tls-cert-file={}", files.certificate.display()),
            format!("--tls-private-key-file={}", files.key.display()),
        ];
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let all = [&["cannot serve the endpoints over TLS"], parts].concat();
        refused(&files, &args, &all);
    }
}

#[test]
fn flags_that_need_each_other_are_refused_without() {
    let files = Files::new();
    files.write(&pair("first"));
    let certificate = format!("--tls-cert-file={}", files.certificate.display());
    let key = format!("--tls-private-key-file={}", files.key.display());
    for (args, parts) in [
        (
            &["--metrics-secure", &certificate][..],
            &["--tls-cert-file", "--tls-private-key-file", "give both"],
        ),
        (
            &["--metrics-secure", &key],
            &["--tls-cert-file", "--tls-private-key-file", "give both"],
        ),
        (
            &[&certificate, &key],
            &["--tls-cert-file", "without --metrics-secure", "plain HTTP"],
        ),
    ] {
        refused(&files, args, parts);
    }
    let output = run(&files, &["--authorization-always-allow-paths=healthz"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("a path like /healthz is needed"), "{said}");
}
