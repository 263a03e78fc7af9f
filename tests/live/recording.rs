//! Recordings of older servers. `tests/data` has what the newest says, whole; for each older
//! version `tests/data/kubernetes` has the rows in which that one differs, and nothing else;
//! `tests/server/older_versions.rs` says what they come to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;

use flate2::{Compression, GzBuilder, read::GzDecoder};
use serde_json::Value;

use crate::kubernetes::{Kubernetes, NEWEST};

/// A recording of several versions, a row of JSON for each thing that was asked.
pub struct Recording {
    /// The version of the server that is asked now.
    pub kubernetes: Kubernetes,
    /// The name of the file with the rows of an older version.
    pub file: String,
    /// What tells a row from the others, whatever was answered.
    pub key: fn(&Value) -> String,
}

impl Recording {
    /// The rows in which `now` is not as recorded, in words. `newest` is the recording of the
    /// newest version, row by row about the same as `now`. With `record` the file of an older
    /// version is written anew instead.
    pub fn differences(&self, newest: &[Value], now: &[Value], record: bool) -> Vec<String> {
        assert_eq!(now.len(), newest.len(), "to be recorded anew");
        let path = self.kubernetes.data(&self.file);
        let mut now = now.to_vec();
        now.iter_mut().for_each(hide_addresses);
        if record && self.kubernetes != NEWEST {
            let rows = newest
                .iter()
                .zip(&now)
                .filter(|(newest, now)| newest != now);
            let lines: String = rows.map(|(_, now)| format!("{now}\n")).collect();
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
            let file = fs::File::create(&path).expect("the file can be written");
            let mut gzip = GzBuilder::new().write(file, Compression::best());
            gzip.write_all(lines.as_bytes())
                .expect("the file can be written");
            gzip.finish().expect("the file can be written");
            return Vec::new();
        }
        let others = self.others();
        let mut unused: BTreeSet<&String> = others.keys().collect();
        let mut wrong = Vec::new();
        for (newest, now) in newest.iter().zip(&now) {
            let key = (self.key)(newest);
            unused.remove(&key);
            let then = others.get(&key).unwrap_or(newest);
            if then != now {
                wrong.push(format!("file   {then}\nserver {now}"));
            }
        }
        wrong.extend(unused.into_iter().map(|key| format!("not asked: {key}")));
        wrong
    }

    /// The rows of this version that differ from those of the newest, by key.
    fn others(&self) -> BTreeMap<String, Value> {
        if self.kubernetes == NEWEST {
            return BTreeMap::new();
        }
        let path = self.kubernetes.data(&self.file);
        let file = fs::File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let text = std::io::read_to_string(GzDecoder::new(file)).expect("gzip");
        let rows = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        rows.map(|row| ((self.key)(&row), row)).collect()
    }
}

/// Replaces what is other each time in messages of servers before 1.34: the addresses of optional
/// fields, and which spaces a difference is printed with (go-cmp draws them, so that nobody relies
/// on its text).
pub fn hide_addresses(value: &mut Value) {
    match value {
        Value::String(text) => {
            *text = text.replace('\u{a0}', " ");
            while let Some(at) = text.find("(0x") {
                let digits = |c: char| c.is_ascii_hexdigit();
                let end = at + 3 + text[at + 3..].chars().take_while(|c| digits(*c)).count();
                text.replace_range(at..end, "(address");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_addresses),
        Value::Object(fields) => fields.values_mut().for_each(hide_addresses),
        _ => {}
    }
}
