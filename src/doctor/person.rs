//! Who a token's holder would be.

use super::With;
use super::words::{list, quoted};
use crate::authn::token::{ClaimedGroups, Issuer, Said, VerifiedToken};
use crate::identity::{Groups, User, forwarded_name};

/// Who a token's holder would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// How policies, records and the deny-list name them: `ISSUER:SUBJECT`.
    pub name: String,
    /// What is known of them, each with a word on what it is, in the order of a reader.
    pub facts: Vec<(&'static str, String)>,
    /// What `toolgate explain` may be asked about them.
    pub explain: String,
}

impl Person {
    pub(super) fn of(
        said: &Said,
        issuer: &Issuer,
        with: &With<'_>,
        clean: &impl Fn(String) -> String,
    ) -> Self {
        let VerifiedToken {
            subject,
            groups,
            email,
            preferred_username,
            client,
            tenant,
            scopes,
            actors,
            id,
            // Said where they are judged.
            audiences: _,
            bound_to: _,
            begins: _,
            issued: _,
            expires: _,
        } = said.unproven();
        let user = User::new(&issuer.name, subject, Groups::Unknown);
        let forwarded = forwarded_name(&user, with.config.qualifies_users());
        let mut facts = vec![("X-Forwarded-User", quoted(&forwarded))];
        let texts = [
            ("email", email),
            ("preferred username", preferred_username),
            ("client", client),
            ("tenant", tenant),
            ("jti", id),
        ];
        for (name, text) in texts {
            facts.extend(text.as_deref().map(|text| (name, quoted(text))));
        }
        if !scopes.is_empty() {
            facts.push(("scopes", list(scopes.iter().map(|scope| quoted(scope)))));
        }
        if !actors.is_empty() {
            let actors = actors.iter().map(|actor| quoted(&actor.subject));
            facts.push(("acted for by", list(actors)));
        }
        let names = group_facts(groups, issuer, with, &mut facts);
        for (_, fact) in &mut facts {
            *fact = clean(std::mem::take(fact));
        }
        let name = clean(format!("{}:{}", issuer.name, plain(subject)));
        let groups = match names {
            None => "--groups-unknown".to_owned(),
            Some(names) => format!("--groups {}", word(&names.join(","), "GROUP,...")),
        };
        let user = word(&format!("{}:{subject}", issuer.name), "NAME");
        let explain = format!("toolgate explain SERVER/TOOL --via SURFACE --user {user} {groups}");
        let explain = clean(explain);
        Self { name, facts, explain }
    }
}

/// A subject without the quotes, if nothing in it needs them.
fn plain(subject: &str) -> String {
    let shown = quoted(subject);
    if shown == format!("\"{subject}\"") { subject.to_owned() } else { shown }
}

/// A word of a command that people paste: what a shell could take for more than that is left for
/// them to write.
fn word(text: &str, otherwise: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@._:,/+=-".contains(c);
    if text.len() <= 1000 && text.chars().all(is_plain) {
        format!("'{text}'")
    } else {
        otherwise.to_owned()
    }
}

/// Says which groups of the policies the claimed ones are, and returns their names.
fn group_facts(
    claimed: &ClaimedGroups,
    issuer: &Issuer,
    with: &With<'_>,
    facts: &mut Vec<(&'static str, String)>,
) -> Option<Vec<String>> {
    let pointers = || issuer.rules.claims.groups.iter().map(|claim| claim.pointer.to_string());
    let ClaimedGroups::Known(values) = claimed else {
        let where_ = match list(pointers()) {
            none if none.is_empty() => "no claim of groups is configured".to_owned(),
            pointers => format!("a claim of {pointers} is missing, unreadable, or elsewhere"),
        };
        let meaning = "no grant by group applies, every ban by group does";
        facts.push(("groups", format!("unknown: {where_}; {meaning}")));
        return None;
    };
    let of = |values: &[&str]| {
        let values = values.iter().copied();
        with.policy.claimed_groups(&issuer.name, &issuer.group_prefix, values)
    };
    let values: Vec<&str> = values.iter().collect();
    let name = |group| with.policy.group_name(group).to_owned();
    let names: Vec<String> = of(&values).iter().map(name).collect();
    facts.push((
        "groups",
        match names.as_slice() {
            [] => "none that the policies know".to_owned(),
            names => list(names.iter().map(|name| quoted(name))),
        },
    ));
    let renamed = values.iter().filter_map(|value| {
        let groups: Vec<String> = of(&[value]).iter().map(name).collect();
        let same = groups.iter().all(|group| group == value);
        (!same).then(|| format!("{} is {}", quoted(value), list(groups.iter().map(|g| quoted(g)))))
    });
    let renamed = list(renamed);
    facts.extend((!renamed.is_empty()).then_some(("by their claims", renamed)));
    let unnamed: Vec<_> = values.iter().filter(|value| of(&[value]).is_empty()).collect();
    if !unnamed.is_empty() {
        let (count, shown) = (unnamed.len(), list(unnamed.iter().map(|value| quoted(value))));
        facts.push(("claimed, and in no policy", format!("{count}: {shown}")));
    }
    Some(names)
}
