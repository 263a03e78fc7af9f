//! The simulated API server against the real one: the same requests get the same answers.
//!
//! The answers of the real one are kept in `tests/data/api-answers`, where plain `cargo test` holds
//! the simulated one against it. `RECORD_API_ANSWERS=1` writes it anew; for an older version than
//! the newest, its own file of the answers in which it differs (`recording.rs`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};

use crate::control_plane::{ControlPlane, Options};
use crate::differential::compare::{Difference, differences};
use crate::differential::generate::generate;
use crate::differential::normal::Normal;
use crate::differential::play::{Answer, Pace, Player};
use crate::differential::recording::{Recorded, read, write};
use crate::differential::sequences;
use crate::differential::simulated::simulated;
use crate::differential::step::Sequence;
use crate::kubernetes::NEWEST;
use crate::recording::{Recording, hide_addresses};

/// Seeds that are not kept: what the recording may have missed. `API_ANSWERS_SEEDS=5000..5100`
/// takes others.
const FRESH: std::ops::Range<u64> = 1_000..1_060;
/// How many generated sequences are kept.
const GENERATED: u64 = 100;
/// How many sequences are played at a time, each in namespaces of its own.
const AT_ONCE: usize = 8;
/// Silence that ends a watch, for a first try and for one that makes sure.
const IDLE: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/api-answers")
}

/// The files of the recording and what each holds.
fn files() -> Vec<(&'static str, Vec<Sequence>)> {
    vec![
        ("rules.jsonl", sequences::all()),
        ("generated.jsonl", (0..GENERATED).map(generate).collect()),
    ]
}

/// Plays a sequence to the real server, in namespaces whose names say `run`.
async fn play(
    client: &kube::Client,
    idle: Duration,
    run: &str,
    sequence: &Sequence,
) -> Vec<Answer> {
    let pace = Pace {
        settle: Duration::from_millis(30),
        idle,
    };
    let mut player = Player::new(client, pace, run);
    let answers = player.play(&sequence.steps).await;
    let normal = Normal::new(&sequence.steps, player.names());
    let mut answers = normal.run(&sequence.steps, &answers);
    answers
        .iter_mut()
        .for_each(|answer| hide_addresses(&mut answer.body));
    answers
}

/// What the real server answers, the same whenever it is asked.
async fn settled(
    client: &kube::Client,
    run: &str,
    sequence: &Sequence,
) -> Result<Vec<Answer>, String> {
    let mut said = String::new();
    for (attempt, idle) in IDLE.into_iter().enumerate() {
        let once = play(client, idle, &format!("{run}a{attempt}"), sequence).await;
        let again = play(client, idle, &format!("{run}b{attempt}"), sequence).await;
        let different = differences(&once, &again);
        if different.is_empty() {
            return Ok(once);
        }
        said = explain(sequence, &different);
    }
    Err(said)
}

fn explain(sequence: &Sequence, differences: &[Difference]) -> String {
    differences
        .iter()
        .map(|difference| difference.explain(sequence))
        .collect()
}

