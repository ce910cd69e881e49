//! The one strict YAML reader (YAML 1.2 core schema): text in, a tree with places out.
//!
//! Policies use a small part of YAML: mappings, sequences and scalars. Anchors, aliases, merge
//! keys, tags, directives and second documents are refused, and so is a key that stands twice:
//! each of them lets a reviewer and the machine read one file differently.
//!
//! This is the only module that names the YAML crate. It is `granit-parser`, the parser beneath
//! `serde-saphyr`, used directly: its events carry tags, anchors, scalar styles and the places of
//! keys, which a serde data model loses, and reading into a tree lets one run report every
//! problem of a file instead of the first.

mod comments;
mod cure;
mod fields;
mod path;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

use crate::diagnostics::{Code, Diagnostic, Place, SourceId, Span};

pub use self::comments::comments;
pub use self::fields::{Fields, Keys, Reader, Spanned};

/// A file larger than this is refused unread.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// Deeper than any key of the language; anything beyond is an attack or an accident.
const MAX_DEPTH: usize = 16;

/// A node of the tree, and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where the value stands, without its key.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A scalar that the core schema reads as text, or that stands in quotes.
    Text(String),
    /// A plain scalar that the core schema reads as `null`, a boolean or a number.
    Plain(Plain, String),
    /// A sequence.
    Sequence(Vec<Node>),
    /// A mapping, in the order of the file; no key stands twice.
    Mapping(Vec<(Key, Node)>),
}

/// What the core schema reads a plain scalar as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Integer,
    /// A number with a fraction or an exponent.
    Float,
}

/// A mapping's key.
#[derive(Clone, Debug)]
pub struct Key {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// Reads one document. Problems go to `problems`; a tree comes back only if the whole text could
/// be read, though it may have had problems that do not hide its structure.
pub fn parse(source: SourceId, text: &str, problems: &mut Vec<Diagnostic>) -> Option<Node> {
    if text.len() > MAX_FILE_BYTES {
        let place = Place { source, span: Span::default() };
        problems.push(
            Diagnostic::error(Code::Syntax, place, "the file is larger than 1 MiB")
                .help("split it: one server per file"),
        );
        return None;
    }
    parse_of_any_size(source, text, problems)
}

/// The same for a file whose size its own format bounds.
pub fn parse_of_any_size(
    source: SourceId,
    text: &str,
    problems: &mut Vec<Diagnostic>,
) -> Option<Node> {
    if let Some((at, misleading)) = misleading(text) {
        let place = Place { source, span: Span::new(at, at + 1) };
        problems.push(
            Diagnostic::error(
                Code::Syntax,
                place,
                "a character that nobody sees, or that reorders text, stands in the file",
            )
            .label(format!("U+{:04X}", u32::from(misleading)))
            .help(if misleading == '\u{FEFF}' {
                "save the file without a byte-order mark"
            } else {
                "remove it: it makes the file look different from what it says"
            }),
        );
        return None;
    }
    if let Some(at) = indenting_tab(text) {
        let place = Place { source, span: Span::new(at, at + 1) };
        problems.push(
            Diagnostic::error(Code::Syntax, place, "a tab indents this line")
                .help("indent with spaces"),
        );
        return None;
    }
    TreeBuilder { source, text, problems, failed: false }.document()
}

/// Control characters, byte-order marks, and characters that nobody sees or that reorder text on
/// the screen: with them a file looks different from what it says.
fn is_misleading(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{7F}'..='\u{9F}'
        | '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// The first misleading character of a file. A carriage return counts unless it ends a line with
/// a line feed: YAML breaks lines at it, and terminals write over them.
fn misleading(text: &str) -> Option<(usize, char)> {
    let lone_return = |at: usize| !text.get(at + 1..).is_some_and(|rest| rest.starts_with('\n'));
    text.char_indices().find(|(at, c)| is_misleading(*c) || (*c == '\r' && lone_return(*at)))
}

/// YAML does not let tabs indent; parsers differ in what they make of them.
fn indenting_tab(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let tab = line.get(..indent).and_then(|indent| indent.find('\t'));
        if let Some(tab) = tab
            && !line.trim().is_empty()
        {
            return Some(at + tab);
        }
        at += line.len();
    }
    None
}

/// A collection that is still open.
enum Open {
    Sequence {
        start: u32,
        flow: bool,
        items: Vec<Node>,
    },
    Mapping {
        start: u32,
        flow: bool,
        entries: Vec<(Key, Node)>,
        key: Option<Key>,
        /// Where each key first stands: files may have very many.
        seen: HashMap<String, Span>,
    },
}

impl Open {
    /// The finished collection. In block style the parser reports its end where the next thing
    /// starts; what a person means ends with the last child.
    fn close(self, reported_end: u32) -> Node {
        let (start, flow, last, kind) = match self {
            Self::Sequence { start, flow, items } => {
                (start, flow, items.last().map(|node| node.span.end), Kind::Sequence(items))
            }
            Self::Mapping { start, flow, entries, .. } => {
                (start, flow, entries.last().map(|(_, node)| node.span.end), Kind::Mapping(entries))
            }
        };
        let end = if flow { reported_end } else { last.unwrap_or(start) };
        Node { span: Span { start, end: end.max(start) }, kind }
    }
}

struct TreeBuilder<'t> {
    source: SourceId,
    text: &'t str,
    problems: &'t mut Vec<Diagnostic>,
    failed: bool,
}

