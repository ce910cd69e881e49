//! What is in force: one policy set, replaced whole. And what was in force a moment ago, as far as
//! Envoy may still go by it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::request::Route;
use crate::policy::PolicySet;
use crate::policy::model::Server;

/// How long Envoy may take to follow.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// The policy set in force.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) policy: Arc<PolicySet>,
    /// Another one for each set that this process has had in force.
    pub(super) number: u64,
    /// Routes of servers that have moved, by `server@environment`.
    former: HashMap<Box<str>, Vec<Former>>,
}

/// A route that was right until a moment ago.
#[derive(Clone, Debug)]
struct Former {
    path: Box<str>,
    hash: Box<str>,
    /// `host:port`
    upstream: String,
    /// The one audience of the tokens that it was given; `None` if it was given none.
    tokens: Option<Box<str>>,
    until: Instant,
}

/// How Envoy's route relates to the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// They are of one mind, now or a moment ago; or the policy does not know the server, which is
    /// the engine's to refuse.
    Agreed,
    /// They are not.
    Foreign,
}

impl Live {
    pub(super) fn new(policy: PolicySet) -> Self {
        Self { policy: Arc::new(policy), number: 0, former: HashMap::new() }
    }

    /// The next set; where it moves a server, the way to where it was stays open for a while. That
    /// way led to an upstream that was right when Envoy chose it.
    pub(super) fn followed_by(&self, policy: PolicySet, now: Instant) -> Self {
        let mut former = self.former.clone();
        for routes in former.values_mut() {
            routes.retain(|route| route.until > now);
        }
        for server in self.policy.changed_in(&policy) {
            for environment in &server.environments {
                let name = self.policy.environment_name(environment.id);
                let moved = policy
                    .environment(name)
                    .and_then(|id| policy.server(&server.name)?.environment(id))
                    .is_some_and(|new| new.route != environment.route);
                if moved {
                    let upstream = &environment.upstream;
                    let key = format!("{}@{name}", server.name).into();
                    former.entry(key).or_default().push(Former {
                        path: environment.path.clone(),
                        hash: environment.route.clone(),
                        upstream: format!("{}:{}", upstream.host, upstream.port),
                        tokens: tokens(server).map(Into::into),
                        until: now + GRACE,
                    });
                }
            }
        }
        // Where somebody else has moved in, nobody is let in by an old way.
        let owners = if former.is_empty() { HashMap::new() } else { owners(&policy) };
        for (key, routes) in &mut former {
            routes.retain(|route| owners.get(&route.upstream).is_none_or(|owner| **owner == **key));
            // Nor does a token go to where the server was before it was given such tokens.
            let server = key.split_once('@').and_then(|(server, _)| policy.server(server));
            let given = server.and_then(tokens);
            routes.retain(|route| given.is_none() || route.tokens.as_deref() == given);
        }
        former.retain(|_, routes| !routes.is_empty());
        Self { policy: Arc::new(policy), number: self.number + 1, former }
    }

    /// Whether Envoy's route and the policy are of one mind about where a server is.
    pub(super) fn agrees_on(&self, route: Route<'_>, now: impl Fn() -> Instant) -> Agreement {
        let environment = self.policy.environment(route.environment);
        let server = self.policy.server(route.server).zip(environment);
        let found = server.and_then(|(server, environment)| server.environment(environment));
        let Some(found) = found else {
            return Agreement::Agreed;
        };
        if *found.path == *route.path && *found.route == *route.hash {
            return Agreement::Agreed;
        }
        let former = self.former.get(format!("{}@{}", route.server, route.environment).as_str());
        let matches = |former: &Former| *former.path == *route.path && *former.hash == *route.hash;
        match former.into_iter().flatten().find(|former| matches(former)) {
            Some(former) if now() < former.until => Agreement::Agreed,
            Some(_) | None => Agreement::Foreign,
        }
    }
}

/// The one audience of the tokens that a server is given.
fn tokens(server: &Server) -> Option<&str> {
    server.own_resource().filter(|_| server.forwards_token())
}

