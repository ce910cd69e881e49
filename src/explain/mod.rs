//! Why: one question, decided by the same `decide` that serves Envoy, with its trace in words.

mod nearest;
mod question;
mod render;
mod words;

use std::path::PathBuf;

use jiff::Timestamp;

use crate::engine::{self, Decision, Query, Recorder, Verdict};
use crate::json::Object;
use crate::mcp::{Action, Discovery, PromptOp, ResourceOp};
use crate::policy::PolicySet;

pub use self::nearest::{Change, Nearest};
pub use self::question::{Question, QuestionError, server};
pub use self::render::{json, text};

/// A decision, and how it was reached.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The server's name.
    pub server: String,
    /// The environment's name.
    pub environment: String,
    /// The tool's name; `None` for looking around.
    pub tool: Option<String>,
    /// The URI of a resource.
    pub resource: Option<String>,
    /// The name of a prompt.
    pub prompt: Option<String>,
    /// The method, of tasks or of an extension.
    pub method: Option<String>,
    /// The time it was asked for.
    pub at: Timestamp,
    /// The answer.
    pub decision: Decision,
    /// What the engine looked at.
    pub trace: Recorder,
    /// Surface, reviews, bans, in the order they were looked at.
    pub steps: Vec<Step>,
    /// Grants that the decision could rest on.
    pub grants: Vec<Step>,
    /// How many grants do not call the tool.
    pub other_grants: usize,
    /// What would let a refused request through, the fewest changes first; each was tried.
    pub nearest: Vec<Nearest>,
}

/// One line of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How it went.
    pub outcome: Outcome,
    /// What was looked at.
    pub name: String,
    /// What was found.
    pub detail: String,
    /// What says so.
    pub origin: Option<Origin>,
}

/// A line of a policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, as it is shown to people.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It lets the call through.
    Ok,
    /// It does not.
    Miss,
    /// A ban that matches.
    Ban,
    /// Somebody must agree.
    Wait,
    /// It decides nothing by itself, and is worth knowing.
    Note,
}

/// Decides a question and explains the answer.
///
/// # Errors
///
/// If the question names something that the policies do not declare: an answer would be about
/// something else than what was meant.
pub fn explain(set: &PolicySet, question: &Question<'_>) -> Result<Explanation, QuestionError> {
    let (server, environment) = question.target(set)?;
    let caller = question.caller(set)?;
    let asked = [question.tool(), question.read, question.prompt, question.method];
    if asked.into_iter().flatten().count() > 1 {
        return Err(QuestionError::Several);
    }
    let arguments = question.arguments()?;
    let empty = Object::EMPTY;
    let arguments = arguments.as_ref().unwrap_or(&empty);
    let action = match (question.tool(), question.read, question.prompt) {
        (Some(name), _, _) => Action::CallTool { name, arguments, task: false },
        (None, Some(uri), _) => Action::Resource { op: ResourceOp::Read, uri },
        (None, None, Some(name)) => Action::Prompt { op: PromptOp::Get, name },
        (None, None, None) => match question.method {
            Some(method) => Question::method_action(method)?,
            None => Action::Discover(Discovery::ListTools),
        },
    };
    let query = Query {
        server: &server,
        environment: &environment,
        caller: &caller.who,
        channel: caller.channel.as_deref(),
        action,
        now: question.at,
    };
    Ok(explain_query(
        set,
        &query,
        question.args,
        question.service.is_none() && question.via.is_none(),
    ))
}

/// Decides a query and explains the answer. `args` are its arguments as JSON; `assumed_surface`:
/// nobody said where it comes from.
#[must_use]
pub fn explain_query(
    set: &PolicySet,
    query: &Query<'_>,
    args: &str,
    assumed_surface: bool,
) -> Explanation {
    let mut trace = Recorder::default();
    let decision = engine::decide(set, query, &mut trace);
    let words = words::Words { set, query, trace: &trace };
    let mut grants = words.grants(decision);
    grants.extend(words.tool_limit());
    grants.extend(words.shadow(decision));
    if decision.verdict == Verdict::NeedsApproval {
        grants.extend(words.approval());
    }
    let mut steps = Vec::new();
    if assumed_surface {
        steps.push(words.assumed_surface());
    }
    steps.extend(words.steps(decision));
    let (mut tool, mut resource, mut prompt, mut method) = (None, None, None, None);
    match query.action {
        Action::CallTool { name, arguments: _, task: _ } => tool = Some(name.to_owned()),
        Action::Resource { op: _, uri } => resource = Some(uri.to_owned()),
        Action::Prompt { op: _, name } => prompt = Some(name.to_owned()),
        Action::Task { .. } => method = Some("tasks".to_owned()),
        Action::Extension(name) => method = Some(name.to_owned()),
        Action::Discover(_) | Action::Listen(_) | Action::Unknown => {}
    }
    Explanation {
        steps,
        other_grants: words.other_grants(),
        nearest: nearest::Search::new(set, query)
            .map(|search| search.nearest(decision, args))
            .unwrap_or_default(),
        tool,
        resource,
        prompt,
        method,
        at: query.now,
        server: query.server.to_owned(),
        environment: query.environment.to_owned(),
        decision,
        grants,
        trace,
    }
}
