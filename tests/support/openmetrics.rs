//! Reads OpenMetrics text (version 1.0.0). It refuses text that breaks the rules, and also
//! timestamps, exemplars and unused types, which we never write.

#![allow(dead_code)] // each test binary uses its part of it

use std::collections::{BTreeMap, BTreeSet};

/// The labels of a sample.
pub type Labels = BTreeMap<String, String>;

/// A family of metrics.
#[derive(Debug, Default)]
pub struct Family {
    pub name: String,
    pub kind: String,
    pub unit: String,
    pub help: String,
    pub samples: Vec<Sample>,
}

/// A line with a value.
#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub labels: Labels,
    pub value: f64,
}

/// All of it.
#[derive(Debug)]
pub struct Exposition {
    pub families: Vec<Family>,
}

impl Exposition {
    /// The samples of this name.
    pub fn samples<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        let all = self.families.iter().flat_map(|f| &f.samples);
        all.filter(move |s| s.name == name)
    }

    /// The sum of the samples of this name that have these labels, among others.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |s: &Sample| {
            let mut all = labels.iter();
            all.all(|(k, v)| s.labels.get(*k).is_some_and(|value| value == v))
        };
        self.samples(name).filter(|s| has(s)).map(|s| s.value).sum()
    }

    /// The one sample of this name that has these labels, among others; None where there is none.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |s: &&Sample| {
            let mut all = labels.iter();
            all.all(|(k, v)| s.labels.get(*k).is_some_and(|value| value == v))
        };
        let mut found = self.samples(name).filter(has).map(|s| s.value);
        let first = found.next();
        assert_eq!(found.next(), None, "several: {name} {labels:?}");
        first
    }
}

/// The suffixes of a type's samples.
fn suffixes(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "gauge" => &[""],
        "counter" => &["_total"],
        "histogram" => &["_bucket", "_count", "_sum"],
        "info" => &["_info"],
        _ => return None,
    })
}

/// Reads a whole exposition. The error names the line.
pub fn parse(text: &str) -> Result<Exposition, String> {
    let Some(body) = text.strip_suffix("# EOF\n") else {
        return Err("it does not end with # EOF".into());
    };
    let mut families: Vec<Family> = Vec::new();
    let mut seen = BTreeSet::new();
    for line in body.split_terminator('\n') {
        take(line, &mut families, &mut seen).map_err(|why| format!("{why}: {line:?}"))?;
    }
    if !body.is_empty() && !body.ends_with('\n') {
        return Err("the last line has no end".into());
    }
    let mut names = BTreeSet::new();
    for family in &families {
        whole(family).map_err(|why| format!("{why}: {}", family.name))?;
        for suffix in suffixes(&family.kind).unwrap_or_default() {
            let name = format!("{}{suffix}", family.name);
            if !names.insert(name.clone()) {
                return Err(format!("two families may have samples named {name}"));
            }
        }
    }
    Ok(Exposition { families })
}

fn take(line: &str, families: &mut Vec<Family>, seen: &mut BTreeSet<String>) -> Result<(), String> {
    if let Some(rest) = line.strip_prefix("# ") {
        let mut parts = rest.splitn(3, ' ');
        let (what, name) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let said = parts.next().ok_or("nothing is said")?;
        if !is_name(name, true) {
            return Err("not a name".into());
        }
        if families.last().is_none_or(|f| f.name != name) {
            if !seen.insert(name.to_owned()) {
                return Err("a family in two places".into());
            }
            families.push(Family {
                name: name.to_owned(),
                ..Family::default()
            });
        }
        let family = families.last_mut().expect("just looked at");
        if !family.samples.is_empty() {
            return Err("said after samples".into());
        }
        let place = match what {
            "HELP" => &mut family.help,
            "TYPE" => &mut family.kind,
            "UNIT" => &mut family.unit,
            _ => return Err("neither HELP, TYPE nor UNIT".into()),
        };
        if !place.is_empty() {
            return Err("said twice".into());
        }
        *place = match what {
            "HELP" => unescape(said)?,
            _ => said.to_owned(),
        };
        if place.is_empty() {
            return Err("nothing is said".into());
        }
        return Ok(());
    }
    let sample = sample(line)?;
    let family = families.last_mut().ok_or("a sample before any family")?;
    let suffixes = suffixes(&family.kind).ok_or("a type that is not known, or comes too late")?;
    let suffix = sample.name.strip_prefix(&*family.name);
    if !suffix.is_some_and(|suffix| suffixes.contains(&suffix)) {
        return Err(format!("not a sample of {} {}", family.kind, family.name));
    }
    let same = |other: &Sample| other.name == sample.name && other.labels == sample.labels;
    if family.samples.iter().any(same) {
        return Err("the same sample twice".into());
    }
    family.samples.push(sample);
    Ok(())
}

