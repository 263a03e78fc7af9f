//! What a rehearsal is to come to, so that a pipeline stops where it does not: `unavailable<=3`.

use std::{fmt, time::Duration};

use super::{Ending, Rehearsal};

/// What is asserted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assertion {
    text: String,
    what: What,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    Complete(bool),
    Compared(Measure, Comparison, u64),
}

/// A number that may be asserted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Measure {
    Unavailable,
    UnavailableInAZone,
    NotUpdated,
    UnavailableAtEnd,
    Duration,
}

const MEASURES: [(&str, Measure); 5] = [
    ("unavailable", Measure::Unavailable),
    ("unavailable-in-zone", Measure::UnavailableInAZone),
    ("not-updated", Measure::NotUpdated),
    ("unavailable-at-end", Measure::UnavailableAtEnd),
    ("duration", Measure::Duration),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comparison {
    AtMost,
    AtLeast,
    Less,
    More,
    Equal,
}

/// The longer ones first, as they begin like the others.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::More),
    ("=", Comparison::Equal),
];

impl Assertion {
    /// Reads `complete`, `!complete`, or a name, a comparison and a number, as in `unavailable<=3`;
    /// `duration` has a unit, as in `duration<=2h`. `duration_of` reads that. The error says what
    /// would be right.
    pub fn parse(
        text: &str,
        duration_of: impl Fn(&str) -> Option<Duration>,
    ) -> Result<Assertion, String> {
        let names: Vec<&str> = MEASURES.iter().map(|(name, _)| *name).collect();
        let wrong = |why: &str| {
            format!(
                "`{text}` is no assertion: {why}; complete, !complete, or one of {} with <=, >=, <, > or = and a \
                 number is needed, as in unavailable<=3 or duration<=2h",
                names.join(", ")
            )
        };
        let whole = |what| Assertion {
            text: text.to_owned(),
            what,
        };
        let bare = text.trim();
        match bare {
            "complete" => return Ok(whole(What::Complete(true))),
            "!complete" => return Ok(whole(What::Complete(false))),
            _ => {}
        }
        let split = COMPARISONS.iter().find_map(|(sign, comparison)| {
            let (name, value) = bare.split_once(sign)?;
            Some((name.trim(), *comparison, value.trim()))
        });
        let Some((name, comparison, value)) = split else {
            return Err(wrong("it compares nothing"));
        };
        let known = MEASURES.iter().find(|(known, _)| *known == name);
        let Some((_, measure)) = known else {
            return Err(wrong(&format!("`{name}` is not known")));
        };
        let number = match measure {
            Measure::Duration => duration_of(value).map(|d| d.as_secs()),
            _ => value.parse().ok(),
        };
        match number {
            Some(number) => Ok(whole(What::Compared(*measure, comparison, number))),
            None if *measure == Measure::Duration => {
                Err(wrong(&format!("`{value}` is no duration")))
            }
            None => Err(wrong(&format!("`{value}` is no number of nodes"))),
        }
    }

    /// Whether it holds.
    pub fn holds(&self, rehearsal: &Rehearsal) -> bool {
        match &self.what {
            What::Complete(wanted) => (rehearsal.ending == Ending::Complete) == *wanted,
            What::Compared(measure, comparison, number) => {
                let found = measure.of(rehearsal);
                match comparison {
                    Comparison::AtMost => found <= *number,
                    Comparison::AtLeast => found >= *number,
                    Comparison::Less => found < *number,
                    Comparison::More => found > *number,
                    Comparison::Equal => found == *number,
                }
            }
        }
    }

    /// What was found, in words.
    pub fn found(&self, rehearsal: &Rehearsal) -> String {
        match &self.what {
            What::Complete(_) => format!("it ends {}", rehearsal.ending.as_str()),
            What::Compared(Measure::Duration, ..) => {
                format!("it is {} s", rehearsal.figures.duration.as_secs())
            }
            What::Compared(measure, ..) => format!("it is {}", measure.of(rehearsal)),
        }
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Measure {
    fn of(self, rehearsal: &Rehearsal) -> u64 {
        let figures = &rehearsal.figures;
        let nodes = match self {
            Measure::Unavailable => figures.peaks.all.nodes,
            Measure::UnavailableInAZone => figures.most_in_a_zone(),
            Measure::NotUpdated => figures.not_updated(),
            Measure::UnavailableAtEnd => figures.unavailable,
            Measure::Duration => return figures.duration.as_secs(),
        };
        nodes as u64
    }
}
