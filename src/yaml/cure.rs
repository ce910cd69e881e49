//! What to do about a text that is not YAML: the parser says what it missed, in its own terms, and
//! often stops behind the line that is to blame.

use granit_parser::ErrorKind;

/// What to look at, where the parser stopped at this byte.
pub(super) fn cure(text: &str, at: usize, kind: &ErrorKind) -> String {
    let (before, _) = text.split_at_checked(at).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let starts = before.get(start..).is_some_and(|before| before.trim().is_empty());
    if ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].iter().any(|mark| line.starts_with(mark)) {
        return "this is left of a merge: keep what is meant, and remove the marks".to_owned();
    }
    if let Some(blank) = line.chars().find(|c| c.is_whitespace() && !c.is_ascii()) {
        return format!("a blank in this line is U+{:04X}: write a plain one", u32::from(blank));
    }
    let indent = "indent this line like those that it belongs to";
    match kind {
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::ExpectedDocumentStart => {
            if starts {
                indent
            } else {
                "begin a new line here, or put the whole text in quotes"
            }
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::InvalidFlowScalarIndent => {
            "close the quote, `[` or `{` that is open above this line"
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::MappingKeyNotAllowed => {
            let above = before.get(..start).and_then(|above| above.lines().last());
            let has_key = |line: &str| line.contains(": ") || line.trim_end().ends_with(':');
            if line.matches(": ").count() > 1 {
                "put a text with `: ` in quotes"
            } else if above.is_some_and(|above| !has_key(above)) {
                "write a blank behind the colon of the line above"
            } else {
                indent
            }
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            "write `key: value`, with a blank behind the colon"
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator => {
            "put a comma between two values, and close each `[` and `{`"
        }
        ErrorKind::UnclosedQuotedScalar => "close the quote",
        ErrorKind::InvalidTrailingSingleQuotedScalar => {
            "write `''` for a quote inside single quotes"
        }
        ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            "write `\\\"` for a quote inside double quotes"
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            "use single quotes, where a backslash is a backslash; or write two of them"
        }
        ErrorKind::UnexpectedCharacter { .. } => "put a text that starts with it in quotes",
        // The enum is open, and most of it is about YAML that policies do not use.
        ErrorKind::DirectiveDisallowed | _ => {
            "check quotes, colons and indentation around this place"
        }
    }
    .to_owned()
}
