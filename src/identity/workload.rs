//! Workload identities: SPIFFE IDs, and the patterns that policies name them by.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use spiffe::SpiffeId;
use thiserror::Error;

/// The longest SPIFFE ID that the standard asks everyone to support (SPIFFE-ID §2.3).
const MAX_ID_BYTES: usize = 2048;

/// A process that proved its SPIFFE ID.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Workload {
    /// The ID as it is written; it has one spelling.
    id: Arc<str>,
    /// Where its path begins.
    path: usize,
}

const SCHEME: &str = "spiffe://";

/// The workloads that a surface or service consists of: one ID, or a subtree of IDs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WorkloadPattern {
    /// Exactly this SPIFFE ID.
    Exact(Workload),
    /// Every ID below this one, written with a trailing `/*`; the ID itself is not meant.
    Subtree(Workload),
}

/// Why a text is not a workload's SPIFFE ID or pattern.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WorkloadPatternError {
    /// The SPIFFE ID standard does not allow it.
    #[error("not a SPIFFE ID: {0}")]
    NotASpiffeId(String),
    /// The scheme or trust domain is not lower case; policies compare byte for byte.
    #[error("scheme and trust domain are written in lower case")]
    NotCanonical,
    /// A trust domain alone identifies no workload.
    #[error("a workload's SPIFFE ID has a path")]
    NoPath,
    /// Longer than the standard's limit.
    #[error("longer than {MAX_ID_BYTES} bytes")]
    TooLong,
    /// A `*` anywhere but in a trailing `/*`.
    #[error("`*` may only stand at the end, as `/*`")]
    Wildcard,
}

// === impl Workload ===

impl Workload {
    /// Parses a workload's SPIFFE ID: canonical, at most 2048 bytes, with a path.
    ///
    /// # Errors
    ///
    /// One variant per broken rule.
    pub fn new(id: &str) -> Result<Self, WorkloadPatternError> {
        if id.len() > MAX_ID_BYTES {
            return Err(WorkloadPatternError::TooLong);
        }
        let parsed = SpiffeId::new(id)
            .map_err(|error| WorkloadPatternError::NotASpiffeId(error.to_string()))?;
        // The crate lower-cases scheme and trust domain; two spellings of one identity are one
        // too many for something that is compared byte for byte elsewhere.
        if parsed.to_string() != id {
            return Err(WorkloadPatternError::NotCanonical);
        }
        if parsed.path().is_empty() {
            return Err(WorkloadPatternError::NoPath);
        }
        Ok(Self { id: id.into(), path: SCHEME.len() + parsed.trust_domain_name().len() })
    }

    /// The trust domain's name, such as `prod.example.com`.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        self.id.get(SCHEME.len()..self.path).unwrap_or_default()
    }

    /// The SPIFFE ID.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.id
    }

    fn path(&self) -> &str {
        self.id.get(self.path..).unwrap_or_default()
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

// === impl WorkloadPattern ===

impl WorkloadPattern {
    /// Whether the pattern names this workload.
    #[must_use]
    pub fn matches(&self, workload: &Workload) -> bool {
        match self {
            Self::Exact(id) => id == workload,
            Self::Subtree(root) => {
                root.trust_domain() == workload.trust_domain()
                    && workload
                        .path()
                        .strip_prefix(root.path())
                        .is_some_and(|rest| rest.starts_with('/'))
            }
        }
    }

    /// A workload that the pattern names, for asking what such a workload may do.
    #[must_use]
    pub fn example(&self) -> Option<Workload> {
        match self {
            Self::Exact(id) => Some(id.clone()),
            Self::Subtree(root) => Workload::new(&format!("{root}/example")).ok(),
        }
    }

    /// Whether some workload is named by both patterns.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(id), pattern) | (pattern, Self::Exact(id)) => pattern.matches(id),
            (Self::Subtree(a), Self::Subtree(b)) => a == b || self.matches(b) || other.matches(a),
        }
    }
}

impl FromStr for WorkloadPattern {
    type Err = WorkloadPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, subtree) = match text.strip_suffix("/*") {
            Some(root) => (root, true),
            None => (text, false),
        };
        if id.contains('*') {
            return Err(WorkloadPatternError::Wildcard);
        }
        let id = Workload::new(id)?;
        Ok(if subtree { Self::Subtree(id) } else { Self::Exact(id) })
    }
}

impl fmt::Display for WorkloadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(id) => id.fmt(f),
            Self::Subtree(root) => write!(f, "{root}/*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_a_canonical_id_with_a_path() {
        use WorkloadPatternError::*;
        let long = format!("spiffe://td/{}", "a".repeat(2048));
        let cases: &[(&str, Option<WorkloadPatternError>)] = &[
            ("spiffe://prod.example.com/ns/ai-chat/sa/webapp", None),
            ("spiffe://td", Some(NoPath)),
            ("spiffe://TD/a", Some(NotCanonical)),
            ("SPIFFE://td/a", Some(NotCanonical)),
            (&long, Some(TooLong)),
        ];
        for (id, expected) in cases {
            assert_eq!(Workload::new(id).err(), *expected, "{id}");
        }
        for id in [
            "",
            "td/a",
            "https://td/a",
            "spiffe:///a",
            "spiffe://td/a/",
            "spiffe://td//a",
            "spiffe://td/a/../b",
            "spiffe://td/./a",
            "spiffe://td:80/a",
            "spiffe://u@td/a",
            "spiffe://td/a?b",
            "spiffe://td/a#b",
            "spiffe://td/a%20",
            "spiffe://td/é",
            " spiffe://td/a",
            "spiffe://td/a\n",
        ] {
            assert!(
                matches!(Workload::new(id), Err(NotASpiffeId(_))),
                "{id:?} is {:?}",
                Workload::new(id)
            );
        }
    }

    #[test]
    fn a_subtree_is_cut_at_segments() {
        let pattern: WorkloadPattern = "spiffe://td/ns/a/*".parse().unwrap();
        for (id, expected) in [
            ("spiffe://td/ns/a/sa/b", true),
            ("spiffe://td/ns/a/x", true),
            ("spiffe://td/ns/a", false),
            ("spiffe://td/ns/ab", false),
            ("spiffe://td/ns/ab/c", false),
            ("spiffe://other/ns/a/x", false),
        ] {
            assert_eq!(pattern.matches(&Workload::new(id).unwrap()), expected, "{id}");
        }
        for text in ["spiffe://td/*", "spiffe://*/a", "spiffe://td/a*", "spiffe://td/*/b", "*"] {
            assert!(text.parse::<WorkloadPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn overlaps_is_symmetric() {
        let parse = |text: &str| text.parse::<WorkloadPattern>().unwrap();
        for (a, b, expected) in [
            ("spiffe://td/a", "spiffe://td/a", true),
            ("spiffe://td/a", "spiffe://td/a/*", false),
            ("spiffe://td/a/b", "spiffe://td/a/*", true),
            ("spiffe://td/a/*", "spiffe://td/a/*", true),
            ("spiffe://td/a/*", "spiffe://td/a/b/*", true),
            ("spiffe://td/a/*", "spiffe://td/ab/*", false),
        ] {
            assert_eq!(parse(a).overlaps(&parse(b)), expected, "{a} {b}");
            assert_eq!(parse(b).overlaps(&parse(a)), expected, "{b} {a}");
        }
    }
}
