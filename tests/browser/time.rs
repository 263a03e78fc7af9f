//! The slider over time: what is shown follows it, and all that moves it.

use serde_json::json;

use crate::{
    driver::key,
    look::Look,
    rehearsal::{Rehearsed, failing},
};

/// The moment after this one, or before it.
fn next(rehearsed: &Rehearsed, time: u64, back: bool) -> u64 {
    let moments = rehearsed.moments();
    let found = match back {
        false => moments.iter().find(|moment| **moment > time),
        true => moments.iter().rev().find(|moment| **moment < time),
    };
    *found.expect("another one")
}

#[test]
fn letters_and_counts_are_those_of_the_report() {
    let look = Look::at(failing(), "");
    look.assert_shows(0);
    let (middle, end) = (look.rehearsed.middle(), look.rehearsed.end());
    for time in [middle, end, middle, 0, end] {
        look.browser
            .run("location.hash = `#t=${arguments[0]}`;", json!([time]));
        look.browser.drawn();
        look.assert_shows(time);
    }
    let last: Vec<char> = look.report().nodes.iter().map(|node| node.last).collect();
    assert_eq!(look.letters(), last);
}

#[test]
fn keys_move_the_slider_from_change_to_change_and_from_stage_to_stage() {
    let look = Look::at(failing(), "");
    look.browser
        .run("document.getElementById('slider').focus();", json!([]));
    let first = next(&look.rehearsed, 0, false);
    let second = next(&look.rehearsed, first, false);
    let stage = look.report().stages[1].from;
    let end = look.rehearsed.end();
    for (key, time) in [
        (key::RIGHT, first),
        (key::UP, second),
        (key::LEFT, first),
        (key::DOWN, 0),
        (key::DOWN, 0),
        (key::PAGE_DOWN, stage),
        (key::PAGE_UP, 0),
        (key::END, end),
        (key::RIGHT, end),
        (key::LEFT, next(&look.rehearsed, end, true)),
        (key::HOME, 0),
    ] {
        look.browser.press(key);
        look.assert_shows(time);
    }
}

#[test]
fn buttons_move_it_too() {
    let look = Look::at(failing(), "");
    let first = next(&look.rehearsed, 0, false);
    let stage = look.report().stages[1].from;
    for (what, way, time) in [
        ("change", "1", first),
        ("change", "-1", 0),
        ("stage", "1", stage),
        ("stage", "-1", 0),
    ] {
        let button = format!("[data-step={what}][data-way='{way}']");
        look.browser.click(&button);
        look.assert_shows(time);
    }
}

#[test]
fn links_of_events_and_stages_move_it() {
    let look = Look::at(failing(), "");
    let event = look.report().events.last().expect("an event").after;
    look.browser.click("#events li:last-child a");
    look.assert_shows(event);
    look.browser.click("#stages tr:nth-child(2) a");
    look.assert_shows(look.report().stages[1].from);
    // The same link once more, after the slider went elsewhere.
    look.browser
        .run("document.getElementById('slider').focus();", json!([]));
    look.browser.press(key::HOME);
    look.browser.click("#stages tr:nth-child(2) a");
    look.assert_shows(look.report().stages[1].from);
}

#[test]
fn a_click_on_the_chart_moves_it_to_what_is_below() {
    let look = Look::at(failing(), "");
    look.browser.click("#chart");
    // The click is in the middle, as far as pixels have it.
    let (time, middle) = (look.time(), look.rehearsed.end() / 2);
    assert!(
        time.abs_diff(middle) <= 1 + look.rehearsed.end() / 500,
        "{time} s, not {middle} s"
    );
    look.assert_shows(time);
}

#[test]
fn the_address_tells_the_time_and_the_clock_too() {
    let rehearsed = failing();
    let middle = rehearsed.middle();
    let look = Look::at(rehearsed, &format!("#t={middle}"));
    look.assert_shows(middle);
    let clock = look.text("#moment");
    let (hours, minutes, seconds) = (6 + middle / 3600, middle / 60 % 60, middle % 60);
    assert_eq!(
        clock,
        format!("2026-11-21 {hours:02}:{minutes:02}:{seconds:02} UTC")
    );
    // What is written into the address when the slider rests.
    let address = look.browser.run_until_done(
        "const [done] = arguments;
         const replace = history.replaceState.bind(history);
         history.replaceState = (...all) => { replace(...all); done(location.hash); };
         document.querySelector('[data-step=stage][data-way=\"-1\"]').click();",
    );
    assert_eq!(address, json!(format!("#t={}", look.time())));
    assert!(look.time() < middle);
    for nonsense in ["#t=", "#t=-1", "#t=1e3", "#events"] {
        let time = look.time();
        look.browser
            .run("location.hash = arguments[0];", json!([nonsense]));
        look.browser.drawn();
        assert_eq!(look.time(), time, "{nonsense}");
    }
}

#[test]
fn it_plays_until_it_is_paused() {
    let look = Look::at(failing(), "");
    look.browser.click("#play");
    look.browser.run_until_done(
        "const [done] = arguments;
         const slider = document.getElementById('slider');
         const look = () => (slider.valueAsNumber > 0 ? done() : requestAnimationFrame(look));
         look();",
    );
    assert_eq!(look.text("#play"), "Pause");
    look.browser.click("#play");
    assert_eq!(look.text("#play"), "Play");
    let time = look.time();
    look.browser.drawn();
    look.assert_shows(time);
}
