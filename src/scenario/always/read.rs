//! An `always` as it is written, and what its names mean.

use jiff::Timestamp;

use super::Always;
use crate::access::{Demand, Described, Invariant, Named, Targets};
use crate::diagnostics::{Code, Diagnostic, Place, did_you_mean};
use crate::identity::{GroupId, GroupSet, UserName};
use crate::policy::model::{
    BannedServices, ChannelId, Effect, EnvironmentId, ItemId, People, PlaceId, PlaceKind,
    ResourceId, Server, Trait, Via, ViaPlace,
};
use crate::policy::{PolicySet, names};
use crate::yaml::{Fields, Keys, Kind, Node, Reader, Spanned};

type Text<'n> = Spanned<&'n str>;

const KEYS: Keys = Keys {
    known: &[
        "only", "never", "call", "read", "prompt", "discover", "effects", "traits", "servers",
        "in", "via",
    ],
    later: &[],
};
const WHO: Keys = Keys { known: &["people", "also_in", "except", "users", "services"], later: &[] };
/// What may be named, and what callers do with it.
const VERBS: [(&str, &str); 4] =
    [("call", "call"), ("read", "read"), ("prompt", "get"), ("discover", "look around")];
const ANY_SERVICE: &str = "any-service";
const ANY_SURFACE: &str = "any-surface";

/// Reads the names of one policy set.
struct Names<'r, 'p, 's> {
    reader: &'r mut Reader<'p>,
    set: &'s PolicySet,
}

/// Reads one. `None` if there is a problem, which is noted: what names something that is not
/// there would prove nothing.
pub(in crate::scenario) fn read(
    reader: &mut Reader<'_>,
    set: &PolicySet,
    node: &Node,
    from: Timestamp,
) -> Option<Always> {
    let before = reader.noted();
    let fields = reader.fields(node, KEYS)?;
    let mut names = Names { reader, set };
    let demand = match (fields.get("only"), fields.get("never")) {
        (Some(node), None) => Some((Demand::Only, node)),
        (None, Some(node)) => Some((Demand::Never, node)),
        (None, None) | (Some(_), Some(_)) => {
            let help = "write `only`, and nobody else may; or `never`, and none of them may";
            names.problem(Code::MissingKey, fields.place, "an `always` says who, once", help);
            None
        }
    };
    let who = demand.and_then(|(demand, node)| Some((demand, names.who(node)?)));
    let (what, said) = names.what(fields);
    let (demand, (who, people)) = who?;
    if let (Some(_), Some(place)) = (&who.services, fields.key_place("via")) {
        let help = "leave `via` out, or write one for people and one for services";
        names.problem(Code::BadValue, place, "a service has no surface", help);
    }
    let words = match demand {
        Demand::Only => format!("only {people} may {said}"),
        Demand::Never => format!("{people} may never {said}"),
    };
    let invariant = Invariant { demand, who, what, from };
    (reader.noted() == before).then_some(Always { place: fields.place, words, invariant })
}

impl<'s> Names<'_, '_, 's> {
    fn problem(&mut self, code: Code, place: Place, message: impl Into<String>, help: &str) {
        self.reader.report(Diagnostic::error(code, place, message).help(help));
    }

