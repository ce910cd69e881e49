//! From files to the model: what the files say about each other. Every problem of every file is
//! reported in one run; a set is made only if there is none.

mod again;
mod amend;
mod approval;
mod common;
mod items;
mod places;
mod read;
mod rules;
mod servers;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use self::approval::Floor;
use self::common::Common;
use self::items::Named;
use self::places::Workloads;
use self::read::{check_presence, unread, unread_servers};
use super::Inspected;
use super::cores::Cores;
use super::digest::Digest;
use super::files::{PolicyFiles, is_test};
use super::model::{
    self, Environment, EnvironmentId, OwnRule, PolicySet, Review, ReviewId, Server, Shared,
};
use super::raw::{RawEnvironment, RawGroup, RawReview, RawServer, Text};
use crate::diagnostics::{
    Code, Diagnostic, Diagnostics, Place as FilePlace, SourceId, Sources, did_you_mean,
};
use crate::identity::{GroupId, GroupSet};

pub use self::again::{Loaded, NextError};
pub(super) use self::read::{Stampable, Tree, read, stampable, trees};

/// What is known while the rest is resolved.
struct Lowering<'s> {
    sources: &'s Sources,
    problems: Vec<Diagnostic>,
    /// Names that are declared, but whose declaration could not be read.
    broken: &'s [String],
    /// The declaring files whose absence or form is a problem that has been reported.
    unread: Vec<&'static str>,
    /// Servers' environments that are there and were refused.
    refused: Vec<(Box<str>, String)>,
    shared: Arc<Shared>,
    asks: Arc<Asks>,
    /// Whose rules those are: see `RuleId`.
    rules_of: u32,
    rules: Vec<OwnRule>,
    /// The file that the last of them stand in.
    rules_in: Option<(SourceId, Arc<Path>)>,
    /// Whose upstream each `host:port` is.
    upstreams: HashMap<String, (FilePlace, String)>,
    /// Whose own resource each is.
    own_resources: HashMap<String, (FilePlace, String)>,
    /// What servers have in common.
    common: Common,
}

/// What the shared files ask of servers, beside what the set keeps.
#[derive(Clone, Debug, Default)]
pub(super) struct Asks {
    /// What each environment asks of the servers in it.
    needs: Vec<Needs>,
    review_ids: HashMap<Box<str>, ReviewId>,
    /// Per review: the digest it covers, by server.
    covers: Vec<Covers>,
    /// The least approval, by effect or trait.
    floors: Vec<Floor>,
}

/// More guesses at what was meant than anybody reads.
const MOST_GUESSES: usize = 200;

/// What an environment asks of the servers in it.
#[derive(Clone, Debug)]
struct Needs {
    /// The kinds of review.
    reviews: Vec<Arc<str>>,
    /// The `host:port` of every upstream that belongs there, sorted.
    upstreams: Box<[Box<str>]>,
}

impl Needs {
    /// Whether an upstream belongs there.
    fn lists(&self, host_port: &str) -> bool {
        self.upstreams.binary_search_by(|listed| (**listed).cmp(host_port)).is_ok()
    }
}

/// The servers that a review covers, sorted by name: every server, perhaps, and asked for when its
/// file changes.
#[derive(Clone, Debug)]
struct Covers(Box<[(Box<str>, Digest)]>);

impl Covers {
    fn new(mut servers: Vec<(Box<str>, Digest)>) -> Self {
        servers.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Self(servers.into())
    }

    /// What it covers of a server.
    fn get(&self, server: &str) -> Option<&Digest> {
        let at = self.0.binary_search_by(|(name, _)| (**name).cmp(server)).ok()?;
        self.0.get(at).map(|(_, digest)| digest)
    }
}

/// The servers that rules of the shared files may name.
type Servers<'r> = BTreeMap<&'r str, OneServer<'r>>;

/// One of them.
#[derive(Clone, Copy)]
enum OneServer<'r> {
    /// Its file is being read.
    Read(&'r RawServer<'r>),
    /// Its file has been read.
    Kept(&'r Server),
}

impl<'r> OneServer<'r> {
    fn named(self) -> Named<'r> {
        match self {
            Self::Read(raw) => Named::new(raw),
            Self::Kept(server) => Named::kept(server),
        }
    }
}

/// A policy directory as it was read, whether or not it loads.
pub(super) fn inspect(mut files: PolicyFiles, cores: Cores) -> Inspected {
    let mut sources = Sources::default();
    let mut problems = std::mem::take(&mut files.problems);
    files.files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut tests = PolicyFiles::rooted(&files.root);
    tests.parsed = files.parsed.clone();
    tests.files = files.files.extract_if(.., |file| is_test(&file.path)).collect();
    let trees = trees(&files, cores, &mut sources, &mut problems);
    let (set, mut problems) = match set(&files, cores, &sources, &trees, problems) {
        Ok((set, _)) => (Some(set), Vec::new()),
        Err(problems) => (None, problems),
    };
    // They decide nothing: what is wrong with them is a problem, and does not keep a set back.
    let tests = self::trees(&tests, cores, &mut sources, &mut problems);
    let trees = trees.into_iter().chain(tests).map(|(source, _, tree)| (source, tree)).collect();
    Inspected { set, trees, problems: Diagnostics { sources, list: problems }.sorted() }
}

