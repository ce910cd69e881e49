//! The stable codes. `docs/architecture.md` fixes the ranges: 001–029 reading a file, 030–099
//! its meaning (both: does not load), 100–199 findings of lint rules in files that load, 900–999
//! the sidecar's own configuration. A lint rule's code has a name as well.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal $($rule:literal)?,)+) => {
        /// The stable code of a kind of problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code as it is printed, such as `TG004`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// The name of the lint rule, such as `ended-grant`; `None` if it is no rule's code.
            #[must_use]
            pub fn rule(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => None$(.or(Some($rule)))?,)+
                }
            }

            /// What it means, in a line.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc,)+).trim_ascii_start(),)+
                }
            }
        }
    };
}

codes! {
    /// A file or directory cannot be read.
    Unreadable = "TG001",
    /// A file that does not belong in a policy directory.
    UnexpectedFile = "TG002",
    /// Not YAML.
    Syntax = "TG003",
    /// A key stands twice in one mapping.
    DuplicateKey = "TG004",
    /// A feature of YAML that policies do not use: anchors, aliases, tags, several documents.
    YamlFeature = "TG005",
    /// A key that the language does not have.
    UnknownKey = "TG006",
    /// A key of the language that this version does not enforce yet.
    NotSupportedYet = "TG007",
    /// A required key is missing.
    MissingKey = "TG008",
    /// A value of another type than the key takes.
    WrongType = "TG009",
    /// A value that breaks the rules of its kind.
    BadValue = "TG010",
    /// The file does not start with `toolgate: 1`.
    Version = "TG011",
    /// The file's name is not the server's name.
    FileName = "TG012",
    /// No server at all, or a required file is missing.
    Empty = "TG013",
    /// A value stands twice in one list.
    Repeated = "TG014",
    /// A group that `groups.yaml` does not declare.
    UnknownGroup = "TG030",
    /// A tool that the server does not offer.
    UnknownTool = "TG031",
    /// A surface, channel or service that `surfaces.yaml` does not declare.
    UnknownPlace = "TG032",
    /// A review that `reviews.yaml` does not declare.
    UnknownReview = "TG033",
    /// An environment that `guardrails.yaml` or the server does not declare.
    UnknownEnvironment = "TG034",
    /// A server without a file.
    UnknownServer = "TG035",
    /// A workload or channel belongs to two places.
    TwoPlaces = "TG036",
    /// A service is granted more than plain reads.
    ServiceReach = "TG037",
    /// A grant that does not say who, from where, in which environment, or what.
    IncompleteGrant = "TG038",
    /// A ban that does not name what it bans.
    IncompleteBan = "TG039",
    /// An upstream outside its environment's hosts, or not protected as it must be.
    Upstream = "TG040",
    /// Two things share a name or value that must be their own.
    Conflict = "TG041",
    /// A limit on, or record of, an argument that the tool does not accept.
    LimitOutside = "TG042",
    /// An approval that is weaker than the guardrails ask for, or that nobody could give.
    WeakApproval = "TG043",
    /// A channel's name that YAML reads as a comment.
    UnquotedChannel = "TG101" "unquoted-channel",
    /// A review that ends soon.
    ReviewEnds = "TG120" "review-ends",
    /// A grant that has ended.
    EndedGrant = "TG121" "ended-grant",
    /// A tool, resource or prompt that no grant names.
    UnusedTool = "TG123" "unused-tool",
    /// A comment that ignores a finding which is not there.
    UnusedSuppression = "TG190" "unused-suppression",
    /// A comment that ignores findings and cannot: no rule, an unknown one, or no reason.
    BadSuppression = "TG191" "bad-suppression",
    /// A weight that the guardrails give to no rule, or to one that nothing weighs.
    BadOverride = "TG192" "bad-override",
    /// A value of the sidecar's configuration that breaks a rule.
    Config = "TG900",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_say_what_they_mean() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{} stands twice", code.as_str());
            assert!(code.summary().ends_with('.'), "{}", code.as_str());
        }
    }
}
