//! The deny-list: a file of its own, since it changes while the process runs, and a program may
//! write it.

use std::path::Path;

use crate::authn::revocation::Revocations;
use crate::diagnostics::{
    Code, Diagnostic, Diagnostics, Place, Source, SourceId, Sources, Span, did_you_mean,
};
use crate::identity::UserName;
use crate::yaml::{self, Keys, Kind, Node, Reader, Spanned};

/// The largest file that is read.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// How many tokens and users a file may name.
pub const MAX_ENTRIES: usize = 100_000;

/// No token has a longer identifier.
const MAX_ID_BYTES: usize = 256;

/// Whoever has to mend a file reads no more of them.
const MAX_PROBLEMS: usize = 100;

/// What a file says, as far as it could be understood.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// What is denied.
    pub revocations: Revocations,
    /// What is wrong with the file; while there is anything, lines may be missing above.
    pub problems: Diagnostics,
}

impl Listed {
    /// The list of a file without problems.
    ///
    /// # Errors
    ///
    /// Every problem of the file.
    pub fn whole(self) -> Result<Revocations, Diagnostics> {
        if self.problems.list.is_empty() { Ok(self.revocations) } else { Err(self.problems) }
    }
}

/// Reads a file. `issuers` are the configured names.
#[must_use]
pub fn parse(path: &Path, bytes: &[u8], issuers: &[Box<str>]) -> Listed {
    let mut sources = Sources::default();
    let mut problems = Vec::new();
    let Ok(text) = std::str::from_utf8(bytes) else {
        return unreadable(path, "it is not UTF-8");
    };
    let source = sources.add(Source { path: path.to_owned(), text: text.to_owned() });
    let mut revocations = Revocations::default();
    if let Some(tree) = parsed(source, text, &mut problems) {
        let reader = Reader::new(source, &mut problems);
        List { reader, issuers, revocations: &mut revocations, entries: 0 }.file(&tree);
    }
    problems.truncate(MAX_PROBLEMS);
    Listed { revocations, problems: Diagnostics { sources, list: problems }.sorted() }
}

/// What there is to say of a file that cannot even be read.
#[must_use]
pub fn unreadable(path: &Path, error: &str) -> Listed {
    let problem =
        Diagnostic::about_path(Code::Unreadable, path, format!("cannot be read: {error}"))
            .help("`tokens.revoked` names the deny-list; one that denies nobody is `toolgate: 1`");
    let problems = Diagnostics { sources: Sources::default(), list: vec![problem] };
    Listed { revocations: Revocations::default(), problems }
}

fn parsed(source: SourceId, text: &str, problems: &mut Vec<Diagnostic>) -> Option<Node> {
    if text.len() <= MAX_BYTES {
        return yaml::parse_of_any_size(source, text, problems);
    }
    let place = Place { source, span: Span::default() };
    problems.push(
        Diagnostic::error(Code::Syntax, place, "the file is larger than 16 MiB")
            .help("remove the lines of tokens that have expired"),
    );
    None
}

struct List<'l> {
    reader: Reader<'l>,
    issuers: &'l [Box<str>],
    revocations: &'l mut Revocations,
    entries: usize,
}

