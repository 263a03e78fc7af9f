//! The first difference between two runs of a sequence, and how it is shown.

use serde_json::Value;

use super::play::Answer;
use super::step::{Sequence, Step};

/// The first difference between two runs.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Which step's answers differ.
    pub step: usize,
    /// The expected answer.
    pub expected: Answer,
    /// The answer that came.
    pub got: Answer,
}

/// All steps whose answers differ.
pub fn differences(expected: &[Answer], got: &[Answer]) -> Vec<Difference> {
    let pairs = expected.iter().zip(got).enumerate();
    pairs
        .filter(|(_, (expected, got))| expected != got)
        .map(|(step, (expected, got))| Difference {
            step,
            expected: expected.clone(),
            got: got.clone(),
        })
        .collect()
}

impl Difference {
    /// For people: the sequence up to the step, both answers, and their lines side by side.
    pub fn explain(&self, sequence: &Sequence) -> String {
        let mut out = format!("{}, step {}\n", sequence.name, self.step);
        for (index, step) in sequence.steps[..=self.step].iter().enumerate() {
            out += &format!("{index:>4}  {}\n", line(step));
        }
        out += &format!("expected {}, got {}\n", self.expected.code, self.got.code);
        out + &unified(&pretty(&self.expected.body), &pretty(&self.got.body))
    }
}

/// A step in one line.
pub fn line(step: &Step) -> String {
    let query: Vec<String> = step
        .query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut out = step.request.clone();
    if !query.is_empty() {
        out += &format!("?{}", query.join("&"));
    }
    if let Some(body) = &step.body {
        let kind = step.content_type.as_deref().unwrap_or_default();
        let kind = kind
            .trim_start_matches("application/")
            .trim_end_matches("+json");
        out += &format!(" [{kind}] {body}");
    }
    if let Some(name) = &step.save {
        out += &format!(" -> {name}");
    }
    out
}

fn pretty(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(&sorted(other)).expect("JSON can be written"),
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: std::collections::BTreeMap<_, _> =
                fields.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            fields.into_iter().collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// Lines that are only in the one text or the other, with some around them.
pub fn unified(old: &str, new: &str) -> String {
    const AROUND: usize = 3;
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // common[i][j]: how many lines the ends from i and j have in common, at best.
    let mut common = vec![vec![0usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let mut lines: Vec<(char, &str)> = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(('-', old[i]));
            i += 1;
        } else {
            lines.push(('+', new[j]));
            j += 1;
        }
    }
    let mut out = String::new();
    let mut skipped = false;
    for (at, (mark, text)) in lines.iter().enumerate() {
        let near = &lines[at.saturating_sub(AROUND)..(at + AROUND + 1).min(lines.len())];
        if near.iter().all(|(mark, _)| *mark == ' ') {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            out += "  ...\n";
        }
        out += &format!("{mark} {text}\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_shows_what_changed_with_some_lines_around() {
        let old = "a\nb\nc\nd\ne\nf\ng";
        assert_eq!(
            unified(old, "a\nb\nc\nd\ne\nx\ng"),
            "  ...\n  c\n  d\n  e\n- f\n+ x\n  g\n"
        );
        assert_eq!(unified(old, old), "");
        assert_eq!(unified("a", "a\nb"), "  a\n+ b\n");
    }
}
