//! Policies that change while they are served. A set is tried once two looks at the directory, a
//! moment apart, have found the same; a bad one never replaces a good one. Of a bad one only the
//! guardrails' bans are taken: what is to be stopped must not wait for somebody else's mistake.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use super::edge::Edge;
use super::envoy_files::EnvoyFiles;
use super::live::Live;
use super::supervisor;
use crate::diagnostics::Diagnostics;
use crate::disk::PolicyDirectory;
use crate::policy::digest::Digest;
use crate::policy::{self, Loaded, NextError, PolicyFile, PolicySet};

/// Two looks that find the same lie this far apart: a directory that is being written is not a
/// set.
const SETTLED: Duration = Duration::from_millis(250);

/// The directory is looked at as often as that costs this share of one core at most.
const COST: u32 = 50;

/// The file with the bans.
const GUARDRAILS: &str = "guardrails.yaml";

/// Every file is read again this often.
const READ_ALL: Duration = Duration::from_secs(60);

/// A log line shows this many characters of what is wrong; `toolgate status` shows the rest.
const MAX_LOGGED: usize = 8 * 1024;

/// However large the directory is.
const LONGEST: Duration = Duration::from_secs(10);

/// Says whether a set may be in force under the sidecar's configuration.
pub(super) type Check = Box<dyn Fn(&PolicySet) -> Result<(), String> + Send>;

/// Looks at the policy directory, and knows what was good last.
pub(super) struct Reload {
    directory: PolicyDirectory,
    check: Check,
    good: Loaded,
    /// Versions of `guardrails.yaml` whose bans are in force although their sets are bad.
    bans: Vec<PolicyFile>,
    added: usize,
    /// What of those bans is not in force.
    left_out: Option<Problems>,
    /// What was tried last, and what is waiting to settle, since when.
    tried: Digest,
    settling: Option<(Digest, Instant)>,
}

/// What a look came to.
pub(super) enum Look {
    /// Nothing new.
    Same,
    /// Something new that may still be being written.
    Settling,
    /// A good set.
    Good(Box<PolicySet>),
    /// A bad set. What is in force stays, with the bans of `amended` if there are new ones.
    Bad {
        /// What is wrong.
        problems: Problems,
        /// The good files with the new bans.
        amended: Option<Box<PolicySet>>,
        /// How many bans of bad sets are in force now.
        added: usize,
    },
}

/// What is wrong with a set.
#[derive(Clone, Debug)]
pub(super) struct Problems {
    pub(super) count: usize,
    /// As it is shown to people.
    pub(super) text: String,
}

impl Problems {
    fn one(text: String) -> Self {
        Self { count: 1, text }
    }

    pub(super) fn of(diagnostics: &Diagnostics) -> Self {
        Self { count: diagnostics.list.len(), text: diagnostics.to_string() }
    }

    fn and(mut self, left_out: Option<&Self>) -> Self {
        if let Some(Self { count, text }) = left_out {
            self.count += count;
            self.text.push_str("\nNot in force either, of the guardrails' bans:\n");
            self.text.push_str(text);
        }
        self
    }

    /// The beginning, for a log line.
    pub(super) fn head(&self) -> &str {
        let end = self.text.char_indices().nth(MAX_LOGGED).map_or(self.text.len(), |(at, _)| at);
        self.text.get(..end).unwrap_or_default()
    }
}

impl Reload {
    /// Begins with a set that was read a moment ago.
    pub(super) fn new(root: PathBuf, good: Loaded, check: Check) -> Self {
        let mut directory = PolicyDirectory::new(root);
        directory.refresh(SystemTime::now());
        // What has changed since then is tried, and so is what is the same and was never bad.
        let listing = directory.listing();
        let same = good.is_of(&listing);
        // The paths are kept once.
        let good = if same { good.next_of(listing, |_| None).unwrap_or(good) } else { good };
        directory.forget();
        let tried = if same { directory.identity() } else { Digest::of(&[]) };
        Self {
            directory,
            check,
            good,
            bans: Vec::new(),
            added: 0,
            left_out: None,
            tried,
            settling: None,
        }
    }

    /// Reads every file again at the next look, and tries even what was tried before.
    pub(super) fn start_over(&mut self) {
        self.directory.distrust();
        self.tried = Digest::of(&[]);
    }