fn sample(line: &str) -> Result<Sample, String> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, rest) = line.split_at(end);
    if !is_name(name, true) {
        return Err("not a name".into());
    }
    let mut labels = Labels::new();
    let mut rest = rest;
    if let Some(inside) = rest.strip_prefix('{') {
        rest = take_labels(inside, &mut labels)?;
    }
    let value = rest.strip_prefix(' ').ok_or("no space before the value")?;
    if value.contains(char::is_whitespace) {
        return Err("more than a value".into());
    }
    let value = match value {
        "+Inf" => f64::INFINITY,
        _ if value.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            value.parse().map_err(|_| "not a number")?
        }
        _ => return Err("not a number".into()),
    };
    Ok(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// Reads labels up to the closing brace; what comes after it is left.
fn take_labels<'a>(mut rest: &'a str, labels: &mut Labels) -> Result<&'a str, String> {
    if let Some(after) = rest.strip_prefix('}') {
        return Ok(after);
    }
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("a label without a value")?;
        if !is_name(name, false) || name.starts_with("__") {
            return Err(format!("{name:?} is no name of a label"));
        }
        let mut end = None;
        let mut escaped = false;
        for (at, c) in after.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let end = end.ok_or("a label's value does not end")?;
        let value = unescape(&after[..end])?;
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("label {name} twice"));
        }
        rest = &after[end + 1..];
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        rest = rest.strip_prefix(',').ok_or("no comma between labels")?;
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some(c @ ('\\' | '"')) => out.push(c),
                _ => return Err("an unknown escape".into()),
            },
            '"' | '\n' | '\r' => return Err("a character that must be escaped".into()),
            c => out.push(c),
        }
    }
    Ok(out)
}

fn is_name(name: &str, colons: bool) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    first
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || colons && c == ':')
}

/// The rules that need a whole family.
fn whole(family: &Family) -> Result<(), String> {
    if family.help.is_empty() || family.kind.is_empty() {
        return Err("HELP and TYPE are needed".into());
    }
    for reserved in ["_total", "_created", "_bucket", "_count", "_sum", "_info"] {
        if family.name.ends_with(reserved) {
            return Err(format!(
                "{reserved} is a suffix of samples, not of families"
            ));
        }
    }
    if !family.unit.is_empty() && !family.name.ends_with(&format!("_{}", family.unit)) {
        return Err("a name that does not end with its unit".into());
    }
    for unit in ["seconds", "bytes"] {
        if family.name.ends_with(&format!("_{unit}")) && family.unit != unit {
            return Err("a unit in the name that is not said".into());
        }
    }
    let keys = |labels: &Labels| -> BTreeSet<String> {
        labels.keys().filter(|k| *k != "le").cloned().collect()
    };
    let first = family.samples.first().map(|s| keys(&s.labels));
    for sample in &family.samples {
        if Some(keys(&sample.labels)) != first {
            return Err("samples with different labels".into());
        }
        match &*family.kind {
            "counter" if sample.value < 0.0 || !sample.value.is_finite() => {
                return Err("a count below 0".into());
            }
            "info" if sample.value != 1.0 => return Err("an info that is not 1".into()),
            "gauge" if !sample.value.is_finite() => return Err("a gauge that is no number".into()),
            _ => {}
        }
        let le = sample.labels.contains_key("le");
        if le != sample.name.ends_with("_bucket") {
            return Err("le belongs to buckets".into());
        }
    }
    if family.kind == "histogram" {
        histogram(family)?;
    }
    Ok(())
}

fn histogram(family: &Family) -> Result<(), String> {
    let mut groups: BTreeMap<Labels, Vec<&Sample>> = BTreeMap::new();
    for sample in &family.samples {
        let mut labels = sample.labels.clone();
        labels.remove("le");
        groups.entry(labels).or_default().push(sample);
    }
    for samples in groups.values() {
        let of = |suffix: &str| {
            let name = format!("{}{suffix}", family.name);
            samples.iter().filter(move |s| s.name == name)
        };
        let mut last = (f64::NEG_INFINITY, 0.0);
        for bucket in of("_bucket") {
            let le = match &*bucket.labels["le"] {
                "+Inf" => f64::INFINITY,
                le => le.parse().map_err(|_| "a bound that is no number")?,
            };
            if le <= last.0 || bucket.value < last.1 {
                return Err("buckets that do not grow".into());
            }
            last = (le, bucket.value);
        }
        let count = of("_count").next().map(|s| s.value);
        if last.0 != f64::INFINITY || count != Some(last.1) {
            return Err("no last bucket, or not the count in it".into());
        }
        if !of("_sum").next().is_some_and(|sum| sum.value >= 0.0) {
            return Err("no sum".into());
        }
    }
    Ok(())
}

