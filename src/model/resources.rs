//! Resources of containers by class of node: what the key `resources` asks for, and what a template
//! has.

use std::{cmp::Ordering, collections::BTreeMap, fmt, sync::Arc};

use super::{LabelSelector, Labels, Str, json::Json, quantity};

/// The annotation of a pod that says which resources it was made with, or resized to, beyond its
/// template: [`ResourceClass::text`]. Absent where that is nothing.
pub const MARK: &str = "daemonset-controller.io/resources";

/// The resources that a rule may name.
pub const NAMES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// Name of a resource to its amount, in the form in which the API server writes it.
pub type Amounts = BTreeMap<Str, Str>;

/// `resources` of a container.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ContainerResources {
    /// `requests`.
    pub requests: Amounts,
    /// `limits`.
    pub limits: Amounts,
}

/// More is requested than the limit allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Excess {
    /// The resource.
    pub name: Str,
    /// `requests`.
    pub request: Str,
    /// `limits`.
    pub limit: Str,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Excess {
            name,
            request,
            limit,
        } = self;
        write!(f, "requests {request} of {name}, and its limit is {limit}")
    }
}

impl ContainerResources {
    /// These amounts in place of those of the same names, and the others of `template`.
    pub fn over(&self, template: &ContainerResources) -> ContainerResources {
        let both = |below: &Amounts, above: &Amounts| {
            let all = below.iter().chain(above);
            all.map(|(name, amount)| (name.clone(), amount.clone()))
                .collect()
        };
        ContainerResources {
            requests: both(&template.requests, &self.requests),
            limits: both(&template.limits, &self.limits),
        }
    }

    /// As the API server completes a pod: what has a limit and no request requests the limit.
    pub fn completed(mut self) -> ContainerResources {
        for (name, limit) in &self.limits {
            let requested = self.requests.entry(name.clone());
            requested.or_insert_with(|| limit.clone());
        }
        self
    }

    /// A resource of which more is requested than the limit allows. The API server refuses such a
    /// pod.
    pub fn excess(&self) -> Option<Excess> {
        let mut both = self.limits.iter().filter_map(|(name, limit)| {
            let request = self.requests.get(name)?;
            let is_more = compare(request, limit) == Ordering::Greater;
            is_more.then(|| Excess {
                name: name.clone(),
                request: request.clone(),
                limit: limit.clone(),
            })
        });
        both.next()
    }
}

/// Which of two quantities is larger. What is none counts as 0.
pub fn compare(a: &str, b: &str) -> Ordering {
    let amount = |text| quantity::billionths(text).unwrap_or(0);
    amount(a).cmp(&amount(b))
}

/// What a rule gives to the containers of the pods on its nodes, by name of the container.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResourceClass {
    /// By name of the container.
    pub containers: BTreeMap<Str, ContainerResources>,
}

impl ResourceClass {
    /// The JSON in one form: sorted, without white space, quantities as the API server writes them.
    /// None where it asks for nothing.
    pub fn text(&self) -> Option<Str> {
        if self.containers.is_empty() {
            return None;
        }
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let amounts = |amounts: &Amounts| {
            let all = amounts
                .iter()
                .map(|(k, v)| format!("{}:{}", quoted(k), quoted(v)));
            format!("{{{}}}", all.collect::<Vec<_>>().join(","))
        };
        let container = |(name, resources): (&Str, &ContainerResources)| {
            let both = [
                ("limits", &resources.limits),
                ("requests", &resources.requests),
            ];
            let both = both.iter().filter(|(_, list)| !list.is_empty());
            let both = both.map(|(key, list)| format!("\"{key}\":{}", amounts(list)));
            format!(
                "{}:{{{}}}",
                quoted(name),
                both.collect::<Vec<_>>().join(",")
            )
        };
        let all = self.containers.iter().map(container);
        Some(format!("{{{}}}", all.collect::<Vec<_>>().join(",")).into())
    }

    /// Reads [`ResourceClass::text`]; None for any other text.
    pub fn parse(text: &str) -> Option<ResourceClass> {
        let class = ResourceClass::read(&Json::parse(text).ok()?, "").ok()?;
        (class.text().as_deref() == Some(text)).then_some(class)
    }

    /// Reads an object of containers. The error says what is wrong, and where: `path` is that of
    /// the object.
    pub fn read(json: &Json, path: &str) -> Result<ResourceClass, String> {
        let mut class = ResourceClass::default();
        for (name, json) in object(json, path)? {
            let path = format!("{path}.{name}");
            if !is_container_name(name) {
                return Err(format!("{path}: this is no name of a container"));
            }
            let resources = container(json, &path)?;
            if resources != ContainerResources::default() {
                class.containers.insert(name.as_str().into(), resources);
            }
        }
        Ok(class)
    }
}

/// One rule of the key `resources`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceRule {
    /// Its number, from 1.
    pub number: usize,
    /// The selector of its nodes, as it was written.
    pub nodes: Str,
    /// The same, parsed.
    pub selector: LabelSelector,
    /// What the containers get.
    pub class: Arc<ResourceClass>,
    /// [`ResourceClass::text`] of that.
    pub mark: Option<Str>,
}

