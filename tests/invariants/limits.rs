//! The limits of `docs/limits.md`: what is within them is read, what is beyond them is an error
//! that says so, and the worst that they allow is read on the stack of a worker. What would cost
//! the square of its length here would never end.

use std::thread;

use daemonset_controller::{
    cli::{documents, files},
    model::{Control, Kind, resources::ResourceClass},
    wire::place::MAX_DEPTH,
};
use serde_json::{Value, json, value::RawValue};

use crate::{robust_support::run, support::*};

/// The API server's limit of an object, in etcd's form.
const OBJECT: usize = 3 << 19;

/// The API server's limit of all annotations of an object.
const ANNOTATIONS: usize = 1 << 18;

/// Runs on a thread with the stack of a worker.
fn on_a_worker<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let thread = thread::Builder::new().stack_size(2 << 20);
    let run = thread.spawn(f).expect("a thread");
    run.join().expect("no panic")
}

fn nested(levels: usize, inside: &str) -> String {
    format!("{}{inside}{}", "[".repeat(levels), "]".repeat(levels))
}

fn old_revision(version: u64, data: &str) -> Box<RawValue> {
    let object = revision(OLD, 1, &template(1)).version(version);
    let object = object.with(json!({"data": "DATA"}));
    let text = object.json.to_string().replace("\"DATA\"", data);
    RawValue::from_string(text).expect("JSON")
}

#[test]
fn a_revision_that_is_nested_too_deeply_is_unreadable_and_no_stack_overflows() {
    let (error, creates) = on_a_worker(|| {
        let mut cluster = Cluster::new(daemon_set(), [node("a")]);
        // As deep as the API server takes it, and far deeper.
        for levels in [10_000, 700_000] {
            let raw = old_revision(levels, &nested(levels as usize, ""));
            let error = cluster.cache.observe(Kind::Revision, &raw).unwrap_err();
            assert_eq!(error.name.as_deref(), Some("web-old"));
            let plan = cluster.plan();
            assert!(plan.left_alone.is_some(), "nothing is guessed");
            let last = error.to_string();
            if levels == 700_000 {
                return (last, creates(&plan).len());
            }
        }
        unreachable!()
    });
    assert_eq!(
        error,
        "ControllerRevision default/web-old could not be decoded: data: it is nested deeper than 64 \
         levels"
    );
    assert_eq!(creates, 0);
}

#[test]
fn the_largest_object_at_the_deepest_level_is_read() {
    on_a_worker(|| {
        let mut cluster = Cluster::new(daemon_set(), [node("a")]);
        let text = format!("{:?}", "x".repeat(OBJECT));
        let raw = old_revision(2, &nested(MAX_DEPTH, &text));
        cluster
            .cache
            .observe(Kind::Revision, &raw)
            .expect("as deep as may be");
        assert_eq!(creates(&cluster.plan()).len(), 1);
    });
}

#[test]
fn files_are_nested_255_levels_at_most_and_lists_too() {
    on_a_worker(|| {
        let object = |levels: usize| format!("{{\"a\":{}}}", nested(levels - 1, ""));
        assert!(documents::split(&object(255)).is_ok());
        for levels in [256, 1_000_000] {
            for text in [object(levels), format!("a: b\n---\n{}", object(levels))] {
                let error = documents::split(&text).unwrap_err();
                assert_eq!(error.message, "nested too deeply, more than 255 levels");
                assert_eq!(error.line, text.matches('\n').count() + 1);
            }
        }
        let lists = r#"{"kind":"List","apiVersion":"v1","items":["#.repeat(100_000);
        let text = format!("{lists}{}", "]}".repeat(100_000));
        let error = files::parse("f", &text).unwrap_err().to_string();
        assert!(error.contains("nested too deeply"), "{error}");
    });
}

