//! Many histories, on all cores.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::generate;
use crate::history::Scope;
use crate::run::run;
use crate::tally::Tally;

/// When a search ends.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// Before this seed.
    Seed(u64),
    /// After so long.
    Time(Duration),
}

/// Searches histories from a seed on, on so many threads. `progress` draws a bar on standard error,
/// if that is a terminal.
pub fn soak(from: u64, until: Until, scope: &Scope, threads: usize, progress: bool) -> Tally {
    let begun = Instant::now();
    let next = AtomicU64::new(from);
    let tally = Mutex::new(Tally::default());
    let bar = match until {
        _ if !progress => ProgressBar::hidden(),
        Until::Seed(to) => ProgressBar::new(to.saturating_sub(from)),
        Until::Time(time) => ProgressBar::new(time.as_secs()),
    };
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let search = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let is_over = match until {
                Until::Seed(to) => seed >= to,
                Until::Time(time) => begun.elapsed() >= time,
            };
            if is_over {
                return;
            }
            let history = generate::history(seed, scope);
            let mut wanted = scope.controllers.iter();
            if wanted.any(|wanted| *wanted != history.controllers) {
                continue;
            }
            let outcome = run(&history);
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.add(&history, &outcome);
            bar.set_position(match until {
                Until::Seed(_) => tally.histories as u64,
                Until::Time(_) => begun.elapsed().as_secs(),
            });
            let (histories, broken) = (tally.histories, tally.broken.len());
            bar.set_message(format!("{histories} histories, {broken} broke a promise"));
            if let Some(first) = outcome.violations.first() {
                bar.suspend(|| eprintln!("seed {seed}: {first}"));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(search);
        }
        search();
    });
    bar.finish_and_clear();
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}