impl ResourceRule {
    /// Whether a node with these labels is of the class.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.selector.matches(|key| labels.get(key))
    }
}

impl fmt::Display for ResourceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} ({})", self.number, self.nodes)
    }
}

/// How a container of a template runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ContainerKind {
    /// One of `containers`.
    Main,
    /// One of `initContainers` with `restartPolicy: Always`, which runs on.
    Sidecar,
    /// Another one of `initContainers`, which ends before the others begin.
    Init,
}

/// A container of a template, as far as its resources are concerned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TemplateContainer {
    /// `name`.
    pub name: Str,
    /// How it runs.
    pub kind: ContainerKind,
    /// `resources`.
    pub resources: ContainerResources,
    /// The resources whose change restarts it, by `resizePolicy`.
    pub restarts: Vec<Str>,
}

/// What changes of a container while it runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resized {
    /// The container's name.
    pub name: Str,
    /// Whether it is one of `initContainers`.
    pub is_sidecar: bool,
    /// The requests that change.
    pub requests: Amounts,
    /// The limits that change.
    pub limits: Amounts,
}

fn object<'j>(json: &'j Json, path: &str) -> Result<&'j [(String, Json)], String> {
    match json {
        Json::Object(fields) => Ok(fields),
        _ => Err(format!("{path}: an object is needed")),
    }
}

fn container(json: &Json, path: &str) -> Result<ContainerResources, String> {
    let mut resources = ContainerResources::default();
    for (key, json) in object(json, path)? {
        let path = format!("{path}.{key}");
        match key.as_str() {
            "requests" => resources.requests = amounts(json, &path)?,
            "limits" => resources.limits = amounts(json, &path)?,
            _ => return Err(format!("{path}: only requests and limits are known")),
        }
    }
    match resources.excess() {
        Some(excess) => Err(format!("{path}: it {excess}")),
        None => Ok(resources),
    }
}

fn amounts(json: &Json, path: &str) -> Result<Amounts, String> {
    let mut amounts = Amounts::new();
    for (name, json) in object(json, path)? {
        let path = format!("{path}.{name}");
        if !NAMES.contains(&name.as_str()) {
            return Err(format!("{path}: only {} are known", NAMES.join(", ")));
        }
        let text = match json {
            Json::Text(text) if text.trim() == text => text.as_str(),
            _ => "",
        };
        let amount = quantity::billionths(text).filter(|amount| *amount >= 0);
        let written = amount.and_then(|_| quantity::canonical_resource(text));
        let Some(written) = written else {
            return Err(format!(
                "{path}: a quantity is needed, as the text 500m or 1Gi"
            ));
        };
        amounts.insert(name.as_str().into(), written.into());
    }
    Ok(amounts)
}

/// A label of a DNS name.
fn is_container_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    (1..=63).contains(&bytes.len())
        && plain(bytes[0])
        && plain(bytes[bytes.len() - 1])
        && bytes.iter().all(|b| plain(*b) || *b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> ResourceClass {
        ResourceClass::read(&Json::parse(text).expect("JSON"), "c").expect("a class")
    }

    #[test]
    fn a_class_has_one_form() {
        let written = r#"{"b": {"requests": {"memory": "1024Mi", "cpu": "0.5"}}, "a": {"limits": {"cpu": "2000m"}, "requests": {}}, "c": {}}"#;
        let text = class(written).text().expect("a text");
        let form = r#"{"a":{"limits":{"cpu":"2"}},"b":{"requests":{"cpu":"500m","memory":"1Gi"}}}"#;
        assert_eq!(&*text, form);
        assert_eq!(ResourceClass::parse(form), Some(class(written)));
        for other in [
            "",
            "{}",
            "[]",
            written,
            r#"{"a":{"limits":{"cpu":"2000m"}}}"#,
        ] {
            assert_eq!(ResourceClass::parse(other), None, "{other}");
        }
        assert_eq!(class(r#"{"a": {"limits": {}}}"#).text(), None);
    }

    #[test]
    fn what_is_named_wins_and_the_rest_is_the_templates() {
        let template = &class(
            r#"{"a": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}}"#,
        )
        .containers["a"];
        let rule = &class(r#"{"a": {"limits": {"memory": "512Mi", "cpu": "3"}}}"#).containers["a"];
        let merged = rule.over(template);
        assert_eq!(
            merged.excess().expect("an excess").to_string(),
            "requests 1Gi of memory, and its limit is 512Mi"
        );
        let text = |map: &Amounts| format!("{map:?}");
        assert_eq!(text(&merged.requests), r#"{"cpu": "1", "memory": "1Gi"}"#);
        assert_eq!(text(&merged.limits), r#"{"cpu": "3", "memory": "512Mi"}"#);
        let alone = rule.clone().completed();
        assert_eq!(alone.requests, alone.limits);
        assert_eq!(alone.excess(), None);
    }
}
