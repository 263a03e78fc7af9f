//! Objects as the API server sends them, one by one, and what is decided with them.

use daemonset_controller::{
    cache::Cache,
    cli::{
        advice, documents, explain,
        plan::{manifests, notes::Notes, report, text},
        to_yaml,
    },
    model::{FeatureGates, Key, Kind, Settings, Time, Version},
    plan::{self, explain::Explainer},
    wire::{
        self, Encoded, canonical, place, protobuf,
        raw::{self, RawObject},
    },
};
use serde_json::value::RawValue;

/// One object of each kind, in order.
const GOOD: [(Kind, &str, &str); 4] = [
    (
        Kind::DaemonSet,
        "good",
        r#"{"metadata":{"name":"good","namespace":"default","uid":"good-ds","resourceVersion":"1","generation":1},"spec":{"selector":{"matchLabels":{"app":"good"}},"template":{"metadata":{"labels":{"app":"good"}},"spec":{"containers":[{"name":"c","image":"i"}]}},"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":1,"maxSurge":0}}}}"#,
    ),
    (
        Kind::Node,
        "good",
        r#"{"metadata":{"name":"good","uid":"good-node","resourceVersion":"1","labels":{"pool":"a"}},"spec":{}}"#,
    ),
    (
        Kind::Revision,
        "good-1",
        r#"{"metadata":{"name":"good-1","namespace":"default","uid":"good-revision","resourceVersion":"1","labels":{"app":"good","controller-revision-hash":"1"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"DaemonSet","name":"good","uid":"good-ds","controller":true}]},"revision":1,"data":{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"app":"good"}},"spec":{"containers":[{"name":"c","image":"old"}]}}}}}"#,
    ),
    (
        Kind::Pod,
        "good-x",
        r#"{"metadata":{"name":"good-x","namespace":"default","uid":"good-pod","resourceVersion":"1","creationTimestamp":"2026-06-01T11:00:00Z","labels":{"app":"good","controller-revision-hash":"1"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"DaemonSet","name":"good","uid":"good-ds","controller":true}]},"spec":{"nodeName":"good"},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","lastTransitionTime":"2026-06-01T11:00:09Z"}]}}"#,
    ),
];

fn text_of(text: &str) -> &RawValue {
    serde_json::from_str(text).expect("JSON")
}

/// When plans are made.
pub fn now() -> Time {
    "2026-06-01T12:00:00Z".parse().expect("a time")
}

fn key_of(kind: Kind, name: &str) -> Key {
    Key::new(if kind == Kind::Node { "" } else { "default" }, name)
}

fn has(cache: &Cache, kind: Kind, key: &Key) -> bool {
    match kind {
        Kind::DaemonSet => cache.daemon_set(key).is_some(),
        Kind::Node => cache.nodes().by_name(&key.name).is_some(),
        Kind::Revision => cache.revision(key).is_some(),
        Kind::Pod => cache.pod(key).is_some(),
    }
}

/// A cache with the good objects, which no object of other names hides.
struct Around(Cache);

impl Around {
    fn new() -> Around {
        let mut cache = Cache::new(FeatureGates::default());
        cache.tick(now());
        for (kind, _, good) in GOOD {
            cache.observe(kind, text_of(good)).expect("good");
        }
        Around(cache)
    }

    fn check(&self, but: &[Option<Key>]) {
        for (kind, name, _) in GOOD {
            let key = key_of(kind, name);
            let may_be_gone = but.iter().flatten().any(|other| *other == key);
            assert!(
                may_be_gone || has(&self.0, kind, &key),
                "{kind:?} {key} is hidden"
            );
        }
    }
}

/// Any bytes, as an object of each kind, in the JSON and the binary form.
pub fn object(data: &[u8]) {
    if let Some(stored) = protobuf::revision(data) {
        assert!(stored.uid.len() + stored.data.len() <= data.len());
    }
    let Ok(object) = serde_json::from_slice::<&RawValue>(data) else {
        return;
    };
    for kind in Kind::ALL {
        as_kind(kind, object.into());
    }
}

/// Any bytes, as a message of each kind that is read in protobuf, as a list and as an event.
pub fn message(data: &[u8]) {
    for kind in [Kind::Node, Kind::Pod] {
        as_kind(kind, Encoded::Protobuf(data));
    }
    if let Ok(list) = protobuf::list(data) {
        let items = list.items.iter().map(|item| item.len());
        assert!(items.sum::<usize>() < data.len());
    }
    if let Ok(event) = protobuf::event(data) {
        assert!(event.event.len() + event.object.object.len() < data.len());
        let _ = protobuf::Status::read(event.object);
    }
}