/// The answers to a sequence, a row each.
fn rows(recorded: &Recorded) -> Vec<Value> {
    let row = |(step, answer): (usize, &Answer)| {
        let (sequence, asked) = (&recorded.sequence.name, &recorded.sequence.steps[step]);
        json!({
            "sequence": sequence, "step": step, "request": asked.request,
            "code": answer.code, "answer": answer.body,
        })
    };
    recorded.answers.iter().enumerate().map(row).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_server_answers_as_recorded() {
    let options = Options {
        api_only: true,
        ..Options::default()
    };
    let plane = ControlPlane::start("differential", options).await;
    let client = plane.client("admin").await;
    let record = std::env::var_os("RECORD_API_ANSWERS").is_some();
    let kubernetes = plane.kubernetes();
    let mut problems = Vec::new();
    for (file, sequences) in files() {
        let path = directory().join(file);
        let mut recorded = Vec::new();
        let plays = sequences.into_iter().enumerate().map(|(number, sequence)| {
            let (client, run) = (client.clone(), format!("{}-{number}", &file[..1]));
            async move {
                let answers = settled(&client, &run, &sequence).await;
                answers.map(|answers| Recorded { sequence, answers })
            }
        });
        let mut plays = futures::stream::iter(plays).buffered(AT_ONCE);
        while let Some(played) = plays.next().await {
            match played {
                Ok(both) => recorded.push(both),
                Err(said) => problems.push(format!("not the same twice: {said}")),
            }
        }
        drop(plays);
        if record && kubernetes == NEWEST {
            std::fs::write(&path, write(&recorded)).expect("the recording can be written");
            continue;
        }
        let kept = read(&std::fs::read_to_string(&path).expect("there is a recording"));
        let mut pairs = (Vec::new(), Vec::new());
        for now in &recorded {
            match kept.iter().find(|kept| kept.sequence == now.sequence) {
                Some(kept) if kubernetes != NEWEST => {
                    pairs.0.extend(rows(kept));
                    pairs.1.extend(rows(now));
                }
                Some(kept) => {
                    let different = differences(&kept.answers, &now.answers);
                    if !different.is_empty() {
                        problems.push(explain(&now.sequence, &different));
                    }
                }
                None => problems.push(format!("not recorded as it is: {}", now.sequence.name)),
            }
        }
        let recording = Recording {
            kubernetes,
            file: format!("api-answers-{file}.gz"),
            key: |row| format!("{} {}", row["sequence"], row["step"]),
        };
        problems.extend(recording.differences(&pairs.0, &pairs.1, record));
    }
    assert!(
        problems.is_empty(),
        "{} problems\n{}",
        problems.len(),
        problems.join("\n")
    );
}

/// Seeds that were asked for.
fn fresh_seeds() -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("API_ANSWERS_SEEDS") else {
        return FRESH;
    };
    let range = text
        .split_once("..")
        .and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.expect("API_ANSWERS_SEEDS is like 5000..5100")
}

/// Where the simulated server differs from the real one in this sequence.
async fn differs(client: &kube::Client, run: &str, sequence: &Sequence) -> Vec<Difference> {
    let real = play(client, IDLE[0], run, sequence).await;
    let asked = sequence.clone();
    let got = tokio::task::spawn_blocking(move || simulated(&asked)).await;
    differences(&real, &got.expect("the simulated server does not panic"))
}

/// The shortest part of the sequence, steps taken out one by one, whose answers still differ.
async fn shrink(
    client: &kube::Client,
    run: &str,
    mut sequence: Sequence,
) -> Option<(Sequence, Difference)> {
    let mut tries = 0;
    let mut first = differs(client, &format!("{run}-{tries}"), &sequence)
        .await
        .into_iter()
        .next()?;
    // Watches speak of what comes after them, other steps do not.
    if !sequence.steps[first.step].is_watch() {
        sequence.steps.truncate(first.step + 1);
    }
    let mut at = sequence.steps.len();
    while at > 0 {
        at -= 1;
        let mut shorter = sequence.clone();
        shorter.steps.remove(at);
        tries += 1;
        if let Some(still) = differs(client, &format!("{run}-{tries}"), &shorter)
            .await
            .into_iter()
            .next()
        {
            (sequence, first) = (shorter, still);
        }
    }
    Some((sequence, first))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequences_that_are_not_recorded_get_the_same_answers() {
    let options = Options {
        api_only: true,
        ..Options::default()
    };
    let plane = ControlPlane::start("fresh-sequences", options).await;
    if plane.kubernetes() < NEWEST {
        return plane.not_run("the simulated server follows the newest");
    }
    let client = plane.client("admin").await;
    let plays = fresh_seeds().map(|seed| {
        let client = client.clone();
        async move {
            let sequence = generate(seed);
            let run = format!("fresh{seed}");
            if differs(&client, &run, &sequence).await.is_empty() {
                return None;
            }
            shrink(&client, &format!("{run}s"), sequence).await
        }
    });
    let found: Vec<_> = futures::stream::iter(plays)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let said: Vec<String> = found
        .iter()
        .flatten()
        .map(|(sequence, first)| first.explain(sequence))
        .collect();
    assert!(
        said.is_empty(),
        "{} sequences differ\n{}",
        said.len(),
        said.join("\n")
    );
}
