//! What every file of a directory says by itself, and which of them could not be read.

use std::borrow::Cow;
use std::collections::HashSet;

use super::servers;
use crate::diagnostics::{Code, Diagnostic, Source, SourceId, Sources};
use crate::policy::cores::Cores;
use crate::policy::digest::Digest;
use crate::policy::files::{FileKind, PolicyFiles};
use crate::policy::raw::{self, RawGroup, RawGuardrails, RawPlace, RawReview, RawServer};
use crate::yaml::{self, Kind, Node, Reader};

/// A file's tree, with the path inside the directory.
pub(in crate::policy) type Tree<'f> = (SourceId, &'f str, Node);

/// Files that declare what others name.
const DECLARING_FILES: [&str; 4] =
    ["surfaces.yaml", "groups.yaml", "reviews.yaml", "guardrails.yaml"];

/// Of these, the ones without which nothing can be decided.
const REQUIRED_FILES: [&str; 2] = ["surfaces.yaml", "guardrails.yaml"];

/// Everything the files say, before they are compared with each other.
#[derive(Default)]
pub(in crate::policy) struct Raw<'n> {
    pub(in crate::policy) servers: Vec<(RawServer<'n>, &'n str)>,
    pub(in crate::policy) places: Vec<RawPlace<'n>>,
    pub(in crate::policy) groups: Vec<RawGroup<'n>>,
    pub(super) reviews: Vec<RawReview<'n>>,
    pub(in crate::policy) guardrails: Option<RawGuardrails<'n>>,
    pub(super) broken: Vec<String>,
    /// The files that could be read.
    pub(super) read: Vec<&'n str>,
}

/// A server, as far as stamping reviews needs it.
pub(in crate::policy) struct Stampable {
    pub(in crate::policy) name: String,
    /// Of its tools.
    pub(in crate::policy) digest: Digest,
    /// The reviews that it lists, in any environment.
    pub(in crate::policy) reviews: Vec<String>,
}

/// The tree of every file that is YAML.
pub(in crate::policy) fn trees<'f>(
    files: &'f PolicyFiles,
    cores: Cores,
    sources: &mut Sources,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Tree<'f>> {
    let mut trees = Vec::new();
    let mut texts = Vec::new();
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
        texts.push((source, file.path.as_str(), text));
    }
    let parsed = cores.map(&texts, |(source, path, text)| {
        let mut problems = Vec::new();
        let tree = yaml::parse(*source, text, &mut problems);
        files.parsed.one_more();
        (tree.map(|tree| (*source, *path, tree)), problems)
    });
    for (tree, found) in parsed {
        trees.extend(tree);
        problems.extend(found);
    }
    trees
}

/// The servers whose files can be read.
pub(in crate::policy) fn stampable(
    files: &PolicyFiles,
    sources: &mut Sources,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Stampable> {
    let mut servers = Vec::new();
    for (source, path, tree) in trees(files, Cores::One, sources, problems) {
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

/// What every file says by itself.
pub(in crate::policy) fn read<'n>(
    trees: &'n [Tree<'n>],
    cores: Cores,
    problems: &mut Vec<Diagnostic>,
) -> Raw<'n> {
    let mut all = Raw::default();
    for (raw, found) in cores.map(trees, read_one) {
        let Raw { servers, places, groups, reviews, guardrails, broken, read } = raw;
        all.servers.extend(servers);
        all.places.extend(places);
        all.groups.extend(groups);
        all.reviews.extend(reviews);
        all.guardrails = all.guardrails.or(guardrails);
        all.broken.extend(broken);
        all.read.extend(read);
        problems.extend(found);
    }
    all
}

fn read_one<'n>((source, path, tree): &'n Tree<'n>) -> (Raw<'n>, Vec<Diagnostic>) {
    let mut raw = Raw::default();
    let mut problems = Vec::new();
    let mut reader = Reader::new(*source, &mut problems);
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
    raw.broken = reader.into_broken();
    if !problems.iter().any(|problem| hides_a_block(problem, tree)) {
        raw.read.push(path);
    }
    (raw, problems)
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

/// The declaring files whose absence or form is a problem that has been reported.
pub(super) fn unread(files: &PolicyFiles, read: &[&str]) -> Vec<&'static str> {
    let there = |name: &str| files.files.iter().any(|file| meant(&file.path) == name);
    let reported =
        |name: &&str| !read.contains(name) && (there(name) || REQUIRED_FILES.contains(name));
    DECLARING_FILES.into_iter().filter(reported).collect()
}

/// The servers whose files could not be read, or say another name.
pub(super) fn unread_servers(
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
    let read: HashSet<&str> = servers.iter().map(|(server, _)| server.name.value).collect();
    paths.filter_map(name).filter(|name| !read.contains(name.as_str())).collect()
}

/// The path that a file was meant to have.
fn meant(path: &str) -> Cow<'_, str> {
    match path.strip_suffix(".yml") {
        Some(stem) => Cow::Owned(format!("{stem}.yaml")),
        None => Cow::Borrowed(path),
    }
}

/// A set without servers decides nothing, and one without guardrails has no environments: both
/// are far more often a wrong path than what somebody meant.
pub(super) fn check_presence(files: &PolicyFiles, problems: &mut Vec<Diagnostic>) {
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
