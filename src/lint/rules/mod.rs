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
    channel_subtree,
    channel_name,
    stale_review,
    long_destructive_grant,
    matches_on_code,
    untested_destructive,
    name_contradicts_effect,
    approver_is_grantee,
    missing_external,
    token_leaves_domain,
    review_ends,
    ended_grant,
    dead_grant,
    unused_tool,
    anyone_on_sensitive,
    name_mentions_group,
    limited_without_accepts,
    bare_surface_with_channels,
    missing_support,
    missing_minutes_saved,
    redundant_grant,
    banned_grant,
    unknown_review_kind,
    near_miss_names,
    unused_group,
    empty_grant,
    extension_method,
    methods_for_nobody,
    full_lists,
    unused_suppression,
    bad_suppression,
    bad_override,
}
