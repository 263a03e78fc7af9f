//! The parts of the page that do not depend on the time.

use std::fmt::Write;

use super::{
    super::{
        report::{Report, StageReport},
        text::{gone, ready},
    },
    markup::{At, Cell, Text, list, table},
};

/// So many nodes are named at once; more are shown when they are asked for.
const NAMED: usize = 30;

/// What it is about, how it ends, and the numbers.
pub fn head(report: &Report) -> String {
    let mut out = heading(report);
    figures(report, &mut out);
    out.push_str("<div class=\"pair\">\n");
    out.push_str(&list(
        "assertions",
        "Assertions",
        report.assertions.iter().map(|a| {
            let (class, holds) = match a.holds {
                true => ("good", "holds"),
                false => ("bad", "FAILS"),
            };
            format!(
                "<strong class=\"{class}\">{holds}</strong> <code>{}</code>: {}",
                Text(&a.assertion),
                Text(&a.found)
            )
        }),
    ));
    let notes = report.notes.iter().map(|note| Text(note).to_string());
    out.push_str(&list("notes", "Notes", notes));
    out.push_str("</div>\n");
    out
}

fn heading(report: &Report) -> String {
    let (name, ending) = (&report.daemon_set, &report.ending);
    let mut out = format!(
        "<header>\n<p class=\"kind\">Rehearsal of a rollout</p>\n<h1>{}/<b>{}</b></h1>\n<p>",
        Text(&name.namespace),
        Text(&name.name)
    );
    if let Some(target) = &report.target {
        let _ = write!(
            out,
            "{} <code>{}</code> (number {}), ",
            if target.is_new {
                "New revision"
            } else {
                "Revision"
            },
            Text(&target.revision),
            target.number
        );
    }
    let began = Text(&report.began);
    let class = match &*ending.how {
        "Complete" => "good",
        "Stalled" | "Stuck" | "TimeIsUp" => "bad",
        _ => "open",
    };
    let _ = writeln!(
        out,
        "begins at <time datetime=\"{began}\">{began}</time></p>\n<p class=\"ending {class}\">\
         <strong>{}</strong> after {}: {}</p>\n</header>",
        Text(&ending.how),
        At(ending.after),
        Text(&ending.message)
    );
    out
}

fn figures(report: &Report, out: &mut String) {
    let figures = &report.figures;
    let of_nodes = |count: usize| format!("<b>{count}</b> of {} nodes", figures.nodes);
    let peak = format!(
        "<b>{}</b> nodes, after {}",
        figures.most_unavailable,
        At(figures.most_unavailable_after)
    );
    let unavailable = format!(
        "<b>{}</b> before, <b>{}</b> at the end",
        figures.unavailable_before, figures.unavailable_at_end
    );
    let pods = format!(
        "<b>{}</b> created, <b>{}</b> deleted",
        figures.created, figures.deleted
    );
    let all = [
        ("Updated", of_nodes(figures.updated)),
        ("Most unavailable at once", peak),
        ("Unavailable", unavailable),
        ("Pods", pods),
    ];
    out.push_str("<dl id=\"figures\">\n");
    for (name, value) in all {
        let _ = writeln!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    out.push_str("</dl>\n");
}

/// The events.
pub fn events(report: &Report) -> String {
    let events = report.events.iter().map(|event| {
        let class = match &*event.kind {
            "Warning" => "bad",
            _ => "open",
        };
        format!(
            "{} <span class=\"{class}\">{} {}</span>: {}",
            At(event.after),
            Text(&event.kind),
            Text(&event.reason),
            Text(&event.message)
        )
    });
    list("events", "Events", events)
}

/// Everything else.
pub fn tables(report: &Report) -> String {
    [
        not_updated(report),
        stages(report),
        zones(report),
        conditions(report),
        supposed(report),
    ]
    .concat()
}

fn not_updated(report: &Report) -> String {
    let groups = report.not_updated.iter().map(|group| {
        let names = group.nodes.join(", ");
        let (why, names) = (Text(&group.why), Text(&names));
        match group.nodes.len() {
            1 => format!("<b>1</b> node: {why}<br><span class=\"names\">{names}</span>"),
            n @ ..=NAMED => {
                format!("<b>{n}</b> nodes: {why}<br><span class=\"names\">{names}</span>")
            }
            n => format!(
                "<details><summary><b>{n}</b> nodes: {why}</summary><span class=\"names\">{names}</span></details>"
            ),
        }
    });
    list("not-updated", "Not updated", groups)
}

fn stages(report: &Report) -> String {
    let span = |stage: &StageReport| {
        let until = stage.until.unwrap_or(report.ending.after.max(stage.from));
        (stage.from, until - stage.from)
    };
    let rows = report.stages.iter().map(|stage| {
        let (from, takes) = span(stage);
        [
            Cell::At(from),
            Cell::Length(takes),
            Cell::Text(&stage.progress),
            Cell::Text(stage.stage.as_deref().unwrap_or("-")),
            Cell::Number(stage.updated),
            Cell::Number(stage.most_unavailable),
        ]
    });
    let heading = [
        "Begins",
        "Takes",
        "Progress",
        "Stage",
        "Updated",
        "Most unavailable",
    ];
    table("stages", "Stages", heading, rows)
}

fn zones(report: &Report) -> String {
    let named = report.zones.iter().filter(|zone| !zone.zone.is_empty());
    let rows = named.map(|zone| {
        [
            Cell::Text(&zone.zone),
            Cell::Number(zone.most_unavailable),
            Cell::At(zone.after),
        ]
    });
    table(
        "zones",
        "Zones",
        ["Zone", "Most unavailable at once", "After"],
        rows,
    )
}

fn conditions(report: &Report) -> String {
    let rows = report.conditions.iter().map(|condition| {
        [
            Cell::Text(&condition.kind),
            Cell::Text(&condition.status),
            Cell::Text(&condition.reason),
            Cell::Text(&condition.message),
        ]
    });
    let heading = ["Type", "Status", "Reason", "Message"];
    table("conditions", "Conditions at the end", heading, rows)
}

fn supposed(report: &Report) -> String {
    let supposed = &report.supposed;
    let ready = supposed.ready_after.iter().map(ready);
    let all = ready.chain([gone(supposed), format!("the seed is {}", supposed.seed)]);
    list(
        "supposed",
        "Supposed",
        all.map(|text| Text(&text).to_string()),
    )
}
