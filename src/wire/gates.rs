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
