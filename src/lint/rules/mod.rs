//! The rules, one file each.

use super::Rule;

macro_rules! rules {
    ($($file:ident,)+) => {
        $(mod $file;)+

        /// Every rule, in the order of the codes.
        pub const ALL: &[&Rule] = &[$(&$file::RULE,)+];
    };
}

rules! {
    unquoted_channel,
    review_ends,
    ended_grant,
    unused_tool,
    unused_suppression,
    bad_suppression,
    bad_override,
}