fn as_kind(kind: Kind, object: Encoded<'_>) {
    let mut around = Around::new();
    let observed = around.0.observe(kind, object);
    let mut own = vec![wire::identity(object).map(|identity| identity.key)];
    if let Err(error) = &observed {
        assert_eq!(error.kind, kind.as_str());
        assert!(!error.why.is_empty() && error.why.len() < 400, "{error}");
        let key = |name| Key::new(error.namespace.clone().unwrap_or_default(), name);
        own.push(error.name.clone().map(key));
    }
    around.check(&own);
    decide(&mut around.0);
    // The same within a list: it says of the others that they are there.
    around.0.list_began(kind);
    let _ = around.0.listed(kind, object);
    for (good, _, text) in GOOD.iter().filter(|(good, ..)| *good == kind) {
        let _ = around.0.listed(*good, text_of(text));
    }
    around.0.list_completed(kind, Version(1 << 40));
    around.check(&own);
    around.0.deleted(kind, object);
    around.check(&own);
    decide(&mut around.0);
}

/// Plans for every DaemonSet, and explains, prints and writes the plan.
pub fn decide(cache: &mut Cache) {
    for key in cache.daemon_sets() {
        for surges in [false, true] {
            let settings = Settings {
                suppress_on_leaving_nodes: surges,
                ..Settings::default()
            };
            cache.snapshot(&key, settings, |snapshot| {
                let detailed = plan::in_detail(snapshot, now());
                advice::about_plan(snapshot, &detailed);
                if let Some(explainer) = Explainer::new(snapshot, &detailed, now()) {
                    let nodes = explain::report::all_nodes(&explainer);
                    let explained = explain::report::Explanation::new(snapshot, &detailed, now());
                    explain::text::render(&explained.with_nodes(&nodes).grouped(), true);
                }
                let extras = report::Extras {
                    manifests: true,
                    values: false,
                };
                let notes = Notes::default();
                let Ok(report) = report::Report::new(snapshot, &detailed, now(), notes, extras)
                else {
                    return;
                };
                let said = text::render(snapshot, &detailed.plan, &report, now(), &[], true);
                let _ = manifests::stream(&said, &report);
                let json = report::to_json(&report);
                serde_json::from_str::<&RawValue>(&json).expect("JSON");
            });
        }
    }
}

/// Any JSON, as a template and as the data of a revision.
pub fn template(data: &[u8]) {
    let Ok(template) = serde_json::from_slice::<&RawValue>(data) else {
        return;
    };
    let is_deep = place::depth(template.get()) > place::MAX_DEPTH;
    let Ok(once) = canonical::canonical(template) else {
        // What else fails is text that is no Unicode.
        assert!(is_deep || template.get().contains("\\u"), "{template}");
        return;
    };
    assert!(!is_deep);
    // The number -0.0 becomes -0, and that 0.
    let again = |text: &str| canonical::canonical(text_of(text)).expect("canonical");
    let twice = again(&once);
    assert_eq!(again(&twice), twice);
    let yaml = to_yaml::to_yaml(template).expect("as deep as templates are");
    let read = documents::split(&yaml).expect("what is written is YAML");
    // YAML takes a number that no float64 holds for a text; the API server takes neither.
    let is_finite = serde_json::from_str::<serde_json::Value>(template.get()).is_ok();
    if let ([read], true) = (&read[..], is_finite) {
        assert_eq!(
            again(&canonical::canonical(&read.json).expect("as deep")),
            twice
        );
    }
    let _ = canonical::existing_data(template);
    let Ok((data, without)) = canonical::revision_data(template) else {
        return;
    };
    assert_eq!(again(&data), again(&again(&data)));
    let (stored, stored_without) = canonical::existing_data(text_of(&data)).expect("as deep");
    assert_eq!(again(&stored), again(&data));
    assert_eq!(stored_without.is_some(), without.is_some());
    // Every field survives, known or not.
    let fields = |json: &RawValue| -> Vec<String> {
        let object = RawObject::parse(json).expect("an object");
        let keys = object.0.into_keys();
        keys.filter(|key| key != "$patch").collect()
    };
    let inside = raw::find(text_of(&data), &["spec", "template"]).expect("a template");
    assert_eq!(fields(template), fields(inside));
}
