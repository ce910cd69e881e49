use crate::engine::utc_day;
use crate::lint::context::Context;
use crate::lint::items::{GrantAt, grants, named};
use crate::lint::rule::{Check, Findings, rule};
use crate::lint::words::listed;
use crate::policy::model::{
    EnvironmentId, Grant, GrantWho, Place, PlaceId, PlaceKind, Via, ViaPlace,
};

rule! {
    /// ## What it finds
    ///
    /// A surface of `via`, or a service, that reaches none of the environments that the grant is
    /// for; and an environment of `in` that no place of the grant reaches. Grants that have ended
    /// are left to `ended-grant`.
    ///
    /// ## Why
    ///
    /// Somebody believes that this works, and will first learn from a refusal with the reason
    /// `surface` that it does not. Worse, once the surface is let into that environment for
    /// something else, the forgotten line begins to grant.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// # ai-chat reaches prod only
    /// grants:
    ///   try: { people: [ads], via: [ai-chat], in: [staging], call: [run_query] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Take the surface or the environment out of the grant, or add the environment to `reaches` of
    /// the surface in `surfaces.yaml`, which opens it to all that is granted there.
    DeadGrant, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    let today = utc_day(policies.now);
    let has_ended = |grant: &Grant| {
        grant.last_day.is_some_and(|day| day < today)
            || grant.until.is_some_and(|until| until <= policies.now)
    };
    for (server, file) in policies.servers() {
        for GrantAt { grant, key, node } in grants(server, file) {
            if has_ended(grant) {
                continue;
            }
            let name = |id: EnvironmentId| policies.set.environment_name(id);
            let is_in_reach = |place: &Place, id: &EnvironmentId| place.reaches.contains(id);
            let places = places(policies, grant);
            for (said, place) in &places {
                let Some((list, channel)) = said else { continue };
                if grant.environments.iter().any(|id| is_in_reach(place, id)) {
                    continue;
                }
                let all = listed(grant.environments.iter().map(|id| name(*id)));
                let said = match channel {
                    Some(channel) => format!("{}/{channel}", place.name),
                    None => place.name.to_string(),
                };
                let at = named(node, list, &said).map_or(key.span, |node| node.span);
                let message =
                    format!("`{}` does not reach {all}: it is granted nothing here", place.name);
                findings.add(file.place(at), message, |finding| {
                    finding.help(format!(
                        "remove it here, or let `{}` reach {all} in surfaces.yaml",
                        place.name
                    ))
                });
            }
            let is_reached =
                |id: &EnvironmentId| places.iter().any(|(_, place)| is_in_reach(place, id));
            // If nothing is reached, every place has been reported.
            let by_any_surface = places.iter().all(|(said, _)| said.is_none());
            if !by_any_surface && !grant.environments.iter().any(is_reached) {
                continue;
            }
            for id in grant.environments.iter().filter(|id| !is_reached(id)) {
                let environment = name(*id);
                let at = named(node, "in", environment).map_or(key.span, |node| node.span);
                let message = format!("no place of the grant `{}` reaches `{environment}`", key.text);
                findings.add(file.place(at), message, |finding| {
                    finding.label("here it grants nothing").help(format!(
                        "remove `{environment}`, or add a surface that reaches it to `via`"
                    ))
                });
            }
        }
    }
}

/// The key under which the grant names a place, and the channel that it names with it.
type Said<'r> = Option<(&'static str, Option<&'r str>)>;

/// The places of a grant. Those that `any-surface` means are not named.
fn places<'r>(policies: &Context<'r>, grant: &Grant) -> Vec<(Said<'r>, &'r Place)> {
    let set = policies.set;
    match &grant.who {
        GrantWho::Services(services) => services
            .iter()
            .filter_map(|id| set.place(*id))
            .map(|place| (Some(("services", None)), place))
            .collect(),
        GrantWho::People { via: Via::AnySurface, .. } | GrantWho::Users(_, Via::AnySurface) => {
            let all = (0..).map(PlaceId).map_while(|id| set.place(id));
            let verified =
                |place: &&Place| matches!(place.kind, PlaceKind::Surface { verified: true, .. });
            all.filter(verified).map(|place| (None, place)).collect()
        }
        GrantWho::People { via: Via::Places(places), .. }
        | GrantWho::Users(_, Via::Places(places)) => {
            let place = |ViaPlace { surface, channel }: &ViaPlace| {
                let place = set.place(*surface)?;
                let channel = channel.and_then(|id| place.channel(id));
                Some((Some(("via", channel.map(|channel| &*channel.name))), place))
            };
            places.iter().filter_map(place).collect()
        }
    }
}
