//! Writes that take effect late: seconds or minutes after they were sent, when their sender has
//! given up, is dead, or no longer leads.
//!
//! A request can be held up at two places, which differ in what ends it:
//!
//! - **On the way**, in the network or a proxy. The API server has not seen it, so none of its
//!   deadlines runs.
//! - **In the server**, in a queue or a webhook of admission. The server's deadline runs since the
//!   request came in: that of the parameter `timeout`, else [`DEADLINE`]. A request that is over
//!   its deadline is not written. Nothing looks at the deadline after the write has begun.
//!
//! What the write then finds is the state of that moment: names, UIDs and versions. The real server
//! also ends a request in it when it sees the connection of the sender end. A proxy hides that, so
//! it is not assumed here.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::path::Query;

/// How long the real server works on a write that states no shorter `timeout`.
pub const DEADLINE: Duration = Duration::from_secs(34);

/// The longest time after which the sender of a late request hears of a failure.
const HEARS: Duration = Duration::from_secs(30);

/// What the sender of a late request hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// Nothing: it waits until it gives up.
    Nothing,
    /// After this time its connection fails.
    Cut(Duration),
    /// After this time it is answered with 504.
    TimedOut(Duration),
}

/// How a request is late.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Late {
    /// How long it is held up before the server has it.
    pub on_the_way: Duration,
    /// How long it is held up in the server.
    pub in_server: Duration,
    /// What its sender hears meanwhile.
    pub told: Told,
}

impl Late {
    /// One that is held up in the network, and whose sender hears nothing.
    pub fn on_the_way(time: Duration) -> Late {
        Late {
            on_the_way: time,
            in_server: Duration::ZERO,
            told: Told::Nothing,
        }
    }

    /// When it takes effect; None where the server drops it, because its deadline passes first.
    pub fn effect(&self, query: &Query) -> Option<Duration> {
        let asked: Option<jiff::SignedDuration> = query.get("timeout").parse().ok();
        let asked = asked.and_then(|time| Duration::try_from(time).ok());
        let shorter = asked.filter(|time| !time.is_zero() && *time < DEADLINE);
        let is_in_time = self.in_server < shorter.unwrap_or(DEADLINE);
        is_in_time.then_some(self.on_the_way + self.in_server)
    }
}

/// The switch: which share of writes is late, and by how much.
#[derive(Clone, Copy, Debug)]
pub struct LateWrites {
    /// The seed of all that chance decides here.
    pub seed: u64,
    /// How many of a thousand writes are late.
    pub per_mille: u32,
    /// How many of a thousand late writes are held up in the server, and not on the way.
    pub in_server_per_mille: u32,
    /// The shortest delay.
    pub least: Duration,
    /// The longest delay. Between the two each order of magnitude is as likely as another.
    pub most: Duration,
}

/// Decides which writes are late.
pub struct Dice {
    options: LateWrites,
    random: StdRng,
}

impl Dice {
    /// Throws follow from the seed of the options.
    pub fn new(options: LateWrites) -> Dice {
        Dice {
            options,
            random: StdRng::seed_from_u64(options.seed),
        }
    }

    /// How the next write is late; None if it is not.
    pub fn throw(&mut self) -> Option<Late> {
        let options = self.options;
        let of_thousand = |random: &mut StdRng, share| random.random_range(0..1_000) < share;
        if !of_thousand(&mut self.random, options.per_mille) {
            return None;
        }
        let (least, most) = (options.least.as_secs_f64(), options.most.as_secs_f64());
        let share = self.random.random_range(0.0..1.0);
        let delay = Duration::from_secs_f64(least * (most / least).powf(share));
        let hears = self.random.random_range(Duration::ZERO..=delay.min(HEARS));
        let told = match self.random.random_range(0..3) {
            0 => Told::Nothing,
            1 => Told::Cut(hears),
            _ => Told::TimedOut(hears),
        };
        let late = if of_thousand(&mut self.random, options.in_server_per_mille) {
            Late {
                on_the_way: Duration::ZERO,
                in_server: delay,
                told,
            }
        } else {
            Late {
                told,
                ..Late::on_the_way(delay)
            }
        };
        Some(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_server(seconds: u64) -> Late {
        Late {
            on_the_way: Duration::ZERO,
            in_server: Duration::from_secs(seconds),
            told: Told::Nothing,
        }
    }

    #[test]
    fn a_deadline_drops_what_is_held_up_in_the_server_and_nothing_else() {
        let seconds = |n| Some(Duration::from_secs(n));
        let (none, ten) = (Query::default(), Query::parse("timeout=10s"));
        let network = Late::on_the_way(Duration::from_secs(300));
        assert_eq!(
            network.effect(&ten),
            seconds(300),
            "the server was not asked yet"
        );
        assert_eq!(in_server(9).effect(&ten), seconds(9));
        assert_eq!(in_server(10).effect(&ten), None);
        assert_eq!(in_server(33).effect(&none), seconds(33));
        assert_eq!(in_server(34).effect(&none), None);
        let longer = Query::parse("timeout=90s");
        assert_eq!(
            in_server(40).effect(&longer),
            None,
            "only a shorter one counts"
        );
    }

    #[test]
    fn the_same_seed_makes_the_same_writes_late() {
        let options = LateWrites {
            seed: 7,
            per_mille: 300,
            in_server_per_mille: 500,
            least: Duration::from_secs(1),
            most: Duration::from_secs(100),
        };
        let throws = |seed| {
            let mut dice = Dice::new(LateWrites { seed, ..options });
            (0..1_000).map(|_| dice.throw()).collect::<Vec<_>>()
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
        let late: Vec<Late> = throws(7).into_iter().flatten().collect();
        assert!((250..350).contains(&late.len()), "{}", late.len());
        let delays = late.iter().map(|l| l.on_the_way + l.in_server);
        let short = delays.filter(|d| d.as_secs() < 10).count();
        assert!((120..180).contains(&short), "half are below 10 s: {short}");
    }
}
