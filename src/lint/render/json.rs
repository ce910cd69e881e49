use serde_json::Value;

use crate::diagnostics::render_json;
use crate::lint::{Counts, Report};

/// One JSON document: that of every problem, with the counts and the rules that could not look.
#[must_use]
pub fn json(report: &Report) -> Value {
    let Counts { errors, warnings, fixable } = report.counts();
    let not_looked_at: Vec<_> = report.not_looked_at.iter().map(|rule| rule.name()).collect();
    let mut document = render_json(&report.diagnostics);
    if let Value::Object(document) = &mut document {
        document.insert("errors".to_owned(), errors.into());
        document.insert("warnings".to_owned(), warnings.into());
        document.insert("fixable".to_owned(), fixable.into());
        document.insert("files".to_owned(), report.files.into());
        document.insert("not_looked_at".to_owned(), not_looked_at.into());
    }
    document
}
