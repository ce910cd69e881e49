//! Comments that ignore findings: `# toolgate: ignore[ended-grant] why`, at the end of the line of
//! the finding or alone above it.

use std::collections::HashMap;

use super::context::File;
use super::rule::Rule;
use crate::diagnostics::{Code, Diagnostic, Edit, Place, Severity, SourceId, Span, did_you_mean};

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
            let next = next_lines(file.text);
            for comment in file.comments() {
                list.extend(suppression(file, comment, &next, findings));
            }
        }
        Self { list }
    }

    /// Takes out what is ignored. Comments that ignore nothing become findings, if the rules that
    /// they name were looked at.
    pub(super) fn apply(
        &self,
        files: &HashMap<SourceId, &File<'_>>,
        mut found: Vec<Diagnostic>,
        looked_at: &[Code],
        findings: &mut Vec<Diagnostic>,
    ) -> Vec<Diagnostic> {
        let mut used: HashMap<_, bool> = HashMap::new();
        for Suppression { line, rules, .. } in &self.list {
            used.extend(rules.iter().map(|named| ((*line, named.rule.code), false)));
        }
        found.retain(|finding| {
            let line = finding
                .place
                .and_then(|place| Some((place.source, files.get(&place.source)?.line(place.span))));
            let used = line.and_then(|line| used.get_mut(&(line, finding.code)));
            used.map(|used| *used = true).is_none()
        });
        for Suppression { line, comment, whole, rules } in &self.list {
            let is_unused = |named: &&Named| {
                looked_at.contains(&named.rule.code)
                    && used.get(&(*line, named.rule.code)) == Some(&false)
            };
            let unused: Vec<_> = rules.iter().filter(is_unused).collect();
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
    next: &[usize],
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
    let line = file.line(comment);
    let (target, whole) = if alone {
        (
            next.get(line).copied().unwrap_or(line),
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

/// For each line, the next one behind it that says something; lines count from 1, and the first
/// entry is for the start of the file.
fn next_lines(text: &str) -> Vec<usize> {
    let lines: Vec<_> = text.lines().map(str::trim_start).collect();
    let mut next = lines.len() + 1;
    let mut all = vec![next];
    for (index, line) in lines.iter().enumerate().rev() {
        if !line.is_empty() && !line.starts_with('#') {
            next = index + 1;
        }
        all.push(next);
    }
    all.reverse();
    all
}
