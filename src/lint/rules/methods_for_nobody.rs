use crate::lint::context::Context;
use crate::lint::rule::{Check, Findings, rule};
use crate::policy::model::GrantWho;

rule! {
    /// ## What it finds
    ///
    /// `tasks` or `methods` on a server that grants nothing to people.
    ///
    /// ## Why
    ///
    /// Both are for people who are signed in: a task is kept for the user who began it, and nobody
    /// has said what an extension's method may do without one. Services are refused.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// tasks: bound_to_user
    /// grants:
    ///   nightly: { services: [nightly-lineage], call: [list_tables] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Leave the key out, or grant something to people.
    MethodsForNobody, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        let for_people = server.grants().iter().any(|grant| match grant.who {
            GrantWho::People { .. } | GrantWho::Users(..) => true,
            GrantWho::Services(_) => false,
        });
        if for_people {
            continue;
        }
        for key in ["tasks", "methods"] {
            let Some(place) = file.key(&[key]) else { continue };
            let message = format!("`{key}` is for people, and the server grants nothing to any");
            findings.add(place, message, |finding| {
                finding.help("leave it out, or grant something to people")
            });
        }
    }
}
