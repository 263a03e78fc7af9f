//! A DaemonSet as the API server has it, with what plans do not need: conditions and images.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::model::{Key, Labels};

/// A DaemonSet, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its namespace and name.
    pub key: Key,
    value: Value,
}

impl Object {
    /// Of its JSON. None where that has no name.
    pub fn new(value: Value) -> Option<Object> {
        let metadata = &value["metadata"];
        let namespace = metadata["namespace"].as_str()?;
        let key = Key::new(namespace, metadata["name"].as_str()?);
        Some(Object { key, value })
    }

    fn metadata(&self, field: &str) -> &str {
        self.value["metadata"][field].as_str().unwrap_or_default()
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        self.metadata("uid")
    }

    /// `metadata.generation`.
    pub fn generation(&self) -> i64 {
        let generation = &self.value["metadata"]["generation"];
        generation.as_i64().unwrap_or_default()
    }

    /// Whether the status is of the present generation.
    pub fn is_observed(&self) -> bool {
        let observed = &self.value["status"]["observedGeneration"];
        observed.as_i64().unwrap_or_default() >= self.generation()
    }

    /// What a patch names, so that only the object that was seen is changed, in the state that was
    /// seen.
    pub fn seen(&self) -> Value {
        json!({ "uid": self.uid(), "resourceVersion": self.metadata("resourceVersion") })
    }

    fn texts(&self, field: &str) -> BTreeMap<&str, &str> {
        let all = self.value["metadata"][field].as_object();
        let all = all.into_iter().flatten();
        all.filter_map(|(key, value)| Some((&**key, value.as_str()?)))
            .collect()
    }

    /// `metadata.annotations`.
    pub fn annotations(&self) -> BTreeMap<&str, &str> {
        self.texts("annotations")
    }

    /// `metadata.labels`.
    pub fn labels(&self) -> BTreeMap<&str, &str> {
        self.texts("labels")
    }

    /// The annotations in the form in which plans have them.
    pub fn annotations_of_model(&self) -> Labels {
        self.annotations().into_iter().collect()
    }

    /// `status.conditions`.
    pub fn conditions(&self) -> &[Value] {
        let conditions = self.value["status"]["conditions"].as_array();
        conditions.map_or(&[], Vec::as_slice)
    }

    /// The condition of this type.
    pub fn condition(&self, kind: &str) -> Option<&Value> {
        self.conditions().iter().find(|c| c["type"] == kind)
    }

    /// The images of the template, in the order of its containers.
    pub fn images(&self) -> Vec<String> {
        images(&self.value["spec"]["template"])
    }
}

/// The images of a template, in the order of its containers, those of init containers first.
pub fn images(template: &Value) -> Vec<String> {
    let of = |field: &str| template["spec"][field].as_array().into_iter().flatten();
    let all = of("initContainers").chain(of("containers"));
    let images = all.filter_map(|container| container["image"].as_str());
    images.map(str::to_owned).collect()
}
