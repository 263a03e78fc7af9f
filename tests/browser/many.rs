//! Thousands of nodes stay fluid: a step costs as much as what changes in it, and not as much as
//! there is.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{driver::key, look::Look, rehearsal::many};

/// Counts from now on what is written into the grid, and which cells are.
const WATCH: &str = "
    window.cells = new Set();
    window.writes = 0;
    window.watcher ??= new MutationObserver((records) => {
      for (const { target } of records) {
        const cell = (target.closest ? target : target.parentElement).closest('[data-node]');
        if (!cell) continue;
        window.cells.add(Number(cell.dataset.node));
        window.writes += 1;
      }
    });
    watcher.observe(document.getElementById('grid'),
      { subtree: true, childList: true, characterData: true, attributes: true });";

/// What is written for a cell: its letter, its colour and its name.
const WRITES: usize = 3;

fn assert_touched(look: &Look, from: u64, to: u64) {
    let (before, after) = (look.rehearsed.letters(from), look.rehearsed.letters(to));
    let differ = |node: &usize| before[*node] != after[*node];
    let expected: BTreeSet<usize> = (0..before.len()).filter(differ).collect();
    let touched = serde_json::from_value(look.value("[...window.cells]"));
    let touched: BTreeSet<usize> = touched.expect("numbers");
    assert_eq!(look.time(), to);
    assert_eq!(touched, expected, "from {from} to {to}");
    assert_eq!(look.value("window.writes"), json!(WRITES * expected.len()));
}

#[test]
fn a_step_touches_the_cells_that_change_and_no_other() {
    let look = Look::at(many(), "");
    assert_eq!(look.letters().len(), 5000);
    look.browser
        .run("document.getElementById('slider').focus();", json!([]));
    let moments = look.rehearsed.moments();
    let middle = moments.len() / 2;
    look.browser.run(
        "location.hash = `#t=${arguments[0]}`;",
        json!([moments[middle]]),
    );
    look.browser.drawn();
    for (from, key, to) in [
        (moments[middle], key::RIGHT, moments[middle + 1]),
        (moments[middle + 1], key::RIGHT, moments[middle + 2]),
        (moments[middle + 2], key::LEFT, moments[middle + 1]),
        (moments[middle + 1], key::HOME, 0),
        (0, key::END, look.rehearsed.end()),
    ] {
        look.browser.run(WATCH, json!([]));
        look.browser.press(key);
        assert_touched(&look, from, to);
    }
}

#[test]
fn many_moves_in_one_frame_write_a_cell_once() {
    let look = Look::at(many(), "");
    look.browser.run(WATCH, json!([]));
    look.browser.run(
        "const slider = document.getElementById('slider');
         for (let step = 0; step <= 100; step += 1) {
           slider.value = (slider.max * step) / 100;
           slider.dispatchEvent(new Event('input'));
         }",
        json!([]),
    );
    look.browser.drawn();
    assert_touched(&look, 0, look.rehearsed.end());
    look.assert_shows(look.rehearsed.end());
}
