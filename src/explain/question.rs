//! What somebody wants to know, in the words of the command line.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use crate::diagnostics::did_you_mean;
use crate::identity::{Caller, GroupSet, Groups, User, UserName, WorkloadPattern};
use crate::json::{self, JsonError, Limits, Object, Value};
use crate::mcp::{self, Action, Discovery, Method};
use crate::policy::PolicySet;
use crate::policy::model::{EnvironmentId, Place, PlaceKind, Server};

/// A question. Names are the policies' own.
#[derive(Clone, Debug)]
pub struct Question<'q> {
    /// `presto/run_query`, `presto@staging/run_query`, or `presto` for looking around.
    pub what: &'q str,
    /// The URI of a resource to read there, instead of a tool.
    pub read: Option<&'q str>,
    /// The name of a prompt to get there, instead of a tool.
    pub prompt: Option<&'q str>,
    /// The method of a request there, instead of a tool: one that looks around, one of tasks, or an
    /// extension's.
    pub method: Option<&'q str>,
    /// A surface, or `surface/channel`.
    pub via: Option<&'q str>,
    /// A service, instead of a surface.
    pub service: Option<&'q str>,
    /// The person's name: `issuer:subject`, or a name that no rule may depend on.
    pub user: Option<&'q str>,
    /// The person's groups; `None` if no person asks.
    pub groups: Option<Vec<&'q str>>,
    /// Whether the person's groups are unknown.
    pub groups_unknown: bool,
    /// The scopes of the person's token, as grants name them.
    pub scopes: Vec<&'q str>,
    /// The OAuth client of the person's token; without it, the surface's first.
    pub client: Option<&'q str>,
    /// The arguments, as JSON.
    pub args: &'q str,
    /// When.
    pub at: Timestamp,
}

/// Why a question has no answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum QuestionError {
    /// Something is named that the policies do not declare.
    #[error("unknown {what} `{name}`{hint}")]
    Unknown {
        /// A server, surface, channel, ...
        what: &'static str,
        /// The name.
        name: String,
        /// What may have been meant, with what leads up to it.
        hint: String,
    },
    /// A server does not run in an environment.
    #[error("`{server}` does not run in `{environment}`{hint}")]
    NotThere {
        /// The server.
        server: String,
        /// The environment.
        environment: String,
        /// What may have been meant, with what leads up to it.
        hint: String,
    },
    /// A slash, and no tool behind it.
    #[error("`{server}/` names no tool; write `{server}/TOOL`, or `{server}` for looking around")]
    NoTool {
        /// The server, with its environment if that is said.
        server: String,
    },
    /// A service where a surface is meant, or the other way round.
    #[error("`{name}` is not a {what}; use `{}`", if *.what == "service" { "--via" } else { "--service" })]
    OtherKind {
        /// What is meant.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A server runs in several environments, none of which is `prod`.
    #[error("`{server}` runs in {environments}; say which, as `{server}@ENVIRONMENT`")]
    Environment {
        /// The server.
        server: String,
        /// Its environments.
        environments: String,
    },
    /// A rule names a user, and the question does not say whether it is that one.
    #[error("which issuer's `{name}`? a rule names `{like}`")]
    Issuer {
        /// The name without an issuer.
        name: String,
        /// The user that a rule names.
        like: String,
    },
    /// Two things are asked for.
    #[error("ask for one tool, resource, prompt or method")]
    Several,
    /// A method that is about something.
    #[error("`{method}` names what it is about: {instead}")]
    MethodOfItem {
        /// The method.
        method: String,
        /// How to ask.
        instead: &'static str,
    },
    /// Not a method that goes anywhere.
    #[error(
        "`{method}` is no method of the protocol, and no extension's: write `vendor/method`{hint}"
    )]
    NoMethod {
        /// What was written.
        method: String,
        /// What may have been meant, with what leads up to it.
        hint: String,
    },
    /// The arguments are not a JSON object.
    #[error("`--args` {problem}; give one JSON object, such as {{\"sql\": \"select 1\"}}")]
    Arguments {
        /// What is wrong, and where.
        problem: String,
    },
}

impl QuestionError {
    pub(crate) fn unknown<'a>(
        what: &'static str,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::Unknown { what, name: name.to_owned(), hint: hint(name, candidates) }
    }
}

/// More names than this are no help.
const MAX_HINTED: usize = 8;

/// The name that may have been meant; if there is none, those that there are.
fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<_> = candidates.into_iter().collect();
    match did_you_mean(name, candidates.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if candidates.is_empty() => "; there are none".to_owned(),
        None if candidates.len() > MAX_HINTED => String::new(),
        None => format!("; known are `{}`", candidates.join("`, `")),
    }
}

