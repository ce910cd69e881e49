//! Why a request is refused: a closed, ordered list.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $public:literal;)+) => {
        /// Why a request is refused. Ordered: the first reason that applies is reported.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The reason's name, as tests, logs and refusals spell it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// What a caller may be told: nothing about groups, rules or policies.
            #[must_use]
            pub fn public_message(self) -> &'static str {
                match self {
                    $(Self::$name => $public,)+
                }
            }
        }
    };
}

reasons! {
    /// Not a request that can be decided on.
    Malformed = "malformed", "the request is malformed";
    /// No user credential, and no service's grant either.
    Unauthenticated = "unauthenticated", "sign in first";
    /// A user credential that does not hold.
    TokenInvalid = "token_invalid", "the access token is not valid here";
    /// A workload credential that does not hold.
    WorkloadInvalid = "workload_invalid", "the calling workload could not be verified";
    /// No policy for this server and environment.
    ServerUnknown = "server_unknown", "no such server";
    /// A review that the environment needs is missing, over, or about other tools.
    Review = "review", "the server's reviews are not in force";
    /// The caller speaks from nowhere that reaches the environment.
    Surface = "surface", "the server cannot be used from here";
    /// A method that nobody lets through.
    MethodUnknown = "method_unknown", "the method is not available";
    /// The server does not offer it.
    NotListed = "not_listed", "the server does not offer this";
    /// A ban matches.
    Banned = "banned", "this is not allowed";
    /// No grant matches.
    NoGrant = "no_grant", "this is not allowed";
    /// An argument is outside its limits.
    Limit = "limit", "an argument is outside its limits";
    /// Somebody must agree first.
    ApprovalRequired = "approval_required", "this needs somebody's approval";
    /// The tool is no longer what was reviewed.
    ToolChanged = "tool_changed", "the tool has changed since its review";
    /// Toolgate cannot decide.
    Unavailable = "unavailable", "no decision can be made at the moment; try again later";
}

impl Reason {
    /// What whoever called a tool can do about it. As little as [`Reason::public_message`] does it
    /// tell anything about policies.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Malformed | Self::MethodUnknown => "Do not repeat it as it is.",
            Self::Unauthenticated | Self::TokenInvalid => "The user has to sign in.",
            Self::NotListed => "Call a tool that `tools/list` shows.",
            Self::Limit => "It may be called with other arguments: smaller, narrower or fewer.",
            Self::ApprovalRequired => {
                "Do not repeat it: nobody has approved it. Tell the user what was to be done."
            }
            Self::Unavailable => "It may be tried again in a while.",
            Self::WorkloadInvalid
            | Self::ServerUnknown
            | Self::Review
            | Self::Surface
            | Self::Banned
            | Self::NoGrant
            | Self::ToolChanged => {
                "Do not repeat it: the answer will be the same. The user can ask the server's \
                 owner for access."
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