    pub(super) fn look(&mut self, wall: SystemTime, now: Instant) -> Look {
        self.directory.refresh(wall);
        let found = self.directory.identity();
        if found == self.tried {
            self.settling = None;
            return Look::Same;
        }
        match self.settling {
            Some((before, since)) if before == found => {
                if now.duration_since(since) < SETTLED {
                    return Look::Settling;
                }
            }
            Some(_) | None => {
                self.settling = Some((found, now));
                return Look::Settling;
            }
        }
        self.settling = None;
        let listing = self.directory.listing();
        let loaded = match self.good.next_of(listing, |path| self.directory.bytes(path)) {
            Ok(loaded) => Ok(loaded),
            Err(NextError::Problems(problems)) => Err(Problems::of(&problems)),
            Err(NextError::Moved(_)) => {
                // It is being written, and the file system may not say so.
                self.directory.distrust();
                self.directory.forget();
                return Look::Settling;
            }
        };
        self.tried = found;
        let checked = loaded.and_then(|loaded| match (self.check)(loaded.set()) {
            Ok(()) => Ok(loaded),
            Err(problem) => Err(Problems::one(problem)),
        });
        match checked {
            Ok(loaded) => {
                self.directory.forget();
                let set = loaded.set().clone();
                self.good = loaded;
                self.bans.clear();
                self.added = 0;
                self.left_out = None;
                Look::Good(Box::new(set))
            }
            Err(problems) => {
                let amended = self.amend();
                self.directory.forget();
                let problems = problems.and(self.left_out.as_ref());
                Look::Bad { problems, amended, added: self.added }
            }
        }
    }

    /// The good files with what the bad ones ban beside.
    fn amend(&mut self) -> Option<Box<PolicySet>> {
        let Some(new) = self.directory.file(GUARDRAILS) else {
            // If it is there, it is another one by now, and found as such.
            self.directory.distrust();
            return None;
        };
        if self.good.digest_of(GUARDRAILS) == Some(Digest::of(&new.bytes))
            || self.bans.iter().any(|known| known.bytes == new.bytes)
        {
            return None;
        }
        let mut bans = self.bans.clone();
        bans.push(new);
        let policy::Amended { set, added, left_out } = self.good.with_bans(&bans);
        self.left_out = (!left_out.list.is_empty()).then(|| Problems::of(&left_out));
        // A ban that came in goes only with a good set.
        if added <= self.added {
            return None;
        }
        self.bans = bans;
        self.added = added;
        Some(Box::new(set))
    }

    /// How many files the last look read.
    fn read(&self) -> usize {
        self.directory.read()
    }
}

/// Follows the policy directory.
pub(super) struct Follower {
    reload: Reload,
    edge: Arc<Edge>,
    envoy: Option<EnvoyFiles>,
    /// Dropped here and not on a serving thread, once nobody decides on it any more.
    former: Option<Arc<Live>>,
    /// When every file was read, whatever the file system said of it.
    read_all: Instant,
}

impl Follower {
    pub(super) fn new(reload: Reload, edge: Arc<Edge>, envoy: Option<EnvoyFiles>) -> Self {
        Self { reload, edge, envoy, former: None, read_all: Instant::now() }
    }

