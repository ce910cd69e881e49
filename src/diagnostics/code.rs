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
    /// A subtree of workloads on a surface whose channels are believed.
    ChannelSubtree = "TG102" "channel-subtree",
    /// A channel's name where its identifier belongs.
    ChannelName = "TG103" "channel-name",
    /// A server whose tools no needed review covers as they stand.
    StaleReview = "TG104" "stale-review",
    /// A grant of something destructive that has no end, or a far one.
    LongDestructiveGrant = "TG105" "long-destructive-grant",
    /// A limit that reads code by a pattern.
    MatchesOnCode = "TG107" "matches-on-code",
    /// A destructive tool that no test refuses.
    UntestedDestructive = "TG108" "untested-destructive",
    /// A tool or prompt that does more, by its name, than its effect says.
    NameContradictsEffect = "TG109" "name-contradicts-effect",
    /// A group that may call a tool and approves calls of it.
    ApproverIsGrantee = "TG110" "approver-is-grantee",
    /// A tool that seems to reach beyond the company and does not say so.
    MissingExternal = "TG111" "missing-external",
    /// Tokens of people that go to a host of another domain than they are for.
    TokenLeavesDomain = "TG112" "token-leaves-domain",
    /// A review that ends soon.
    ReviewEnds = "TG120" "review-ends",
    /// A grant that has ended.
    EndedGrant = "TG121" "ended-grant",
    /// A grant from where, or for where, nothing is reached.
    DeadGrant = "TG122" "dead-grant",
    /// A tool, resource or prompt that no grant names.
    UnusedTool = "TG123" "unused-tool",
    /// Something sensitive that everybody may use.
    AnyoneOnSensitive = "TG124" "anyone-on-sensitive",
    /// A grant's name that mentions a group which it does not grant.
    NameMentionsGroup = "TG125" "name-mentions-group",
    /// Limits on some arguments of a tool that takes any others.
    LimitedWithoutAccepts = "TG126" "limited-without-accepts",
    /// A grant in every channel of a surface, also in those that are not listed.
    BareSurfaceWithChannels = "TG127" "bare-surface-with-channels",
    /// A server that does not say where its users get help.
    MissingSupport = "TG128" "missing-support",
    /// A server whose tools do not say how much time they save.
    MissingMinutesSaved = "TG129" "missing-minutes-saved",
    /// A grant of what other grants let the same people do.
    RedundantGrant = "TG130" "redundant-grant",
    /// A grant of nothing but what is banned.
    BannedGrant = "TG131" "banned-grant",
    /// A kind of review that is needed and that no review has.
    UnknownReviewKind = "TG132" "unknown-review-kind",
    /// Two names that a reader takes for each other.
    NearMissNames = "TG133" "near-miss-names",
    /// A group that nothing names.
    UnusedGroup = "TG134" "unused-group",
    /// A grant under which nobody could use anything.
    EmptyGrant = "TG135" "empty-grant",
    /// A method of an extension that goes through unreviewed.
    ExtensionMethod = "TG137" "extension-method",
    /// Tasks or methods of extensions that nobody may use.
    MethodsForNobody = "TG138" "methods-for-nobody",
    /// Lists that show everything, on a server with something sensitive.
    FullLists = "TG139" "full-lists",
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
