//! When keys are fetched next. No clock: instants are passed in.

use std::time::{Duration, Instant};

/// The wait after a failure; doubled up to the last.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// A number that nobody can foresee, so that replicas that started together do not ask together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance(pub(super) u8);

impl Chance {
    /// The duration, or up to a tenth more or less.
    fn spread(self, duration: Duration) -> Duration {
        duration.mul_f64(0.9 + 0.2 * f64::from(self.0) / f64::from(u8::MAX))
    }
}

/// When keys are fetched next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    due: Instant,
    retry: Duration,
}

impl Schedule {
    /// At once.
    pub(super) fn new(now: Instant) -> Self {
        Self { due: now, retry: FIRST_RETRY }
    }

    /// When the next fetch is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The keys are known as of now, and fresh for a while: they are asked for before that ends.
    pub(super) fn fetched(&mut self, now: Instant, fresh_for: Duration, chance: Chance) {
        *self = Self { due: now + chance.spread(fresh_for * 4 / 5), retry: FIRST_RETRY };
    }

    /// They could not be had.
    pub(super) fn failed(&mut self, now: Instant, chance: Chance) {
        let Self { due, retry } = self;
        *due = now + chance.spread(*retry);
        *retry = (*retry * 2).min(LAST_RETRY);
    }
}

/// Until when keys count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    /// When the provider said last that these are the keys.
    pub(super) fetched: Instant,
    /// Until when the provider said so.
    pub(super) fresh_until: Instant,
    /// Until when they count if the provider says nothing any more.
    pub(super) good_until: Instant,
}

/// How keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Age {
    /// As the provider says.
    Fresh,
    /// As the provider said, not long ago.
    Old,
    /// They no longer count.
    Stale,
}

impl Validity {
    pub(super) fn new(now: Instant, fresh_for: Duration, max_stale: Duration) -> Self {
        let fresh_until = now + fresh_for;
        Self { fetched: now, fresh_until, good_until: fresh_until + max_stale }
    }

    pub(super) fn age(&self, now: Instant) -> Age {
        let Self { fetched: _, fresh_until, good_until } = self;
        if now >= *good_until {
            Age::Stale
        } else if now >= *fresh_until {
            Age::Old
        } else {
            Age::Fresh
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENLY: Chance = Chance(127);

    /// Milliseconds until the next fetch.
    fn wait(schedule: &Schedule, now: Instant) -> u128 {
        (schedule.due() - now).as_millis()
    }

    #[test]
    fn keys_are_fetched_again_before_they_are_old() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now);
        assert_eq!(schedule.due(), now);
        for (fresh_for, chance, least, most) in [
            (600, Chance(0), 432_000, 432_000),
            (600, EVENLY, 479_000, 481_000),
            (600, Chance(255), 528_000, 528_000),
            (60, Chance(0), 43_200, 43_200),
            (60, Chance(255), 52_800, 52_800),
            (3600, Chance(255), 3_168_000, 3_168_000),
        ] {
            schedule.fetched(now, Duration::from_secs(fresh_for), chance);
            let wait = wait(&schedule, now);
            assert!((least..=most).contains(&wait), "{fresh_for} {chance:?}: {wait}");
        }
    }

    #[test]
    fn failures_are_backed_off_until_one_fetch_works() {
        let mut now = Instant::now();
        let mut schedule = Schedule::new(now);
        for _ in 0..2 {
            for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
                schedule.failed(now, EVENLY);
                let wait = wait(&schedule, now);
                assert!(wait.abs_diff(seconds * 1000) <= seconds, "{seconds}: {wait}");
                now = schedule.due();
            }
            schedule.fetched(now, Duration::from_secs(60), EVENLY);
        }
        schedule.failed(now, Chance(255));
        assert_eq!(wait(&schedule, now), 1100);
    }

    #[test]
    fn keys_count_for_a_while_after_they_are_no_longer_fresh() {
        let then = Instant::now();
        let validity = Validity::new(then, Duration::from_secs(60), Duration::from_secs(120));
        for (millis, expected) in [
            (0, Age::Fresh),
            (59_999, Age::Fresh),
            (60_000, Age::Old),
            (179_999, Age::Old),
            (180_000, Age::Stale),
            (1_000_000_000, Age::Stale),
        ] {
            assert_eq!(validity.age(then + Duration::from_millis(millis)), expected, "{millis}");
        }
    }
}
