//! The admission policy of the chart on a real API server: it refuses at the door exactly what the
//! controller could not read, says what would be right, and stands in nobody's way otherwise.
//!
//! `src/model/control/tests.rs` holds the controller against the same table.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemonset_controller::model::{Control, DefaultsOf};
use k8s_openapi::api::apps::v1::DaemonSet;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::cluster::SOON;
use crate::control_plane::{ControlPlane, Options};

const PREFIX: &str = "daemonset-controller.io/";
const POLICY: &str = "daemonset-controller";

struct Door {
    plane: Arc<ControlPlane>,
    sets: Api<DaemonSet>,
}

fn with(name: &str, annotations: &BTreeMap<String, String>) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": { "name": name, "namespace": "default", "annotations": annotations },
        "spec": {
            "selector": { "matchLabels": { "app": "agent" } },
            "template": {
                "metadata": { "labels": { "app": "agent" } },
                "spec": { "containers": [{ "name": "c", "image": "registry.example/agent:1" }] },
            },
        },
    })
}

fn key(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(format!("{PREFIX}{key}"), value.to_owned())])
}

impl Door {
    async fn open(name: &str) -> Door {
        let options = Options {
            api_only: true,
            ..Options::default()
        };
        Self::open_with(name, options).await
    }

    async fn open_with(name: &str, options: Options) -> Door {
        let plane = ControlPlane::start(name, options).await;
        let sets = Api::namespaced(plane.client("admin").await, "default");
        Door { plane, sets }
    }

    /// Installs the policy, in place of one that may be there, and waits until it is in force.
    async fn guard(&self, failure_policy: &str) {
        self.guard_with(failure_policy, " 16384").await;
    }