/// A caller, and the channel that a request from there would name.
pub(super) struct Asker {
    pub(super) who: Caller,
    pub(super) channel: Option<String>,
}

/// As the request's body is read, in which arguments stand two levels down.
const LIMITS: Limits =
    Limits { max_depth: mcp::LIMITS.max_depth - 2, guarded_keys: mcp::LIMITS.guarded_keys };

/// A server in an environment, from `SERVER@ENVIRONMENT`, or `SERVER` for its only one, else
/// `prod`.
///
/// # Errors
///
/// If there is none of that name, or it is not clear where.
pub fn server<'s>(
    set: &'s PolicySet,
    name: &str,
) -> Result<(&'s Server, EnvironmentId), QuestionError> {
    let (name, environment) = match name.split_once('@') {
        Some((name, environment)) => (name, Some(environment)),
        None => (name, None),
    };
    let Some(server) = set.server(name) else {
        let servers = set.servers();
        let names = servers.iter().map(|server| &*server.name);
        return Err(QuestionError::unknown("server", name, names));
    };
    let names: Vec<_> =
        server.environments.iter().map(|here| set.environment_name(here.id)).collect();
    match environment {
        Some(wanted) => {
            let here = set.environment(wanted).filter(|id| server.environment(*id).is_some());
            here.map(|id| (server, id)).ok_or_else(|| QuestionError::NotThere {
                server: server.name.to_string(),
                environment: wanted.to_owned(),
                hint: hint(wanted, names),
            })
        }
        None => match set.bare_environment(server) {
            Some(bare) => Ok((server, bare)),
            None => Err(QuestionError::Environment {
                server: server.name.to_string(),
                environments: names.join(", "),
            }),
        },
    }
}

