//! Regular expressions that match a whole text, in linear time.
//!
//! A small language on purpose: what people who read policies aloud would disagree about is
//! refused, not guessed at.

use std::fmt;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use regex_syntax::ast::{self, Ast, ClassPerlKind, ClassSetItem, GroupKind, Span, Visitor};
use regex_syntax::hir::{Class, Hir, HirKind};
use thiserror::Error;

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 1000;

/// How much memory a compiled pattern may need, in bytes.
const MAX_COMPILED: usize = 1 << 18;

/// The longest text that can match, in bytes. Matching is linear in it, and a request may be as
/// long as a caller likes.
const MAX_TEXT: usize = 1 << 16;

/// How deep groups and classes may nest.
const MAX_NESTING: u32 = 32;

/// A pattern that a text matches as a whole or not at all.
#[derive(Clone)]
pub struct Pattern(Arc<Compiled>);

/// A thousand times as large as what was written, so it is shared.
struct Compiled {
    source: Box<str>,
    regex: Regex,
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PatternError {
    /// Longer than anybody reads.
    #[error("longer than {MAX_PATTERN} bytes")]
    TooLong,
    /// Not a regular expression.
    #[error("{0}")]
    Syntax(String),
    /// `(?i)` and the like.
    #[error("flags such as `(?i)` are not understood here; write out what may match")]
    Flags,
    /// `^`, `$`, `\b` and the like.
    #[error("the whole text is matched: leave out `^`, `$`, `\\b` and other anchors")]
    Anchor,
    /// `\p{...}`
    #[error("classes are ASCII: write out the characters instead of `\\p`")]
    UnicodeClass,
    /// It would need too much memory.
    #[error("it needs more than {MAX_COMPILED} bytes; use smaller repetitions")]
    TooLarge,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// One variant per broken rule.
    pub fn new(source: &str) -> Result<Self, PatternError> {
        if source.len() > MAX_PATTERN {
            return Err(PatternError::TooLong);
        }
        let parsed = ast::parse::ParserBuilder::new().nest_limit(MAX_NESTING).build().parse(source);
        let parsed = parsed.map_err(|error| PatternError::Syntax(error.kind().to_string()))?;
        let perl_classes = ast::visit(&parsed, Understood::default())?;
        let whole = format!(r"\A(?:{})\z", in_ascii(source, perl_classes));
        let regex = RegexBuilder::new(&whole).size_limit(MAX_COMPILED).build();
        let regex = regex.map_err(|error| {
            if matches!(error, regex::Error::CompiledTooBig(_)) {
                PatternError::TooLarge
            } else {
                PatternError::Syntax(error.to_string())
            }
        })?;
        Ok(Self(Arc::new(Compiled { source: source.into(), regex })))
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.source
    }

    /// A text that matches, if one is easily found.
    #[must_use]
    pub(crate) fn example(&self) -> Option<String> {
        let mut text = String::new();
        shortest(&regex_syntax::parse(self.0.regex.as_str()).ok()?, &mut text)?;
        self.matches(&text).then_some(text)
    }

    #[cfg(test)]
    pub(in crate::policy) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether the whole text matches. One of more than 64 KiB never does.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        text.len() <= MAX_TEXT && self.0.regex.is_match(text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.0.source).finish()
    }
}

/// What is written is all that there is to it.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.source == other.0.source
    }
}

impl Eq for Pattern {}

/// A text that the pattern matches, as short as is easily found.
fn shortest(hir: &Hir, text: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => {
            let Class::Unicode(class) = class else { return None };
            let ranges = || class.ranges().iter().map(|range| range.start()..=range.end());
            let shown = ranges().flatten().find(char::is_ascii_alphanumeric);
            text.push(shown.or_else(|| ranges().flatten().next())?);
        }
        HirKind::Repetition(repetition) => {
            for _ in 0..repetition.min {
                shortest(&repetition.sub, text)?;
            }
        }
        HirKind::Capture(capture) => shortest(&capture.sub, text)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| shortest(part, text))?,
        HirKind::Alternation(parts) => shortest(parts.first()?, text)?,
    }
    Some(())
}

/// Writes out `\d`, `\s` and `\w`, which are Unicode's otherwise: `\d` would match U+0661. They
/// are replaced inside brackets too, where a class may stand in a class.
fn in_ascii(source: &str, mut classes: Vec<(Span, &'static str)>) -> String {
    classes.sort_by_key(|(span, _)| std::cmp::Reverse(span.start.offset));
    let mut text = source.to_owned();
    for (span, class) in classes {
        text.replace_range(span.start.offset..span.end.offset, class);
    }
    text
}

/// Walks a pattern: refuses what is not understood, and finds the Perl classes.
#[derive(Default)]
struct Understood {
    perl_classes: Vec<(Span, &'static str)>,
}

impl Understood {
    fn perl(&mut self, class: &ast::ClassPerl) {
        let written = match (&class.kind, class.negated) {
            (ClassPerlKind::Digit, false) => "[0-9]",
            (ClassPerlKind::Digit, true) => "[^0-9]",
            (ClassPerlKind::Space, false) => r"[\t\n\v\f\r ]",
            (ClassPerlKind::Space, true) => r"[^\t\n\v\f\r ]",
            (ClassPerlKind::Word, false) => "[0-9A-Za-z_]",
            (ClassPerlKind::Word, true) => "[^0-9A-Za-z_]",
        };
        self.perl_classes.push((class.span, written));
    }
}

impl Visitor for Understood {
    type Output = Vec<(Span, &'static str)>;
    type Err = PatternError;

    fn finish(self) -> Result<Self::Output, PatternError> {
        Ok(self.perl_classes)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), PatternError> {
        match ast {
            Ast::Flags(_) => Err(PatternError::Flags),
            Ast::Assertion(_) => Err(PatternError::Anchor),
            Ast::ClassUnicode(_) => Err(PatternError::UnicodeClass),
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(flags) if !flags.items.is_empty() => {
                    Err(PatternError::Flags)
                }
                GroupKind::NonCapturing(_)
                | GroupKind::CaptureIndex(_)
                | GroupKind::CaptureName { .. } => Ok(()),
            },
            Ast::ClassPerl(class) => {
                self.perl(class);
                Ok(())
            }
            Ast::Empty(_)
            | Ast::Literal(_)
            | Ast::Dot(_)
            | Ast::ClassBracketed(_)
            | Ast::Repetition(_)
            | Ast::Alternation(_)
            | Ast::Concat(_) => Ok(()),
        }
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), PatternError> {
        match item {
            ClassSetItem::Unicode(_) => Err(PatternError::UnicodeClass),
            ClassSetItem::Perl(class) => {
                self.perl(class);
                Ok(())
            }
            ClassSetItem::Empty(_)
            | ClassSetItem::Literal(_)
            | ClassSetItem::Range(_)
            | ClassSetItem::Ascii(_)
            | ClassSetItem::Bracketed(_)
            | ClassSetItem::Union(_) => Ok(()),
        }
    }
}
