//! What is shown of two templates that differ is complete, and nothing is shown that makes no
//! difference to the controller.

use daemonset_controller::{
    cli::plan::diff::{
        compare::{Change, Difference, compare},
        secrets,
        tree::Tree,
    },
    wire::canonical::canonical,
};
use proptest::prelude::*;

use crate::config::config;
use crate::json::{json_text, raw};

/// Pairs that have much in common: lists of named things, some of which are the same.
fn pair() -> impl Strategy<Value = (String, String)> {
    let item = (
        proptest::sample::select(&["a", "b", "c", "d"][..]),
        json_text(),
    );
    let item = item.prop_map(|(name, value)| format!(r#"{{"name":"{name}","v":{value}}}"#));
    let items = proptest::collection::vec(item, 1..5);
    let list = items.prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle()));
    let lists = (list, any::<bool>(), json_text(), json_text());
    let named = lists.prop_map(|((a, mut b), shorter, x, y)| {
        if shorter {
            b.pop();
        }
        let text = |items: &[String], other: &str| {
            format!(r#"{{"items":[{}],"other":{other}}}"#, items.join(","))
        };
        (text(&a, &x), text(&b, &y))
    });
    prop_oneof![named, (json_text(), json_text())]
}

fn tree(json: &str) -> Tree {
    Tree::read(&raw(json)).unwrap()
}

/// Path and kind, as seen from the other side.
fn mirrored(difference: &Difference<'_>) -> String {
    let Difference { path, change } = difference;
    match change {
        Change::Added(tree) => format!("{path} removed {tree:?}"),
        Change::Removed(tree) => format!("{path} added {tree:?}"),
        Change::Changed(from, to) => format!("{path} changed {to:?} {from:?}"),
        Change::Reordered(from, to) => format!("{path} reordered {to:?} {from:?}"),
    }
}

fn shown(difference: &Difference<'_>) -> String {
    let Difference { path, change } = difference;
    match change {
        Change::Added(tree) => format!("{path} added {tree:?}"),
        Change::Removed(tree) => format!("{path} removed {tree:?}"),
        Change::Changed(from, to) => format!("{path} changed {from:?} {to:?}"),
        Change::Reordered(from, to) => format!("{path} reordered {from:?} {to:?}"),
    }
}

proptest! {
    #![proptest_config(config(2_000, 20_261_129))]

    #[test]
    fn there_is_a_difference_exactly_where_the_canonical_forms_differ((a, b) in pair()) {
        let (from, to) = (tree(&a), tree(&b));
        let same = canonical(&raw(&a)).unwrap() == canonical(&raw(&b)).unwrap();
        prop_assert_eq!(compare(&from, &to).is_empty(), same);
        prop_assert!(compare(&from, &from).is_empty());
    }

    #[test]
    fn the_way_back_is_the_mirror_image((a, b) in pair()) {
        let (from, to) = (tree(&a), tree(&b));
        let mut there: Vec<String> = compare(&from, &to).iter().map(mirrored).collect();
        let mut back: Vec<String> = compare(&to, &from).iter().map(shown).collect();
        there.sort();
        back.sort();
        prop_assert_eq!(there, back);
    }

    #[test]
    fn hiding_values_hides_no_difference((a, b) in pair()) {
        let (from, to) = (tree(&a), tree(&b));
        let paths = |from: &Tree, to: &Tree| -> Vec<String> {
            compare(from, to).iter().map(|d| d.path.to_string()).collect()
        };
        let open = paths(&from, &to);
        let (mut from, mut to) = (from, to);
        secrets::hide(&mut from);
        secrets::hide(&mut to);
        prop_assert_eq!(paths(&from, &to), open);
    }
}
