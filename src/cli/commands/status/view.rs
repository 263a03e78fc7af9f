//! What `--watch` shows: on a terminal the whole status in the place of the last one, in a pipe a
//! line for each change.

use crate::cli::args::Output;

use super::{report::Status, text};

/// Clears a terminal, and what it has scrolled.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";

/// The view of a rollout that is watched.
pub struct View {
    output: Output,
    on_terminal: bool,
    verbose: bool,
    /// What was shown last: the same is not shown again.
    last: String,
}

impl View {
    /// A view that has shown nothing.
    pub fn new(output: Output, on_terminal: bool, verbose: bool) -> View {
        View {
            output,
            on_terminal,
            verbose,
            last: String::new(),
        }
    }

    /// What is to be written for this status; None where that would change nothing.
    pub fn frame(&mut self, status: &Status) -> Option<String> {
        let frame = match self.output {
            Output::Json => serde_json::to_string(status).unwrap_or_default() + "\n",
            Output::Text if self.on_terminal => {
                format!("{CLEAR}{}", text::render(status, self.verbose))
            }
            Output::Text => text::line(status) + "\n",
        };
        let is_news = frame != self.last;
        self.last.clone_from(&frame);
        is_news.then_some(frame)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cli::{
        commands::status::report::{CountsReport, State},
        plan::report::ObjectName,
    };

    fn status(updated: i32) -> Status {
        Status {
            daemon_set: ObjectName {
                namespace: "logging".to_owned(),
                name: "agent".to_owned(),
            },
            state: State::UnderWay,
            stage: "Rolling".to_owned(),
            message: "pods are replaced".to_owned(),
            until: None,
            stalled: None,
            revision: None,
            counts: CountsReport {
                desired: 3,
                updated,
                ..CountsReport::default()
            },
            keys: BTreeMap::new(),
            keys_read: true,
            failing: Vec::new(),
            waiting: Vec::new(),
            next: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_pipe_gets_a_line_for_each_change() {
        let mut view = View::new(Output::Text, false, false);
        let line = "logging/agent: Rolling: pods are replaced; 3 desired, 1 up to date, 0 available, 0 held\n";
        assert_eq!(view.frame(&status(1)).as_deref(), Some(line));
        assert_eq!(view.frame(&status(1)), None);
        let next = view.frame(&status(2)).expect("a change");
        assert_eq!(next.lines().count(), 1);
    }

    #[test]
    fn a_terminal_is_drawn_anew_and_json_is_not() {
        let mut view = View::new(Output::Text, true, false);
        let drawn = view.frame(&status(1)).expect("the first");
        assert!(drawn.starts_with(&format!("{CLEAR}DaemonSet   logging/agent\n")));
        assert_eq!(view.frame(&status(1)), None);
        let mut view = View::new(Output::Json, true, false);
        let json = view.frame(&status(1)).expect("the first");
        assert!(json.starts_with('{') && json.lines().count() == 1);
    }
}