impl TreeBuilder<'_> {
    fn problem(&mut self, code: Code, span: Span, message: &str, help: &str) {
        let place = Place { source: self.source, span };
        self.problems.push(Diagnostic::error(code, place, message).help(help));
        self.failed = true;
    }

    fn document(mut self) -> Option<Node> {
        let options = granit_parser::options! {
            strict_indentation: true,
            disallow_directives: true,
            emit_comments: false,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        let text = self.text;
        let mut open: Vec<Open> = Vec::new();
        let mut root = None;
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = match event {
                Ok((event, span)) => (event, self.span(&span)),
                Err(error) => {
                    let at = error.marker().byte_offset().unwrap_or(0);
                    let message = format!("not YAML: {}", error.info());
                    self.problem(
                        Code::Syntax,
                        Span::new(at, at + 1),
                        &message,
                        &cure::cure(text, at, error.kind()),
                    );
                    return None;
                }
            };
            match event {
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        let (what, cure) = (
                            "a second document starts here",
                            "one file, one document: remove `---` and what follows",
                        );
                        self.problem(Code::YamlFeature, span, what, cure);
                        return None;
                    }
                }
                Event::Alias(_) | Event::UnresolvedAlias(_) | Event::Anchor(..) => {
                    self.refuse_anchor(span);
                    // An alias is a node: keep the structure so that later problems are found.
                    self.attach(&mut open, &mut root, null(span));
                }
                Event::Scalar(value, style, anchor, tag) => {
                    self.check_properties(anchor, tag.is_some(), span);
                    // Escapes can write what the file itself may not hold.
                    if value.contains(|c| is_misleading(c) || c == '\r') {
                        let what = "the text has a character that nobody sees";
                        self.problem(Code::BadValue, span, what, "remove it");
                    }
                    let kind = scalar(value.into_owned(), style);
                    self.attach(&mut open, &mut root, Node { span, kind });
                }
                Event::SequenceStart(style, anchor, tag) => {
                    self.check_properties(anchor, tag.is_some(), span);
                    let flow = style == StructureStyle::Flow;
                    open.push(Open::Sequence { start: span.start, flow, items: Vec::new() });
                }
                Event::MappingStart(style, anchor, tag) => {
                    self.check_properties(anchor, tag.is_some(), span);
                    let flow = style == StructureStyle::Flow;
                    let start = span.start;
                    let (entries, key, seen) = (Vec::new(), None, HashMap::new());
                    open.push(Open::Mapping { start, flow, entries, key, seen });
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let node = open.pop()?.close(span.end);
                    self.attach(&mut open, &mut root, node);
                }
                // Comments are not asked for; and the enum is open: what a later parser adds is not
                // understood here.
                Event::Comment(..) | _ => {
                    let (what, cure) = ("YAML that policies do not use", "write it plainly");
                    self.problem(Code::YamlFeature, span, what, cure);
                    return None;
                }
            }
        }
        if self.failed { None } else { Some(root.unwrap_or_else(|| null(Span::default()))) }
    }

    fn span(&self, span: &granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or(0..0);
        Span::new(range.start, range.end.min(self.text.len()))
    }

    fn refuse_anchor(&mut self, span: Span) {
        self.problem(
            Code::YamlFeature,
            span,
            "anchors and aliases are not used in policies",
            "write the value out where it is meant",
        );
    }

    fn check_properties(&mut self, anchor: usize, tagged: bool, span: Span) {
        if anchor != 0 {
            self.refuse_anchor(span);
        }
        if tagged {
            let (what, cure) = ("tags are not used in policies", "remove the `!tag`");
            self.problem(Code::YamlFeature, span, what, cure);
        }
    }

    fn attach(&mut self, open: &mut [Open], root: &mut Option<Node>, node: Node) {
        match open.last_mut() {
            None => *root = Some(node),
            Some(Open::Sequence { items, .. }) => items.push(node),
            Some(Open::Mapping { entries, key, seen, .. }) => match key.take() {
                None => *key = Some(self.key(seen, node)),
                Some(key) => entries.push((key, node)),
            },
        }
    }

    fn key(&mut self, seen: &mut HashMap<String, Span>, node: Node) -> Key {
        let span = node.span;
        let text = match node.kind {
            Kind::Text(text) => text,
            Kind::Plain(_, text) => {
                let what = "a key that YAML reads as a number, boolean or null";
                self.problem(Code::WrongType, span, what, "put the key in quotes");
                text
            }
            Kind::Sequence(_) | Kind::Mapping(_) => {
                self.problem(Code::WrongType, span, "a key must be a text", "use a plain name");
                String::new()
            }
        };
        if text == "<<" {
            let (what, cure) = ("merge keys are not used in policies", "write the keys out");
            self.problem(Code::YamlFeature, span, what, cure);
        }
        if let Some(first) = seen.get(&text) {
            let place = |span| Place { source: self.source, span };
            self.problems.push(
                Diagnostic::error(
                    Code::DuplicateKey,
                    place(span),
                    format!("`{text}` stands twice in one mapping"),
                )
                .label("again here")
                .related(place(*first), "first here")
                .help("keep one of them; neither wins"),
            );
        } else {
            seen.insert(text.clone(), span);
        }
        Key { text, span }
    }
}

