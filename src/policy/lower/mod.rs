//! From files to the model: what the files say about each other. Every problem of every file is
//! reported in one run; a set is made only if there is none.

mod amend;
mod approval;
mod items;
mod places;
mod rules;
mod servers;

use std::borrow::Cow;
use std::collections::HashMap;

use self::approval::Floor;
use super::Amended;
use super::digest::Digest;
use super::files::{FileKind, PolicyFile, PolicyFiles};
use super::model::{
    Environment, EnvironmentId, GroupNames, PolicySet, Review, ReviewId, Rule, Server,
};
use super::raw::{
    self, RawEnvironment, RawGroup, RawGuardrails, RawPlace, RawReview, RawServer, Text,
};
use crate::diagnostics::{
    Code, Diagnostic, Diagnostics, Place as FilePlace, Source, SourceId, Sources, did_you_mean,
};
use crate::identity::{GroupId, GroupSet};
use crate::yaml::{self, Kind, Node, Reader};

/// Files that declare what others name.
const DECLARING_FILES: [&str; 4] =
    ["surfaces.yaml", "groups.yaml", "reviews.yaml", "guardrails.yaml"];

/// Of these, the ones without which nothing can be decided.
const REQUIRED_FILES: [&str; 2] = ["surfaces.yaml", "guardrails.yaml"];

/// The declaring files whose absence or form is a problem that has been reported.
fn unread(files: &PolicyFiles, read: &[&str]) -> Vec<&'static str> {
    let there = |name: &str| files.files.iter().any(|file| meant(&file.path) == name);
    let reported =
        |name: &&str| !read.contains(name) && (there(name) || REQUIRED_FILES.contains(name));
    DECLARING_FILES.into_iter().filter(reported).collect()
}

/// The servers whose files could not be read, or say another name.
fn unread_servers(
    files: &PolicyFiles,
    problems: &[Diagnostic],
    servers: &[(RawServer<'_>, &str)],
) -> Vec<String> {
    // A file that could not be opened is only a problem.
    let unreadable = problems
        .iter()
        .filter_map(|problem| problem.path.as_ref()?.strip_prefix(&files.root).ok()?.to_str());
    let paths = files.files.iter().map(|file| file.path.as_str()).chain(unreadable);
    let name = |path| match FileKind::of(&meant(path)) {
        Ok(FileKind::Server(name)) => Some(name.to_owned()),
        Ok(_) | Err(_) => None,
    };
    let read = |name: &String| servers.iter().any(|(server, _)| server.name.value == name);
    paths.filter_map(name).filter(|name| !read(name)).collect()
}

/// The path that a file was meant to have.
fn meant(path: &str) -> Cow<'_, str> {
    match path.strip_suffix(".yml") {
        Some(stem) => Cow::Owned(format!("{stem}.yaml")),
        None => Cow::Borrowed(path),
    }
}

/// Everything the files say, before they are compared with each other.
#[derive(Default)]
pub(super) struct Raw<'n> {
    pub(super) servers: Vec<(RawServer<'n>, &'n str)>,
    pub(super) places: Vec<RawPlace<'n>>,
    pub(super) groups: Vec<RawGroup<'n>>,
    reviews: Vec<RawReview<'n>>,
    pub(super) guardrails: Option<RawGuardrails<'n>>,
    broken: Vec<String>,
    /// The files that could be read.
    read: Vec<&'n str>,
}

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
    groups: GroupNames,
    environments: Vec<Environment>,
    /// What each environment asks of the servers in it.
    needs: Vec<Needs>,
    reviews: Vec<Review>,
    /// Per review: the digest it covers, by server.
    covers: Vec<HashMap<Box<str>, Digest>>,
    places: Vec<super::model::Place>,
    /// The least approval, by effect or trait.
    floors: Vec<Floor>,
    rules: Vec<Rule>,
    /// Whose upstream each `host:port` is.
    upstreams: HashMap<String, (FilePlace, String)>,
}

/// What an environment asks of the servers in it.
struct Needs {
    /// The kinds of review.
    reviews: Vec<Box<str>>,
    /// The `host:port` of every upstream that belongs there.
    upstreams: Vec<Box<str>>,
}

