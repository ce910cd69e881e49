//! What somebody may see on a server: for lists, and for whoever asks what there is.

use super::conditions::Circumstances;
use super::{Asked, NoTrace, Query, asked, shadow};
use crate::mcp::{Action, Discovery};
use crate::policy::model::{Items, PolicySet, PromptId, ResourceId, Target, ToolId};

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
    let may_use = |item: Target<'_>| may_use(&around, &c, item);
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

/// Limits and approvals are a call's, and none is made here. Scopes are ignored, as in looking
/// around.
fn may_use(around: &Asked<'_>, c: &Circumstances<'_>, item: Target<'_>) -> bool {
    let asked = Asked { item: Some(item), call: None, ..*around };
    match asked.bans_and_grants(c, &mut NoTrace) {
        Ok(_) => true,
        Err(refusal) => matches!(shadow::enforced(&asked, c, refusal), Some(Ok(()))),
    }
}
