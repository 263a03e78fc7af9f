//! The chart and `deploy/` without Helm: every value is described in the chart's README, flags are
//! flags of `run`, metrics are metrics of ours. `.ci/chart` has the checks that need Helm.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use daemonset_controller::cli::yaml;
use serde_json::Value;

const CHART: &str = "charts/daemonset-controller";

/// Metrics that the alerts and the dashboard may use.
const METRICS: &[&str] = &[
    "daemonset_controller_actions_total",
    "daemonset_controller_api_requests_total",
    "daemonset_controller_available_pods",
    "daemonset_controller_conflict",
    "daemonset_controller_current_pods",
    "daemonset_controller_decode_failures_total",
    "daemonset_controller_desired_pods",
    "daemonset_controller_held_nodes",
    "daemonset_controller_hold_start_timestamp_seconds",
    "daemonset_controller_leader",
    "daemonset_controller_misscheduled_pods",
    "daemonset_controller_ready_pods",
    "daemonset_controller_relists_total",
    "daemonset_controller_rollout_age_seconds",
    "daemonset_controller_rollout_defaults_valid",
    "daemonset_controller_rollout_stalled_start_timestamp_seconds",
    "daemonset_controller_rollout_stuck",
    "daemonset_controller_syncs_total",
    "daemonset_controller_updated_pods",
    "daemonset_controller_watch_age_seconds",
    "workqueue_adds_total",
    "workqueue_depth",
    "workqueue_queue_duration_seconds",
    "workqueue_retries_total",
    "workqueue_work_duration_seconds",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn schema() -> Value {
    serde_json::from_str(&read(&format!("{CHART}/values.schema.json"))).expect("the schema is JSON")
}

/// The first document of a YAML file.
fn yaml_value(text: &str) -> Value {
    let json = yaml::to_json(text).unwrap_or_else(|e| panic!("line {}: {}", e.line, e.message));
    serde_json::from_str(&json).expect("it is JSON by now")
}

/// The schema's values by their paths (`image.tag`), objects whose fields are listed left out.
fn described(schema: &Value, path: &str, found: &mut BTreeMap<String, String>) {
    let text = schema["description"].as_str().unwrap_or_default();
    assert!(
        path.is_empty() || !text.is_empty(),
        "{path} has no description"
    );
    match schema["properties"].as_object() {
        Some(properties) => {
            assert_eq!(
                schema["additionalProperties"], false,
                "{path:?} takes any value"
            );
            for (name, inside) in properties {
                let path = match path {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                described(inside, &path, found);
            }
        }
        None => {
            found.insert(path.to_owned(), text.to_owned());
        }
    }
}

/// The value at `path` in the values.
fn default_of<'a>(values: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(values, |value, name| value.get(name))
}

/// Paths of the values, as deep as the schema lists fields.
fn paths(values: &Value, schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let fields = schema["properties"].as_object().zip(values.as_object());
    let Some((properties, fields)) = fields else {
        found.insert(path.to_owned());
        return;
    };
    for (name, value) in fields {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let inside = properties.get(name).unwrap_or(&Value::Null);
        paths(value, inside, &path, found);
    }
}

#[test]
fn every_value_is_in_the_schema_with_a_description_and_has_a_default() {
    let (schema, values) = (schema(), yaml_value(&read(&format!("{CHART}/values.yaml"))));
    let mut listed = BTreeMap::new();
    described(&schema, "", &mut listed);
    listed.remove("global"); // Helm's own
    let mut given = BTreeSet::new();
    paths(&values, &schema, "", &mut given);
    let listed: BTreeSet<String> = listed.into_keys().collect();
    assert_eq!(
        listed, given,
        "left: values.schema.json, right: values.yaml"
    );
    assert!(listed.len() > 60, "this test no longer reads values");
}

/// `UPDATE_GOLDEN=1 cargo test --test process chart` writes the table anew.
#[test]
fn the_table_of_values_in_the_readme_is_what_schema_and_values_say() {
    let (schema, values) = (schema(), yaml_value(&read(&format!("{CHART}/values.yaml"))));
    let mut listed = BTreeMap::new();
    described(&schema, "", &mut listed);
    let mut table = String::from("| Value | Default | |\n|---|---|---|\n");
    for (path, text) in &listed {
        let Some(default) = default_of(&values, path) else {
            continue;
        };
        let shown = match default {
            Value::String(text) if text.is_empty() => String::new(),
            Value::String(text) => format!("`{text}`"),
            long if long.to_string().len() > 40 => "see values.yaml".to_owned(),
            other => format!("`{other}`"),
        };
        table += &format!("| `{path}` | {shown} | {text} |\n");
    }
    let file = format!("{CHART}/README.md");
    let readme = read(&file);
    let (before, rest) = readme
        .split_once("<!-- values -->\n")
        .expect("the README has the mark <!-- values -->");
    let (shown, after) = rest
        .split_once("<!-- end of values -->")
        .expect("the README has the mark <!-- end of values -->");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let fresh = format!("{before}<!-- values -->\n{table}<!-- end of values -->{after}");
        fs::write(root().join(file), fresh).expect("the README can be written");
        return;
    }
    assert_eq!(
        shown, table,
        "left: README.md; UPDATE_GOLDEN=1 cargo test --test process chart"
    );
}