    /// The same with another limit of a value's length.
    async fn guard_with(&self, failure_policy: &str, limit: &str) {
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/admission");
        let policy = policy.join("admissionpolicy.yaml");
        let text = std::fs::read_to_string(policy).expect("the policy");
        let failure_policy = format!("failurePolicy: {failure_policy}");
        let mut changed = text;
        for (part, by) in [
            ("failurePolicy: Ignore", &*failure_policy),
            (" 16384", limit),
        ] {
            assert!(changed.contains(part), "it has no {part}");
            changed = changed.replace(part, by);
        }
        for (verb, refuses) in [("delete", false), ("apply", true)] {
            let args: &[&str] = match refuses {
                true => &[verb, "-f", "-"],
                false => &[verb, "--ignore-not-found", "-f", "-"],
            };
            self.plane.kubectl_in(args, &changed).await.expect_ok(verb);
            let begin = Instant::now();
            while self.ask_for("probe", &key("hold", "rollot")).await.is_err() != refuses {
                assert!(begin.elapsed() < SOON, "{verb} has no effect");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Whether a DaemonSet with these annotations could be created; else the API server's words.
    async fn ask(&self, annotations: &BTreeMap<String, String>) -> Result<(), String> {
        self.ask_for("asked", annotations).await
    }

    async fn ask_for(
        &self,
        name: &str,
        annotations: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        let set = serde_json::from_value(with(name, annotations)).expect("a DaemonSet");
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        said(self.sets.create(&params, &set).await)
    }

    async fn create(&self, annotations: &BTreeMap<String, String>) {
        let set = serde_json::from_value(with("agent", annotations)).expect("a DaemonSet");
        let created = self.sets.create(&PostParams::default(), &set).await;
        created.expect("it can be created");
    }

    async fn patch(&self, patch: Value) -> Result<(), String> {
        let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
        said(self.sets.patch("agent", &params, &patch).await)
    }

    async fn annotate(&self, name: &str, value: impl Into<Value>) -> Result<(), String> {
        let annotations = json!({ format!("{PREFIX}{name}"): value.into() });
        self.patch(json!({ "metadata": { "annotations": annotations } }))
            .await
    }
}

fn said(answer: kube::Result<DaemonSet>) -> Result<(), String> {
    match answer {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => {
            assert_eq!(status.code, 422, "{}", status.message);
            Err(status.message.clone())
        }
        Err(other) => panic!("{other}"),
    }
}

fn table() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rollout-keys.json");
    let text = std::fs::read_to_string(path).expect("the table");
    serde_json::from_str(&text).expect("the table is JSON")
}

fn texts(values: &Value) -> impl Iterator<Item = &str> {
    let values = values.as_array().expect("a list").iter();
    values.map(|value| value.as_str().expect("a text"))
}

/// What the answer quotes of a short value without control characters.
fn is_plain(value: &str) -> bool {
    value.len() <= 64
        && value
            .bytes()
            .all(|b| (b' '..b'\x7f').contains(&b) && b != b'"')
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_door_refuses_what_the_controller_cannot_read_and_nothing_else() {
    let door = Door::open("door").await;
    // An expression that fails would be a refusal in other words.
    door.guard("Fail").await;
    let table = table();
    let mut wrong = Vec::new();
    let mut asked = 0;
    for row in table["keys"].as_array().expect("rows") {
        let name = row["key"].as_str().expect("a key");
        let wanted = row["wanted"].as_str().expect("what is wanted");
        for value in texts(&row["valid"]) {
            asked += 1;
            if let Err(said) = door.ask(&key(name, value)).await {
                wrong.push(format!("{name}={value:?} is refused: {said}"));
            }
        }
        for value in texts(&row["malformed"]) {
            asked += 1;
            let Err(said) = door.ask(&key(name, value)).await else {
                wrong.push(format!("{name}={value:?} is taken"));
                continue;
            };
            let right = format!(" is not a valid value, {wanted} is needed");
            let named = said.contains(&format!("annotation {PREFIX}{name}: \""));
            let quoted = !is_plain(value) || said.contains(&format!("{value:?}{right}"));
            if !named || !quoted || !said.ends_with(&right) {
                wrong.push(format!(
                    "{name}={value:?} is refused in other words: {said}"
                ));
            }
        }
    }
    for name in texts(&table["unknown"]) {
        asked += 1;
        let said = door
            .ask(&key(name, "all"))
            .await
            .expect_err("it is not known");
        let right = format!(
            "annotation {PREFIX}{name}: this version does not know the key; it knows approve, bake, budget, canary, deadline, exclusive, hold, on-failure, order, replace-by and resources"
        );
        assert!(said.ends_with(&right), "{said}");
    }
    assert!(
        wrong.is_empty(),
        "{} of {asked}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(asked > 350, "{asked} values");
    // Several at once, and other annotations beside them.
    let mut several = key("hold", "rollot");
    several.extend(key("bake", "soon"));
    several.extend(key("holt", "all"));
    let said = door.ask(&several).await.expect_err("three are wrong");
    for part in [
        "/bake: \"soon\"",
        "/hold: \"rollot\"",
        "/holt: this version",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let others = BTreeMap::from([
        ("example.com/hold".to_owned(), "rollot".to_owned()),
        ("state.daemonset-controller.io/x".to_owned(), "y".to_owned()),
    ]);
    assert_eq!(door.ask(&others).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_door_judges_changes_only_and_kubectl_shows_why() {
    let door = Door::open("door-changes").await;
    let mut annotations = key("hold", "rollot");
    annotations.extend(key("bake", "5m"));
    door.create(&annotations).await;
    door.guard("Ignore").await;
    // What was there before the policy stays, and others go on with their work.
    for patch in [
        json!({ "metadata": { "labels": { "a": "b" } } }),
        json!({ "metadata": { "annotations": { "example.com/a": "b" } } }),
        json!({ "metadata": { "finalizers": ["example.com/a"] } }),
        json!({ "spec": { "minReadySeconds": 5 } }),
        json!({ "metadata": { "annotations": { format!("{PREFIX}canary"): "5%" } } }),
    ] {
        assert_eq!(door.patch(patch.clone()).await, Ok(()), "{patch}");
    }
    let status = Patch::Merge(json!({ "status": { "observedGeneration": 1 } }));
    let params = PatchParams::default();
    let patched = door.sets.patch_status("agent", &params, &status).await;
    patched.expect("the status can be written");
    // The same value once more is no change; another one is.
    assert_eq!(door.annotate("hold", "rollot").await, Ok(()));
    let said = door
        .annotate("hold", "rollout ")
        .await
        .expect_err("it is malformed");
    assert!(said.contains("\"rollout \" is not a valid value"), "{said}");
    let said = door
        .annotate("bake", "5")
        .await
        .expect_err("it is malformed");
    assert!(
        said.contains("/bake: \"5\"") && !said.contains("/hold"),
        "{said}"
    );
    // As people see it.
    let value = format!("{PREFIX}hold=frozen");
    let args = ["annotate", "daemonset", "agent", &value, "--overwrite"];
    let answer = door.plane.kubectl(&args).await;
    assert!(!answer.ok, "{}", answer.stdout);
    let right = "ValidatingAdmissionPolicy 'daemonset-controller' with binding 'daemonset-controller' denied request: \
                 annotation daemonset-controller.io/hold: \"frozen\" is not a valid value, rollout, all or off is needed";
    assert!(answer.stderr.contains(right), "{}", answer.stderr);
    assert_eq!(door.annotate("hold", Value::Null).await, Ok(()));
    assert_eq!(door.annotate("hold", "all").await, Ok(()));
    assert_eq!(
        door.patch(json!({ "metadata": { "annotations": null } }))
            .await,
        Ok(())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_door_stands_many_keys_and_long_values() {
    let door = Door::open("door-many").await;
    let selector = |length: usize| {
        let name = "node-with-a-long-name-in-a-zone-0123456789.example";
        let mut text = "kubernetes.io/hostname in (".to_owned();
        while text.len() + name.len() + 2 < length {
            text += name;
            text += ",";
        }
        let rest = 63.min(length - text.len() - 1);
        text + &"x".repeat(rest) + ")"
    };
    let many: BTreeMap<String, String> = (0..1000)
        .map(|n| (format!("{PREFIX}key-{n}"), "x".repeat(200)))
        .collect();
    let all = |value: &str| -> BTreeMap<String, String> {
        let keys = ["approve", "bake", "budget", "canary", "hold"];
        keys.iter().flat_map(|name| key(name, value)).collect()
    };
    let long = 250 * 1024;
    let cases = [
        ("1,000 unknown keys", many, Some("; and 995 more")),
        (
            "250 KiB of hold",
            key("hold", &"x".repeat(long)),
            Some("16 KiB"),
        ),
        (
            "250 KiB of canary",
            key("canary", &selector(long)),
            Some("16 KiB"),
        ),
        ("1,000 labels", key("canary", &["a"; 8192].join(",")), None),
        (
            "16 KiB of canary",
            key("canary", &selector(16 * 1024)),
            None,
        ),
        (
            "16 KiB of unfinished canary",
            key("canary", &"a=b,".repeat(4096)),
            Some("/canary: \"a=b"),
        ),
        (
            "16 KiB of everything",
            all(&"a,".repeat(8192)),
            Some("/hold: \"a,a"),
        ),
        (
            "50 KiB of everything",
            all(&"\n".repeat(50 * 1024)),
            Some("/hold: \"\\n"),
        ),
    ];
    for policy in ["Fail", "Ignore"] {
        door.guard(policy).await;
        for (what, annotations, refused) in &cases {
            let begin = Instant::now();
            let answer = door.ask(annotations).await;
            eprintln!("{policy}: {what}: {:?}: {answer:.200?}", begin.elapsed());
            match refused {
                None => assert_eq!(answer, Ok(()), "{what}"),
                Some(part) => {
                    let said = answer.expect_err(what);
                    assert!(said.contains(part), "{what}: {said}");
                    assert!(said.len() < 2048, "{what}: {} bytes", said.len());
                }
            }
        }
    }
    // What the limit is for: the API server gives up on so long a text. By default the request
    // passes then, and the controller holds the rollout.
    let malformed = key("canary", &"a,".repeat(long / 2));
    door.guard_with("Ignore", " 1000000").await;
    assert_eq!(door.ask(&malformed).await, Ok(()));
    door.guard_with("Fail", " 1000000").await;
    let said = door.ask(&malformed).await.expect_err("it is not judged");
    assert!(said.contains("cost limit exceeded"), "{said}");
    let plain = BTreeMap::from([("example.com/a".to_owned(), "x".repeat(long))]);
    assert_eq!(
        door.ask(&plain).await,
        Ok(()),
        "others are not judged at all"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_expressions_of_the_policy_have_the_right_types() {
    // The controller manager looks at them.
    let door = Door::open_with("door-types", Options::default()).await;
    door.guard("Ignore").await;
    let args = ["get", "validatingadmissionpolicy", POLICY, "-o=json"];
    let begin = Instant::now();
    let status = loop {
        let policy = door.plane.kubectl(&args).await.expect_ok("get");
        let policy: Value = serde_json::from_str(&policy).expect("JSON");
        if policy["status"]["typeChecking"].is_object() {
            break policy["status"].clone();
        }
        assert!(begin.elapsed() < SOON, "nobody looks: {}", policy["status"]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(status["typeChecking"], json!({}), "these are warnings");
}

/// Values that are made of what grammars are made of.
fn made_up(count: usize) -> Vec<(&'static str, String)> {
    let parts = [
        "a",
        "b.c/d",
        "-",
        "in",
        "notin",
        "(",
        ")",
        ",",
        "=",
        "==",
        "!=",
        "!",
        ">",
        "<",
        " ",
        "5",
        "x y",
        "(a,b)",
        "a=b",
        "0",
        "%",
        "h",
        "m",
        "s",
        "9",
        "off",
        "strict",
        "_",
        "/",
        "E",
        "10",
        "\n",
        "1h",
        "é",
        " in (",
        "a in (b)",
        "in",
        "all",
        "bad-nodes",
        "bad-nodes=5",
    ];
    let keys = [
        "canary", "canary", "canary", "order", "order", "bake", "budget", "approve", "hold",
    ];
    // xorshift64.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % 1_000_003).expect("small") % below
    };
    let mut value = || {
        let key = keys[next(keys.len())];
        let length = 1 + next(4);
        let value = (0..length).map(|_| parts[next(parts.len())]).collect();
        (key, value)
    };
    (0..count).map(|_| value()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_door_and_the_controller_agree_on_made_up_values() {
    let door = Door::open("door-made-up").await;
    door.guard("Fail").await;
    let is_read = |annotations: &BTreeMap<String, String>| {
        let annotations = annotations.iter().map(|(k, v)| (&**k, &**v)).collect();
        Control::read(&annotations, &DefaultsOf::default())
            .is_none_or(|control| control.invalid.is_empty())
    };
    let (mut taken, mut wrong) = (0, Vec::new());
    for (name, value) in made_up(3_000) {
        let annotations = key(name, &value);
        let answer = door.ask(&annotations).await;
        taken += usize::from(answer.is_ok());
        if answer.is_ok() != is_read(&annotations) {
            wrong.push(format!("{name}={value:?}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(taken > 300, "{taken} of them could be read");
}
