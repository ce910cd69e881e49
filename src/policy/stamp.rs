//! Writing the digests that reviews cover, and nothing else: comments and layout stay.
//!
//! The text is edited in place and read again: what it then says must be what it said before,
//! with the new digests and nothing else.

mod edit;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use thiserror::Error;

use self::edit::Edits;
use super::digest::Digest;
use super::files::{FileKind, PolicyFile, PolicyFiles};
use super::lower::{self, Stampable};
use crate::diagnostics::{Code, Diagnostic, Diagnostics, Place, Source, Sources, did_you_mean};
use crate::yaml::{self, Key, Kind, Node, Plain};

const FILE: &str = "reviews.yaml";

/// `reviews.yaml` with new digests.
#[derive(Clone, Debug)]
pub struct Stamped {
    /// The new text.
    pub text: String,
    /// What changed.
    pub changes: Vec<Change>,
}

/// One digest that changed, or is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The review.
    pub review: String,
    /// The server whose tools it covers.
    pub server: String,
    /// Their digest.
    pub digest: Digest,
}

/// Why nothing is stamped.
#[derive(Debug, Error)]
pub enum StampError {
    /// `reviews.yaml`, or the file of a server that is to be stamped, cannot be read.
    #[error("{0}")]
    Unreadable(Diagnostics),
    /// A server that has no file.
    #[error("unknown server `{name}`")]
    UnknownServer {
        /// The name.
        name: String,
        /// What may have been meant.
        near: Option<String>,
    },
    /// The file is laid out in a way that cannot be edited safely.
    #[error("{FILE}: cannot be stamped without changing something else")]
    Layout(Vec<Change>),
}

/// Stamps the reviews of the given servers, or of all if none is given: the digests that stand
/// there, and those that are missing from a review that a server lists.
///
/// # Errors
///
/// If a file cannot be read, a server has none, or the edited text would not say exactly what was
/// meant. Nothing is stamped then.
pub fn stamp(files: &PolicyFiles, servers: &[String]) -> Result<Stamped, StampError> {
    let mut sources = Sources::default();
    let mut problems = files.problems.clone();
    let servers = stampable(files, servers, &mut sources, &mut problems)?;
    let bytes = files.files.iter().find(|file| file.path == FILE).map(|file| &*file.bytes);
    let path = files.display(FILE);
    let Ok(text) = std::str::from_utf8(bytes.unwrap_or_default()) else {
        problems.push(Diagnostic::about_path(Code::Syntax, path, "the file is not UTF-8"));
        return Err(StampError::Unreadable(Diagnostics { sources, list: problems }.sorted()));
    };
    let source = sources.add(Source { path, text: text.to_owned() });
    let tree = yaml::parse(source, text, &mut problems);
    for (review, fields) in tree.iter().flat_map(reviews) {
        if servers.iter().any(|server| server.reviews.contains(&review.text)) {
            let place = Place { source, span: review.span };
            problems.extend(misshapen(review, fields, place));
        }
    }
    let (Some(tree), true) = (tree, problems.is_empty()) else {
        return Err(StampError::Unreadable(Diagnostics { sources, list: problems }.sorted()));
    };
    let changes = changes(&tree, &servers);
    let text = edited(text, &tree, &changes);
    let read = yaml::parse(source, &text, &mut problems);
    let as_meant = read.is_some_and(|read| leaves(&read) == meant(&tree, &changes));
    if !as_meant || !problems.is_empty() {
        return Err(StampError::Layout(changes));
    }
    Ok(Stamped { text, changes })
}

