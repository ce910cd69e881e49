use crate::diagnostics::{Edit, Span};
use crate::lint::context::File;
use crate::lint::rule::{Check, Findings, rule};
use crate::yaml::{Kind, Node, Plain};

rule! {
    /// ## What it finds
    ///
    /// A word such as `#presto-mcp` without quotes where a value is missing. To YAML it is a
    /// comment. `--fix` puts it in quotes.
    ///
    /// ## Why
    ///
    /// The names of chat channels start with `#`, and so do comments. What YAML then says of the
    /// file is that a value is missing, or that a bracket far below is not closed.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// about:
    ///   support: #presto-mcp
    /// ```
    ///
    /// ## How to mend it
    ///
    /// ```yaml
    /// about:
    ///   support: "#presto-mcp"
    /// ```
    UnquotedChannel, Error, Check::Text(check)
}

fn check(file: &File<'_>, findings: &mut Findings) {
    // A comment has a blank before its `#`, and nearly every one has another behind it; and a
    // second look at the file costs.
    let could_be = |(before, rest): (&str, &str)| {
        before.is_empty() || before.ends_with([' ', '\t', '\n']) && rest.starts_with(is_word)
    };
    let mut parts = file.text.split('#').peekable();
    let mut pairs = std::iter::from_fn(|| Some((parts.next()?, parts.peek().copied()?)));
    if !pairs.any(could_be) {
        return;
    }
    let mut nulls = Vec::new();
    file.tree().into_iter().for_each(|tree| note_nulls(tree, &mut nulls));
    nulls.sort_unstable();
    for comment in file.comments() {
        let words = words(file.slice(comment));
        let Some(first) = words.first().copied() else { continue };
        let start = comment.start as usize;
        if !is_missing_a_value(file, comment, &nulls) {
            continue;
        }
        let span = |word: (usize, usize)| Span::new(start + word.0, start + word.1);
        let quoted = |word: &(usize, usize)| {
            let place = file.place(span(*word));
            Edit { place, text: format!("\"{}\"", file.slice(place.span)) }
        };
        let name = file.slice(span(first));
        let message = format!("to YAML `{name}` is a comment: there is no value here");
        findings.add(file.place(span(first)), message, |finding| {
            finding
                .help(format!("put it in quotes: \"{name}\""))
                .fix(format!("put `{name}` in quotes"), words.iter().map(quoted).collect())
        });
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// The words of a comment that is nothing but channels and what stands between values, perhaps
/// with a comment behind it: `#help`, `#a, #b ]`, `#help  # why`.
fn words(comment: &str) -> Vec<(usize, usize)> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        let Some(rest) = comment.get(at..).and_then(|rest| rest.strip_prefix('#')) else {
            return Vec::new();
        };
        let end = at + 1 + rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if end == at + 1 {
            return Vec::new();
        }
        words.push((at, end));
        let behind = comment.get(end..).unwrap_or_default();
        let next = behind.trim_start_matches([' ', '\t', '\r']);
        let after = next.trim_start_matches([',', ']', '}', ' ', '\t', '\r']);
        let separated = after.len() < next.len();
        // What is left is nothing, or a comment behind a blank, or the next channel.
        match after.strip_prefix('#') {
            None if after.is_empty() => return words,
            Some(_) if !separated => {
                return if next.len() < behind.len() { words } else { Vec::new() };
            }
            Some(rest) if rest.starts_with(is_word) => at = comment.len() - after.len(),
            Some(_) => return words,
            None => return Vec::new(),
        }
    }
}

/// Whether a value is missing before the comment: the tree puts nothing behind the key's colon, or
/// behind the comment.
fn is_missing_a_value(file: &File<'_>, comment: Span, nulls: &[u32]) -> bool {
    let before = file.before(comment);
    let code = before.trim_end();
    if file.tree().is_some() {
        let blanks = u32::try_from(before.len() - code.len()).unwrap_or(u32::MAX);
        let colon = comment.start.saturating_sub(blanks).saturating_sub(1);
        let next = nulls.get(nulls.partition_point(|null| *null < colon));
        return code.ends_with([':', '-']) && next.is_some_and(|null| *null <= comment.end);
    }
    // The comment hides a bracket, or the file is wrong elsewhere too.
    let hides = file.slice(comment).contains([']', '}']);
    match code.chars().next_back() {
        Some(':' | '-') => hides || !is_followed_by_a_block(file, comment),
        Some('[' | ',') => hides,
        Some(_) | None => false,
    }
}

/// Where nothing stands.
fn note_nulls(node: &Node, nulls: &mut Vec<u32>) {
    match &node.kind {
        Kind::Plain(Plain::Null, _) => nulls.push(node.span.start),
        Kind::Plain(..) | Kind::Text(_) => {}
        Kind::Sequence(items) => items.iter().for_each(|item| note_nulls(item, nulls)),
        Kind::Mapping(entries) => entries.iter().for_each(|(_, node)| note_nulls(node, nulls)),
    }
}

/// Whether the line's value stands below it.
fn is_followed_by_a_block(file: &File<'_>, comment: Span) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let says_something =
        |line: &&str| !line.trim_start().is_empty() && !line.trim_start().starts_with('#');
    let below = file.text.get(comment.end as usize..).unwrap_or_default();
    let next = below.lines().skip(1).find(says_something);
    let own = indent(file.before(comment));
    next.is_some_and(|next| {
        indent(next) > own || (indent(next) == own && next.trim_start().starts_with("- "))
    })
}