    fn unknown<'a>(
        &mut self,
        (code, what): (Code, &str),
        name: Text<'_>,
        candidates: impl IntoIterator<Item = &'a str>,
    ) {
        const MOST: usize = 8;
        let known: Vec<_> = candidates.into_iter().collect();
        let help = match did_you_mean(name.value, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "there are none".to_owned(),
            None if known.len() > MOST => "correct the name".to_owned(),
            None => format!("known are `{}`", known.join("`, `")),
        };
        let message = format!("unknown {what} `{}`", name.value);
        self.reader.report(Diagnostic::error(code, name.place, message).help(help));
    }

    /// A list that is not empty; `None` without the key.
    fn list<'n>(&mut self, fields: Fields<'n>, key: &str) -> Option<Vec<Text<'n>>> {
        let node = fields.get(key)?;
        let texts = self.reader.texts(node);
        if let Kind::Sequence(items) = &node.kind
            && items.is_empty()
        {
            let place = self.reader.place(node.span);
            let help = "leave the key out, or name something";
            self.problem(Code::BadValue, place, format!("`{key}` is empty"), help);
        }
        Some(texts)
    }

    // === Who ===

    fn who(&mut self, node: &Node) -> Option<(Described, String)> {
        let fields = self.reader.fields(node, WHO)?;
        let mut words = Vec::new();
        let people = self.list(fields, "people");
        let also_in = match fields.get("also_in") {
            Some(node) if matches!(node.kind, Kind::Text(_)) => {
                self.reader.text(node).map(|text| vec![text])
            }
            _ => self.list(fields, "also_in"),
        };
        let except = self.list(fields, "except");
        for key in ["also_in", "except"] {
            if let (None, Some(place)) = (&people, fields.key_place(key)) {
                let message = "`also_in` and `except` narrow `people`";
                self.problem(Code::BadValue, place, message, "remove it, or name `people`");
            }
        }
        if let Some(people) = &people {
            let mut said = joined(people, "|");
            if let Some(also_in) = &also_in {
                said = format!("{said} and {}", joined(also_in, "|"));
            }
            if let Some(except) = &except {
                said = format!("{said}, not {}", joined(except, ", not "));
            }
            words.push(said);
        }
        let users = self.users(fields);
        words.extend(users.iter().map(ToString::to_string));
        let services = self.services(fields, &mut words);
        if !["people", "users", "services"].iter().any(|key| fields.get(key).is_some()) {
            let help = "name `people`, `users` or `services`";
            self.problem(Code::MissingKey, fields.place, "it names nobody", help);
        }
        let people = people.map(|people| match people.as_slice() {
            [Text { value: names::ANYONE, .. }] => People::AnyoneSignedIn,
            people => People::Groups(self.groups(people)),
        });
        let also_in = also_in.map(|names| self.groups(&names));
        let except = except.map(|names| self.groups(&names));
        Some((Described { people, also_in, except, users, services }, words.join(" or ")))
    }

    fn groups(&mut self, names: &[Text<'_>]) -> GroupSet {
        let group = |name: &Text<'_>| -> Option<GroupId> {
            let found = self.set.group(name.value);
            if found.is_none() && name.value == names::ANYONE {
                let message = format!("`{}` stands alone, under `people`", names::ANYONE);
                let help = "it is everybody: leave the groups out";
                self.problem(Code::UnknownGroup, name.place, message, help);
            } else if found.is_none() {
                self.unknown((Code::UnknownGroup, "group"), *name, self.set.group_names());
            }
            found
        };
        names.iter().filter_map(group).collect()
    }

    fn users(&mut self, fields: Fields<'_>) -> Vec<UserName> {
        let names = self.list(fields, "users").unwrap_or_default();
        let user = |name| self.reader.parse_text(name, "a user's name", str::parse::<UserName>);
        names.into_iter().filter_map(user).map(|name| name.value).collect()
    }

    fn services(&mut self, fields: Fields<'_>, words: &mut Vec<String>) -> Option<BannedServices> {
        let node = fields.get("services")?;
        if matches!(&node.kind, Kind::Text(text) if text == ANY_SERVICE) {
            words.push("any service".to_owned());
            return Some(BannedServices::Any);
        }
        let names = self.list(fields, "services").unwrap_or_default();
        words.extend(names.iter().map(|name| format!("service {}", name.value)));
        let services = names.into_iter().filter_map(|name| self.place(name, "service"));
        Some(BannedServices::Only(services.collect()))
    }

    /// A surface or a service.
    fn place(&mut self, name: Text<'_>, what: &str) -> Option<PlaceId> {
        let is_one = |kind: &PlaceKind| matches!(kind, PlaceKind::Service) == (what == "service");
        let set = self.set;
        match set.place_named(name.value) {
            Some((id, place)) if is_one(&place.kind) => Some(id),
            Some(_) => {
                let message = format!("`{}` is not a {what}", name.value);
                let help = "people come from surfaces, `via`; services act without one";
                self.problem(Code::UnknownPlace, name.place, message, help);
                None
            }
            None => {
                let alike = |name: &&str| {
                    set.place_named(name).is_some_and(|(_, place)| is_one(&place.kind))
                };
                self.unknown((Code::UnknownPlace, what), name, set.place_names().filter(alike));
                None
            }
        }
    }

    // === What ===

    fn what(&mut self, fields: Fields<'_>) -> (Targets, String) {
        let before = self.reader.noted();
        let mut words = Vec::new();
        let mut named = Vec::new();
        for (verb, said) in VERBS {
            let texts = self.list(fields, verb).unwrap_or_default();
            if !texts.is_empty() {
                words.push(format!("{said} {}", joined(&texts, ", ")));
            }
            let targets = texts.into_iter().filter_map(|name| self.named(verb, name));
            named.extend(targets);
        }
        let effects: Vec<Effect> = self.words(fields, "effects", &Effect::ALL, &mut words);
        let traits: Vec<Trait> = self.words(fields, "traits", &Trait::ALL, &mut words);
        if words.is_empty() && self.reader.noted() == before {
            let help = "add `call`, `read`, `prompt`, `discover`, `effects` or `traits`";
            self.problem(Code::MissingKey, fields.place, "it does not say what", help);
        }
        let mut said = words.join(" or ");
        let mut narrowed = |texts: &Option<Vec<Text<'_>>>, word: &str| {
            let said_there = texts.as_ref().map(|list| format!(" {word} {}", joined(list, ", ")));
            said.push_str(&said_there.unwrap_or_default());
        };
        let (servers, environments) = (self.list(fields, "servers"), self.list(fields, "in"));
        let via = self.list(fields, "via");
        narrowed(&servers, "on");
        narrowed(&environments, "in");
        narrowed(&via, "via");
        let environments = environments.map(|texts| {
            texts.into_iter().filter_map(|name| self.environment(name)).collect::<Vec<_>>()
        });
        for name in servers.iter().flatten() {
            if let Some(server) = self.server(*name) {
                self.must_run(server, None, environments.as_deref(), name.place);
            }
        }
        let servers: Option<Vec<Box<str>>> =
            servers.map(|texts| texts.into_iter().map(|name| name.value.into()).collect());
        let via = via.map(|texts| self.via(&texts));
        for (named, place) in &named {
            if servers.as_ref().is_some_and(|servers| !servers.contains(&named.server)) {
                let message = format!("`{}` is none of `servers`", named.server);
                self.problem(Code::BadValue, *place, message, "it would prove nothing");
            }
            if let Some(server) = self.set.server(&named.server) {
                self.must_run(server, named.environment, environments.as_deref(), *place);
            }
        }
        let named = named.into_iter().map(|(named, _)| named).collect();
        (Targets { named, effects, traits, servers, environments, via }, said)
    }

    fn words<T: Copy>(
        &mut self,
        fields: Fields<'_>,
        key: &str,
        all: &[(&'static str, T)],
        said: &mut Vec<String>,
    ) -> Vec<T> {
        let texts = self.list(fields, key).unwrap_or_default();
        if !texts.is_empty() {
            said.push(format!("use what is {}", joined(&texts, "|")));
        }
        let mut found = Vec::new();
        for text in texts {
            if let Some((_, value)) = all.iter().find(|(name, _)| *name == text.value) {
                found.push(*value);
            } else {
                let what = key.trim_end_matches('s');
                self.unknown((Code::BadValue, what), text, all.iter().map(|(name, _)| *name));
            }
        }
        found
    }

    /// `SERVER/NAME`, or a server alone to look around; either with its environment.
    fn named(&mut self, verb: &str, text: Text<'_>) -> Option<(Named, Place)> {
        let (target, name) = match text.value.split_once('/') {
            Some((target, name)) => (target, Some(name)),
            None => (text.value, None),
        };
        if name.is_some() == (verb == "discover") {
            let (message, help) = match name {
                Some(_) => ("`discover` names a server alone", "write `discover: [SERVER]`"),
                None => ("it does not say what on which server", "write `SERVER/NAME`"),
            };
            self.problem(Code::BadValue, text.place, message, help);
            return None;
        }
        let (server, environment) = match target.split_once('@') {
            Some((server, environment)) => (server, Some(environment)),
            None => (target, None),
        };
        let server = self.server(text.map(|_| server))?;
        let environment = match environment {
            Some(name) => {
                let id = self.environment(text.map(|_| name))?;
                self.must_run(server, Some(id), None, text.place).then_some(Some(id))?
            }
            None => None,
        };
        let item = match name {
            Some(name) => Some(self.item(server, verb, text.map(|_| name))?),
            None => None,
        };
        Some((Named { server: (*server.name).into(), environment, item }, text.place))
    }

    fn item(&mut self, server: &Server, verb: &str, name: Text<'_>) -> Option<ItemId> {
        let id = |index: usize| u32::try_from(index).ok();
        let (what, found, known) = match verb {
            "call" => {
                let tool = server.tool(name.value).map(|(id, _)| ItemId::Tool(id));
                ("tool", tool, names_of(server.tools().iter().map(|tool| &tool.name)))
            }
            "prompt" => {
                let prompt = server.prompt(name.value).map(|(id, _)| ItemId::Prompt(id));
                ("prompt", prompt, names_of(server.prompts().iter().map(|prompt| &prompt.name)))
            }
            _ => {
                // As it is listed, or a URI that is.
                let patterns = names_of(server.resources().iter().map(|one| &one.pattern));
                let listed = patterns.iter().position(|pattern| pattern == name.value);
                let listed = listed.and_then(id).map(ResourceId);
                let found = listed.or_else(|| server.resource(name.value).map(|(id, _)| id));
                ("resource", found.map(ItemId::Resource), patterns)
            }
        };
        if found.is_none() {
            let what = format!("{what} on `{}`:", server.name);
            let known = known.iter().map(String::as_str);
            self.unknown((Code::UnknownTool, &what), name, known);
        }
        found
    }

    // === Where ===

    fn server(&mut self, name: Text<'_>) -> Option<&'s Server> {
        let set = self.set;
        let found = set.server(name.value);
        if found.is_none() {
            let servers = set.servers();
            let known = servers.iter().map(|server| &*server.name);
            self.unknown((Code::UnknownServer, "server"), name, known);
        }
        found
    }

    fn environment(&mut self, name: Text<'_>) -> Option<EnvironmentId> {
        let found = self.set.environment(name.value);
        if found.is_none() {
            let known = self.set.environment_names();
            self.unknown((Code::UnknownEnvironment, "environment"), name, known);
        }
        found
    }

    /// Whether a server runs in one of these; else nothing would be proved there.
    fn must_run(
        &mut self,
        server: &Server,
        only: Option<EnvironmentId>,
        any: Option<&[EnvironmentId]>,
        place: Place,
    ) -> bool {
        let fits = |id: EnvironmentId| {
            only.is_none_or(|only| only == id) && any.is_none_or(|any| any.contains(&id))
        };
        let runs = server.environments.iter().any(|environment| fits(environment.id));
        if !runs {
            let message = format!("`{}` does not run there", server.name);
            let names = server.environments.iter().map(|e| self.set.environment_name(e.id));
            let help = format!("it runs in {}", names.collect::<Vec<_>>().join(", "));
            self.problem(Code::UnknownEnvironment, place, message, &help);
        }
        runs
    }

    fn via(&mut self, names: &[Text<'_>]) -> Via {
        if let [Text { value: ANY_SURFACE, .. }] = names {
            return Via::AnySurface;
        }
        let place = |name: &Text<'_>| {
            let (surface, channel) = match name.value.split_once('/') {
                Some((surface, channel)) => (surface, Some(channel)),
                None => (name.value, None),
            };
            let surface = self.place(name.map(|_| surface), "surface")?;
            let channel = match channel {
                Some(channel) => Some(self.channel(surface, name.map(|_| channel))?),
                None => None,
            };
            Some(ViaPlace { surface, channel })
        };
        Via::Places(names.iter().filter_map(place).collect())
    }

    fn channel(&mut self, surface: PlaceId, name: Text<'_>) -> Option<ChannelId> {
        let channels = match self.set.place(surface).map(|place| &place.kind) {
            Some(PlaceKind::Surface { channels, verified: _, clients: _ }) => channels.as_slice(),
            Some(PlaceKind::Service) | None => &[],
        };
        let found = channels.iter().position(|channel| *channel.name == *name.value);
        if found.is_none() {
            let known = channels.iter().map(|channel| &*channel.name);
            self.unknown((Code::UnknownPlace, "channel"), name, known);
        }
        found.and_then(|index| u32::try_from(index).ok()).map(ChannelId)
    }
}

fn joined(texts: &[Text<'_>], between: &str) -> String {
    texts.iter().map(|text| text.value).collect::<Vec<_>>().join(between)
}

fn names_of<T: ToString>(names: impl Iterator<Item = T>) -> Vec<String> {
    names.map(|name| name.to_string()).collect()
}
