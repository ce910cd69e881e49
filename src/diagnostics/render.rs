//! Diagnostics as text with source excerpts, and as JSON.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::json;

use super::{Diagnostic, Diagnostics, Place, Severity, Sources};

/// Text for people: one excerpt per problem, and a closing line that counts them.
#[must_use]
pub fn render_text(diagnostics: &Diagnostics, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for diagnostic in &diagnostics.list {
        text.push_str(&renderer.render(&[group(&diagnostics.sources, diagnostic)]));
        text.push_str("\n\n");
    }
    let errors =
        diagnostics.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
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
        let mut annotation = AnnotationKind::Primary.span(place.span.range());
        if let Some(label) = &diagnostic.label {
            annotation = annotation.label(label.as_str());
        }
        let snippet = snippet.annotation(annotation);
        match &diagnostic.related {
            Some((related, label)) if related.source == place.source => {
                let context = AnnotationKind::Context.span(related.span.range());
                group = group.element(snippet.annotation(context.label(label.as_str())));
            }
            Some((related, label)) => {
                group = group.element(snippet);
                if let Some(other) = self::snippet(sources, *related) {
                    let context = AnnotationKind::Context.span(related.span.range());
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

fn snippet(
    sources: &Sources,
    place: Place,
) -> Option<Snippet<'_, annotate_snippets::Annotation<'_>>> {
    let source = sources.get(place.source)?;
    Some(Snippet::source(source.text.as_str()).path(source.path.to_string_lossy().into_owned()))
}

/// One JSON document: `{"diagnostics": [...]}`, lines and columns from 1.
#[must_use]
pub fn render_json(diagnostics: &Diagnostics) -> serde_json::Value {
    let list: Vec<_> = diagnostics
        .list
        .iter()
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
    json!({ "diagnostics": list })
}