/// The set that a directory says.
pub(super) fn lower(files: PolicyFiles, cores: Cores) -> Result<PolicySet, Diagnostics> {
    whole(files, cores).map(|(set, _, _)| set)
}

/// All that a directory says, with what the set does not keep of it: what the shared files ask of
/// servers, and the files that decide, sorted by path.
fn whole(
    mut files: PolicyFiles,
    cores: Cores,
) -> Result<(PolicySet, Arc<Asks>, PolicyFiles), Diagnostics> {
    files.files.sort_by(|a, b| a.path.cmp(&b.path));
    // Tests decide nothing, and are no part of the digest.
    files.files.retain(|file| !is_test(&file.path));
    let mut sources = Sources::default();
    let mut problems = std::mem::take(&mut files.problems);
    let trees = trees(&files, cores, &mut sources, &mut problems);
    match set(&files, cores, &sources, &trees, problems) {
        Ok((set, asks)) => Ok((set, asks, files)),
        Err(list) => Err(Diagnostics { sources, list }.sorted()),
    }
}

/// The set that the trees of a directory make, or every problem.
fn set(
    files: &PolicyFiles,
    cores: Cores,
    sources: &Sources,
    trees: &[Tree<'_>],
    mut problems: Vec<Diagnostic>,
) -> Result<(PolicySet, Arc<Asks>), Vec<Diagnostic>> {
    let mut raw = read(trees, cores, &mut problems);
    raw.broken.extend(unread_servers(files, &problems, &raw.servers));
    check_presence(files, &mut problems);

    let unread = unread(files, &raw.read);
    let mut lowering = Lowering::new(sources, problems, &raw.broken, unread);
    let named: Servers<'_> = raw
        .servers
        .iter()
        .map(|(server, _)| (server.name.value, OneServer::Read(server)))
        .collect();
    lowering.groups(&raw.groups);
    let guardrails = raw.guardrails.as_ref();
    lowering.environments(guardrails.map_or(&[], |guardrails| &guardrails.environments));
    lowering.reviews(&raw.reviews, &named);
    let workloads = lowering.places(&raw.places);
    lowering.floors(guardrails.map_or(&[], |guardrails| &guardrails.approval));
    let bans = guardrails.map_or(&[][..], |guardrails| &guardrails.bans);
    for ban in bans {
        lowering.check_reach(ban, &named);
    }
    let guardrails = bans.iter().flat_map(|ban| lowering.guardrail(ban, &named)).collect();
    let rules = std::mem::take(&mut lowering.rules);
    let all = lowering.shared();
    (all.guardrails, all.rules) = (guardrails, rules);
    let Workloads { exact, subtrees, none } = workloads;
    (all.exact_workloads, all.workload_subtrees, all.without_workload) = (exact, subtrees, none);
    let mut servers = model::Servers::default();
    for (server, file_name) in &raw.servers {
        let number = servers.number_for(server.name.value);
        servers.put(lowering.server(server, file_name, number));
    }

    let Lowering { problems, shared, asks, .. } = lowering;
    if !problems.is_empty() {
        return Err(problems);
    }
    let digest =
        Digest::of_files(files.files.iter().map(|file| (file.path.as_str(), &*file.bytes)));
    Ok((PolicySet { digest, shared, servers }, asks))
}

fn names(servers: &Servers<'_>) -> Vec<String> {
    servers.keys().map(ToString::to_string).collect()
}

impl<'s> Lowering<'s> {
    fn new(
        sources: &'s Sources,
        problems: Vec<Diagnostic>,
        broken: &'s [String],
        unread: Vec<&'static str>,
    ) -> Self {
        Self {
            sources,
            problems,
            broken,
            unread,
            refused: Vec::new(),
            shared: Arc::default(),
            asks: Arc::default(),
            rules_of: 0,
            rules: Vec::new(),
            rules_in: None,
            upstreams: HashMap::new(),
            own_resources: HashMap::new(),
            common: Common::default(),
        }
    }

    /// What is being made. Nothing is copied as long as nobody else has it.
    fn shared(&mut self) -> &mut Shared {
        Arc::make_mut(&mut self.shared)
    }

    fn asks(&mut self) -> &mut Asks {
        Arc::make_mut(&mut self.asks)
    }
}

impl Lowering<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.problems.push(diagnostic);
    }

    /// A name that is declared nowhere.
    fn unknown(
        &mut self,
        code: Code,
        name: Text<'_>,
        what: &str,
        declared_in: &str,
        candidates: &[String],
    ) {
        let (declared, _) = name.value.split_once('/').unwrap_or((name.value, ""));
        // Reported already: the file is there and cannot be read, or must be there and is not. A
        // file that is left out declares nothing, and that is the problem here.
        let unread = self.unread.contains(&declared_in);
        if unread || self.broken.iter().any(|broken| broken == declared) {
            // Its declaration is the problem, and has been reported.
            return;
        }
        // Each guess is a look at every candidate, and nobody reads hundreds.
        let guess = self.problems.len() < MOST_GUESSES;
        let candidates = candidates.iter().map(String::as_str);
        let near = guess.then(|| did_you_mean(name.value, candidates)).flatten();
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare it in {declared_in}, or correct the name"),
        };
        let message = format!("unknown {what} `{}`", name.value);
        self.report(Diagnostic::error(code, name.place, message).help(help));
    }

    fn groups(&mut self, raw: &[RawGroup<'_>]) {
        for group in raw {
            let Ok(index) = u32::try_from(self.shared.groups.names.len()) else {
                return;
            };
            let (id, name) = (GroupId(index), Box::<str>::from(group.name.value));
            let groups = &mut self.shared().groups;
            groups.names.push(name.clone());
            groups.by_name.insert(name.clone(), id);
            match &group.claims {
                None => {
                    groups.claimed_by_name.insert(name, id);
                }
                Some(claims) => {
                    for claim in claims {
                        if claim
                            .split_once(':')
                            .is_none_or(|(issuer, value)| issuer.is_empty() || value.is_empty())
                        {
                            let message = format!(
                                "`{}` does not say which issuer's claim it is",
                                claim.value
                            );
                            let help = "write `issuer:value`, with the issuer's configured name";
                            self.report(
                                Diagnostic::error(Code::BadValue, claim.place, message).help(help),
                            );
                        }
                        self.shared()
                            .groups
                            .claimed_by_value
                            .entry(claim.value.into())
                            .or_default()
                            .push(id);
                    }
                }
            }
        }
    }

    fn group_set(&mut self, names: &[Text<'_>]) -> GroupSet {
        let mut set = GroupSet::default();
        for name in names {
            if let Some(group) = self.shared.groups.by_name.get(name.value) {
                set.insert(*group);
            } else {
                let candidates: Vec<_> =
                    self.shared.groups.names.iter().map(ToString::to_string).collect();
                self.unknown(Code::UnknownGroup, *name, "group", "groups.yaml", &candidates);
            }
        }
        set
    }

    fn environments(&mut self, raw: &[RawEnvironment<'_>]) {
        let mut hosts: HashMap<&str, (FilePlace, &str)> = HashMap::new();
        for environment in raw {
            for host in &environment.upstreams {
                if let Some((first, other)) = hosts.get(host.value) {
                    let message = format!(
                        "`{}` stands in `{other}` and in `{}`",
                        host.value, environment.name.value
                    );
                    let first = *first;
                    self.report(
                        Diagnostic::error(Code::Conflict, host.place, message)
                            .related(first, "first here")
                            .help(
                                "remove it from one of them: each environment asks for reviews of its own",
                            ),
                    );
                } else {
                    hosts.insert(host.value, (host.place, environment.name.value));
                }
            }
            self.shared().environments.push(Environment { name: environment.name.value.into() });
            let mut upstreams: Box<[Box<str>]> =
                environment.upstreams.iter().map(|host| host.value.into()).collect();
            upstreams.sort_unstable();
            let reviews = environment.reviews.iter().map(|kind| kind.value.into()).collect();
            self.asks().needs.push(Needs { reviews, upstreams });
        }
    }

    fn environment(&mut self, name: Text<'_>) -> Option<EnvironmentId> {
        let found = self.shared.environments.iter().position(|known| &*known.name == name.value);
        if found.is_none() {
            let candidates: Vec<_> =
                self.shared.environments.iter().map(|known| known.name.to_string()).collect();
            let (code, file) = (Code::UnknownEnvironment, "guardrails.yaml");
            self.unknown(code, name, "environment", file, &candidates);
        }
        found.and_then(|index| u32::try_from(index).ok()).map(EnvironmentId)
    }

    fn reviews(&mut self, raw: &[RawReview<'_>], servers: &Servers<'_>) {
        for review in raw {
            let mut covers = Vec::new();
            for (server, digest) in &review.covers {
                if servers.contains_key(server.value) {
                    covers.push((server.value.into(), digest.value));
                } else {
                    let (code, file) = (Code::UnknownServer, "servers/");
                    self.unknown(code, *server, "server", file, &names(servers));
                }
            }
            self.asks().covers.push(Covers::new(covers));
            if let Ok(index) = u32::try_from(self.shared.reviews.len()) {
                self.asks().review_ids.insert(review.name.value.into(), ReviewId(index));
            }
            self.shared().reviews.push(Review {
                name: review.name.value.into(),
                kind: review.kind.value.into(),
                approved: review.approved,
                last_day: review.last_day,
            });
        }
    }

    fn review(&mut self, name: Text<'_>) -> Option<ReviewId> {
        let found = self.asks.review_ids.get(name.value).copied();
        if found.is_none() {
            // No guess: SEC-1412 and SEC-1413 are both plausible, and only one was meant.
            self.unknown(Code::UnknownReview, name, "review", "reviews.yaml", &[]);
        }
        found
    }
}
