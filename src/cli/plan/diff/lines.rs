//! Differences in words: a line each.

use serde_json::value::RawValue;

use crate::cli::{
    plan::report::{DiffEntry, DiffOp, RevisionDiff},
    to_yaml::one_line,
};

use super::tree::HIDDEN;

/// So many differences are printed before they are counted only.
const SHOWN: usize = 20;

/// So many characters of a value are printed.
const LONGEST: usize = 80;

/// So much of what two long values begin with in common is printed before what differs.
const COMMON: usize = 10;

/// A heading and a line for each difference; what is long is cut, unless all is asked for.
pub fn lines(diff: &RevisionDiff, verbose: bool) -> Vec<String> {
    let nearest = &diff.nearest;
    let mut lines = vec![format!(
        "compared with the nearest revision, {}, number {}:",
        nearest.name, nearest.number
    )];
    let shown = if verbose { usize::MAX } else { SHOWN };
    let changes = diff.changes.iter().take(shown);
    lines.extend(changes.clone().map(|entry| line(entry, verbose)));
    if let Some(more) = diff.changes.len().checked_sub(SHOWN)
        && more > 0
        && !verbose
    {
        lines.push(format!("  and {more} more (-v lists them)"));
    }
    if changes.clone().any(|entry| entry.hidden) {
        lines.push("values that may be secrets are hidden; --show-values shows them".to_owned());
    }
    lines
}

fn line(entry: &DiffEntry, verbose: bool) -> String {
    let path = &entry.path;
    let text = |json: &Option<Box<RawValue>>| json.as_deref().map(text).unwrap_or_default();
    let (from, to) = (text(&entry.from), text(&entry.to));
    let longest = if verbose { usize::MAX } else { LONGEST };
    match entry.op {
        DiffOp::Added => format!("  + {path}: {}", cut(&to, 0, longest)),
        DiffOp::Removed => format!("  - {path}: {}", cut(&from, 0, longest)),
        DiffOp::Changed => {
            let both_long = from.chars().count().min(to.chars().count()) > longest;
            let pairs = from.chars().zip(to.chars());
            let common = pairs.take_while(|(a, b)| a == b).count();
            let start = if both_long {
                common.saturating_sub(COMMON)
            } else {
                0
            };
            let (from, to) = (cut(&from, start, longest), cut(&to, start, longest));
            format!("  ~ {path}: {from} -> {to}")
        }
        DiffOp::Reordered => {
            let (from, to) = (cut(&from, 0, longest), cut(&to, 0, longest));
            format!("  ~ {path}: in another order: {from} -> {to}")
        }
    }
}

/// A string as YAML has it, all else as JSON. The sign for what is hidden needs no quotes.
fn text(json: &RawValue) -> String {
    let Ok(text) = serde_json::from_str::<String>(json.get()) else {
        return json.get().to_owned();
    };
    let without_sign = text.replace(HIDDEN, "hidden");
    if one_line(&without_sign) == without_sign {
        return text;
    }
    one_line(&text)
}

/// At most `longest` characters from `start` on.
fn cut(text: &str, start: usize, longest: usize) -> String {
    let count = text.chars().count() - start;
    let begin = if start > 0 { "…" } else { "" };
    let rest = text.chars().skip(start);
    if count <= longest {
        return format!("{begin}{}", rest.collect::<String>());
    }
    format!("{begin}{}…", rest.take(longest).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::plan::report::NearestRevision;

    fn diff(changes: Vec<(DiffOp, &str, &str)>) -> RevisionDiff {
        let raw = |text: &str| {
            let json = (!text.is_empty()).then(|| RawValue::from_string(text.to_owned()));
            json.map(Result::unwrap)
        };
        RevisionDiff {
            nearest: NearestRevision {
                name: "agent-1".into(),
                number: 1,
            },
            changes: changes
                .into_iter()
                .map(|(op, from, to)| DiffEntry {
                    path: "a.b".into(),
                    op,
                    from: raw(from),
                    to: raw(to),
                    hidden: to.contains("hidden"),
                })
                .collect(),
        }
    }

    #[test]
    fn strings_are_written_as_in_a_manifest_and_long_values_are_cut_where_they_differ() {
        let long = |end: &str| format!("\"{}{end}\"", "x".repeat(100));
        let changes = vec![
            (DiffOp::Changed, "\"a\"", "\"true\""),
            (DiffOp::Added, "", r#"{"a":1}"#),
            (DiffOp::Removed, "null", ""),
        ];
        let expected = [
            "compared with the nearest revision, agent-1, number 1:",
            "  ~ a.b: a -> \"true\"",
            r#"  + a.b: {"a":1}"#,
            "  - a.b: null",
        ];
        assert_eq!(lines(&diff(changes), false), expected);
        let (from, to) = (long("1"), long("22"));
        let changed = diff(vec![(DiffOp::Changed, &*from, &*to)]);
        assert_eq!(
            lines(&changed, false)[1],
            "  ~ a.b: …xxxxxxxxxx1 -> …xxxxxxxxxx22"
        );
        let all = format!(
            "  ~ a.b: {} -> {}",
            from.trim_matches('"'),
            to.trim_matches('"')
        );
        assert_eq!(lines(&changed, true)[1], all);
        let added = diff(vec![(DiffOp::Added, "", &*to)]);
        assert_eq!(
            lines(&added, false)[1],
            format!("  + a.b: {}…", "x".repeat(80))
        );
    }

    #[test]
    fn many_differences_are_counted() {
        let many = diff(vec![(DiffOp::Added, "", "1"); 22]);
        let shown = lines(&many, false);
        assert_eq!(shown.len(), 22);
        assert_eq!(shown[21], "  and 2 more (-v lists them)");
        assert_eq!(lines(&many, true).len(), 23);
        let hidden = diff(vec![(DiffOp::Added, "", "\"<hidden>\"")]);
        assert!(lines(&hidden, false)[2].contains("--show-values"));
    }
}
