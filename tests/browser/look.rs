//! The page of a rehearsal in a browser, and what is to be seen there.

use std::{collections::BTreeMap, path::Path};

use daemonset_controller::cli::rehearse::report::Report;
use serde_json::{Value, json};

use crate::{driver::Browser, rehearsal::Rehearsed};

/// A browser with a page.
pub struct Look {
    pub browser: Browser,
    pub rehearsed: Rehearsed,
}

impl Look {
    /// Opens the page of a rehearsal, at what comes after it in the address.
    pub fn at(rehearsed: Rehearsed, rest: &str) -> Look {
        let browser = open(&rehearsed.page, rest);
        Look { browser, rehearsed }
    }

    /// The report behind the page.
    pub fn report(&self) -> &Report {
        &self.rehearsed.report
    }

    /// What an expression of the page comes to.
    pub fn value(&self, expression: &str) -> Value {
        self.browser
            .run(&format!("return {expression};"), json!([]))
    }

    /// The text of the first element of a selector, as it is shown.
    pub fn text(&self, selector: &str) -> String {
        let value = self.browser.run(
            "return document.querySelector(arguments[0]).innerText;",
            json!([selector]),
        );
        value.as_str().expect("text").to_owned()
    }

    /// Where the slider is.
    pub fn time(&self) -> u64 {
        let value = self.value("document.getElementById('slider').valueAsNumber");
        value.as_u64().expect("a number")
    }

    /// The letters in the cells, in the order of the report's nodes.
    pub fn letters(&self) -> Vec<char> {
        let letters = self.value(
            "[...document.querySelectorAll('[data-node]')]
               .sort((a, b) => a.dataset.node - b.dataset.node).map((cell) => cell.textContent).join('')",
        );
        letters.as_str().expect("text").chars().collect()
    }

    /// The counts of the legend, without those that are 0.
    pub fn counts(&self) -> BTreeMap<char, usize> {
        let counts = self.value(
            "[...document.querySelectorAll('#legend li')]
               .map((item) => [item.dataset.letter, Number(item.querySelector('b').textContent)])",
        );
        let counts: Vec<(char, usize)> = serde_json::from_value(counts).expect("pairs");
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Asserts that cells and legend show the states of this time.
    pub fn assert_shows(&self, time: u64) {
        let letters = self.rehearsed.letters(time);
        let mut counts = BTreeMap::new();
        for letter in &letters {
            *counts.entry(*letter).or_default() += 1;
        }
        assert_eq!(self.time(), time);
        assert_eq!(self.letters(), letters, "the letters after {time} s");
        assert_eq!(self.counts(), counts, "the counts after {time} s");
    }

    /// What a cell is called at a time.
    pub fn name(&self, node: usize, time: u64) -> String {
        let letter = self.rehearsed.letters(time)[node];
        let states = &self.report().states;
        let state = states.iter().find(|state| state.letter == letter);
        let node = &self.report().nodes[node];
        format!(
            "{}, {}, {}",
            node.name,
            node.zone,
            state.expect("a state").meaning
        )
    }
}

/// A browser with a page that is drawn.
pub fn open(page: &Path, rest: &str) -> Browser {
    let browser = Browser::start();
    browser.open(page, rest);
    browser.drawn();
    browser
}