/// Flags of `run`, from its help.
fn flags() -> BTreeSet<String> {
    let help = Command::new(env!("CARGO_BIN_EXE_daemonset-controller"))
        .args(["run", "--help"])
        .output()
        .expect("the binary runs");
    let help = String::from_utf8(help.stdout).expect("help is text");
    help.lines()
        .map(str::trim)
        .filter(|line| line.starts_with('-'))
        .flat_map(|line| line.split([' ', ',', '=', '[']))
        .filter(|word| word.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

/// Arguments that begin lines of a list, such as `- --burst=250`, without their values.
fn arguments(yaml: &str) -> BTreeSet<String> {
    yaml.lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .map(|line| {
            line.trim_start_matches("{{ printf ")
                .trim_start_matches('"')
        })
        .filter(|line| line.starts_with("--"))
        .map(|line| line.split(['=', ' ']).next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn what_is_deployed_is_started_with_flags_of_run() {
    let known = flags();
    assert!(known.contains("--burst"), "this test no longer reads flags");
    for file in [
        format!("{CHART}/templates/deployment.yaml"),
        "deploy/deployment.yaml".to_owned(),
        "deploy/static-pod/daemonset-controller.yaml".to_owned(),
    ] {
        let used = arguments(&read(&file));
        assert!(
            used.len() > 3,
            "{file}: this test no longer finds arguments"
        );
        let unknown: Vec<&String> = used.iter().filter(|flag| !known.contains(*flag)).collect();
        assert!(unknown.is_empty(), "{file}: run has no {unknown:?}");
    }
}

/// The names of ours, and of the workqueue's, in a text; histograms without what Prometheus adds.
fn metrics(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("daemonset_controller_") || word.starts_with("workqueue_"))
        .map(|word| word.trim_end_matches("_bucket").to_owned())
        .collect()
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
    let known: BTreeSet<String> = METRICS.iter().map(|name| (*name).to_owned()).collect();
    let asked = |file: &str| metrics(&read(&format!("{CHART}/{file}")));
    let alerts = asked("templates/prometheusrule.yaml");
    let dashboard = asked("dashboards/daemonset-controller.json");
    for (file, used) in [("alerts", &alerts), ("dashboard", &dashboard)] {
        assert!(used.len() > 5, "{file}: this test no longer finds metrics");
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(unknown.is_empty(), "{file}: nobody writes {unknown:?}");
    }
    let unseen: Vec<_> = known.difference(&dashboard).collect();
    assert!(unseen.is_empty(), "on no panel: {unseen:?}");
    let json: Value = serde_json::from_str(&read(&format!(
        "{CHART}/dashboards/daemonset-controller.json"
    )))
    .expect("the dashboard is JSON");
    assert!(json["panels"].as_array().is_some_and(|p| p.len() > 15));
    let written = metrics(&read("docs/metrics.md"));
    let missing: Vec<_> = known.difference(&written).collect();
    assert!(missing.is_empty(), "not in docs/metrics.md: {missing:?}");
}

/// All files of a folder and below.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn chart_image_and_crate_have_one_version() {
    let version = env!("CARGO_PKG_VERSION");
    let chart = yaml_value(&read(&format!("{CHART}/Chart.yaml")));
    assert_eq!(chart["version"], version);
    assert_eq!(chart["appVersion"], version);
    let mut named = 0;
    let mut all = Vec::new();
    files(&root().join("deploy"), &mut all);
    for path in all {
        let text = fs::read_to_string(&path).expect("text");
        for line in text.lines().filter(|line| line.contains("image: ")) {
            assert!(
                line.trim_end_matches('"').ends_with(&format!(":{version}")),
                "{}: {line}",
                path.display()
            );
            named += 1;
        }
    }
    assert!(named >= 2, "this test no longer finds images");
}

/// The live tests hold the policy's grammar against every value of the table.
#[test]
fn the_admission_policy_knows_each_key_and_wants_what_the_controller_wants() {
    let table: Value =
        serde_json::from_str(&read("tests/data/rollout-keys.json")).expect("the table is JSON");
    let policy = read(&format!("{CHART}/templates/admissionpolicy.yaml"));
    let mut keys = Vec::new();
    for row in table["keys"].as_array().expect("rows") {
        let (key, wanted) = (&row["key"], &row["wanted"]);
        let key = key.as_str().expect("a key");
        let entry = format!("'daemonset-controller.io/{key}': ");
        let wanted = format!("{entry}'{}'", wanted.as_str().expect("a phrase"));
        assert!(policy.contains(&wanted), "the policy has no {wanted}");
        let grammar = format!("{entry}r'^");
        assert!(policy.contains(&grammar), "the policy has no {grammar}");
        assert_eq!(policy.matches(&entry).count(), 2, "{entry}");
        keys.push(key);
    }
    let (last, others) = keys.split_last().expect("keys");
    let known = format!("it knows {} and {last}'", others.join(", "));
    assert!(policy.contains(&known), "the policy does not say: {known}");
}

#[test]
fn the_static_pod_is_as_confined_as_the_deployment() {
    let pod = yaml_value(&read("deploy/static-pod/daemonset-controller.yaml"));
    let deployment = yaml_value(&read("deploy/deployment.yaml"));
    let template = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["spec"]["securityContext"], template["securityContext"]);
    let container = |spec: &Value| spec["containers"][0]["securityContext"].clone();
    assert_eq!(container(&pod["spec"]), container(template));
    assert_eq!(template["securityContext"]["runAsNonRoot"], true);
    assert_eq!(container(template)["readOnlyRootFilesystem"], true);
}
