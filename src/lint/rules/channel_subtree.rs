use crate::lint::context::Context;
use crate::lint::rule::{Check, Findings, rule};

rule! {
    /// ## What it finds
    ///
    /// A surface with `channels` whose `workloads` are a whole subtree of SPIFFE IDs, such as
    /// `spiffe://prod.example.com/ns/chat-bot/*`.
    ///
    /// ## Why
    ///
    /// The channel of a request is what its `x-toolgate-channel` header says, and that header is
    /// believed from every workload of the surface. Whoever may start one more workload below the
    /// subtree, a debugging pod for instance, can claim to speak from any channel. Ask in the
    /// review: who can get a SPIFFE ID here?
    ///
    /// ## Example
    ///
    /// ```yaml
    /// surfaces:
    ///   chat-bot:
    ///     workloads: ["spiffe://prod.example.com/ns/chat-bot/*"]
    ///     reaches: [prod]
    ///     channels: { airflow-support: [C04AIRFLOW1] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// List the workloads that really set the header, one by one. If others below the subtree are
    /// needed as well, make them a surface of their own, without channels.
    ChannelSubtree, Error, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    let Some(file) = policies.file("surfaces.yaml") else { return };
    let surfaces = file.node(&["surfaces"]).map_or(&[][..], |node| node.entries());
    for (name, surface) in surfaces {
        let has_channels = surface.entry("channels").is_some_and(|(_, it)| !it.entries().is_empty());
        let Some((_, workloads)) = surface.entry("workloads").filter(|_| has_channels) else {
            continue;
        };
        for workload in workloads.items() {
            let Some(subtree) = workload.as_text().filter(|id| id.ends_with("/*")) else { continue };
            let message = format!("every workload below `{subtree}` can claim any channel of `{}`", name.text);
            findings.add(file.place(workload.span), message, |finding| {
                finding
                    .label("a subtree, on a surface with channels")
                    .help("list the workloads that set the channel header, one by one")
            });
        }
    }
}
