use crate::lint::context::Context;
use crate::lint::items::{GrantAt, grants, named};
use crate::lint::rule::{Check, Findings, rule};
use crate::policy::model::{GrantWho, PlaceKind, Via, ViaPlace};

rule! {
    /// ## What it finds
    ///
    /// A grant whose `via` names a surface that has channels, without a channel: `chat-bot` instead
    /// of `chat-bot/airflow-support`. `any-surface` is left alone: it says that places do not
    /// matter.
    ///
    /// ## Why
    ///
    /// The bare surface includes every channel, also those that `surfaces.yaml` does not list: the
    /// channel that somebody opened yesterday, with guests, and direct messages, where nobody reads
    /// along. Who writes `chat-bot` often has the one support channel in mind.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// grants:
    ///   look: { people: [ads], via: [chat-bot], call: [list_dags] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Name the channels: `via: [chat-bot/airflow-support]`. If every channel is meant, ignore the
    /// finding and say why.
    BareSurfaceWithChannels, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        for GrantAt { grant, node, .. } in grants(server, file) {
            let (GrantWho::People { via, .. } | GrantWho::Users(_, via)) = &grant.who else {
                continue;
            };
            let Via::Places(places) = via else { continue };
            let bare = places.iter().filter(|ViaPlace { channel, .. }| channel.is_none());
            for surface in bare.filter_map(|place| policies.set.place(place.surface)) {
                let PlaceKind::Surface { channels, .. } = &surface.kind else { continue };
                let Some(channel) = channels.first() else { continue };
                let Some(said) = named(node, "via", &surface.name) else { continue };
                let message = format!(
                    "`{}` means all of its channels, also those that surfaces.yaml does not list",
                    surface.name
                );
                findings.add(file.place(said.span), message, |finding| {
                    finding.help(format!(
                        "name the channels, such as `{}/{}`",
                        surface.name, channel.name
                    ))
                });
            }
        }
    }
}
