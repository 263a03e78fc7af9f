//! Finds a shorter history that still breaks the same: first steps are dropped (delta debugging),
//! then nodes, DaemonSets and controllers' delays.

use crate::history::{Controllers, History};
use crate::step::Step;

/// The shortest history that was found, for which `fails` still holds, with at most `tries` calls
/// of it. `fails` must hold for the history itself.
pub fn shrink(history: &History, tries: usize, fails: impl FnMut(&History) -> bool) -> History {
    let mut shrinker = Shrinker {
        best: history.clone(),
        left: tries,
        fails,
    };
    shrinker.steps();
    shrinker.the_rest();
    shrinker.steps();
    shrinker.best
}

struct Shrinker<F> {
    best: History,
    left: usize,
    fails: F,
}

impl<F: FnMut(&History) -> bool> Shrinker<F> {
    /// Takes a candidate if it still fails.
    fn takes(&mut self, candidate: History) -> bool {
        if self.left == 0 || candidate == self.best {
            return false;
        }
        self.left -= 1;
        let fails = (self.fails)(&candidate);
        if fails {
            self.best = candidate;
        }
        fails
    }

    fn with_steps(&self, steps: Vec<Step>) -> History {
        History {
            steps,
            ..self.best.clone()
        }
    }

    /// Drops chunks of steps, large ones first, until no single one can be dropped.
    fn steps(&mut self) {
        let mut size = self.best.steps.len().div_ceil(2);
        while size > 0 && self.left > 0 {
            let mut from = 0;
            let mut dropped = false;
            while from < self.best.steps.len() {
                let mut steps = self.best.steps.clone();
                steps.drain(from..(from + size).min(steps.len()));
                if self.takes(self.with_steps(steps)) {
                    dropped = true;
                } else {
                    from += size;
                }
            }
            size = match size {
                1 if dropped => 1,
                _ => size / 2,
            };
        }
    }

    fn the_rest(&mut self) {
        for nodes in 1..self.best.nodes {
            let fewer = History {
                nodes,
                ..self.best.clone()
            };
            if self.takes(fewer) {
                break;
            }
        }
        let one_set = History {
            sets: self.best.sets[..1].to_vec(),
            ..self.best.clone()
        };
        self.takes(one_set);
        for (lag, slow) in [(0, self.best.slow), (self.best.lag, 1)] {
            let quicker = History {
                lag,
                slow,
                ..self.best.clone()
            };
            self.takes(quicker);
        }
        if self.best.controllers == Controllers::Election {
            let both = History {
                controllers: Controllers::Two,
                ..self.best.clone()
            };
            self.takes(both);
        }
    }
}
