//! The scheduling gate in the template of pods that are created with one.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::model::{EXCLUSIVE_GATE, Template};

use super::raw::{self, RawObject};

#[derive(Serialize)]
struct SchedulingGate {
    name: &'static str,
}

/// The template with our gate after its own ones. All else stays as it was written. Fails where the
/// template is no JSON object of objects, and where its gates are no list.
pub fn with_gate(template: &Template) -> serde_json::Result<Template> {
    const FIELD: &str = "schedulingGates";
    let mut object: RawObject = serde_json::from_str(&template.raw)?;
    let mut spec: RawObject = object.read("spec")?.unwrap_or_default();
    let mut gates: Vec<Box<RawValue>> = match spec.get(FIELD).filter(|list| !raw::is_null(list)) {
        Some(list) => raw::parse_array(list)?,
        None => Vec::new(),
    };
    let is_ours = |gate: &RawValue| {
        let gate = RawObject::parse(gate).ok();
        let name: Option<String> = gate.and_then(|gate| gate.read("name").ok().flatten());
        name.is_some_and(|name| name == EXCLUSIVE_GATE)
    };
    if !gates.iter().any(|gate| is_ours(gate)) {
        let name = EXCLUSIVE_GATE;
        gates.push(to_raw_value(&SchedulingGate { name })?);
    }
    spec.put(FIELD, &gates)?;
    object.set("spec", spec.to_raw());
    Ok(Template {
        raw: object.to_raw().get().into(),
        ..template.clone()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{model::Interner, wire::daemon_set};

    #[test]
    fn our_gate_comes_once_and_after_those_of_the_template() {
        let ours = json!({"name": EXCLUSIVE_GATE});
        let other = json!({"name": "example.com/a"});
        for (had, wanted) in [
            (Value::Null, json!([ours])),
            (json!([]), json!([ours])),
            (json!([other]), json!([other, ours])),
            (json!([ours, other]), json!([ours, other])),
        ] {
            let object = json!({
                "metadata": {"name": "web", "namespace": "x", "uid": "u"},
                "spec": {
                    "selector": {"matchLabels": {"app": "web"}},
                    "template": {
                        "metadata": {"labels": {"app": "web"}},
                        "spec": {"schedulingGates": had, "future": 1.50},
                    },
                },
            });
            let raw = to_raw_value(&object).unwrap();
            let ds = daemon_set::decode(&raw, &mut Interner::default()).unwrap();
            let template = with_gate(&ds.template).unwrap();
            let template: Value = serde_json::from_str(&template.raw).unwrap();
            assert_eq!(template["spec"]["schedulingGates"], wanted);
            assert_eq!(
                template["spec"]["future"],
                object["spec"]["template"]["spec"]["future"]
            );
        }
    }
}