/// Whose upstream each `host:port` is, as `server@environment`.
fn owners(policy: &PolicySet) -> HashMap<String, String> {
    let mut owners = HashMap::new();
    for server in policy.servers() {
        for environment in &server.environments {
            let (upstream, name) = (&environment.upstream, policy.environment_name(environment.id));
            let key = format!("{}:{}", upstream.host, upstream.port);
            owners.insert(key, format!("{}@{name}", server.name));
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Cores, Loaded, PolicyFile, PolicyFiles};
    use crate::{disk, policy};

    /// The samples with some texts replaced.
    fn set(replace: &[(&str, &str)]) -> PolicySet {
        let swap = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
        edited(|text| replace.iter().fold(text, swap))
    }

    fn edited(edit: impl Fn(String) -> String) -> PolicySet {
        let mut files = disk::read_policies("policies".as_ref());
        let edit = |file: &mut PolicyFile| {
            let text = String::from_utf8(file.bytes.to_vec()).unwrap();
            file.bytes = edit(text).into_bytes().into();
        };
        files.files.iter_mut().for_each(edit);
        policy::load(PolicyFiles { ..files }).unwrap()
    }

    fn route(set: &PolicySet) -> (String, String) {
        let environment = &set.server("presto").unwrap().environments[0];
        (environment.path.to_string(), environment.route.to_string())
    }

    fn agrees(live: &Live, (path, hash): &(String, String), now: Instant) -> bool {
        let route = Route { server: "presto", environment: "prod", path, hash };
        live.agrees_on(route, || now) == Agreement::Agreed
    }

    #[test]
    fn a_move_is_seen_in_a_set_that_was_made_from_what_has_changed() {
        let files = |to: &str| {
            let mut files = disk::read_policies("policies".as_ref());
            for file in &mut files.files {
                let text = String::from_utf8(file.bytes.to_vec()).unwrap();
                let text = text.replace("http://127.0.0.1:7101/mcp", to);
                file.bytes = text.into_bytes().into();
            }
            files
        };
        let old = Loaded::new(files("http://127.0.0.1:7101/mcp"), Cores::One).unwrap();
        let new = old.next(files("http://127.0.0.1:7101/other")).unwrap();
        assert_eq!(old.set().changed_in(new.set()).len(), 1, "the others are shared");
        let (was, is) = (route(old.set()), route(new.set()));
        assert_ne!(was, is);
        let began = Instant::now();
        let live = Live::new(old.set().clone()).followed_by(new.set().clone(), began);
        assert!(agrees(&live, &was, began) && agrees(&live, &is, began));
        assert!(!agrees(&live, &was, began + GRACE));
    }

    const MOVES: [&str; 4] =
        ["127.0.0.1:7101", "127.0.0.1:7801", "127.0.0.1:7802", "127.0.0.1:7803"];

    #[test]
    fn the_way_to_where_a_server_was_stays_open_for_a_while() {
        let began = Instant::now();
        let sets: Vec<_> = MOVES.iter().map(|to| set(&[(MOVES[0], to)])).collect();
        let [first, second, third, never] = <[_; 4]>::try_from(sets).unwrap();
        let (a, b, c, d) = (route(&first), route(&second), route(&third), route(&never));
        let live = Live::new(first);
        assert!(agrees(&live, &a, began) && !agrees(&live, &b, began));
        let live = live.followed_by(second, began);
        let later = began + GRACE / 2;
        assert!(agrees(&live, &a, later) && agrees(&live, &b, later));
        let live = live.followed_by(third, later);
        let in_time = began + GRACE.saturating_sub(Duration::from_millis(1));
        for (route, expected) in [(&a, true), (&b, true), (&c, true), (&d, false)] {
            assert_eq!(agrees(&live, route, in_time), expected);
        }
        assert!(!agrees(&live, &a, began + GRACE), "its time is over");
        assert!(agrees(&live, &b, began + GRACE));
        // Another path is never a former route's.
        let mixed = ("/presto@staging/mcp".to_owned(), b.1.clone());
        assert!(!agrees(&live, &mixed, in_time));
        // Two servers change places: neither is reached by the other's old way.
        let exchanged = set(&[
            (MOVES[0], "PRESTO"),
            ("127.0.0.1:7102", MOVES[0]),
            ("PRESTO", "127.0.0.1:7102"),
        ]);
        let swapped = Live::new(set(&[])).followed_by(exchanged, began);
        assert!(!agrees(&swapped, &a, began), "7101 is spark's now");
        let live = live.followed_by(set(&[]), later + GRACE);
        assert_eq!(live.former.len(), 1, "only what still counts is kept");
    }

    #[test]
    fn no_token_goes_where_a_server_was_before_it_was_given_tokens() {
        const KEEPS: &str = "\ntools:";
        let given = |resource: &str| {
            format!("\nforward_token: true\nresource: 'https://{resource}.example.com'\ntools:")
        };
        let (ours, theirs) = (given("ours"), given("theirs"));
        // Where it is and what it is given, one set after the other; and whether the way to where
        // it was first is still open.
        for (story, is_open) in [
            ([(0, KEEPS), (1, KEEPS), (1, KEEPS)], true),
            ([(0, ours.as_str()), (1, KEEPS), (1, KEEPS)], true),
            ([(0, &ours), (1, &ours), (1, &ours)], true),
            ([(0, KEEPS), (1, &ours), (1, &ours)], false),
            ([(0, KEEPS), (1, KEEPS), (1, &ours)], false),
            ([(0, &theirs), (1, &ours), (1, &ours)], false),
            ([(0, &ours), (1, &ours), (1, &theirs)], false),
        ] {
            let began = Instant::now();
            let sets = story.map(|(at, keys)| {
                // In the first file with this upstream: presto's.
                let edit = |text: String| match text.split_once("  try-in-staging:") {
                    // Presto's, without its other environment: only one may be given tokens.
                    Some((before, rest)) => {
                        let after = rest.split_once("  nightly-lineage:").unwrap().1;
                        let lines = before.lines().filter(|line| !line.starts_with("  staging:"));
                        let before = lines.collect::<Vec<_>>().join("\n");
                        format!("{before}\n  nightly-lineage:{after}").replacen(KEEPS, keys, 1)
                    }
                    None => text,
                };
                edited(|text| edit(text.replace(MOVES[0], MOVES[at])))
            });
            let [first, second, third] = sets;
            let a = route(&first);
            let live = Live::new(first).followed_by(second, began).followed_by(third, began);
            assert_eq!(agrees(&live, &a, began), is_open, "{story:?}");
        }
    }
}
