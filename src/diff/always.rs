//! Whether what must always hold does, under the new policies.

use super::Side;
use crate::scenario;

/// What is proved of the new policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invariants {
    /// How many hold.
    pub held: usize,
    /// Those that do not, with the smallest caller who breaks each.
    pub broken: Vec<String>,
    /// Whether the test files could not be read: then nothing is known.
    pub unread: bool,
}

pub(super) fn invariants(side: &Side) -> Invariants {
    let Ok(report) = scenario::run(&side.set, side.tests()) else {
        return Invariants { unread: true, ..Invariants::default() };
    };
    let mut invariants = Invariants::default();
    for suite in &report.suites {
        for tried in suite.cases.iter().filter(|tried| tried.is_always) {
            match &tried.failure {
                None => invariants.held += 1,
                Some(failure) => {
                    let place = format!("{}:{}", suite.file, tried.line);
                    let broken = format!("{}; {}  {place}", tried.words, failure.problem);
                    invariants.broken.push(broken);
                }
            }
        }
    }
    invariants
}

impl Invariants {
    /// In a line, if there is anything to say.
    pub(super) fn line(&self) -> Option<String> {
        let Self { held, broken, unread } = self;
        let all = held + broken.len();
        match (unread, all, broken.len()) {
            (true, ..) => Some("always: not proved, the test files do not load".to_owned()),
            (false, 0, _) => None,
            (false, all, 0) => Some(format!("always: {all} of {all} hold")),
            (false, all, broken) => Some(format!("always: {broken} of {all} BROKEN")),
        }
    }
}
