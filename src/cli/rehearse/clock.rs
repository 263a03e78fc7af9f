//! Lengths of time and moments of a rehearsal, for people.

use std::time::Duration;

/// `45s`, `3m20s`, `2h05m` or `1d03h`: the two largest units.
pub(super) fn length(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_largest_units_are_told() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m00s"),
            (200, "3m20s"),
            (7500, "2h05m"),
            (97_200, "1d03h"),
        ] {
            assert_eq!(length(Duration::from_secs(seconds)), text);
        }
    }
}
