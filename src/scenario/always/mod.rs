//! What must always hold: each `always` of a test file, proved over all callers.

mod read;

use jiff::Timestamp;

use super::{Failure, Tried};
use crate::access::{Counterexample, Groups, Invariant, Item, Proof, Prover};
use crate::diagnostics::{Place, Sources};
use crate::explain::{Outcome, explain_query};

pub(super) use self::read::read;

/// An `always`, as it is read.
pub(super) struct Always {
    place: Place,
    words: String,
    invariant: Invariant,
}

/// Proves one, or finds who breaks it.
pub(super) fn prove(prover: &Prover, always: &Always, sources: &Sources) -> Tried {
    let Always { place, words, invariant } = always;
    let failure = match prover.prove(invariant) {
        Ok(Proof::Holds) => None,
        Ok(Proof::Broken(example)) => Some(broken(prover, &example, invariant.from)),
        Ok(Proof::Unclear { server, environment, item }) => Some(Failure {
            problem: format!(
                "not proved: it depends on arguments that cannot be told apart, of {}",
                target(&server, &environment, &item)
            ),
            explanation: None,
        }),
        Err(wrong) => Some(Failure { problem: wrong.to_string(), explanation: None }),
    };
    let line = sources.line_column(*place).0;
    Tried { line, words: words.clone(), is_always: true, failure }
}

fn broken(prover: &Prover, example: &Counterexample, from: Timestamp) -> Failure {
    let Counterexample { server, environment, item, witness, others, .. } = example;
    let what = target(server, environment, item);
    let when = if witness.at > from { format!(" from {} on", witness.at) } else { String::new() };
    let arguments = witness.arguments.as_deref().unwrap_or("{}");
    let (explanation, rule) = prover.ask(example, |set, query| {
        let mut explanation = explain_query(set, query, arguments, false);
        // The set that was asked needs none.
        for step in explanation.steps.iter_mut().filter(|step| step.name == "reviews") {
            (step.outcome, step.detail) = (Outcome::Note, "taken as in force".to_owned());
        }
        let rule = explanation.decision.rule.and_then(|rule| set.rule(rule));
        (explanation, rule.map(|rule| rule.to_string()))
    });
    let by = rule.map(|rule| format!(", by {rule}")).unwrap_or_default();
    let others = match others {
        0 => String::new(),
        1 => "; broken for 1 other item as well".to_owned(),
        count => format!("; broken for {count} other items as well"),
    };
    let who = match (&witness.groups, &witness.place.new) {
        (Groups::NobodySignedIn, Some(place)) => format!("{place} without a user"),
        (Groups::NobodySignedIn | Groups::Unknown | Groups::Known { .. }, _) => witness.to_string(),
    };
    let problem = format!("broken: {who} may{when} {what}{by}{others}");
    Failure { problem, explanation: Some(explanation) }
}

/// `call presto@prod/run_query`
fn target(server: &str, environment: &str, item: &Item) -> String {
    match item {
        Item::Open => format!("open a connection to {server}@{environment}"),
        Item::Look => format!("look around {server}@{environment}"),
        Item::Tool(name) => format!("call {server}@{environment}/{name}"),
        Item::Resource { pattern, uri: _ } => format!("read {server}@{environment}/{pattern}"),
        Item::Prompt(name) => format!("get {server}@{environment}/{name}"),
        Item::Tasks => format!("look after tasks of {server}@{environment}"),
        Item::Method(name) => format!("use {name} of {server}@{environment}"),
    }
}
