//! Problems that keep policies from loading, and have one safe answer all the same.

use super::context::File;
use crate::diagnostics::{Code, Diagnostic, Edit, Span};

/// What to do in words, and which bytes become which.
type Answer = (&'static str, Span, String);

/// The problem, with its fix if there is one.
pub(super) fn mended(problem: Diagnostic, files: &[File<'_>]) -> Diagnostic {
    let Some(place) = problem.place else { return problem };
    let Some(file) = files.iter().find(|file| file.is(place.source)) else { return problem };
    let answer = if problem.code == Code::Version {
        version(file)
    } else if problem.code == Code::Repeated {
        repeated(file, place.span)
    } else if problem.code == Code::WrongType {
        quoted(file, place.span, problem.help.as_deref().unwrap_or_default())
    } else {
        None
    };
    let Some((title, span, text)) = answer else { return problem };
    problem.fix(title, vec![Edit { place: file.place(span), text }])
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