/// The servers that are to be stamped.
fn stampable(
    files: &PolicyFiles,
    wanted: &[String],
    sources: &mut Sources,
    problems: &mut Vec<Diagnostic>,
) -> Result<Vec<Stampable>, StampError> {
    let known: Vec<_> = files.files.iter().filter_map(server_name).collect();
    if let Some(unknown) = wanted.iter().find(|wanted| !known.contains(&wanted.as_str())) {
        let near = did_you_mean(unknown, known).map(str::to_owned);
        return Err(StampError::UnknownServer { name: unknown.clone(), near });
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let mut files = files.clone();
    files.files.retain(|file| server_name(file).is_some_and(is_wanted));
    Ok(lower::stampable(&files, sources, problems))
}

fn server_name(file: &PolicyFile) -> Option<&str> {
    match FileKind::of(&file.path) {
        Ok(FileKind::Server(name)) => Some(name),
        Ok(_) | Err(_) => None,
    }
}

/// What is to be written: digests that are stale, and those that a listed review lacks.
fn changes(tree: &Node, servers: &[Stampable]) -> Vec<Change> {
    let mut changes = Vec::new();
    for (review, fields) in reviews(tree) {
        let covers = edit::entry(fields, "covers").map(|(_, covers)| covers);
        for Stampable { name, digest, reviews } in servers {
            let written = covers.and_then(|covers| edit::entry(covers, name)).map(|(_, node)| node);
            let due = match written {
                Some(Node { kind: Kind::Text(text) | Kind::Plain(_, text), .. }) => {
                    *text != digest.to_string()
                }
                // The loader says what is wrong with it.
                Some(Node { kind: Kind::Sequence(_) | Kind::Mapping(_), .. }) => false,
                None => reviews.contains(&review.text),
            };
            if due {
                let (review, server) = (review.text.clone(), name.clone());
                changes.push(Change { review, server, digest: *digest });
            }
        }
    }
    changes
}

fn edited(text: &str, tree: &Node, changes: &[Change]) -> String {
    let mut edits = Edits::new(text);
    for (review, fields) in reviews(tree) {
        let of_review: Vec<_> = changes.iter().filter(|c| c.review == review.text).collect();
        edits.stamp(fields, &of_review);
    }
    edits.apply()
}

/// What a file says: every scalar by its path. Names are marked, so that a list's index is none.
type Leaves = BTreeMap<Vec<String>, String>;

fn leaves(tree: &Node) -> Leaves {
    fn walk(node: &Node, path: &mut Vec<String>, leaves: &mut Leaves) {
        let mut below = |step: String, node: &Node| {
            path.push(step);
            walk(node, path, leaves);
            path.pop();
        };
        match &node.kind {
            Kind::Mapping(entries) if !entries.is_empty() => {
                for (key, node) in entries {
                    below(format!(".{}", key.text), node);
                }
            }
            Kind::Sequence(items) if !items.is_empty() => {
                for (at, node) in items.iter().enumerate() {
                    below(format!("#{at}"), node);
                }
            }
            Kind::Mapping(_) => drop(leaves.insert(path.clone(), "{}".to_owned())),
            Kind::Sequence(_) => drop(leaves.insert(path.clone(), "[]".to_owned())),
            Kind::Plain(_, text) => drop(leaves.insert(path.clone(), format!("plain {text}"))),
            Kind::Text(text) => drop(leaves.insert(path.clone(), format!("text {text}"))),
        }
    }
    let mut leaves = Leaves::new();
    walk(tree, &mut Vec::new(), &mut leaves);
    leaves
}

/// What the edited text must say.
fn meant(tree: &Node, changes: &[Change]) -> Leaves {
    let mut leaves = leaves(tree);
    for Change { review, server, digest } in changes {
        let mut path = Vec::new();
        for step in ["reviews", review, "covers", server] {
            // An empty mapping is one no longer.
            leaves.remove(&path);
            path.push(format!(".{step}"));
        }
        leaves.insert(path, format!("text {digest}"));
    }
    leaves
}

/// A review, or what it covers, that has no place for a digest.
fn misshapen(review: &Key, fields: &Node, place: Place) -> Option<Diagnostic> {
    let is_map = |node: &Node| matches!(node.kind, Kind::Mapping(_));
    let is_null = |node: &Node| matches!(node.kind, Kind::Plain(Plain::Null, _));
    let covers = edit::entry(fields, "covers").map(|(_, covers)| covers);
    let (what, help) = if !is_map(fields) {
        ("is not a mapping", "give it `kind`, `approved` and `last_day`")
    } else if covers.is_some_and(|covers| !is_map(covers) && !is_null(covers)) {
        ("has a `covers` that is not a mapping", "remove `covers`: stamping writes it")
    } else {
        return None;
    };
    let message = format!("the review `{}` {what}", review.text);
    Some(Diagnostic::error(Code::WrongType, place, message).help(help))
}

/// The reviews of the file.
fn reviews(tree: &Node) -> impl Iterator<Item = (&Key, &Node)> {
    edit::entry(tree, "reviews").into_iter().flat_map(|(_, reviews)| edit::entries(reviews))
}