    /// Looks, for ever: until nobody could wake it any more. Waking it is asking it to start over.
    pub(super) fn run(mut self, wake: &Receiver<()>) {
        let mut wait = SETTLED;
        // Somebody asked, and has not been told yet that it is done.
        let mut asked = false;
        loop {
            match self.wait(wake, wait) {
                Ok(()) => {
                    tracing::info!("asked to read the policies again");
                    supervisor::tell_reloading();
                    self.reload.start_over();
                    asked = true;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let (next, settling) =
                catch_unwind(AssertUnwindSafe(|| self.step())).unwrap_or_else(|_| {
                    let text = "following the policies made Toolgate panic".to_owned();
                    tracing::error!("{text}");
                    self.edge.status.bad(Problems::one(text), self.reload.added);
                    (LONGEST, false)
                });
            wait = next;
            if !settling && std::mem::take(&mut asked) {
                supervisor::tell_ready();
            }
        }
    }

    /// Waits, unless the guardrails change: a ban is in a hurry.
    fn wait(&self, wake: &Receiver<()>, wait: Duration) -> Result<(), RecvTimeoutError> {
        let end = Instant::now() + wait;
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            match wake.recv_timeout(rest.min(SETTLED)) {
                Err(RecvTimeoutError::Timeout)
                    if rest > SETTLED && !self.reload.directory.guardrails_changed() => {}
                ended => return ended,
            }
        }
    }

    /// One look, and what comes of it: how long to wait, and whether something is still settling.
    fn step(&mut self) -> (Duration, bool) {
        drop(self.former.take());
        let began = Instant::now();
        if self.read_all.elapsed() > READ_ALL {
            // Not every file system says of a file that it has changed.
            self.reload.directory.distrust();
            self.read_all = began;
        }
        let look = self.reload.look(SystemTime::now(), began);
        self.edge.status.looked();
        let mut settling = false;
        match look {
            Look::Same => {}
            Look::Settling => settling = true,
            Look::Good(set) => {
                let servers = set.servers_count();
                let files_read = self.reload.read();
                tracing::info!(policy = %set.digest(), servers, files_read, "policies in force");
                self.edge.status.good(&set);
                self.former = Some(self.edge.replace(*set));
            }
            Look::Bad { problems, amended, added } => {
                let (count, text) = (problems.count, problems.head());
                tracing::error!(problems = count, text, "bad policies: what was good stays");
                if let Some(set) = amended {
                    let policy = set.digest();
                    tracing::warn!(%policy, bans = added, "the guardrails' new bans are in force");
                    self.edge.status.amended(&set);
                    self.former = Some(self.edge.replace(*set));
                }
                self.edge.status.bad(problems, added);
            }
        }
        if let Some(envoy) = &mut self.envoy {
            let policy = &self.edge.live.load().policy;
            envoy.keep(&self.edge.config, policy, &self.edge.status, Instant::now());
        }
        let wait =
            if settling { SETTLED } else { (began.elapsed() * COST).clamp(SETTLED, LONGEST) };
        (wait, settling)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::disk;
    use crate::policy::Cores;

    /// A copy of the samples that is edited, and what a reload makes of it.
    struct Edited {
        directory: tempfile::TempDir,
        reload: Reload,
        now: Instant,
    }

    impl Edited {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            for file in disk::read_policies(Path::new("policies")).files {
                let path = directory.path().join(&file.path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, &file.bytes).unwrap();
            }
            let good = Loaded::new(disk::read_policies(directory.path()), Cores::One).unwrap();
            let root = directory.path().to_owned();
            let reload = Reload::new(root, good, Box::new(|_| Ok(())));
            Self { directory, reload, now: Instant::now() }
        }

        fn edit(&self, path: &str, edit: impl FnOnce(String) -> String) {
            let path = self.directory.path().join(path);
            fs::write(&path, edit(fs::read_to_string(&path).unwrap())).unwrap();
        }

        fn ban(&self, ban: &str) {
            self.edit("guardrails.yaml", |text| format!("{text}\n  {ban}\n"));
        }

        fn look(&mut self) -> Look {
            self.now += SETTLED;
            self.reload.look(SystemTime::now(), self.now)
        }

        /// Looks until something comes of it.
        fn outcome(&mut self) -> Look {
            assert!(matches!(self.look(), Look::Settling));
            self.look()
        }

        fn bans(set: &PolicySet) -> usize {
            set.guardrails().len()
        }
    }

    #[test]
    fn a_set_is_tried_once_it_has_settled() {
        let mut edited = Edited::new();
        assert!(matches!(edited.look(), Look::Same));
        edited.ban("a: { people: [contractors], effects: [read] }");
        assert!(matches!(edited.look(), Look::Settling));
        edited.ban("b: { people: [contractors], effects: [read] }");
        assert!(matches!(edited.look(), Look::Settling), "it has changed again");
        let at = edited.now + SETTLED / 2;
        assert!(matches!(edited.reload.look(SystemTime::now(), at), Look::Settling), "too soon");
        let Look::Good(set) = edited.look() else { panic!("not taken") };
        assert_eq!(Edited::bans(&set), 5);
        assert!(matches!(edited.look(), Look::Same));
    }

    #[test]
    fn a_bad_or_empty_set_is_reported_once_and_never_taken() {
        let mut edited = Edited::new();
        edited.edit("servers/presto.yaml", |text| text.replace("effect: read", "effect: reed"));
        let Look::Bad { problems, amended, added } = edited.outcome() else { panic!("taken") };
        assert!(problems.count > 0 && problems.text.contains("reed"), "{}", problems.text);
        assert!(amended.is_none() && added == 0);
        assert!(matches!(edited.look(), Look::Same));
        edited.reload.start_over();
        assert!(matches!(edited.outcome(), Look::Bad { .. }), "asked again, said again");
        edited.edit("servers/presto.yaml", |text| text.replace("effect: reed", "effect: read"));
        assert!(matches!(edited.outcome(), Look::Good(_)));

        fs::remove_dir_all(edited.directory.path().join("servers")).unwrap();
        assert!(matches!(edited.outcome(), Look::Bad { .. }));
        let root = edited.directory.path().to_owned();
        fs::remove_dir_all(root).unwrap();
        assert!(matches!(edited.outcome(), Look::Bad { .. }));
    }

    #[test]
    fn a_set_that_the_configuration_cannot_serve_is_bad() {
        let mut edited = Edited::new();
        edited.reload.check = Box::new(|_| Err("nobody can claim `x`".to_owned()));
        edited.ban("a: { people: [contractors], effects: [read] }");
        let Look::Bad { problems, .. } = edited.outcome() else { panic!("taken") };
        assert_eq!(problems.text, "nobody can claim `x`");
    }

    #[test]
    fn a_ban_takes_effect_while_another_file_is_broken() {
        let mut edited = Edited::new();
        edited.edit("servers/spark.yaml", |text| format!("{text}\ncolour: red\n"));
        edited.ban("stop: { servers: [presto], everything: true }");
        let Look::Bad { amended: Some(set), added: 1, .. } = edited.outcome() else {
            panic!("not taken")
        };
        assert_eq!(Edited::bans(&set), 4);
        let good = policy::load(disk::read_policies(Path::new("policies"))).unwrap();
        assert_ne!(set.digest(), good.digest(), "a set of its own");

        // Taken out again while the other file is still broken: it stays.
        let whole = fs::read_to_string("policies/guardrails.yaml").unwrap();
        edited.edit("guardrails.yaml", |_| whole.clone());
        let Look::Bad { amended: None, added: 1, .. } = edited.outcome() else {
            panic!("a bad set took a ban away")
        };
        // Another one beside it: both hold.
        edited.ban("more: { servers: [spark], everything: true }");
        let Look::Bad { amended: Some(set), added: 2, .. } = edited.outcome() else {
            panic!("not taken")
        };
        assert_eq!(Edited::bans(&set), 5);
        // A good set ends it.
        edited.edit("servers/spark.yaml", |text| text.replace("\ncolour: red\n", ""));
        let Look::Good(set) = edited.outcome() else { panic!("not taken") };
        assert_eq!(Edited::bans(&set), 4);
    }

    #[test]
    fn nothing_but_bans_is_taken_from_a_bad_set() {
        let mut edited = Edited::new();
        edited.edit("servers/spark.yaml", |text| format!("{text}\ncolour: red\n"));
        edited.edit("guardrails.yaml", |text| {
            // An environment that asks for no reviews any more, and three bans less.
            let (environments, _) = text.split_once("bans:").unwrap();
            let environments = environments.replace("[security, legal, genai]", "[]");
            format!("{environments}bans:\n  stop: {{ people: [contractors], effects: [read] }}\n")
        });
        let Look::Bad { amended: Some(set), added: 1, .. } = edited.outcome() else {
            panic!("not taken")
        };
        assert_eq!(Edited::bans(&set), 4, "the union of old and new");
        let environment = &set.server("presto").unwrap().environments[0];
        assert_eq!(environment.reviews.len(), 3);
    }

    #[test]
    fn a_ban_holds_for_all_that_it_names_and_the_good_files_know() {
        let mut edited = Edited::new();
        edited.edit("servers/spark.yaml", |text| format!("{text}\ncolour: red\n"));
        edited.ban("who: { people: [contractors, strangers], effects: [read] }");
        edited.ban("stop: { servers: [presto, brand-new], everything: true }");
        edited.ban("drop: { servers: [presto], call: [overwrite_table, export_all] }");
        edited.ban("there: { via: [ide, chat-bot/brand-new], effects: [write] }");
        edited.ban("strange: { people: [strangers], effects: [read] }");
        edited.ban("elsewhere: { servers: [brand-new], everything: true }");
        let Look::Bad { problems, amended: Some(set), added: 4 } = edited.outcome() else {
            panic!("not taken")
        };
        assert_eq!(Edited::bans(&set), 7);
        // What only the bad set knows bans nobody yet, and that is said, as long as it stands.
        for _ in 0..2 {
            assert!(problems.text.contains("Not in force either"), "{}", problems.text);
            assert!(problems.text.contains("strangers") && problems.text.contains("brand-new"));
            edited.edit("servers/spark.yaml", |text| format!("{text}# again\n"));
            let Look::Bad { problems, amended: None, added: 4 } = edited.outcome() else {
                panic!("changed")
            };
            assert!(problems.text.contains("Not in force either"), "{}", problems.text);
        }
        // Never a wider one: whoever it is for is gone, so it is for nobody.
        let ban = |name: &str| {
            set.guardrails()
                .iter()
                .any(|ban| set.rule(ban.rule).is_some_and(|rule| *rule.name == *name))
        };
        assert!(ban("drop") && ban("there"));
        assert!(ban("who") && ban("stop") && !ban("strange") && !ban("elsewhere"));
        // Guardrails that are broken themselves: nothing of them is taken.
        edited.ban("stop2: { people: [contractors], efects: [write] }");
        edited.ban("stop3: { people: [contractors], effects: [write] }");
        let Look::Bad { amended: None, added: 4, .. } = edited.outcome() else {
            panic!("taken from a file that is broken")
        };
    }
}
