//! PriorityClasses. They are no resource that is served: admission alone knows them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::pods::{self, PREEMPTION};
use super::resource::PODS;
use super::status::{ApiStatus, Result};

/// The most that a class which is not the system's may have.
const HIGHEST: i64 = 1_000_000_000;

/// A class.
#[derive(Clone, Debug)]
struct Class {
    value: i64,
    preemption: String,
    is_default: bool,
}

/// The classes, besides those of the system, which exist in every cluster.
#[derive(Clone, Default, Debug)]
pub struct PriorityClasses {
    all: BTreeMap<String, Class>,
}

impl PriorityClasses {
    /// Adds the class of a PriorityClass object. An error text where it cannot be one.
    pub fn add(&mut self, object: &Value) -> std::result::Result<(), String> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let value = match &object["value"] {
            Value::Null => 0,
            value => value
                .as_i64()
                .filter(|v| i32::try_from(*v).is_ok())
                .ok_or("value: a number of 32 bits is needed")?,
        };
        if name.starts_with("system-") {
            return Err(
                "metadata.name: priority class names with 'system-' prefix are reserved for system \
                 use only"
                    .to_owned(),
            );
        }
        if value > HIGHEST {
            return Err(format!(
                "value: maximum allowed value of a user defined priority is {HIGHEST}"
            ));
        }
        let preemption = object["preemptionPolicy"].as_str().unwrap_or(PREEMPTION);
        let class = Class {
            value,
            preemption: preemption.to_owned(),
            is_default: object["globalDefault"] == true,
        };
        self.all.insert(name.to_owned(), class);
        Ok(())
    }

    /// Whether pods may have this class.
    pub fn has(&self, name: &str) -> bool {
        pods::priority_of(name).is_some() || self.all.contains_key(name)
    }

    /// Gives a new pod the priority of its class, or of the default class if it has none. False if
    /// that class is not one of these, so that the rules for the system's classes apply.
    pub fn admit(&self, pod: &mut Value) -> Result<bool> {
        let asked = pod["spec"]["priorityClassName"].as_str().unwrap_or("");
        let found = match asked {
            "" => {
                let defaults = self.all.iter().filter(|(_, class)| class.is_default);
                defaults.min_by_key(|(_, class)| class.value)
            }
            name => self.all.get_key_value(name),
        };
        let Some((name, class)) = found else {
            return Ok(false);
        };
        pods::allowed(&pod["spec"], class.value, &class.preemption).map_err(|why| {
            let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
            ApiStatus::forbidden(&PODS, pod_name, &why)
        })?;
        let spec = &mut pod["spec"];
        spec["priorityClassName"] = json!(name);
        spec["priority"] = json!(class.value);
        spec["preemptionPolicy"] = json!(class.preemption);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, more: Value) -> Value {
        let mut object = more;
        object["metadata"] = json!({ "name": name });
        object
    }

    #[test]
    fn a_pod_gets_the_priority_of_its_class_or_of_the_lowest_default() {
        let mut classes = PriorityClasses::default();
        for object in [
            class("agents", json!({ "value": 9 })),
            class("quiet", json!({ "value": 5, "preemptionPolicy": "Never" })),
            class("usual", json!({ "value": 2, "globalDefault": true })),
            class("more", json!({ "value": 3, "globalDefault": true })),
        ] {
            classes.add(&object).expect("a class");
        }
        for (asked, wanted) in [
            ("agents", ("agents", 9, "PreemptLowerPriority")),
            ("quiet", ("quiet", 5, "Never")),
            ("", ("usual", 2, "PreemptLowerPriority")),
        ] {
            let mut pod = json!({ "spec": { "priorityClassName": asked } });
            assert!(classes.admit(&mut pod).expect("it is allowed"));
            let (name, value, policy) = wanted;
            assert_eq!(
                pod["spec"],
                json!({ "priorityClassName": name, "priority": value, "preemptionPolicy": policy })
            );
        }
        let mut pod = json!({ "spec": { "priorityClassName": "system-node-critical" } });
        assert!(!classes.admit(&mut pod).expect("others decide"));
        let mut pod = json!({ "spec": { "priorityClassName": "agents", "priority": 8 } });
        let refused = classes.admit(&mut pod).expect_err("another priority");
        assert!(refused.message.contains("computed 9 from"), "{refused}");
    }

    #[test]
    fn a_class_that_no_cluster_takes_is_refused() {
        let mut classes = PriorityClasses::default();
        for (object, why) in [
            (class("system-x", json!({ "value": 1 })), "'system-' prefix"),
            (class("x", json!({ "value": 1_000_000_001 })), "maximum"),
            (class("x", json!({ "value": "high" })), "a number"),
        ] {
            let refused = classes.add(&object).expect_err(why);
            assert!(refused.contains(why), "{refused}");
        }
        assert!(!classes.has("x") && classes.has("system-node-critical"));
    }
}
