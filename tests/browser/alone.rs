//! The page by itself: without a network, without a script, on paper, in the dark.

use serde_json::json;

use crate::{driver::Browser, look::Look, rehearsal::failing};

#[test]
fn it_complains_of_nothing_and_asks_for_nothing_but_itself() {
    let look = Look::at(failing(), "#t=60");
    look.browser.click("#grid [data-node]");
    look.browser.click("#play");
    look.browser.click("#events a");
    assert_eq!(look.browser.complaints(), [""; 0]);
    let page = format!("file://{}#t=60", look.rehearsed.page.display());
    let strip = |address: String| address.split('#').next().unwrap_or_default().to_owned();
    let requests: Vec<String> = look.browser.requests().into_iter().map(strip).collect();
    assert_eq!(requests, [strip(page)]);
}

#[test]
fn its_policy_refuses_what_would_come_from_elsewhere() {
    let look = Look::at(failing(), "");
    let refused = look.browser.run_until_done(
        "const [done] = arguments;
         document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));
         const image = new Image();
         image.src = 'http://127.0.0.1:9/x.png';",
    );
    assert_eq!(refused, json!("img-src"));
}

#[test]
fn without_a_script_the_figures_and_tables_are_there() {
    let rehearsed = failing();
    let browser = Browser::start();
    browser.devtools(
        "Emulation.setScriptExecutionDisabled",
        &json!({"value": true}),
    );
    browser.open(&rehearsed.page, "");
    let text = browser.run("return document.body.innerText;", json!([]));
    let text = text.as_str().expect("text");
    for words in [
        "kube-system/node-agent",
        "need a script",
        &rehearsed.report.ending.message,
        "Most unavailable at once",
        "Not updated",
        "Stages",
        "Events",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("Find nodes"), "{text}");
}

#[test]
fn on_paper_are_the_time_the_cells_and_the_tables_on_white() {
    let rehearsed = failing();
    let middle = rehearsed.middle();
    let look = Look::at(rehearsed, &format!("#t={middle}"));
    look.browser.emulate("print", "dark");
    let shown = |selector: &str| {
        look.value(&format!(
            "document.querySelector('{selector}').checkVisibility()"
        ))
    };
    for selector in [
        "#length",
        "#chart",
        "#grid",
        "#stages",
        "#events",
        "#not-updated",
        "#conditions",
    ] {
        assert_eq!(shown(selector), json!(true), "{selector}");
    }
    for selector in ["#slider", "#steps", "#find"] {
        assert_eq!(shown(selector), json!(false), "{selector}");
    }
    let white = look.value("getComputedStyle(document.body).backgroundColor");
    assert_eq!(white, json!("rgb(255, 255, 255)"));
    let cut_off = look.value(
        "[...document.querySelectorAll('#events ul, #history')]
           .filter((list) => list.scrollHeight > list.clientHeight + 1).length",
    );
    assert_eq!(cut_off, json!(0));
    look.assert_shows(middle);
}

/// The least contrast between text and what is behind it, and whose it is: WCAG 2.2, 1.4.3.
const LEAST_CONTRAST: &str = "
    const legend = document.getElementById('legend');
    for (const { letter } of JSON.parse(document.getElementById('data').textContent).states) {
      const swatch = document.createElement('span');
      swatch.dataset.state = letter;
      swatch.textContent = letter.trim() || '_';
      legend.append(swatch);
    }
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data;
    };
    const luminance = (color) => {
      const [r, g, b] = [...rgba(color)].map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
      const color = getComputedStyle(element).backgroundColor;
      return rgba(color)[3] ? color : ground(element.parentElement);
    };
    let least = [Infinity, ''];
    for (const element of document.querySelectorAll('body :not(script, svg *)')) {
      const text = [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
      if (!text.length || !element.checkVisibility()) continue;
      const both = [luminance(getComputedStyle(element).color), luminance(ground(element))];
      const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
      if (contrast < least[0]) least = [contrast, element.outerHTML.slice(0, 200)];
    }
    return least;";

#[test]
fn text_stands_out_from_its_ground_in_light_and_dark() {
    for scheme in ["light", "dark"] {
        let look = Look::at(failing(), "");
        look.browser.emulate("", scheme);
        let least = look.browser.run(LEAST_CONTRAST, json!([]));
        assert!(least[0].as_f64() >= Some(4.5), "{scheme}: {least}");
    }
}
