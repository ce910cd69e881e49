//! An examination as text for people, and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json as object};

use super::{Examination, Outcome, Person, Step, Verdict};

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused(_) => "refused",
            Self::Unknown => "unknown",
        }
    }
}

impl Outcome {
    /// As `toolgate explain` says it.
    fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Bad => "miss",
            Self::Unseen => "-",
        }
    }
}

/// Text: the answer first, in the server's words; then everything that was looked at.
#[must_use]
pub fn text(examination: &Examination) -> String {
    let Examination { verdict, steps, person } = examination;
    let mut text = match verdict {
        Verdict::Accepted if steps.iter().any(|step| step.outcome == Outcome::Unseen) => {
            "ACCEPTED  if its owner shows it\n".to_owned()
        }
        Verdict::Accepted => "ACCEPTED\n".to_owned(),
        Verdict::Refused(error) => format!("REFUSED  token_invalid  {error}\n"),
        Verdict::Unknown => {
            "UNKNOWN  nothing is wrong but that the keys are not there\n".to_owned()
        }
    };
    for Step { outcome, name, detail, hint } in steps {
        let _ = writeln!(text, "  {:<4}  {name:<9}  {detail}", outcome.word());
        if let Some(hint) = hint {
            let _ = writeln!(text, "        {:<9}  hint: {hint}", "");
        }
    }
    let Some(Person { name, facts, explain }) = person else {
        return text;
    };
    let heading = match verdict {
        Verdict::Accepted => "This is",
        Verdict::Refused(_) | Verdict::Unknown => "If it were accepted, this would be",
    };
    let _ = writeln!(text, "{heading} {name}");
    for (name, fact) in facts {
        let _ = writeln!(text, "  {name}: {fact}");
    }
    let _ = writeln!(text, "What they may do: {explain}");
    text
}

/// The same for programs.
#[must_use]
pub fn json(examination: &Examination) -> Value {
    let Examination { verdict, steps, person } = examination;
    let reason = match verdict {
        Verdict::Refused(error) => Some(error.to_string()),
        Verdict::Accepted | Verdict::Unknown => None,
    };
    let step = |step: &Step| {
        let Step { outcome, name, detail, hint } = step;
        object!({ "part": name, "outcome": outcome.word(), "detail": detail, "hint": hint })
    };
    let person = person.as_ref().map(|Person { name, facts, explain: _ }| {
        let fact = |(name, fact): &(&'static str, String)| object!({ "what": name, "is": fact });
        object!({ "name": name, "facts": facts.iter().map(fact).collect::<Vec<_>>() })
    });
    object!({
        "verdict": verdict.word(),
        "reason": reason,
        "steps": steps.iter().map(step).collect::<Vec<_>>(),
        "person": person,
    })
}