/// A server, as far as stamping reviews needs it.
pub(super) struct Stampable {
    pub(super) name: String,
    /// Of its tools.
    pub(super) digest: Digest,
    /// The reviews that it lists, in any environment.
    pub(super) reviews: Vec<String>,
}

/// The servers whose files can be read.
pub(super) fn stampable(
    files: &PolicyFiles,
    sources: &mut Sources,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Stampable> {
    let mut servers = Vec::new();
    for (source, path, tree) in trees(files, sources, problems) {
        let mut reader = Reader::new(source, problems);
        if let Ok(FileKind::Server(name)) = FileKind::of(path)
            && let Some(server) = raw::server(&mut reader, &tree)
        {
            problems.extend(servers::misnamed(server.name, name));
            let listed = server.environments.iter().flat_map(|environment| &environment.reviews);
            let reviews = listed.map(|review| review.value.to_owned()).collect();
            servers.push(Stampable { name: name.to_owned(), digest: server.tools_digest, reviews });
        }
    }
    servers
}

/// The tree of every file that is YAML.
pub(super) fn trees<'f>(
    files: &'f PolicyFiles,
    sources: &mut Sources,
    problems: &mut Vec<Diagnostic>,
) -> Vec<(SourceId, &'f str, Node)> {
    let mut trees = Vec::new();
    for file in &files.files {
        let path = files.display(&file.path);
        if let Err((code, message)) = FileKind::of(&file.path) {
            let meant = meant(&file.path);
            let help = if meant != file.path && FileKind::of(&meant).is_ok() {
                format!("name it `{meant}`")
            } else {
                "a policy directory holds servers/NAME.yaml, surfaces.yaml, groups.yaml, \
                 reviews.yaml and guardrails.yaml"
                    .to_owned()
            };
            problems.push(Diagnostic::about_path(code, path, message).help(help));
            continue;
        }
        if file.bytes.len() > yaml::MAX_FILE_BYTES {
            // Not even shown: an excerpt would cost a look at all of it.
            problems.push(
                Diagnostic::about_path(Code::Syntax, path, "the file is larger than 1 MiB")
                    .help("split it: one server per file"),
            );
            continue;
        }
        let Ok(text) = std::str::from_utf8(&file.bytes) else {
            problems.push(
                Diagnostic::about_path(Code::Syntax, path, "the file is not UTF-8")
                    .help("save it as UTF-8 without a byte-order mark"),
            );
            continue;
        };
        let source = sources.add(Source { path, text: text.to_owned() });
        if let Some(tree) = yaml::parse(source, text, problems) {
            trees.push((source, file.path.as_str(), tree));
        }
    }
    trees
}