fn null(span: Span) -> Node {
    Node { span, kind: Kind::Plain(Plain::Null, String::new()) }
}

fn scalar(text: String, style: ScalarStyle) -> Kind {
    match style {
        ScalarStyle::Plain => match core_schema(&text) {
            Some(plain) => Kind::Plain(plain, text),
            None => Kind::Text(text),
        },
        ScalarStyle::SingleQuoted
        | ScalarStyle::DoubleQuoted
        | ScalarStyle::Literal
        | ScalarStyle::Folded => Kind::Text(text),
    }
}

/// A text as it is written into a block or a flow of YAML: plain if that is read as the same text,
/// in double quotes otherwise. JSON's quoting is YAML's too.
#[must_use]
pub fn written(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let starts = |c: char| c.is_ascii_alphanumeric();
    if text.starts_with(starts) && text.chars().all(plain) && core_schema(text).is_none() {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

/// YAML 1.2.2 §10.3.2: what a plain scalar is when it is not text.
fn core_schema(text: &str) -> Option<Plain> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Plain::Null),
        "true" | "True" | "TRUE" => return Some(Plain::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Plain::Bool(false)),
        _ => {}
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(hex) = text.strip_prefix("0x") {
        let hex = !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        return hex.then_some(Plain::Integer);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        let octal = !octal.is_empty() && octal.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        return octal.then_some(Plain::Integer);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits(unsigned) {
        return Some(Plain::Integer);
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Plain::Float);
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
        }
        None => (unsigned, None),
    };
    let mantissa = match mantissa.split_once('.') {
        Some((whole, "")) => digits(whole),
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(mantissa),
    };
    (mantissa && exponent.is_none_or(digits)).then_some(Plain::Float)
}
