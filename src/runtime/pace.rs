//! How often a DaemonSet is planned for: the pace follows the cost of a plan.
//!
//! A plan looks at every node and at every pod of the DaemonSet, so it grows with the cluster, and
//! while a rollout goes on something changes all the time. The cost is counted in rows and not
//! measured, so that the pace is the same on every machine and in imagined time.

use std::time::Duration;

/// The least time between the beginnings of two syncs of one DaemonSet: the changes of a burst of
/// events are planned once.
pub const SYNC_GAP: Duration = Duration::from_millis(20);

/// The longest: how late a change may be answered because plans are dear.
const LONGEST_GAP: Duration = Duration::from_millis(300);

/// The gap for each row that a plan looks at. A row takes less than a tenth of it.
const ROW_GAP: Duration = Duration::from_micros(2);

/// The time between the beginnings of two syncs whose plans look at so many rows: nodes, and pods
/// of the DaemonSet.
pub fn gap(rows: usize) -> Duration {
    let rows = u32::try_from(rows).unwrap_or(u32::MAX);
    ROW_GAP.saturating_mul(rows).clamp(SYNC_GAP, LONGEST_GAP)
}

/// Whether the gap is longer than that between the events of a burst.
pub fn is_dear(rows: usize) -> bool {
    gap(rows) > SYNC_GAP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_of_small_clusters_follow_each_other_closely_and_those_of_large_ones_within_a_moment() {
        let gaps = [0, 120, 2_000, 10_000, 20_000, 130_000, usize::MAX].map(gap);
        assert_eq!(
            gaps.map(|gap| gap.as_millis()),
            [20, 20, 20, 20, 40, 260, 300]
        );
    }
}
