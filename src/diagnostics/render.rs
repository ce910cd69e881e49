//! Diagnostics as text with source excerpts, and as JSON.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::json;

use super::{Diagnostic, Diagnostics, Edit, Place, Severity, Sources};

/// The most problems that are shown: each costs a look at the whole file.
const MOST: usize = 200;

/// Text for people: one excerpt per problem, and a closing line that counts them.
#[must_use]
pub fn render_text(diagnostics: &Diagnostics, colour: bool) -> String {
    let list = &diagnostics.list;
    let errors = list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let noun = if errors == 1 { "problem" } else { "problems" };
    render_excerpts(diagnostics, colour) + &format!("{errors} {noun}\n")
}

/// Text for people: one excerpt per problem, each followed by an empty line.
#[must_use]
pub fn render_excerpts(diagnostics: &Diagnostics, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for diagnostic in diagnostics.list.iter().take(MOST) {
        text.push_str(&renderer.render(&[group(&diagnostics.sources, diagnostic)]));
        text.push_str("\n\n");
    }
    let left_out = diagnostics.list.len().saturating_sub(MOST);
    if left_out > 0 {
        let _ = write!(text, "and {left_out} more\n\n");
    }
    text
}

/// One excerpt, without colour.
#[must_use]
pub fn render_one(sources: &Sources, diagnostic: &Diagnostic) -> String {
    Renderer::plain().render(&[group(sources, diagnostic)])
}

/// `TG004`, and for a lint rule `TG121 ended-grant`: the name is what a comment that ignores it
/// needs.
#[must_use]
pub fn id(diagnostic: &Diagnostic) -> String {
    let code = diagnostic.code.as_str();
    diagnostic.code.rule().map_or_else(|| code.to_owned(), |rule| format!("{code} {rule}"))
}

fn group<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = match &diagnostic.path {
        Some(path) => format!("{}: {}", path.display(), diagnostic.message),
        None => diagnostic.message.clone(),
    };
    let mut group = Group::with_title(level.primary_title(title).id(id(diagnostic)));
    if let Some(place) = diagnostic.place {
        let mut primary = vec![(AnnotationKind::Primary, place, diagnostic.label.as_deref())];
        let related = diagnostic.related.as_ref();
        let mut other = Vec::new();
        if let Some((related, label)) = related {
            let list = if related.source == place.source { &mut primary } else { &mut other };
            list.push((AnnotationKind::Context, *related, Some(label.as_str())));
        }
        for annotations in [primary, other] {
            if let Some(snippet) = snippet(sources, annotations) {
                group = group.element(snippet);
            }
        }
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

/// A place in whole characters: a reader that stumbles over a character names one byte of it.
fn whole(sources: &Sources, place: Place) -> Range<usize> {
    let text = sources.get(place.source).map_or("", |source| source.text.as_str());
    let Range { start, end } = place.span.range();
    let boundary = |at: &usize| text.is_char_boundary(*at);
    let start = (0..=start.min(text.len())).rev().find(boundary).unwrap_or(0);
    let end = (end.min(text.len())..=text.len()).find(boundary).unwrap_or(text.len());
    start..end.max(start)
}

/// An excerpt with places of one file. The renderer looks at all it is given, once for every
/// problem, so it is given the lines of the places only.
fn snippet<'a>(
    sources: &'a Sources,
    annotations: Vec<(AnnotationKind, Place, Option<&'a str>)>,
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let source = sources.get(annotations.first()?.1.source)?;
    let spans = annotations.iter().map(|(_, place, _)| whole(sources, *place));
    let (first, last) = spans
        .fold((usize::MAX, 0), |(first, last), span| (first.min(span.start), last.max(span.end)));
    let (before, _) = source.text.split_at_checked(first)?;
    let start = before.rfind('\n').map_or(0, |line_feed| line_feed + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let (_, after) = source.text.split_at_checked(last)?;
    let end = after.find('\n').map_or(source.text.len(), |line_feed| last + line_feed + 1);
    let mut snippet = Snippet::source(source.text.get(start..end)?)
        .line_start(line)
        .path(source.path.to_string_lossy().into_owned());
    for (kind, place, label) in annotations {
        let Range { start: from, end: to } = whole(sources, place);
        let mut annotation = kind.span(from - start..to - start);
        if let Some(label) = label {
            annotation = annotation.label(label);
        }
        snippet = snippet.annotation(annotation);
    }
    Some(snippet)
}

/// One JSON document: `{"diagnostics": [...], "left_out": 0}`, lines and columns from 1.
#[must_use]
pub fn render_json(diagnostics: &Diagnostics) -> serde_json::Value {
    let list: Vec<_> = diagnostics
        .list
        .iter()
        .take(MOST)
        .map(|diagnostic| {
            let place = |place: Place| {
                let (line, column) = diagnostics.sources.line_column(place);
                let path = diagnostics.sources.get(place.source);
                json!({
                    "file": path.map(|source| source.path.to_string_lossy()),
                    "line": line,
                    "column": column,
                    "bytes": [place.span.start, place.span.end],
                })
            };
            json!({
                "code": diagnostic.code.as_str(),
                "rule": diagnostic.code.rule(),
                "severity": match diagnostic.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                },
                "message": diagnostic.message,
                "place": match (diagnostic.place, &diagnostic.path) {
                    (Some(at), _) => place(at),
                    (None, Some(path)) => json!({ "file": path.to_string_lossy() }),
                    (None, None) => serde_json::Value::Null,
                },
                "label": diagnostic.label,
                "related": diagnostic.related.as_ref().map(|(at, label)| {
                    json!({ "place": place(*at), "label": label })
                }),
                "help": diagnostic.help,
                "fix": diagnostic.fix.as_ref().map(|fix| {
                    let edit = |edit: &Edit| json!({ "place": place(edit.place), "text": edit.text });
                    json!({ "title": fix.title, "edits": fix.edits.iter().map(edit).collect::<Vec<_>>() })
                }),
            })
        })
        .collect();
    json!({ "diagnostics": list, "left_out": diagnostics.list.len().saturating_sub(MOST) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Code, Source, Span};

    #[test]
    fn a_place_inside_a_character_is_shown() {
        let text = "a: \u{742}\nb: \u{1F600}";
        for start in 0..=text.len() + 2 {
            for end in start..=text.len() + 2 {
                let mut sources = Sources::default();
                let source = sources.add(Source { path: "x.yaml".into(), text: text.to_owned() });
                let place = Place { source, span: Span::new(start, end) };
                let problem = Diagnostic::error(Code::Syntax, place, "odd").related(place, "here");
                let problems = Diagnostics { sources, list: vec![problem] };
                assert!(render_text(&problems, false).contains("x.yaml"), "{start}..{end}");
            }
        }
    }
}