impl<'q> Question<'q> {
    pub(super) fn tool(&self) -> Option<&'q str> {
        self.what.split_once('/').map(|(_, tool)| tool)
    }

    /// The server and the environment.
    pub(super) fn target(&self, set: &PolicySet) -> Result<(String, String), QuestionError> {
        let target = match self.what.split_once('/') {
            Some((target, "")) => return Err(QuestionError::NoTool { server: target.to_owned() }),
            Some((target, _)) => target,
            None => self.what,
        };
        let (server, environment) = server(set, target)?;
        Ok((server.name.to_string(), set.environment_name(environment).to_owned()))
    }

    pub(super) fn caller(&self, set: &PolicySet) -> Result<Asker, QuestionError> {
        let mut user = self.person(set)?;
        let (workload, channel) = match (self.service, self.via) {
            (Some(service), _) => (workload_of(place(set, "service", service)?), None),
            (None, Some(via)) => {
                let (surface, channel) = match via.split_once('/') {
                    Some((surface, channel)) => (surface, Some(channel)),
                    None => (via, None),
                };
                let place = place(set, "surface", surface)?;
                let channel = channel.map(|name| channel_id(place, name)).transpose()?;
                if let Some(user) = &mut user {
                    user.client = self.client.map(Into::into).or_else(|| first_client(place));
                }
                (workload_of(place), channel)
            }
            (None, None) => (None, None),
        };
        Ok(Asker { who: Caller { user: user.map(Arc::new), workload }, channel })
    }

    fn person(&self, set: &PolicySet) -> Result<Option<User>, QuestionError> {
        let has_token = self.groups.is_some() || self.groups_unknown || !self.scopes.is_empty();
        if self.user.is_none() && !has_token {
            return Ok(None);
        }
        let mut groups = GroupSet::default();
        for name in self.groups.iter().flatten() {
            let group = set
                .group(name)
                .ok_or_else(|| QuestionError::unknown("group", name, set.group_names()))?;
            groups.insert(group);
        }
        let name = self.user.unwrap_or("somebody");
        let (issuer, subject) = name.split_once(':').unwrap_or(("-", name));
        let named = |user: &&UserName| user.subject() == subject;
        if let ("-", Some(user)) = (issuer, set.named_users().find(named)) {
            return Err(QuestionError::Issuer { name: name.to_owned(), like: user.to_string() });
        }
        let groups = if self.groups_unknown { Groups::Unknown } else { Groups::Known(groups) };
        let scopes = self.scopes(set)?;
        Ok(Some(User { scopes, ..User::new(issuer, subject, groups) }))
    }

    /// A scope that no grant names decides nothing: it is a typing error, or can be left out.
    fn scopes(&self, set: &PolicySet) -> Result<Vec<Box<str>>, QuestionError> {
        let named: BTreeSet<&str> = set.named_scopes().collect();
        let scope = |name: &&str| match named.get(name) {
            Some(name) => Ok(Box::from(*name)),
            None => Err(QuestionError::unknown("scope", name, named.iter().copied())),
        };
        self.scopes.iter().map(scope).collect()
    }

    /// What a request of the method asks for.
    pub(super) fn method_action(method: &'q str) -> Result<Action<'q>, QuestionError> {
        let about =
            |instead| Err(QuestionError::MethodOfItem { method: method.to_owned(), instead });
        let Ok(known) = method.parse::<Method>() else {
            if mcp::is_extension(method) {
                return Ok(Action::Extension(method));
            }
            let all = Method::ALL.iter().map(|method| method.as_str());
            let hint = match did_you_mean(method, all) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => String::new(),
            };
            return Err(QuestionError::NoMethod { method: method.to_owned(), hint });
        };
        Ok(Action::Discover(match known {
            Method::Initialize => Discovery::Initialize,
            Method::Ping => Discovery::Ping,
            Method::ServerDiscover => Discovery::ServerDiscover,
            Method::ListTools => Discovery::ListTools,
            Method::ListResources => Discovery::ListResources,
            Method::ListResourceTemplates => Discovery::ListResourceTemplates,
            Method::ListPrompts => Discovery::ListPrompts,
            Method::SetLogLevel => Discovery::SetLogLevel,
            Method::Initialized
            | Method::Cancelled
            | Method::Progress
            | Method::RootsListChanged
            | Method::TaskStatus => Discovery::Notification,
            Method::Listen => return Ok(Action::Listen(mcp::Uris::default())),
            Method::GetTask
            | Method::TaskResult
            | Method::CancelTask
            | Method::UpdateTask
            | Method::ListTasks => return Ok(Action::Task { id: None }),
            Method::CallTool => return about("ask for `SERVER/TOOL`"),
            Method::ReadResource | Method::SubscribeResource | Method::UnsubscribeResource => {
                return about("use `--read URI`");
            }
            Method::GetPrompt => return about("use `--prompt NAME`"),
            Method::Complete => return about("use `--prompt NAME` or `--read URI`"),
        }))
    }

    pub(super) fn arguments(&self) -> Result<Option<Object<'q>>, QuestionError> {
        let wrong = |problem: String| QuestionError::Arguments { problem };
        let value = json::parse(self.args.as_bytes(), LIMITS)
            .map_err(|error| wrong(format!("is wrong{}: {}", self.beside(&error), error.kind)))?;
        let found = match value {
            Value::Object(object) => return Ok(Some(object)),
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
        };
        Err(wrong(format!("is {found}")))
    }

    /// Where the arguments are wrong, by what stands there.
    fn beside(&self, error: &JsonError) -> String {
        let rest = self.args.get(error.offset..).unwrap_or_default().chars().take(16);
        let shown: String = rest.map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
        if shown.is_empty() { " at its end".to_owned() } else { format!(" at `{shown}`") }
    }
}

fn place<'s>(
    set: &'s PolicySet,
    what: &'static str,
    name: &str,
) -> Result<&'s Place, QuestionError> {
    let is_service = |place: &Place| matches!(place.kind, PlaceKind::Service);
    match set.place_named(name) {
        Some((_, place)) if is_service(place) == (what == "service") => Ok(place),
        Some(_) => Err(QuestionError::OtherKind { what, name: name.to_owned() }),
        None => {
            let alike = |name: &&str| {
                set.place_named(name)
                    .is_some_and(|(_, place)| is_service(place) == (what == "service"))
            };
            Err(QuestionError::unknown(what, name, set.place_names().filter(alike)))
        }
    }
}

fn first_client(place: &Place) -> Option<Box<str>> {
    match &place.kind {
        PlaceKind::Surface { clients, .. } => clients.as_ref()?.first().cloned(),
        PlaceKind::Service => None,
    }
}

fn workload_of(place: &Place) -> Option<crate::identity::Workload> {
    place.workloads.first().and_then(WorkloadPattern::example)
}

/// The identifier that a request from a channel would carry.
fn channel_id(place: &Place, name: &str) -> Result<String, QuestionError> {
    let channel = place.channel_named(name);
    let id = channel.and_then(|channel| channel.ids.first()).map(ToString::to_string);
    id.ok_or_else(|| {
        let names = match &place.kind {
            PlaceKind::Surface { channels, .. } => channels.as_slice(),
            PlaceKind::Service => &[],
        };
        QuestionError::unknown("channel", name, names.iter().map(|channel| &*channel.name))
    })
}
