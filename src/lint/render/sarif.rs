//! SARIF 2.1.0, as GitHub's code scanning takes it:
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html>
//! and <https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>.

use std::path::Path;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::fingerprint::Fingerprints;
use crate::diagnostics::{
    Code, Diagnostic, Edit, Lines, Place, Region, Severity, Sources, plain_path,
};
use crate::lint::{ALL, Report, Rule, page};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// What a path segment of a URI may not hold (RFC 3986, 3.3). A colon could end a scheme.
const OUTSIDE_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b':')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// One SARIF document, with one run.
#[must_use]
pub fn sarif(report: &Report) -> Value {
    let sources = &report.diagnostics.sources;
    let run = Run { sources, lines: Lines::of(sources), codes: codes(report) };
    let mut fingerprints = Fingerprints::default();
    // In the order of places, which fingerprints count by.
    let (mut foremost, left_out) = report.diagnostics.foremost();
    foremost.sort_by_key(|finding| finding.place);
    let results: Vec<_> =
        foremost.into_iter().map(|finding| run.result(finding, &mut fingerprints)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Toolgate",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": run.codes.iter().map(|code| descriptor(*code)).collect::<Vec<_>>(),
            }},
            "automationDetails": { "id": "toolgate-lint/" },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { "%SRCROOT%": {
                "description": { "text": "Where Toolgate ran: the top of the repository." },
            }},
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": notifications(report, left_out),
            }],
            "results": results,
        }],
    })
}

/// Every rule, and the codes of the problems that keep the policies from loading.
fn codes(report: &Report) -> Vec<Code> {
    let mut codes: Vec<_> = ALL.iter().map(|rule| rule.code).collect();
    codes.extend(report.diagnostics.list.iter().map(|finding| finding.code));
    codes.sort();
    codes.dedup();
    codes
}

fn notifications(report: &Report, left_out: usize) -> Vec<Value> {
    let mut list = Vec::new();
    if left_out > 0 {
        let text = format!("{left_out} more findings are not listed");
        list.push(json!({ "level": "warning", "message": { "text": text } }));
    }
    if !report.not_looked_at.is_empty() {
        let names: Vec<_> = report.not_looked_at.iter().map(|rule| rule.name()).collect();
        let text = format!("not looked at until the policies load: {}", names.join(", "));
        list.push(json!({ "level": "warning", "message": { "text": text } }));
    }
    list
}

fn descriptor(code: Code) -> Value {
    let rule = ALL.iter().copied().find(|rule| rule.code == code);
    let severity = rule.map_or(Severity::Error, |rule| rule.severity);
    let mut descriptor = json!({
        "id": code.as_str(),
        "shortDescription": { "text": code.summary() },
        "fullDescription": { "text": code.summary() },
        "defaultConfiguration": { "level": level(severity) },
        "help": { "text": "Until this is mended, the policies do not load." },
        "properties": { "problem.severity": level(severity), "precision": "very-high" },
    });
    if let (Some(rule), Value::Object(descriptor)) = (rule, &mut descriptor) {
        describe(rule, descriptor);
    }
    descriptor
}

/// What a rule's page adds.
fn describe(rule: &Rule, descriptor: &mut Map<String, Value>) {
    let page = page::of_rule(rule, 1);
    let found = page.split_once("## What it finds\n").map_or("", |(_, rest)| rest);
    let found = found.split_once("\n## ").map_or(found, |(found, _)| found).trim();
    descriptor.insert("name".to_owned(), rule.name().into());
    descriptor.insert("fullDescription".to_owned(), json!({ "text": found.replace('\n', " ") }));
    descriptor.insert("help".to_owned(), json!({ "text": page, "markdown": page }));
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// A text that holds no link (3.11.6): what stands in a file makes none.
fn plain(text: &str) -> String {
    text.replace("](", "] (")
}

/// A path inside the repository is relative to its top, and any other is a URI of its own.
fn artifact(path: &Path) -> Value {
    let path = plain_path(path);
    let uri = utf8_percent_encode(&path, OUTSIDE_PATHS).to_string();
    if path.starts_with('/') {
        json!({ "uri": format!("file://{uri}") })
    } else {
        json!({ "uri": uri, "uriBaseId": "%SRCROOT%" })
    }
}

fn region(region: Region) -> Value {
    let Region { line, column, end_line, end_column } = region;
    json!({
        "startLine": line,
        "startColumn": column,
        "endLine": end_line,
        "endColumn": end_column,
    })
}

struct Run<'s> {
    sources: &'s Sources,
    lines: Lines<'s>,
    codes: Vec<Code>,
}

impl Run<'_> {
    fn result(&self, finding: &Diagnostic, fingerprints: &mut Fingerprints) -> Value {
        let Diagnostic { code, severity, message, place, path: _, label, related, help, fix } =
            finding;
        let mut text = plain(message);
        for more in [label, help].into_iter().flatten() {
            text.push('\n');
            text.push_str(&plain(more));
        }
        let mut result = json!({
            "ruleId": code.as_str(),
            "ruleIndex": self.codes.iter().position(|known| known == code),
            "level": level(*severity),
            "message": { "text": text },
            "locations": self.locations(finding),
            "partialFingerprints": {
                "lineTextHash/v1": fingerprints.next(self.sources, &self.lines, finding),
            },
        });
        if let Value::Object(result) = &mut result {
            if let Some((at, label)) = related {
                let location = json!({
                    "id": 1,
                    "physicalLocation": self.physical(*at),
                    "message": { "text": plain(label) },
                });
                result.insert("relatedLocations".to_owned(), json!([location]));
            }
            if let (Some(fix), Some(place)) = (fix, place) {
                let replacement = |edit: &Edit| {
                    json!({
                        "deletedRegion": region(self.lines.region(edit.place)),
                        "insertedContent": { "text": edit.text },
                    })
                };
                let path = self.sources.get(place.source).map(|source| artifact(&source.path));
                let fix = json!({
                    "description": { "text": plain(&fix.title) },
                    "artifactChanges": [{
                        "artifactLocation": path,
                        "replacements": fix.edits.iter().map(replacement).collect::<Vec<_>>(),
                    }],
                });
                result.insert("fixes".to_owned(), json!([fix]));
            }
        }
        result
    }

    fn locations(&self, finding: &Diagnostic) -> Value {
        let physical = match finding.place {
            Some(place) => self.physical(place),
            None => match finding.file(self.sources) {
                Some(path) => json!({ "artifactLocation": artifact(path) }),
                None => return json!([]),
            },
        };
        json!([{ "physicalLocation": physical }])
    }

    fn physical(&self, place: Place) -> Value {
        json!({
            "artifactLocation": self.sources.get(place.source).map(|source| artifact(&source.path)),
            "region": region(self.lines.region(place)),
        })
    }
}
