//! Comments that ignore findings: `# toolgate: ignore[ended-grant] why`, at the end of the line of
//! the finding or alone above it.

use super::context::File;
use super::rule::Rule;
use crate::diagnostics::{
    Code, Diagnostic, Edit, Place, Severity, SourceId, Sources, Span, did_you_mean,
};

/// Every comment that ignores something.
#[derive(Debug, Default)]
pub(super) struct Suppressions {
    list: Vec<Suppression>,
}

/// One comment.
#[derive(Debug)]
struct Suppression {
    /// The line that it is about.
    line: (SourceId, usize),
    comment: Place,
    /// What is removed with it.
    whole: Place,
    /// Each rule that it names, and where; with the comma before it, or else behind it.
    rules: Vec<Named>,
}

#[derive(Clone, Copy, Debug)]
struct Named {
    rule: &'static Rule,
    place: Place,
    with_comma: Place,
}

const SHAPE: &str = "write `# toolgate: ignore[RULE] why`, with the rule's name or code";

impl Suppressions {
    /// Reads the comments of all files; what is wrong with them goes to `findings`.
    pub(super) fn read(files: &[File<'_>], findings: &mut Vec<Diagnostic>) -> Self {
        let mut list = Vec::new();
        for file in files.iter().filter(|file| file.text.contains("ignore")) {
            for comment in file.comments() {
                list.extend(suppression(file, comment, findings));
            }
        }
        Self { list }
    }

    /// Takes out what is ignored. Comments that ignore nothing become findings, if the rules that
    /// they name were looked at.
    pub(super) fn apply(
        &self,
        sources: &Sources,
        mut found: Vec<Diagnostic>,
        looked_at: &[Code],
        findings: &mut Vec<Diagnostic>,
    ) -> Vec<Diagnostic> {
        for Suppression { line, comment, whole, rules } in &self.list {
            let mut unused = Vec::new();
            for named in rules {
                let before = found.len();
                found.retain(|finding| {
                    let at = finding.place.map(|at| (at.source, sources.line_column(at).0));
                    finding.code != named.rule.code || at != Some(*line)
                });
                if found.len() == before && looked_at.contains(&named.rule.code) {
                    unused.push(named);
                }
            }
            for named in &unused {
                let name = named.rule.name();
                let message = format!("`{name}` finds nothing here: nothing is ignored");
                let title = format!("stop ignoring `{name}`");
                let place = if unused.len() == rules.len() { whole } else { &named.with_comma };
                let edits = vec![Edit { place: *place, text: String::new() }];
                findings.push(
                    Diagnostic::error(Code::UnusedSuppression, named.place, message)
                        .weighing(Severity::Warning)
                        .related(*comment, "by this comment")
                        .help("remove it, or put it on the line of the finding or alone above it")
                        .fix(title, edits),
                );
            }
        }
        found
    }
}

/// What stands behind `# toolgate: ignore`, however sloppily that is written.
fn marked(comment: &str) -> Option<&str> {
    let rest = comment.trim_start_matches('#').trim_start();
    let rest = rest.strip_prefix("toolgate")?.trim_start_matches([':', ' ', '-']);
    let rest = rest.strip_prefix("ignore")?;
    let more = rest.starts_with(|c: char| c.is_alphanumeric());
    (!more).then_some(rest)
}

fn suppression(
    file: &File<'_>,
    comment: Span,
    findings: &mut Vec<Diagnostic>,
) -> Option<Suppression> {
    let text = file.slice(comment);
    let rest = marked(text)?;
    let mut bad = |span: Span, message: String, help: &str| {
        findings
            .push(Diagnostic::error(Code::BadSuppression, file.place(span), message).help(help));
    };
    let shape = text.starts_with("# toolgate: ignore[").then(|| rest.strip_prefix('[')).flatten();
    let Some((names, reason)) = shape.and_then(|rest| rest.split_once(']')) else {
        bad(comment, "this comment ignores nothing".to_owned(), SHAPE);
        return None;
    };
    let start = comment.start as usize + "# toolgate: ignore[".len();
    let mut rules = Vec::new();
    let mut at = start;
    for name in names.split(',') {
        let from = at + (name.len() - name.trim_start().len());
        let span = Span::new(from, from + name.trim().len());
        let with_comma = if at == start {
            Span::new(at, at + name.len() + 1)
        } else {
            Span::new(at - 1, at + name.len())
        };
        at += name.len() + 1;
        match Rule::named(name.trim()) {
            Some(rule) if rule.is_adjustable() => {
                let (place, with_comma) = (file.place(span), file.place(with_comma));
                rules.push(Named { rule, place, with_comma });
            }
            Some(rule) => {
                let message = format!("`{}` cannot be ignored", rule.name());
                bad(span, message, "mend what it finds");
            }
            None if name.trim().is_empty() => bad(comment, "no rule is named".to_owned(), SHAPE),
            None => {
                let known = super::ALL.iter().filter(|rule| rule.is_adjustable());
                let near = did_you_mean(name.trim(), known.map(|rule| rule.name()));
                let help = near.map_or_else(
                    || "`toolgate lint --rules` lists them".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                bad(span, format!("there is no rule `{}`", name.trim()), &help);
            }
        }
    }
    if reason.trim().is_empty() {
        let help = "say why, behind the bracket: whoever comes next has to judge whether it holds";
        bad(comment, "no reason is given".to_owned(), help);
        return None;
    }
    let before = file.before(comment);
    let alone = before.trim().is_empty();
    let line = line_number(file.text, comment);
    let (target, whole) = if alone {
        (
            next_line(file.text, line),
            Span::new(comment.start as usize - before.len(), comment.end as usize + 1),
        )
    } else {
        let blanks = before.len() - before.trim_end().len();
        (line, Span::new(comment.start as usize - blanks, comment.end as usize))
    };
    let end = whole.end.min(u32::try_from(file.text.len()).unwrap_or(u32::MAX));
    let whole = file.place(Span { end, ..whole });
    let comment = file.place(comment);
    Some(Suppression { line: (comment.source, target), comment, whole, rules })
}

/// The line of a span, from 1.
fn line_number(text: &str, span: Span) -> usize {
    crate::diagnostics::line_column(text, span).0
}

/// The next line that says something.
fn next_line(text: &str, line: usize) -> usize {
    let says_nothing =
        |line: &&str| line.trim_start().is_empty() || line.trim_start().starts_with('#');
    line + 1 + text.lines().skip(line).take_while(says_nothing).count()
}
