//! Problems that keep policies from loading, and have one safe answer all the same.

use std::collections::HashMap;

use super::context::File;
use crate::diagnostics::{Code, Diagnostic, Edit, SourceId, Span};

/// What to do in words, and which bytes become which.
type Answer = (&'static str, Span, String);

/// So many of a run are mended at once: each costs a look at its line, which may be all of a file.
const MOST: usize = 500;

/// The problems, with their fixes where there is one.
pub(super) fn mended(
    problems: Vec<Diagnostic>,
    files: &HashMap<SourceId, &File<'_>>,
) -> Vec<Diagnostic> {
    let mut left = MOST;
    let mended = |problem: Diagnostic| {
        let file = problem.place.and_then(|place| Some((*files.get(&place.source)?, place.span)));
        let answer = file.filter(|_| left > 0).and_then(|(file, span)| {
            let (title, span, text) = answer(&problem, file, span)?;
            Some((title, vec![Edit { place: file.place(span), text }]))
        });
        let Some((title, edits)) = answer else { return problem };
        left -= 1;
        problem.fix(title, edits)
    };
    problems.into_iter().map(mended).collect()
}

fn answer(problem: &Diagnostic, file: &File<'_>, span: Span) -> Option<Answer> {
    if problem.code == Code::Version {
        version(file)
    } else if problem.code == Code::Repeated {
        repeated(file, span)
    } else if problem.code == Code::WrongType {
        quoted(file, span, problem.help.as_deref()?)
    } else {
        None
    }
}

/// A file without its first line; one with another version is left alone.
fn version(file: &File<'_>) -> Option<Answer> {
    let tree = file.tree()?;
    let (first, _) = tree.entries().first()?;
    let at_the_margin = first.span.start == tree.span.start && file.before(first.span).is_empty();
    if tree.entry("toolgate").is_some() || !at_the_margin {
        return None;
    }
    let start = first.span.start as usize;
    Some(("write `toolgate: 1`", Span::new(start, start), "toolgate: 1\n".to_owned()))
}

/// A value that stands twice in a list, if nothing but the list stands around it.
fn repeated(file: &File<'_>, item: Span) -> Option<Answer> {
    const TITLE: &str = "remove the second one";
    let before = file.before(item);
    let code = before.trim_end();
    let start = item.start as usize;
    if code.ends_with(',') {
        let comma = start - (before.len() - code.len()) - 1;
        return Some((TITLE, Span::new(comma, item.end as usize), String::new()));
    }
    let after = file.text.get(item.end as usize..)?;
    let (rest, _) = after.split_once('\n')?;
    let alone = code.trim_start() == "-" && rest.trim_end().is_empty();
    let line = Span::new(start - before.len(), item.end as usize + rest.len() + 1);
    alone.then(|| (TITLE, line, String::new()))
}

/// A number or boolean where a text is meant. What is meant by nothing nobody knows.
fn quoted(file: &File<'_>, span: Span, help: &str) -> Option<Answer> {
    let text = format!("\"{}\"", file.slice(span));
    let plain = text.len() > 2 && !text.contains(['\n', '\\']) && text.matches('"').count() == 2;
    let nothing = matches!(file.slice(span), "~" | "null" | "Null" | "NULL");
    let is_key = help == "put the key in quotes";
    let is_value = help.strip_prefix("put it in quotes: ") == Some(&text);
    (plain && !nothing && (is_key || is_value)).then_some(("put it in quotes", span, text))
}
