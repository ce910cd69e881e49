//! What the guardrails say rules weigh: `lint: { ended-grant: off }`. Security owns that file.

use super::context::File;
use super::rule::Rule;
use crate::diagnostics::{Code, Diagnostic, Severity, did_you_mean};

/// What rules weigh here.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    list: Vec<(Code, Level)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Off,
    Weighs(Severity),
}

impl Overrides {
    /// Reads them, if the guardrails can be read; what is wrong with the names goes to `findings`.
    /// What is wrong with the values keeps the policies from loading, and is reported there.
    pub(super) fn read(files: &[File<'_>], findings: &mut Vec<Diagnostic>) -> Self {
        let guardrails = files.iter().find(|file| file.path == "guardrails.yaml");
        let mut list = Vec::new();
        let Some((file, node)) = guardrails.and_then(|file| Some((file, file.node(&["lint"])?)))
        else {
            return Self { list };
        };
        for (key, node) in node.entries() {
            let level = match node.as_text() {
                Some("off") => Level::Off,
                Some("warning") => Level::Weighs(Severity::Warning),
                Some("error") => Level::Weighs(Severity::Error),
                Some(_) | None => continue,
            };
            let mut bad = |message: String, help: &str| {
                let place = file.place(key.span);
                let finding = Diagnostic::error(Code::BadOverride, place, message);
                findings.push(finding.help(help));
            };
            match Rule::named(&key.text) {
                Some(rule) if rule.is_adjustable() => list.push((rule.code, level)),
                Some(rule) => {
                    let message = format!("nothing turns `{}` off, or weighs it", rule.name());
                    bad(message, "remove the entry, and mend what is found");
                }
                None => {
                    let known = super::ALL.iter().filter(|rule| rule.is_adjustable());
                    let near = did_you_mean(&key.text, known.map(|rule| rule.name()));
                    let help = near.map_or_else(
                        || "`toolgate lint --rules` lists them".to_owned(),
                        |near| format!("did you mean `{near}`?"),
                    );
                    bad(format!("there is no rule `{}`", key.text), &help);
                }
            }
        }
        Self { list }
    }

    /// Whether the rule is not to be looked at.
    pub(super) fn is_off(&self, rule: &Rule) -> bool {
        self.list.contains(&(rule.code, Level::Off))
    }

    /// The finding, as much as it weighs here.
    pub(super) fn weigh(&self, finding: Diagnostic) -> Diagnostic {
        match self.list.iter().find(|(code, _)| *code == finding.code) {
            Some((_, Level::Weighs(severity))) => finding.weighing(*severity),
            Some((_, Level::Off)) | None => finding,
        }
    }
}