/// As long as they may be, and planned with.
#[test]
fn values_of_keys_of_16_kib_are_read() {
    const LONGEST: usize = 16 * 1024;
    let fill = |unit: &str| {
        unit.repeat(LONGEST / unit.len())
            .trim_end_matches(',')
            .to_owned()
    };
    let rules = r#"{"nodes":"a","containers":{}},"#;
    let rules = fill(&format!("{rules}{rules}"));
    let values = [
        ("canary", fill("a,")),
        (
            "canary",
            format!(
                "a in ({})",
                fill("bc,").split_at(LONGEST - 10).0.trim_end_matches(',')
            ),
        ),
        ("order", fill("a,")),
        ("order", format!("a={}", &fill("b>")[..LONGEST - 3])),
        (
            "resources",
            format!("[{}]", &rules[..rules.len() - 60].trim_end_matches(',')),
        ),
        ("approve", fill("a")),
        ("bake", fill("9")),
        ("budget", fill("strict,")),
    ];
    for (key, value) in values {
        on_a_worker(move || {
            assert!(value.len() <= LONGEST);
            if matches!(key, "canary" | "order" | "resources") {
                assert_eq!(Control::check(key, &value), None, "{key}: {value:.60}");
            }
            let keys = json!({"metadata": {"annotations": {
                format!("daemonset-controller.io/{key}"): value,
            }}});
            let strategy = json!({"spec": {"updateStrategy": {
                "type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
            }}});
            let rollout = (0..20).flat_map(|n| {
                let name = format!("n{n}");
                let pod = pod(&name).hash(OLD).on(&name).ready(5_000);
                [node(&name).label("a", "b"), pod]
            });
            let rollout = rollout.chain([revision(OLD, 1, &template(1))]);
            let mut cluster = Cluster::new(daemon_set().with(keys).with(strategy), rollout);
            cluster.plan();
        });
    }
    let too_long = Control::check("canary", &fill("a,").repeat(2)).expect("too long");
    assert!(
        too_long
            .to_string()
            .ends_with("a text of at most 16 KiB is needed")
    );
}

#[test]
fn annotations_as_long_as_the_api_server_takes_them_are_read() {
    let entries = |entry: fn(usize) -> String| {
        let all: Vec<String> = (0..ANNOTATIONS / 16).map(entry).collect();
        all.join(",")
    };
    let restarts = entries(|n| format!("\"node-{n}\":{n}"));
    let names = entries(|n| format!("\"zone={n}\""));
    let containers = entries(|n| format!("\"c{n}\":{{}}"));
    on_a_worker(move || {
        let mark = format!("{{{containers}}}");
        assert_eq!(ResourceClass::parse(&mark), None);
        run("annotation", mark.as_bytes());
        run("state", format!("[{names}]").as_bytes());
        let at = r#""at":"2026-11-20T06:00:00Z""#;
        run(
            "state",
            format!("{{{at},\"restarts\":{{{restarts}}}}}").as_bytes(),
        );
        run("state", nested(ANNOTATIONS / 2, "").as_bytes());
    });
}

#[test]
fn numbers_of_any_length_are_read() {
    on_a_worker(|| {
        let digits = "9".repeat(1 << 20);
        for text in [
            digits.clone(),
            format!("0.{digits}"),
            format!("1e{digits}"),
            format!("{digits}Ki"),
        ] {
            run("quantity", text.as_bytes());
            run(
                "template",
                format!("{{\"a\":{}}}", text.trim_end_matches("Ki")).as_bytes(),
            );
        }
    });
}

/// A label of 1 MiB, and as many labels as an object holds: an object is decoded in one pass.
#[test]
fn an_object_of_many_small_parts_is_read() {
    on_a_worker(|| {
        let labels: Value = (0..50_000)
            .map(|n| (n.to_string(), json!("x")))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let taints: Vec<Value> = (0..20_000)
            .map(|n| json!({"key": n.to_string(), "effect": "NoSchedule"}))
            .collect();
        let node =
            node("a").with(json!({"metadata": {"labels": labels}, "spec": {"taints": taints}}));
        run("object", node.json.to_string().as_bytes());
        let long = node.with(json!({"metadata": {"labels": {"long": "x".repeat(1 << 20)}}}));
        run("object", long.json.to_string().as_bytes());
    });
}

#[test]
fn a_line_of_a_watch_that_cannot_be_read_leads_to_a_list() {
    let list = r#"{"metadata":{"resourceVersion":"7"},"items":[]}"#;
    for line in [
        "{",
        "[]",
        "7",
        &nested(100_000, ""),
        r#"{"type":"ADDED"}"#,
        "\u{0}",
    ] {
        run("watch", format!("{list}\n{line}\n").as_bytes());
    }
}
