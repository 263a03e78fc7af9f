//! Every decoder keeps its promises on any input (`tests/support/robust`): on recorded input that
//! was damaged, and on input that is made up. The fuzzers of `fuzz/` look further with the same
//! checks.
//!
//! `PROPTEST_CASES` tries more of them, and `WRITE_CORPUS=DIR` writes what they begin with, for
//! `fuzz/corpus.sh`.

use std::sync::LazyLock;

use proptest::{prelude::*, sample::Index};

use crate::{
    config::config,
    robust_support::{TARGETS, run, seeds},
};

/// Values that some reader somewhere takes for something else.
const NASTY: [&str; 30] = [
    "null",
    "true",
    "-1",
    "0",
    "1.5",
    "1e400",
    "-0.0",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "2147483647",
    "-2147483648",
    "1e-7",
    "\"\"",
    "\"NaN\"",
    "\"Infinity\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "\"\u{202e}\u{feff}\"",
    "\"0001-01-01T00:00:00Z\"",
    "\"9999-12-31T23:59:59Z\"",
    "\"-009999-01-01T00:00:00Z\"",
    "\"2026-06-30T23:59:60Z\"",
    "\"10e2147483647\"",
    "\"100%\"",
    "\"2147483647%\"",
    "[]",
    "{}",
    "[null]",
    "{\"\":null}",
];

/// One thing that happens to a text on its way.
#[derive(Clone, Debug)]
enum Damage {
    /// A byte changes.
    Byte(Index, u8),
    /// The rest is lost.
    Cut(Index),
    /// A part is lost, or is there twice.
    Lose(Index, u8),
    Twice(Index, u8),
    /// Something stands before a place.
    Insert(Index, String),
    /// The value after a key is another one.
    Value(Index, String),
    /// A key is there before, with another value.
    Key(Index, String),
    /// The value after a key is nested in so many lists.
    Nest(Index, usize),
}

fn nasty() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(&NASTY[..]).prop_map(str::to_owned),
        1 => any::<f64>().prop_map(|number| number.to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => (1..3_000_usize).prop_map(|length| format!("\"{}\"", "é".repeat(length))),
        1 => ".{0,12}".prop_map(|text| serde_json::Value::from(text).to_string()),
    ]
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        1 => at().prop_map(Damage::Cut),
        1 => (at(), any::<u8>()).prop_map(|(at, length)| Damage::Lose(at, length)),
        1 => (at(), any::<u8>()).prop_map(|(at, length)| Damage::Twice(at, length)),
        1 => (at(), nasty()).prop_map(|(at, text)| Damage::Insert(at, text)),
        8 => (at(), nasty()).prop_map(|(at, text)| Damage::Value(at, text)),
        2 => (at(), nasty()).prop_map(|(at, text)| Damage::Key(at, text)),
        1 => (at(), prop_oneof![1..300_usize, Just(20_000)]).prop_map(|(at, n)| Damage::Nest(at, n)),
    ]
}

/// The key of JSON or YAML at a place, as a range, and the range of its value.
fn entry(text: &str, at: &Index) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let colons: Vec<usize> = text.match_indices(':').map(|(at, _)| at).collect();
    let colon = *colons.get(at.index(colons.len().max(1)))?;
    let before = text[..colon].trim_end_matches('"');
    let key = before
        .rfind(['"', '\n', ' ', ',', '{'])
        .map_or(0, |at| at + 1);
    let key = key - usize::from(text[..key].ends_with('"'));
    let from = colon + 1;
    let value = text[from..].trim_start_matches(' ');
    let start = text.len() - value.len();
    let json =
        serde_json::Deserializer::from_str(value).into_iter::<&serde_json::value::RawValue>();
    let length = match { json }.next() {
        Some(Ok(raw)) => raw.get().len(),
        _ => value.find('\n').unwrap_or(value.len()),
    };
    Some((key..colon, start..start + length))
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let part = |at: &Index, size: u8| {
            let from = at.index(length.max(1)).min(length);
            from..length.min(from + usize::from(size))
        };
        match self {
            Damage::Byte(at, byte) if length > 0 => bytes[at.index(length)] = *byte,
            Damage::Cut(at) => bytes.truncate(at.index(length + 1)),
            Damage::Lose(at, size) => drop(bytes.drain(part(at, *size))),
            Damage::Twice(at, size) => {
                let again = bytes[part(at, *size)].to_vec();
                let place = at.index(length + 1);
                bytes.splice(place..place, again);
            }
            Damage::Insert(at, text) => {
                let place = at.index(length + 1);
                bytes.splice(place..place, text.bytes());
            }
            Damage::Value(at, _) | Damage::Key(at, _) | Damage::Nest(at, _) => {
                let text = str::from_utf8(bytes).unwrap_or_default().to_owned();
                let Some((key, value)) = entry(&text, at) else {
                    return;
                };
                match self {
                    Damage::Value(_, other) => drop(bytes.splice(value, other.bytes())),
                    Damage::Key(_, other) => {
                        let twice = format!("{}:{other},", &text[key.clone()]);
                        bytes.splice(key.start..key.start, twice.into_bytes());
                    }
                    Damage::Nest(_, levels) => {
                        bytes.splice(value.end..value.end, vec![b']'; *levels]);
                        bytes.splice(value.start..value.start, vec![b'['; *levels]);
                    }
                    _ => {}
                }
            }
            Damage::Byte(..) => {}
        }
    }
}

