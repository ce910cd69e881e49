//! What became of lists in answers.

use std::sync::atomic::{AtomicU64, Ordering};

/// What became of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOutcome {
    /// There was nothing to leave out.
    Whole,
    /// Something was left out.
    Filtered,
    /// An error stands in its place.
    Refused,
}

/// How many lists came to what.
#[derive(Debug, Default)]
pub(super) struct ListCounts {
    whole: AtomicU64,
    filtered: AtomicU64,
    refused: AtomicU64,
}

impl ListCounts {
    pub(super) fn add(&self, outcome: ListOutcome) {
        let count = match outcome {
            ListOutcome::Whole => &self.whole,
            ListOutcome::Filtered => &self.filtered,
            ListOutcome::Refused => &self.refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// By name.
    pub(super) fn now(&self) -> Vec<(&'static str, u64)> {
        let Self { whole, filtered, refused } = self;
        [("whole", whole), ("filtered", filtered), ("refused", refused)]
            .map(|(outcome, count)| (outcome, count.load(Ordering::Relaxed)))
            .to_vec()
    }
}
