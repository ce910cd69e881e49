//! The deny-list, as its file changes. What a line adds holds at once. What the file no longer
//! says is let go once it has stayed so for a while, since a file that is being written looks like
//! one that says less. A file with problems, or that is gone, lets nobody go.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::edge::Edge;
use super::reload::Problems;
use crate::authn::revocation::Revocations;
use crate::config::Config;
use crate::config::revoked::{self, Listed, MAX_BYTES};
use crate::disk::WatchedFile;
use crate::policy::digest::Digest;

/// A line counts well within a second of being written.
const INTERVAL: Duration = Duration::from_millis(100);

/// How long the file says less before that is believed.
const LET_GO: Duration = Duration::from_secs(2);

/// Not every file system says of a file that it has changed.
const READ_AGAIN: Duration = Duration::from_secs(5);

/// What is denied, and what the file makes of it.
struct DenyList {
    path: PathBuf,
    issuers: Vec<Box<str>>,
    in_force: Revocations,
    /// What was read last.
    seen: Option<Digest>,
    /// The file says less, since then.
    less: Option<(Revocations, Instant)>,
}

/// What a look came to, if to anything.
#[derive(Default)]
struct News {
    /// Whether what is denied is not what it was.
    changed: bool,
    /// How the file is now, if it is another one.
    file: Option<FileState>,
}

enum FileState {
    Good,
    Bad(Problems),
}

impl DenyList {
    /// What stood in the file, or why it could not be read; nothing if it is as it was.
    fn look(&mut self, read: Option<std::io::Result<Vec<u8>>>, now: Instant) -> News {
        let mut news = News::default();
        if let Some(read) = read {
            let read = read.map_err(|error| error.to_string());
            let seen = match &read {
                Ok(bytes) => Digest::of_parts([b"read".as_slice(), bytes]),
                Err(error) => Digest::of_parts([b"failed".as_slice(), error.as_bytes()]),
            };
            if self.seen != Some(seen) {
                self.seen = Some(seen);
                let listed = match read {
                    Ok(bytes) => revoked::parse(&self.path, &bytes, &self.issuers),
                    Err(error) => revoked::unreadable(&self.path, &error),
                };
                news = self.take(listed, now);
            }
        }
        if let Some((_, since)) = &self.less
            && now.duration_since(*since) >= LET_GO
            && let Some((less, _)) = self.less.take()
        {
            self.in_force = less;
            news.changed = true;
        }
        news
    }

    fn take(&mut self, listed: Listed, now: Instant) -> News {
        let Listed { revocations, problems } = listed;
        // Of a file with problems too: whoever is to be stopped does not wait for it to be mended.
        let changed = self.in_force.extend(&revocations);
        let is_good = problems.list.is_empty();
        let says_less = is_good && revocations.len() != self.in_force.len();
        self.less = says_less.then_some((revocations, now));
        let bad = || FileState::Bad(Problems::of(&problems));
        News { changed, file: Some(if is_good { FileState::Good } else { bad() }) }
    }
}

/// Looks after the deny-list, on a thread of its own, as long as there is anybody to ask for it.
/// `in_force` is what was read of it at the start.
pub(super) fn follow(edge: &Arc<Edge>, in_force: Revocations) -> std::io::Result<()> {
    let Config { tokens, .. } = &edge.config;
    let Some(path) = tokens.revoked.clone() else {
        return Ok(());
    };
    let file = WatchedFile::new(path.clone(), MAX_BYTES);
    let issuers = edge.config.issuer_names();
    let list = DenyList { path, issuers, in_force, seen: None, less: None };
    let edge = Arc::downgrade(edge);
    let builder = thread::Builder::new().name("revoked".to_owned());
    builder.spawn(move || run(&edge, file, list)).map(drop)
}

fn run(edge: &Weak<Edge>, mut file: WatchedFile, mut list: DenyList) {
    let mut read = Instant::now();
    while let Some(edge) = edge.upgrade() {
        if read.elapsed() > READ_AGAIN {
            file.distrust();
            read = Instant::now();
        }
        let look = || list.look(file.look(SystemTime::now()), Instant::now());
        let news = catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|_| {
            let text = "following the deny-list made Toolgate panic".to_owned();
            News { changed: true, file: Some(FileState::Bad(Problems { count: 1, text })) }
        });
        tell(&edge, &list.in_force, news);
        edge.status.looked_at_revoked();
        drop(edge);
        thread::sleep(INTERVAL);
    }
}

