//! Workflow commands of GitHub Actions that annotate lines of files:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.

use std::fmt::{self, Display, Formatter};

use super::render::id;
use super::{Diagnostics, Lines, Region, Severity, plain_path};

/// A line for the log, which GitHub takes out and shows beside the code.
#[derive(Clone, Debug)]
pub struct Annotation {
    /// How much it weighs.
    pub kind: Kind,
    /// The file, from the top of the repository.
    pub file: Option<String>,
    /// Where in the file.
    pub region: Option<Region>,
    /// Its title.
    pub title: String,
    /// What it says, in lines.
    pub message: String,
}

/// The kinds of annotations. GitHub shows ten of each for every step, the first ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Fails what it stands in.
    Error,
    /// Worth a look.
    Warning,
    /// Good to know.
    Notice,
}

impl Annotation {
    /// An annotation without a place.
    #[must_use]
    pub fn new(kind: Kind, title: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, file: None, region: None, title: title.into(), message: message.into() }
    }
}

/// One line, with its line feed. Whatever stands in the texts, it is no second command.
impl Display for Annotation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { kind, file, region, title, message } = self;
        f.write_str(match kind {
            Kind::Error => "::error ",
            Kind::Warning => "::warning ",
            Kind::Notice => "::notice ",
        })?;
        if let Some(file) = file {
            write!(f, "file={},", property(file))?;
        }
        if let Some(Region { line, column, end_line, end_column }) = region {
            write!(f, "line={line},endLine={end_line},")?;
            // Columns are refused where several lines are named.
            if line == end_line {
                write!(f, "col={column},endColumn={end_column},")?;
            }
        }
        writeln!(f, "title={}::{}", property(title), data(message))
    }
}

/// A text as a command's message.
fn data(text: &str) -> String {
    let text = printable(text);
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A text as a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A text without characters that steer a terminal or that XML does not know.
pub(super) fn printable(text: &str) -> String {
    let shown = |char: char| match char {
        '\n' | '\r' | '\t' => char,
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        _ if char.is_control() => char::REPLACEMENT_CHARACTER,
        _ => char,
    };
    text.chars().map(shown).collect()
}

/// Every problem as an annotation, errors first.
#[must_use]
pub fn render_github(diagnostics: &Diagnostics) -> String {
    let lines = Lines::of(&diagnostics.sources);
    let (foremost, left_out) = diagnostics.foremost();
    let mut text = String::new();
    for diagnostic in foremost {
        let mut message = diagnostic.message.clone();
        if let Some(help) = &diagnostic.help {
            message.push_str("\nhelp: ");
            message.push_str(help);
        }
        let annotation = Annotation {
            kind: match diagnostic.severity {
                Severity::Error => Kind::Error,
                Severity::Warning => Kind::Warning,
            },
            file: diagnostic.file(&diagnostics.sources).map(plain_path),
            region: diagnostic.place.map(|place| lines.region(place)),
            title: id(diagnostic),
            message,
        };
        text.push_str(&annotation.to_string());
    }
    if left_out > 0 {
        let message = format!("{left_out} more are not listed");
        text.push_str(&Annotation::new(Kind::Notice, "toolgate", message).to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_command_or_starts_another() {
        let region = Region { line: 3, column: 5, end_line: 3, end_column: 9 };
        let rows = [
            ("a,b:c%.yaml", "file=a%2Cb%3Ac%25.yaml,line=3,endLine=3,col=5,endColumn=9,"),
            ("a\n::error::x", "file=a%0A%3A%3Aerror%3A%3Ax,line=3,endLine=3,col=5,endColumn=9,"),
        ];
        for (file, expected) in rows {
            let annotation = Annotation {
                kind: Kind::Error,
                file: Some(file.to_owned()),
                region: Some(region),
                title: "x, y".to_owned(),
                message: "100 %:\r\n::set-env::\u{1b}[2J".to_owned(),
            };
            assert_eq!(
                annotation.to_string(),
                format!("::error {expected}title=x%2C y::100 %25:%0D%0A::set-env::\u{fffd}[2J\n")
            );
        }
    }

    #[test]
    fn columns_are_left_out_over_several_lines() {
        let region = Region { line: 3, column: 5, end_line: 4, end_column: 1 };
        let annotation =
            Annotation { region: Some(region), ..Annotation::new(Kind::Notice, "t", "m") };
        assert_eq!(annotation.to_string(), "::notice line=3,endLine=4,title=t::m\n");
    }
}
