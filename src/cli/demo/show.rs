//! The output: lines, and on a terminal bars below them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::coverage::{Counts, Coverage};

/// The longest line, as far as there are spaces to break it at.
pub const WIDTH: usize = 80;
/// Where the text of a line begins, behind the time and the actor.
const INDENT: usize = 20;
/// The shortest time between two lines of coverage, without bars.
const EVERY: Duration = Duration::from_millis(500);

/// The actor that a line is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// The person who runs the demo.
    You,
    /// The plan, before its actions are carried out.
    Plan,
    Controller,
    /// An event that the controller wrote.
    Event,
    Kubelet,
    Scheduler,
    /// What the conditions of the DaemonSet say.
    Status,
    /// The progress of the DaemonSet.
    Coverage,
}

impl Who {
    /// The word of the actor, and the number of its colour.
    fn look(self) -> (&'static str, u8) {
        match self {
            Who::You => ("you", 36),
            Who::Plan => ("plan", 32),
            Who::Controller => ("controller", 32),
            Who::Event => ("event", 34),
            Who::Kubelet => ("kubelet", 33),
            Who::Scheduler => ("scheduler", 33),
            Who::Status => ("status", 34),
            Who::Coverage => ("coverage", 2),
        }
    }
}

/// The output, with its state.
pub struct Show {
    lines: Box<dyn Write>,
    bars: Option<Bars>,
    colour: bool,
    /// Without bars: the last coverage that was printed, and when.
    said: Option<(Duration, Coverage)>,
}

struct Bars {
    all: MultiProgress,
    zones: BTreeMap<String, ProgressBar>,
    total: Option<ProgressBar>,
    gap: Option<ProgressBar>,
    /// During an update: how much of its budget is used, and which nodes are next.
    budget: Option<ProgressBar>,
    /// With rollout control: how far the rollout is.
    stage: Option<ProgressBar>,
    colour: bool,
}

impl Show {
    /// An output of lines, with bars below them if `target` is a terminal that can show them.
    pub fn new(lines: Box<dyn Write>, target: ProgressDrawTarget, colour: bool) -> Show {
        let all = MultiProgress::with_draw_target(target);
        // Bars are overwritten; clearing them first would flicker.
        all.set_move_cursor(true);
        let bars = Bars {
            all,
            zones: BTreeMap::new(),
            total: None,
            gap: None,
            budget: None,
            stage: None,
            colour,
        };
        Show {
            lines,
            bars: Some(bars).filter(|bars| !bars.all.is_hidden()),
            colour,
            said: None,
        }
    }

    /// Prints text as it is.
    pub fn print(&mut self, text: &str) -> io::Result<()> {
        let lines = &mut self.lines;
        let mut print = || {
            writeln!(lines, "{text}")?;
            lines.flush()
        };
        match &self.bars {
            Some(bars) => bars.all.suspend(print),
            None => print(),
        }
    }

    /// Prints a heading.
    pub fn heading(&mut self, text: &str) -> io::Result<()> {
        let text = self.paint(text, 1);
        self.print(&text)
    }

    /// Prints a line: the time, the actor and the text.
    pub fn say(&mut self, at: Duration, who: Who, text: &str) -> io::Result<()> {
        let (word, colour) = who.look();
        let time = format!("{:>5.1}s", at.as_secs_f64());
        let head = format!(
            "{}  {}  ",
            self.paint(&time, 2),
            self.paint(&format!("{word:<10}"), colour)
        );
        let lines = wrap(text, WIDTH - INDENT)
            .into_iter()
            .map(|line| match who {
                Who::You => self.paint(&line, 1),
                _ => line,
            });
        let between = format!("\n{:INDENT$}", "");
        let all = head + &lines.collect::<Vec<_>>().join(&between);
        self.print(&all)
    }

    /// Shows the progress. Without bars it prints a line, but only if nothing else is to be printed
    /// (`silent`).
    pub fn coverage(&mut self, at: Duration, now: &Coverage, silent: bool) -> io::Result<()> {
        if let Some(bars) = &mut self.bars {
            bars.set(now);
            return Ok(());
        }
        let due = match &self.said {
            None => true,
            Some((_, before)) if before.words() == now.words() => false,
            Some((then, before)) => {
                at >= *then + EVERY || now.is_complete() && !before.is_complete()
            }
        };
        if !due || !silent {
            return Ok(());
        }
        self.said = Some((at, now.clone()));
        self.say(at, Who::Coverage, now.words().trim_start())
    }

    /// Leaves the bars on the terminal as they are, and ends the output.
    pub fn close(&mut self) {
        let Some(bars) = self.bars.take().filter(|bars| bars.total.is_some()) else {
            return;
        };
        let all = bars
            .gap
            .iter()
            .chain(bars.zones.values())
            .chain(&bars.total)
            .chain(&bars.budget)
            .chain(&bars.stage);
        all.for_each(ProgressBar::abandon);
        // The last bar has no line end. An error does not matter any more.
        let _ = writeln!(self.lines).and_then(|()| self.lines.flush());
    }

    fn paint(&self, text: &str, colour: u8) -> String {
        if self.colour && !text.is_empty() {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

impl Bars {
    fn set(&mut self, coverage: &Coverage) {
        if self.total.is_none() {
            // An empty line between the lines and the bars.
            let gap = ProgressStyle::with_template("{msg}").expect("a template");
            let gap = self.all.add(ProgressBar::new(1).with_style(gap));
            gap.set_message(" ");
            self.gap = Some(gap);
            for zone in coverage.zones.keys() {
                let bar = self.add(format!("zone {zone}"));
                self.zones.insert(zone.clone(), bar);
            }
            self.total = Some(self.add("total".to_owned()));
        }
        for (zone, counts) in &coverage.zones {
            if let Some(bar) = self.zones.get(zone) {
                show(bar, counts, coverage);
            }
        }
        if let Some(bar) = &self.total {
            show(bar, &coverage.total(), coverage);
        }
        if let Some(update) = &coverage.update {
            let line = |prefix: &'static str| {
                let style = ProgressStyle::with_template("{prefix:<7}{msg}").expect("a template");
                let bar = ProgressBar::new(1).with_style(style).with_prefix(prefix);
                self.all.add(bar)
            };
            let budget = self.budget.get_or_insert_with(|| line("budget"));
            budget.set_message(update.long());
            if let Some(standing) = update.standing_long() {
                let stage = self.stage.get_or_insert_with(|| line("stage"));
                stage.set_message(standing);
            }
        }
    }

    fn add(&self, name: String) -> ProgressBar {
        let code = |code: &'static str| {
            let code = if self.colour { code } else { "" };
            move |_: &ProgressState, out: &mut dyn fmt::Write| {
                // Writing to a text does not fail.
                let _ = out.write_str(code);
            }
        };
        let style = ProgressStyle::with_template("{prefix:<7}{on}{bar:28}{off} {msg}")
            .expect("a template")
            .with_key("on", code("\x1b[32m"))
            .with_key("off", code("\x1b[0m"));
        let bar = ProgressBar::new(1).with_style(style).with_prefix(name);
        self.all.add(bar)
    }
}

fn show(bar: &ProgressBar, counts: &Counts, of: &Coverage) {
    let (full, words) = of.bar(counts);
    bar.set_length(counts.desired.max(1));
    bar.set_position(full);
    bar.set_message(words);
}

/// Breaks text into lines between words.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(
            wrap("incomprehensibilities are", 7),
            ["incomprehensibilities", "are"]
        );
        assert_eq!(wrap("", 7), [""]);
    }
}