pub(super) fn lower(
    mut files: PolicyFiles,
    more_guardrails: &[PolicyFile],
) -> Result<Amended, Diagnostics> {
    files.files.sort_by(|a, b| a.path.cmp(&b.path));
    // Tests decide nothing, and are no part of the digest.
    files.files.retain(|file| FileKind::of(&file.path) != Ok(FileKind::Test));
    let mut sources = Sources::default();
    let mut problems = std::mem::take(&mut files.problems);
    let trees = trees(&files, &mut sources, &mut problems);
    let mut raw = read(&trees, &mut problems);
    raw.broken.extend(unread_servers(&files, &problems, &raw.servers));
    check_presence(&files, &mut problems);
    let mut left_out = Vec::new();
    let more = PolicyFiles { files: more_guardrails.to_vec(), ..PolicyFiles::rooted(&files.root) };
    let more_trees = self::trees(&more, &mut sources, &mut left_out);
    let more_bans = amend::more_bans(&more_trees, &mut left_out);

    let mut lowering = Lowering {
        sources: &sources,
        problems,
        broken: &raw.broken,
        unread: unread(&files, &raw.read),
        refused: Vec::new(),
        groups: GroupNames::default(),
        environments: Vec::new(),
        needs: Vec::new(),
        reviews: Vec::new(),
        covers: Vec::new(),
        places: Vec::new(),
        floors: Vec::new(),
        rules: Vec::new(),
        upstreams: HashMap::new(),
    };
    let server_names: Vec<&str> = raw.servers.iter().map(|(server, _)| server.name.value).collect();
    lowering.groups(&raw.groups);
    let guardrails = raw.guardrails.as_ref();
    lowering.environments(guardrails.map_or(&[], |guardrails| &guardrails.environments));
    lowering.reviews(&raw.reviews, &server_names);
    let workloads = lowering.places(&raw.places);
    lowering.floors(guardrails.map_or(&[], |guardrails| &guardrails.approval));
    let bans = guardrails.map_or(&[][..], |guardrails| &guardrails.bans);
    for ban in bans {
        lowering.check_reach(ban, &raw.servers);
    }
    let mut guardrails: Vec<_> =
        bans.iter().flat_map(|ban| lowering.guardrail(ban, &raw.servers, &server_names)).collect();
    let own = guardrails.len();
    left_out.extend(lowering.amend(more_bans, &raw.servers, &server_names, &mut guardrails));
    let added = guardrails.len() - own;
    let mut servers = HashMap::new();
    for (server, file_name) in &raw.servers {
        let server = lowering.server(server, file_name);
        let named = rules::named_groups(&server, &guardrails);
        servers.insert(server.name.clone(), Server { named_groups: named, ..server });
    }

    let Lowering { problems, groups, environments, reviews, places, rules, .. } = lowering;
    if !problems.is_empty() {
        return Err(Diagnostics { sources, list: problems }.sorted());
    }
    let more = more.files.iter().map(|file| (format!("{}+bans", file.path), &*file.bytes));
    let more: Vec<_> = more.collect();
    let digest = Digest::of_files(
        files
            .files
            .iter()
            .map(|file| (file.path.as_str(), &*file.bytes))
            .chain(more.iter().map(|(path, bytes)| (path.as_str(), *bytes))),
    );
    let set = PolicySet {
        digest,
        groups,
        environments,
        places,
        reviews,
        servers,
        guardrails,
        rules,
        exact_workloads: workloads.exact,
        workload_subtrees: workloads.subtrees,
        without_workload: workloads.none,
    };
    Ok(Amended { set, added, left_out: Diagnostics { sources, list: left_out }.sorted() })
}

/// What every file says by itself.
pub(super) fn read<'n>(
    trees: &'n [(SourceId, &'n str, Node)],
    problems: &mut Vec<Diagnostic>,
) -> Raw<'n> {
    let mut raw = Raw::default();
    for (source, path, tree) in trees {
        let before = problems.len();
        let mut reader = Reader::new(*source, problems);
        match FileKind::of(path) {
            Ok(FileKind::Server(name)) => {
                raw.servers.extend(raw::server(&mut reader, tree).map(|server| (server, name)));
            }
            Ok(FileKind::Surfaces) => raw.places = raw::surfaces(&mut reader, tree),
            Ok(FileKind::Groups) => raw.groups = raw::groups(&mut reader, tree),
            Ok(FileKind::Reviews) => raw.reviews = raw::reviews(&mut reader, tree),
            Ok(FileKind::Guardrails) => raw.guardrails = raw::guardrails(&mut reader, tree),
            Ok(FileKind::Test) | Err(_) => {}
        }
        raw.broken.extend(reader.into_broken());
        if !problems.iter().skip(before).any(|problem| hides_a_block(problem, tree)) {
            raw.read.push(path);
        }
    }
    raw
}

/// Whether a problem stands at a file's outermost level: what is declared there is not seen then.
fn hides_a_block(problem: &Diagnostic, root: &Node) -> bool {
    let Kind::Mapping(entries) = &root.kind else {
        return true;
    };
    let mut outer = entries.iter().flat_map(|(key, node)| [key.span, node.span]).chain([root.span]);
    matches!(problem.code, Code::UnknownKey | Code::MissingKey | Code::WrongType)
        && problem.place.is_some_and(|place| outer.any(|span| span.start == place.span.start))
}

