//! What somebody may see on a server: for lists, and for whoever asks what there is.

use super::conditions::Circumstances;
use super::{Asked, BanMisses, NoTrace, Query, Reason, asked, shadow};
use crate::mcp::{Action, Discovery};
use crate::policy::model::{Ban, Grant, Items, PolicySet, PromptId, ResourceId, Target, ToolId};

/// The items of a server that a caller may use, whatever the query's action. An item counts if
/// only its arguments, an approval or scopes that the token lacks could stand in the way.
///
/// Agrees with [`decide`](super::decide): both ask the same rules.
#[must_use]
pub fn visible(set: &PolicySet, query: &Query<'_>) -> Items {
    let place = set.place_of(query.caller.workload.as_ref());
    let c = Circumstances::new(set, query, place);
    let list = Query { action: Action::Discover(Discovery::ListTools), ..*query };
    let Ok(around) = asked(set, &list, &c, &mut NoTrace) else {
        return Items::default();
    };
    let rules = Rules::new(&around, &c);
    let may_use = |item: Target<'_>| rules.may_use(item);
    let server = around.server;
    let tools = (0..).map(ToolId).zip(server.tools());
    let resources = (0..).map(ResourceId).zip(server.resources());
    let prompts = (0..).map(PromptId).zip(server.prompts());
    Items {
        call: tools.filter(|tool| may_use(Target::tool(*tool))).map(|(id, _)| id).collect(),
        read: resources
            .filter(|resource| may_use(Target::resource(*resource)))
            .map(|(id, _)| id)
            .collect(),
        prompt: prompts
            .filter(|prompt| may_use(Target::prompt(*prompt)))
            .map(|(id, _)| id)
            .collect(),
    }
}

/// The rules that could be about some item of a server, for one caller. Most conditions have
/// nothing to do with the item, and it may be one of ten thousand.
struct Rules<'r> {
    around: &'r Asked<'r>,
    c: &'r Circumstances<'r>,
    bans: Vec<&'r Ban>,
    grants: Vec<&'r Grant>,
    /// Whether a refusal may be recorded instead of enforced.
    relaxed: bool,
}

impl<'r> Rules<'r> {
    /// `around` asks for no item. A rule that does not match it for another reason than the item
    /// matches with none.
    fn new(around: &'r Asked<'r>, c: &'r Circumstances<'r>) -> Self {
        let (server, environment) = (around.server, around.environment);
        let could_ban = |ban: &&Ban| {
            let misses = c.ban_misses(ban, server, environment.id, None);
            BanMisses { what: false, ..misses }.is_empty()
        };
        let bans: Vec<_> = around.bans().filter(could_ban).collect();
        let relaxed = shadow::shadowed(environment, c.now)
            || bans.iter().any(|ban| shadow::on_trial(ban, c.now));
        let grants = server.grants().iter();
        let grants = grants.filter(|grant| around.misses(c, grant).is_empty()).collect();
        Self { around, c, bans, grants, relaxed }
    }

    /// Limits and approvals are a call's, and none is made here. Scopes are ignored, as in looking
    /// around.
    fn may_use(&self, item: Target<'_>) -> bool {
        let Self { around, c, bans, grants, relaxed } = self;
        let asked = Asked { item: Some(item), call: None, ..**around };
        let (server, environment) = (asked.server, asked.environment.id);
        let banned =
            bans.iter().any(|ban| c.ban_misses(ban, server, environment, asked.item).is_empty());
        let granted = || grants.iter().any(|grant| asked.misses(c, grant).is_empty());
        if !banned && granted() {
            return true;
        }
        let reason = if banned { Reason::Banned } else { Reason::NoGrant };
        *relaxed && matches!(shadow::enforced(&asked, c, (reason, None)), Some(Ok(())))
    }
}
