//! Tokens that name a key nobody knows: a new key, or nonsense. Whoever sends nonsense must not
//! make us ask the provider again and again. No clock: instants are passed in.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// How long a key that the provider did not know either is not asked for.
const ABSENT: Duration = Duration::from_secs(30);

/// Of how many keys that is remembered.
const MOST_ABSENT: usize = 1000;

/// A key that a token names and its issuer's set does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) struct UnknownKey {
    /// The issuer, by its configured name.
    pub(in crate::server) issuer: Box<str>,
    /// The key's identifier.
    pub(in crate::server) id: Box<str>,
}

/// What to do about an unknown key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Nothing: the answer stands.
    Refuse,
    /// Wait for the fetch that is under way.
    Join,
    /// Fetch, and wait for that.
    Begin,
}

/// What is known of the unknown keys of one issuer. Keys are told apart by a hash: a clash costs a
/// moment's patience.
#[derive(Clone, Debug)]
pub(super) struct Unknown {
    /// The least time between two fetches.
    interval: Duration,
    /// When an unknown key began a fetch last.
    began: Option<Instant>,
    /// Whether a fetch is under way, or about to be.
    running: bool,
    /// Whether an unknown key wants one that has not begun.
    wanted: bool,
    /// What the next fetch is to answer.
    asked: HashSet<u64>,
    /// What the provider did not know, and until when that is believed.
    absent: HashMap<u64, Instant>,
}

impl Unknown {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            began: None,
            running: false,
            wanted: false,
            asked: HashSet::new(),
            absent: HashMap::new(),
        }
    }

    /// A request names this key.
    pub(super) fn ask(&mut self, key: u64, now: Instant) -> Ask {
        if self.absent.get(&key).is_some_and(|until| now < *until) {
            return Ask::Refuse;
        }
        let ask = if self.running {
            Ask::Join
        } else if self.began.is_some_and(|began| now < began + self.interval) {
            return Ask::Refuse;
        } else {
            self.began = Some(now);
            (self.running, self.wanted) = (true, true);
            Ask::Begin
        };
        // What has begun before it was asked is no answer to it.
        if self.wanted && self.asked.len() < MOST_ABSENT {
            self.asked.insert(key);
        }
        ask
    }

    /// Whether an unknown key wants a fetch that has not begun.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// A fetch begins, whatever for.
    pub(super) fn begins(&mut self) {
        (self.running, self.wanted) = (true, false);
    }

    /// It has ended, and what it brought is in force. If it failed, nothing was learned of any key.
    pub(super) fn ended(&mut self, answered: bool, now: Instant) {
        self.running = false;
        let asked = std::mem::take(&mut self.asked);
        if !answered {
            return;
        }
        self.absent.retain(|_, until| now < *until);
        for key in asked {
            if self.absent.len() < MOST_ABSENT {
                // If the answer had the key, nobody asks for it any more.
                self.absent.insert(key, now + ABSENT);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ask::*;
    use super::*;

    enum Step {
        /// Seconds pass.
        Wait(u64),
        Asks(u64, Ask),
        Begins,
        Answered,
        Failed,
    }

    /// What an issuer with an interval of 30 seconds does.
    fn play(story: &str, steps: &[Step]) {
        let mut now = Instant::now();
        let mut unknown = Unknown::new(Duration::from_secs(30));
        for (at, step) in steps.iter().enumerate() {
            match step {
                Step::Wait(seconds) => now += Duration::from_secs(*seconds),
                Step::Asks(key, expected) => {
                    assert_eq!(unknown.ask(*key, now), *expected, "{story}: step {at}");
                }
                Step::Begins => unknown.begins(),
                Step::Answered => unknown.ended(true, now),
                Step::Failed => unknown.ended(false, now),
            }
        }
    }

    #[test]
    fn one_fetch_serves_all_who_ask_meanwhile_and_none_follows_it_at_once() {
        use Step::*;
        play(
            "single flight",
            &[Asks(1, Begin), Asks(1, Join), Asks(2, Join), Begins, Asks(3, Join), Asks(1, Join)],
        );
        play(
            "one an interval",
            &[
                Asks(1, Begin),
                Begins,
                Answered,
                Asks(2, Refuse),
                Wait(29),
                Asks(3, Refuse),
                Wait(1),
                Asks(4, Begin),
                Begins,
                Answered,
                Asks(5, Refuse),
            ],
        );
        play(
            "the interval begins with the fetch",
            &[Asks(1, Begin), Begins, Wait(5), Answered, Wait(25), Asks(2, Begin)],
        );
        play(
            "a key that is not there is not asked for again soon",
            &[
                Asks(1, Begin),
                Begins,
                Wait(5),
                Answered,
                Wait(25),
                Asks(1, Refuse),
                Asks(2, Begin),
                Asks(1, Refuse),
                Begins,
                Answered,
                Wait(5),
                Asks(1, Refuse),
                Wait(25),
                Asks(1, Begin),
            ],
        );
        play(
            "a scheduled fetch is joined and costs nothing",
            &[Begins, Asks(1, Join), Answered, Asks(1, Begin), Begins, Answered, Asks(2, Refuse)],
        );
        play(
            "a failure says nothing about keys",
            &[Asks(1, Begin), Begins, Failed, Asks(1, Refuse), Wait(30), Asks(1, Begin)],
        );
    }

    #[test]
    fn a_fetch_that_begins_is_wanted_no_longer() {
        let mut unknown = Unknown::new(Duration::from_secs(30));
        assert!(!unknown.is_wanted());
        unknown.ask(1, Instant::now());
        assert!(unknown.is_wanted());
        unknown.begins();
        assert!(!unknown.is_wanted());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut now, mut unknown) = (Instant::now(), Unknown::new(Duration::from_secs(5)));
        for round in 0..4 {
            for key in 0..10_000 {
                unknown.ask(round * 10_000 + key, now);
            }
            assert!(unknown.asked.len() <= MOST_ABSENT);
            unknown.begins();
            unknown.ended(true, now);
            assert!(unknown.asked.is_empty() && unknown.absent.len() <= MOST_ABSENT);
            now += Duration::from_secs(6);
        }
        now += ABSENT;
        unknown.ended(true, now);
        assert!(unknown.absent.is_empty());
    }
}