/// A set without servers decides nothing, and one without guardrails has no environments: both
/// are far more often a wrong path than what somebody meant.
fn check_presence(files: &PolicyFiles, problems: &mut Vec<Diagnostic>) {
    if files.files.is_empty() && !problems.is_empty() {
        // The directory itself could not be read.
        return;
    }
    let has = |kind: fn(FileKind<'_>) -> bool| {
        files.files.iter().any(|file| FileKind::of(&meant(&file.path)).is_ok_and(kind))
    };
    let mut missing = |name: &str, message: &str, cure: &str| {
        problems.push(
            Diagnostic::about_path(Code::Empty, files.display(name), message.to_owned()).help(cure),
        );
    };
    if !has(|kind| matches!(kind, FileKind::Server(_))) {
        let cure = "is this the policy directory? Each MCP server has a file servers/NAME.yaml";
        missing("servers", "no server has a policy", cure);
    }
    if !has(|kind| kind == FileKind::Guardrails) {
        missing("guardrails.yaml", "the file is missing", "it declares the environments");
    }
    if !has(|kind| kind == FileKind::Surfaces) {
        missing("surfaces.yaml", "the file is missing", "it declares where callers come from");
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
        let near = did_you_mean(name.value, candidates.iter().map(String::as_str));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare it in {declared_in}, or correct the name"),
        };
        let message = format!("unknown {what} `{}`", name.value);
        self.report(Diagnostic::error(code, name.place, message).help(help));
    }

    fn groups(&mut self, raw: &[RawGroup<'_>]) {
        for group in raw {
            let Ok(index) = u32::try_from(self.groups.names.len()) else {
                return;
            };
            let (id, name) = (GroupId(index), Box::<str>::from(group.name.value));
            self.groups.names.push(name.clone());
            self.groups.by_name.insert(name.clone(), id);
            match &group.claims {
                None => {
                    self.groups.claimed_by_name.insert(name, id);
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
                        self.groups
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
            if let Some(group) = self.groups.by_name.get(name.value) {
                set.insert(*group);
            } else {
                let candidates: Vec<_> =
                    self.groups.names.iter().map(ToString::to_string).collect();
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
                                "an upstream belongs to one environment, or reviews mean nothing",
                            ),
                    );
                } else {
                    hosts.insert(host.value, (host.place, environment.name.value));
                }
            }
            let boxed = |texts: &[Text<'_>]| texts.iter().map(|text| text.value.into()).collect();
            self.environments.push(Environment { name: environment.name.value.into() });
            self.needs.push(Needs {
                reviews: boxed(&environment.reviews),
                upstreams: boxed(&environment.upstreams),
            });
        }
    }

    fn environment(&mut self, name: Text<'_>) -> Option<EnvironmentId> {
        let found = self.environments.iter().position(|known| &*known.name == name.value);
        if found.is_none() {
            let candidates: Vec<_> =
                self.environments.iter().map(|known| known.name.to_string()).collect();
            let (code, file) = (Code::UnknownEnvironment, "guardrails.yaml");
            self.unknown(code, name, "environment", file, &candidates);
        }
        found.and_then(|index| u32::try_from(index).ok()).map(EnvironmentId)
    }

    fn reviews(&mut self, raw: &[RawReview<'_>], servers: &[&str]) {
        for review in raw {
            let mut covers = HashMap::new();
            for (server, digest) in &review.covers {
                if servers.contains(&server.value) {
                    covers.insert(server.value.into(), digest.value);
                } else {
                    let candidates: Vec<_> = servers.iter().map(ToString::to_string).collect();
                    let (code, file) = (Code::UnknownServer, "servers/");
                    self.unknown(code, *server, "server", file, &candidates);
                }
            }
            self.covers.push(covers);
            self.reviews.push(Review {
                name: review.name.value.into(),
                kind: review.kind.value.into(),
                approved: review.approved,
                last_day: review.last_day,
            });
        }
    }

    fn review(&mut self, name: Text<'_>) -> Option<ReviewId> {
        let found = self.reviews.iter().position(|review| &*review.name == name.value);
        if found.is_none() {
            // No guess: SEC-1412 and SEC-1413 are both plausible, and only one was meant.
            self.unknown(Code::UnknownReview, name, "review", "reviews.yaml", &[]);
        }
        found.and_then(|index| u32::try_from(index).ok()).map(ReviewId)
    }
}
