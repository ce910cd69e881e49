//! Writing the digests that reviews cover, and nothing else: comments and layout stay.

use crate::diagnostics::{Diagnostics, Source, Sources, Span};
use crate::yaml::{self, Kind, Node};

use super::digest::Digest;
use super::{PolicyFiles, tools_digests};

/// `reviews.yaml` with new digests.
#[derive(Clone, Debug)]
pub struct Stamped {
    /// The new text.
    pub text: String,
    /// What changed.
    pub changes: Vec<Change>,
}

/// One digest that changed.
#[derive(Clone, Debug)]
pub struct Change {
    /// The review.
    pub review: String,
    /// The server whose tools it covers.
    pub server: String,
    /// Their digest.
    pub digest: Digest,
}

/// Stamps the reviews of the given servers, or of all if none is given.
///
/// # Errors
///
/// If `reviews.yaml` cannot be read.
pub fn stamp(files: &PolicyFiles, servers: &[String]) -> Result<Stamped, Diagnostics> {
    let bytes = files.files.iter().find(|file| file.path == "reviews.yaml");
    let text = bytes.map(|file| String::from_utf8_lossy(&file.bytes).into_owned());
    let text = text.unwrap_or_default();
    let mut sources = Sources::default();
    let path = files.root.join("reviews.yaml");
    let source = sources.add(Source { path, text: text.clone() });
    let mut problems = files.problems.clone();
    let tree = yaml::parse(source, &text, &mut problems);
    let (Some(tree), true) = (tree, problems.is_empty()) else {
        return Err(Diagnostics { sources, list: problems }.sorted());
    };
    let mut edits: Vec<(Span, String)> = Vec::new();
    let mut changes = Vec::new();
    let digests = tools_digests(files);
    for (review, fields) in children(child(&tree, "reviews")) {
        for (server, node) in children(child(fields, "covers")) {
            let wanted = servers.is_empty() || servers.iter().any(|name| name == server);
            let digest = digests.iter().find(|(name, _)| name == server);
            let (Some((_, digest)), true) = (digest, wanted) else {
                continue;
            };
            let written = match &node.kind {
                Kind::Text(text) | Kind::Plain(_, text) => text,
                Kind::Sequence(_) | Kind::Mapping(_) => continue,
            };
            if *written != digest.to_string() {
                edits.push((node.span, format!("\"{digest}\"")));
                let (review, server) = (review.to_owned(), server.to_owned());
                changes.push(Change { review, server, digest: *digest });
            }
        }
    }
    Ok(Stamped { text: edited(&text, edits), changes })
}

fn child<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    children(Some(node)).find(|(name, _)| *name == key).map(|(_, node)| node)
}

fn children(node: Option<&Node>) -> impl Iterator<Item = (&str, &Node)> {
    let entries = match node.map(|node| &node.kind) {
        Some(Kind::Mapping(entries)) => entries.as_slice(),
        Some(Kind::Text(_) | Kind::Plain(..) | Kind::Sequence(_)) | None => &[],
    };
    entries.iter().map(|(key, node)| (key.text.as_str(), node))
}

fn edited(text: &str, mut edits: Vec<(Span, String)>) -> String {
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut text = text.to_owned();
    for (span, new) in edits {
        text.replace_range(span.range(), &new);
    }
    text
}
