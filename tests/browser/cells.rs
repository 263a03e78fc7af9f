//! The cells: they are reached, called by name, chosen and found.

use serde_json::{Value, json};

use crate::{driver::key, look::Look, rehearsal::failing};

/// Puts the focus before the cells, and goes on with the tabulator.
fn enter(look: &Look) {
    look.browser
        .run("document.getElementById('find').focus();", json!([]));
    look.browser.press(key::TAB);
}

#[test]
fn a_cell_has_node_zone_and_state_for_its_name_and_arrows_lead_to_the_next() {
    let look = Look::at(failing(), "");
    let option = |node: usize, time| ("option".to_owned(), look.name(node, time));
    enter(&look);
    assert_eq!(look.browser.focused(), option(0, 0));
    look.browser.press(key::RIGHT);
    assert_eq!(look.browser.focused(), option(1, 0));
    look.browser.press(key::LEFT);
    look.browser.press(key::LEFT);
    assert_eq!(look.browser.focused(), option(0, 0));
    let columns = look.value(
        "getComputedStyle(document.querySelector('.cells')).gridTemplateColumns.split(' ').length",
    );
    let columns = usize::try_from(columns.as_u64().expect("a number")).expect("a few");
    look.browser.press(key::DOWN);
    assert_eq!(look.browser.focused(), option(columns, 0));
    look.browser.press(key::UP);
    assert_eq!(look.browser.focused(), option(0, 0));
    look.browser.press(key::END);
    let (_, last) = look.browser.focused();
    assert!(last.contains(", c, "), "{last}");
    let stops = look.value("document.querySelectorAll('#grid [tabindex=\"0\"]').length");
    assert_eq!(stops, json!(1));
    look.browser.press(key::HOME);
    let end = look.rehearsed.end();
    look.browser
        .run("location.hash = `#t=${arguments[0]}`;", json!([end]));
    look.browser.drawn();
    assert_eq!(look.browser.focused(), option(0, end));
}

#[test]
fn down_and_up_lead_through_every_zone() {
    let look = Look::at(failing(), "");
    enter(&look);
    let mut zones = Vec::new();
    for key in [key::DOWN, key::UP] {
        for _ in 0..look.report().nodes.len() {
            let (_, name) = look.browser.focused();
            zones.push(name.split(", ").nth(1).expect("a zone").to_owned());
            look.browser.press(key);
        }
    }
    zones.dedup();
    assert_eq!(zones, ["a", "b", "c", "b", "a"]);
}

#[test]
fn a_chosen_node_shows_what_it_goes_through() {
    let look = Look::at(failing(), "");
    let (_, node, _) = look.report().changes[0];
    enter(&look);
    for _ in 0..node {
        look.browser.press(key::RIGHT);
    }
    look.browser.press(key::ENTER);
    assert!(
        look.text("#node-name")
            .starts_with(&*look.report().nodes[node].name)
    );
    let shown = look.value(
        "[...document.querySelectorAll('#history li')]
           .map((item) => [Number(item.dataset.time), item.querySelector('.swatch').textContent])",
    );
    let mut expected = vec![json!([0, look.report().nodes[node].first])];
    let changes = look
        .report()
        .changes
        .iter()
        .filter(|change| change.1 == node);
    expected.extend(changes.map(|(time, _, letter)| json!([time, letter])));
    assert_eq!(shown, Value::Array(expected));
    let (last, ..) = *look
        .report()
        .changes
        .iter()
        .rfind(|c| c.1 == node)
        .expect("one");
    look.browser.click("#history li:last-child a");
    look.assert_shows(last);
}

#[test]
fn a_node_is_found_by_a_part_of_its_name() {
    let look = Look::at(failing(), "");
    look.browser.click("#find");
    look.browser.write("E-000");
    let found = look.value("document.querySelectorAll('#grid .found').length");
    assert_eq!(found, json!(10));
    look.browser.write("7");
    assert!(look.text("#found").starts_with("1 found"));
    look.browser.press(key::ENTER);
    assert_eq!(look.browser.focused().1, look.name(7, 0));
    assert!(look.text("#node-name").starts_with("node-0007"));
}