#[test]
fn made_up_expositions_are_judged() {
    let family = "# HELP a_seconds Time.\n# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n";
    let counter = "# HELP c Things.\n# TYPE c counter\n";
    let histogram = "# HELP h Sizes.\n# TYPE h histogram\n";
    for (text, expected) in [
        ("# EOF\n".to_owned(), true),
        (format!("{family}a_seconds 1.5\n# EOF\n"), true),
        (
            format!("{family}a_seconds{{x=\"a\\\\b\\n\\\"\",y=\"\"}} -1\n# EOF\n"),
            true,
        ),
        (
            format!("{counter}c_total{{x=\"1\"}} 0\nc_total{{x=\"2\"}} 0\n# EOF\n"),
            true,
        ),
        (
            format!(
                "{histogram}h_sum 3\nh_count 2\nh_bucket{{le=\"1.0\"}} 1\nh_bucket{{le=\"+Inf\"}} 2\n# EOF\n"
            ),
            true,
        ),
        (
            "# HELP b What.\n# TYPE b info\nb_info{version=\"1\"} 1\n# EOF\n".to_owned(),
            true,
        ),
        (String::new(), false),
        (format!("{family}a_seconds 1\n"), false),
        (format!("{family}a_seconds 1\n# EOF\n\n"), false),
        (format!("{family}a_seconds 1\n# EOF\n# EOF\n"), false),
        (format!("{family}a_seconds 1\n\n# EOF\n"), false),
        (format!("{family}a_seconds  1\n# EOF\n"), false),
        (format!("{family}a_seconds 1 1700000000\n# EOF\n"), false),
        (format!("{family}a_seconds nan\n# EOF\n"), false),
        (format!("{family}a_seconds 1\na_seconds 2\n# EOF\n"), false),
        (format!("{family}a_seconds_total 1\n# EOF\n"), false),
        (format!("{family}{family}# EOF\n"), false),
        (
            format!("{family}a_seconds 1\n{counter}c_total 1\n{family}# EOF\n"),
            false,
        ),
        (
            format!("{family}a_seconds{{x=\"1\"}} 1\na_seconds{{y=\"1\"}} 1\n# EOF\n"),
            false,
        ),
        (
            format!("{family}a_seconds{{x=\"1\",x=\"2\"}} 1\n# EOF\n"),
            false,
        ),
        (format!("{family}a_seconds{{__x=\"1\"}} 1\n# EOF\n"), false),
        (format!("{family}a_seconds{{x=\"\\t\"}} 1\n# EOF\n"), false),
        (format!("{family}a_seconds{{x=\"1}} 1\n# EOF\n"), false),
        (
            format!("{family}a_seconds{{x=\"1\"y=\"2\"}} 1\n# EOF\n"),
            false,
        ),
        ("a 1\n# EOF\n".to_owned(), false),
        ("# TYPE a gauge\na 1\n# EOF\n".to_owned(), false),
        ("# HELP a A.\na 1\n# EOF\n".to_owned(), false),
        (
            "# HELP a A.\n# TYPE a quantity\na 1\n# EOF\n".to_owned(),
            false,
        ),
        (
            "# HELP a_seconds A.\n# TYPE a_seconds gauge\na_seconds 1\n# EOF\n".to_owned(),
            false,
        ),
        (
            "# HELP a A.\n# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n".to_owned(),
            false,
        ),
        (
            "# HELP a_total A.\n# TYPE a_total counter\na_total_total 1\n# EOF\n".to_owned(),
            false,
        ),
        ("# HELP 1a A.\n# TYPE 1a gauge\n# EOF\n".to_owned(), false),
        (format!("{counter}c 1\n# EOF\n"), false),
        (format!("{counter}c_total -1\n# EOF\n"), false),
        (
            format!("{histogram}h_sum 3\nh_count 2\nh_bucket{{le=\"1.0\"}} 1\n# EOF\n"),
            false,
        ),
        (
            format!(
                "{histogram}h_sum 3\nh_count 3\nh_bucket{{le=\"1.0\"}} 1\nh_bucket{{le=\"+Inf\"}} 2\n# EOF\n"
            ),
            false,
        ),
        (
            format!(
                "{histogram}h_sum 3\nh_count 1\nh_bucket{{le=\"1.0\"}} 2\nh_bucket{{le=\"+Inf\"}} 1\n# EOF\n"
            ),
            false,
        ),
        (
            format!("{histogram}h_count 1\nh_bucket{{le=\"+Inf\"}} 1\n# EOF\n"),
            false,
        ),
    ] {
        let parsed = parse(&text);
        assert_eq!(parsed.is_ok(), expected, "{text}: {parsed:?}");
    }
}
