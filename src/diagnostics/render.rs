//! Diagnostics as text with source excerpts, and as JSON.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::json;

use super::{Diagnostic, Diagnostics, Place, Severity, Sources};

/// The most problems that are shown: each costs a look at the whole file.
const MOST: usize = 200;

/// Text for people: one excerpt per problem, and a closing line that counts them.
#[must_use]
pub fn render_text(diagnostics: &Diagnostics, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for diagnostic in diagnostics.list.iter().take(MOST) {
        text.push_str(&renderer.render(&[group(&diagnostics.sources, diagnostic)]));
        text.push_str("\n\n");
    }
    let errors =
        diagnostics.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let left_out = diagnostics.list.len().saturating_sub(MOST);
    if left_out > 0 {
        let _ = write!(text, "and {left_out} more\n\n");
    }
    let noun = if errors == 1 { "problem" } else { "problems" };
    text + &format!("{errors} {noun}\n")
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
    let mut group = Group::with_title(level.primary_title(title).id(diagnostic.code.as_str()));
    if let Some(place) = diagnostic.place
        && let Some(snippet) = snippet(sources, place)
    {
        let mut annotation = AnnotationKind::Primary.span(whole(sources, place));
        if let Some(label) = &diagnostic.label {
            annotation = annotation.label(label.as_str());
        }
        let snippet = snippet.annotation(annotation);
        match &diagnostic.related {
            Some((related, label)) if related.source == place.source => {
                let context = AnnotationKind::Context.span(whole(sources, *related));
                group = group.element(snippet.annotation(context.label(label.as_str())));
            }
            Some((related, label)) => {
                group = group.element(snippet);
                if let Some(other) = self::snippet(sources, *related) {
                    let context = AnnotationKind::Context.span(whole(sources, *related));
                    group = group.element(other.annotation(context.label(label.as_str())));
                }
            }
            None => group = group.element(snippet),
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

fn snippet(
    sources: &Sources,
    place: Place,
) -> Option<Snippet<'_, annotate_snippets::Annotation<'_>>> {
    let source = sources.get(place.source)?;
    Some(Snippet::source(source.text.as_str()).path(source.path.to_string_lossy().into_owned()))
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
