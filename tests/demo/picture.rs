//! A terminal's screen as an SVG: each run of one colour is a text at its place, and bars are
//! boxes.

use std::fmt::Write;

use super::terminal::Cell;

/// The size of a character.
const ACROSS: f64 = 8.4;
const DOWN: f64 = 19.0;
/// Around everything.
const MARGIN: f64 = 16.0;

/// A picture of these rows, `columns` wide.
pub fn svg(rows: &[Vec<Cell>], columns: usize) -> String {
    let width = columns as f64 * ACROSS + 2.0 * MARGIN;
    let height = rows.len() as f64 * DOWN + 2.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
         font-size=\"14\" fill=\"#d0d7de\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    for (n, row) in rows.iter().enumerate() {
        let top = MARGIN + n as f64 * DOWN;
        for (start, run) in runs(row) {
            let x = MARGIN + start as f64 * ACROSS;
            let length = run.len() as f64 * ACROSS;
            let (c, colour) = run[0];
            let _ = if is_bar(c) {
                let fill = if c == '█' { "#3fb950" } else { "#30363d" };
                let (y, high) = (top + 3.0, DOWN - 6.0);
                writeln!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{high:.1}\" fill=\"{fill}\"/>"
                )
            } else {
                let text: String = run.iter().map(|(c, _)| escaped(*c)).collect();
                let y = top + 14.0;
                writeln!(
                    out,
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\"{}>{text}</text>",
                    look(colour)
                )
            };
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Runs of one colour, or of one part of a bar, with where they begin. Two blanks end one, so that
/// columns stay where they are in whatever font.
fn runs(row: &[Cell]) -> Vec<(usize, &[Cell])> {
    let mut runs = Vec::new();
    let mut start = 0;
    while start < row.len() {
        let (c, colour) = row[start];
        if c == ' ' {
            start += 1;
            continue;
        }
        let goes_on = |n: usize| match row[n].0 {
            other if is_bar(c) || is_bar(other) => other == c,
            ' ' => row
                .get(n + 1)
                .is_some_and(|next| next.0 != ' ' && next.1 == colour),
            _ => row[n].1 == colour,
        };
        let end = (start..row.len())
            .find(|n| !goes_on(*n))
            .unwrap_or(row.len());
        runs.push((start, &row[start..end]));
        start = end;
    }
    runs
}

fn is_bar(c: char) -> bool {
    matches!(c, '█' | '░')
}

fn escaped(c: char) -> String {
    match c {
        '<' => "&lt;".to_owned(),
        '&' => "&amp;".to_owned(),
        c => c.to_string(),
    }
}

fn look(colour: u8) -> &'static str {
    match colour {
        0 => "",
        1 => " font-weight=\"bold\" fill=\"#f0f6fc\"",
        2 => " fill=\"#8b949e\"",
        32 => " fill=\"#3fb950\"",
        33 => " fill=\"#d29922\"",
        34 => " fill=\"#58a6ff\"",
        36 => " fill=\"#39c5cf\"",
        other => panic!("colour {other} has no look"),
    }
}