impl List<'_> {
    fn file(&mut self, root: &Node) {
        const KEYS: Keys = Keys { known: &["toolgate", "tokens", "users"], later: &[] };
        let Some(fields) = self.reader.fields(root, KEYS) else {
            return;
        };
        let version = self.reader.required(fields, "toolgate", "start the file with `toolgate: 1`");
        if let Some(node) = version {
            self.reader.integer(node, 1..=1);
        }
        if let Some(node) = fields.get("tokens") {
            for item in self.reader.list(node) {
                self.entry(item, Self::token);
            }
        }
        if let Some(node) = fields.get("users") {
            for item in self.reader.list(node) {
                self.entry(item, Self::user);
            }
        }
    }

    /// What stands twice is denied once.
    fn entry(&mut self, node: &Node, read: impl FnOnce(&mut Self, &Node) -> Option<()>) {
        self.entries += 1;
        if self.entries <= MAX_ENTRIES {
            read(self, node);
        } else if self.entries == MAX_ENTRIES + 1 {
            let message = format!("more than {MAX_ENTRIES} tokens and users");
            let place = self.reader.place(node.span);
            self.reader.report(
                Diagnostic::error(Code::BadValue, place, message)
                    .help("remove the lines of tokens that have expired"),
            );
        }
    }

    fn token(&mut self, node: &Node) -> Option<()> {
        const KEYS: Keys = Keys { known: &["issuer", "jti"], later: &[] };
        if !matches!(node.kind, Kind::Mapping(_)) {
            let message = "a token is its issuer and its `jti`";
            let place = self.reader.place(node.span);
            let help = "write `{ issuer: NAME, jti: \"…\" }`, never the token itself";
            self.reader.report(Diagnostic::error(Code::WrongType, place, message).help(help));
            return None;
        }
        let fields = self.reader.fields(node, KEYS)?;
        let issuer = self
            .reader
            .required(fields, "issuer", "name the issuer as the configuration does")
            .and_then(|node| self.reader.text(node));
        let id = self
            .reader
            .required(
                fields,
                "jti",
                "give the token's `jti`; for all tokens of a user, use `users`",
            )
            .and_then(|node| self.reader.text(node));
        let known = issuer.is_some_and(|issuer| self.is_issuer(issuer));
        let id = id?;
        if id.is_empty() || id.len() > MAX_ID_BYTES {
            let message = format!("a `jti` has 1 to {MAX_ID_BYTES} bytes");
            let help = "a token without one is revoked with its user";
            self.reader.report(Diagnostic::error(Code::BadValue, id.place, message).help(help));
            return None;
        }
        if known {
            self.revocations.revoke_token(&issuer?, &id);
        }
        Some(())
    }

    fn user(&mut self, node: &Node) -> Option<()> {
        let text = self.reader.text(node)?;
        let name = self.reader.parse_text(text, "a user", str::parse::<UserName>)?;
        if self.is_issuer(Spanned { value: name.issuer(), place: name.place }) {
            self.revocations.revoke_user(name.issuer(), name.subject());
        }
        Some(())
    }

    /// A line of an issuer that nobody configured would deny nobody.
    fn is_issuer(&mut self, name: Spanned<&str>) -> bool {
        let known = self.issuers.iter().any(|issuer| **issuer == *name.value);
        if !known && self.reader.noted() < MAX_PROBLEMS {
            let names = || self.issuers.iter().map(|issuer| &**issuer);
            let help = match did_you_mean(name.value, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("configured issuers: {}", names().collect::<Vec<_>>().join(", ")),
            };
            let message = format!("no issuer is configured as `{}`", name.value);
            self.reader.report(Diagnostic::error(Code::BadValue, name.place, message).help(help));
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn read(text: &str) -> Listed {
        parse(Path::new("revoked.yaml"), text.as_bytes(), &["corp".into(), "partners".into()])
    }

    fn denied(text: &str) -> (usize, usize) {
        read(text).revocations.len()
    }

    #[test]
    fn a_list_names_tokens_and_users() {
        for (text, expected) in [
            ("toolgate: 1", (0, 0)),
            ("toolgate: 1\ntokens: []\nusers: []", (0, 0)),
            (
                "toolgate: 1\ntokens: [{ issuer: corp, jti: a }, { issuer: partners, jti: a }]",
                (2, 0),
            ),
            (
                "toolgate: 1\ntokens:\n  - { issuer: corp, jti: a }\n  - { issuer: corp, jti: a }",
                (1, 0),
            ),
            ("toolgate: 1\nusers: [\"corp:mallory\", \"partners:auth0|6f:3a\"]", (0, 2)),
        ] {
            let list = read(text).whole().unwrap_or_else(|problems| panic!("{text}: {problems}"));
            assert_eq!(list.len(), expected, "{text}");
        }
    }

    #[test]
    fn what_would_deny_nobody_is_a_problem() {
        let mut told = String::new();
        for (text, denies) in [
            ("", (0, 0)),
            ("toolgate: 2", (0, 0)),
            ("toolgate: 1\ntoken: []", (0, 0)),
            ("toolgate: 1\nusers: corp:mallory", (0, 0)),
            ("toolgate: 1\nusers: [mallory, corp:eve]", (0, 1)),
            ("toolgate: 1\nusers: [\"https://login.example.com:eve\"]", (0, 0)),
            ("toolgate: 1\nusers: [crop:eve]", (0, 0)),
            ("toolgate: 1\nusers: [elsewhere:eve]", (0, 0)),
            ("toolgate: 1\ntokens: [{ issuer: cop, jti: a }, { issuer: corp, jti: b }]", (1, 0)),
            ("toolgate: 1\ntokens: [{ issuer: corp, jti: 7 }]", (0, 0)),
            ("toolgate: 1\ntokens: [{ issuer: corp, jti: \"\" }]", (0, 0)),
            ("toolgate: 1\ntokens: [{ issuer: corp }]", (0, 0)),
            ("toolgate: 1\ntokens: [{ jti: a }]", (0, 0)),
            ("toolgate: 1\ntokens: [a]", (0, 0)),
            ("toolgate: 1\ntokens: [{ issuer: corp, jti: a, until: 2026-12-01 }]", (1, 0)),
            ("toolgate: 1\ntokens: [{ issuer: corp, jti: a }", (0, 0)),
        ] {
            let Listed { revocations, problems } = read(text);
            assert_eq!(revocations.len(), denies, "{text}");
            assert!(!problems.list.is_empty(), "{text}");
            let _ = writeln!(told, "{}", text.replace('\n', " ⏎ "));
            for Diagnostic { message, label, help, .. } in &problems.list {
                let said = label.as_deref().or(help.as_deref());
                let _ = writeln!(told, "    {message}: {}", said.unwrap_or("NO CURE"));
            }
        }
        // For a tired reviewer to read.
        insta::assert_snapshot!(told);
        let listed = parse(Path::new("revoked.yaml"), b"toolgate: 1 # \xff", &[]);
        assert!(listed.whole().is_err());
    }

    #[test]
    fn a_list_is_bounded() {
        let users = |count: usize| {
            let users = (0..count).map(|number| format!("  - corp:u{number}\n"));
            format!("toolgate: 1\nusers:\n{}", users.collect::<String>())
        };
        assert_eq!(read(&users(MAX_ENTRIES)).whole().unwrap().len(), (0, MAX_ENTRIES));
        let Listed { revocations, problems } = read(&users(MAX_ENTRIES + 10));
        assert_eq!((revocations.len(), problems.list.len()), ((0, MAX_ENTRIES), 1));
        let large = format!("toolgate: 1\n#{}", "x".repeat(MAX_BYTES));
        assert_eq!((denied(&large), read(&large).problems.list.len()), ((0, 0), 1));
        let wrong = users(1000).replace("corp", "cop");
        assert_eq!(read(&wrong).problems.list.len(), MAX_PROBLEMS);
    }
}
