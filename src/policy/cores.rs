//! How much of the machine reading may use.

use rayon::prelude::*;

/// How many cores reading policies may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// One: beside requests that are being decided.
    One,
    /// All that there are: for a command that somebody waits for.
    All,
}

impl Cores {
    /// What `each` makes of every item, in their order.
    pub(super) fn map<'i, T: Sync, R: Send>(
        self,
        items: &'i [T],
        each: impl Fn(&'i T) -> R + Send + Sync,
    ) -> Vec<R> {
        match self {
            Self::One => items.iter().map(each).collect(),
            // Threads of its own, gone afterwards: a server that reads at its start keeps none.
            Self::All => match rayon::ThreadPoolBuilder::new().build() {
                Ok(threads) => threads.install(|| items.par_iter().map(each).collect()),
                Err(_) => items.iter().map(each).collect(),
            },
        }
    }
}