/// What all checks begin with, by the place in [`TARGETS`].
static SEEDS: LazyLock<Vec<Vec<Vec<u8>>>> =
    LazyLock::new(|| TARGETS.iter().map(|(name, _)| seeds::of(name)).collect());

fn damaged(target: &str, at: &Index, damages: &[Damage]) {
    let number = TARGETS.iter().position(|(name, _)| *name == target);
    let seeds = &SEEDS[number.expect("a target")];
    let mut bytes = seeds[at.index(seeds.len())].clone();
    damages.iter().for_each(|damage| damage.apply(&mut bytes));
    run(target, &bytes);
}

mod recordings {
    use super::*;

    /// A test of damaged recordings for one target: so many cases of it.
    macro_rules! one {
        ($test:ident $target:literal $cases:literal) => {
            proptest! {
                #![proptest_config(config($cases, 20_261_130))]
                #[test]
                fn $test(at in any::<Index>(), all in proptest::collection::vec(damage(), 0..5)) {
                    damaged($target, &at, &all);
                }
            }
        };
    }

    one!(damaged_values_of_keys "annotation" 250);
    one!(damaged_defaults "defaults" 250);
    one!(damaged_files "file" 60);
    one!(damaged_objects "object" 60);
    one!(damaged_patches "patch" 150);
    one!(damaged_messages "protobuf" 60);
    one!(damaged_quantities "quantity" 1_000);
    one!(damaged_selectors "selector" 600);
    one!(damaged_state "state" 300);
    one!(damaged_templates "template" 200);
    one!(damaged_watches "watch" 60);
}

/// Texts by the grammar of the keys, some of them beside it.
fn written() -> impl Strategy<Value = String> {
    let name = "(a|pool|example.com/x|zone|-b|é){1,2}";
    let number = "(0|1|9|20|100|101|999999999|9999999999|-1|[+]1)";
    let amount = format!("{number}([.]{number})?(m|k|Ki|Gi|E|e3|e-9|E99|n|u)?");
    let duration = format!("({number}[hms]){{0,4}}");
    let share = format!("{number}%?");
    let term = format!(
        "!?{name}( ?(=|==|!=|>|<| in | notin ) ?([(]({name},){{0,3}}{name}[)]|{name}|{number}))?"
    );
    let selector = format!("({term},){{0,4}}{term}");
    let order = format!("({name}(=({name}>){{0,3}}{name})?,){{0,3}}{name}");
    let budget = format!("(strict|bad-nodes|bad-nodes={share})(,(strict|bad-nodes={share}))?");
    let failing = format!("(pause|rollback|continue)(,tolerate={share})?");
    let rule = format!(
        r#"\{{"nodes":"{selector}","containers":\{{"{name}":\{{"(limits|requests)":\{{"(cpu|memory|gpu)":"{amount}"\}}\}}\}}\}}"#
    );
    let rules = format!(r"\[({rule},){{0,3}}{rule}\]");
    let all = [
        amount, duration, share, selector, order, budget, failing, rules,
    ];
    let all = all.map(|grammar| {
        proptest::string::string_regex(&grammar)
            .expect("a grammar")
            .boxed()
    });
    proptest::strategy::Union::new(all)
}

proptest! {
    #![proptest_config(config(500, 20_261_130))]

    #[test]
    fn made_up_annotations(text in written()) {
        for target in ["annotation", "quantity", "selector", "state"] {
            run(target, text.as_bytes());
        }
    }
}

#[test]
fn the_recordings_as_they_are() {
    for ((name, _), seeds) in TARGETS.iter().zip(SEEDS.iter()) {
        assert!(!seeds.is_empty(), "{name}");
        seeds.iter().for_each(|seed| run(name, seed));
    }
    let Ok(folder) = std::env::var("WRITE_CORPUS") else {
        return;
    };
    for ((name, _), seeds) in TARGETS.iter().zip(SEEDS.iter()) {
        let folder = std::path::Path::new(&folder).join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (at, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("recorded-{at}")), seed).expect("a file");
        }
    }
}
