//! Tools that apply a DaemonSet's manifest again and again, and may so take back what a command
//! wrote.

use super::object::Object;

/// By what a tool is recognised: a label or an annotation, and its value where it needs to be one.
const TOOLS: [(&str, &str, Option<&str>); 5] = [
    ("Argo CD", "argocd.argoproj.io/tracking-id", None),
    ("Argo CD", "argocd.argoproj.io/instance", None),
    ("Flux", "kustomize.toolkit.fluxcd.io/name", None),
    ("Flux", "helm.toolkit.fluxcd.io/name", None),
    ("Helm", "app.kubernetes.io/managed-by", Some("Helm")),
];

/// A note about the tool that manages the DaemonSet, where one does; `key` is the annotation that
/// is written.
pub fn note(object: &Object, key: &str) -> Option<String> {
    let (labels, annotations) = (object.labels(), object.annotations());
    let has = |name: &str, wanted: Option<&str>| {
        let value = labels.get(name).or_else(|| annotations.get(name));
        value.is_some_and(|value| wanted.is_none_or(|wanted| *value == wanted))
    };
    let mut tools = TOOLS.iter();
    let (tool, name, _) = tools.find(|(_, name, wanted)| has(name, *wanted))?;
    Some(format!(
        "{tool} manages this DaemonSet ({name}): where its manifest has {key} too, it will set that back; then change \
         it there"
    ))
}