fn tell(edge: &Edge, in_force: &Revocations, News { changed, file }: News) {
    let (tokens, users) = in_force.len();
    if changed {
        edge.revocations.store(Arc::new(in_force.clone()));
        tracing::info!(tokens, users, "deny-list in force");
    }
    match file {
        None if !changed => {}
        None | Some(FileState::Good) => edge.status.revoked((tokens, users), None),
        Some(FileState::Bad(problems)) => {
            let (count, text) = (problems.count, problems.head());
            tracing::error!(problems = count, text, "bad deny-list: who was denied stays denied");
            edge.status.revoked((tokens, users), Some(problems));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "toolgate: 1\n";
    const TWO: &str =
        "toolgate: 1\ntokens: [{ issuer: corp, jti: a }]\nusers: [\"corp:mallory\"]\n";
    const ONE: &str = "toolgate: 1\ntokens: [{ issuer: corp, jti: a }]\n";

    struct Watched(DenyList, Instant);

    impl Watched {
        fn new() -> Self {
            let list = DenyList {
                path: "revoked.yaml".into(),
                issuers: vec!["corp".into()],
                in_force: Revocations::default(),
                seen: None,
                less: None,
            };
            Self(list, Instant::now())
        }

        /// How many tokens and users are denied once the file says this, and whether it is bad.
        fn says(&mut self, text: &str) -> ((usize, usize), bool) {
            self.1 += INTERVAL;
            let news = self.0.look(Some(Ok(text.as_bytes().to_vec())), self.1);
            (self.0.in_force.len(), matches!(news.file, Some(FileState::Bad(_))))
        }

        fn after(&mut self, wait: Duration) -> (usize, usize) {
            self.1 += wait;
            self.0.look(None, self.1);
            self.0.in_force.len()
        }
    }

    #[test]
    fn what_is_added_holds_at_once_and_what_is_removed_a_while_longer() {
        let mut watched = Watched::new();
        assert_eq!(watched.says(HEAD), ((0, 0), false));
        assert_eq!(watched.says(TWO), ((1, 1), false));
        assert_eq!(watched.says(ONE), ((1, 1), false));
        assert_eq!(watched.after(LET_GO.mul_f32(0.9)), (1, 1));
        assert_eq!(watched.after(LET_GO.mul_f32(0.2)), (1, 0));
        assert_eq!(watched.says(HEAD), ((1, 0), false));
        assert_eq!(watched.after(LET_GO), (0, 0));
    }

    #[test]
    fn a_write_in_place_loses_nobody_on_the_way() {
        let mut watched = Watched::new();
        watched.says(TWO);
        // Every beginning of the file, each standing for as long as it may without being believed.
        for (end, _) in TWO.char_indices() {
            watched.says(TWO.split_at(end).0);
            assert_eq!(watched.after(LET_GO.mul_f32(0.9)), (1, 1), "{end}");
        }
        assert_eq!(watched.says(TWO), ((1, 1), false));
        assert_eq!(watched.after(LET_GO * 2), (1, 1));
    }

    #[test]
    fn a_bad_or_missing_file_lets_nobody_go_and_adds_what_it_says() {
        let mut watched = Watched::new();
        watched.says(ONE);
        assert_eq!(watched.says("toolgate: 1\nuser: []\n"), ((1, 0), true));
        assert_eq!(watched.after(LET_GO * 2), (1, 0));
        let partly = "toolgate: 1\nusers: [\"corp:mallory\", \"crop:eve\"]\n";
        assert_eq!(watched.says(partly), ((1, 1), true));
        assert_eq!(watched.says("toolgate: 1\nusers: [\n"), ((1, 1), true));
        watched.1 += LET_GO;
        let gone = || Some(Err(std::io::ErrorKind::NotFound.into()));
        let news = watched.0.look(gone(), watched.1);
        assert!(matches!(news.file, Some(FileState::Bad(_))));
        assert!(watched.0.look(gone(), watched.1).file.is_none(), "said once");
        assert_eq!(watched.after(LET_GO * 2), (1, 1));
        // And what removes a line while another one is wrong is believed once all is right.
        assert_eq!(watched.says(HEAD), ((1, 1), false));
        assert_eq!(watched.after(LET_GO), (0, 0));
    }
}
