//! An explanation as text for people, and as JSON.

use std::fmt::{self, Write as _};

use jiff::tz::TimeZone;
use serde_json::{Value, json as object};

use super::{Change, Explanation, Nearest, Origin, Outcome, Step};
use crate::engine::{Reason, Scope, Verdict};
use crate::policy::PolicySet;

/// Text: the answer, what it rests on, and what is missing.
#[must_use]
pub fn text(explanation: &Explanation) -> String {
    let Explanation { server, environment, at, decision, steps, grants, .. } = explanation;
    let at = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC");
    let reason = decision.reason.map_or("", Reason::as_str);
    let answer = match (decision.enforced, decision.verdict) {
        (Verdict::Allow, Verdict::Allow) => "ALLOWED".to_owned(),
        (Verdict::Allow, Verdict::Deny | Verdict::NeedsApproval) => {
            format!("ALLOWED  despite {reason}")
        }
        (Verdict::Deny | Verdict::NeedsApproval, _) => format!("REFUSED  {reason}"),
    };
    let what = format!("{server}@{environment}{}", item(explanation));
    let mut text = format!("{answer:<30}{what}, {at}\n");
    let rows: Vec<&Step> = steps.iter().chain(grants).collect();
    let width = |of: fn(&Step) -> usize| rows.iter().map(|step| of(step)).max().unwrap_or(0);
    let names = width(|step| step.name.chars().count()).max(8);
    let details = width(|step| step.detail.chars().count());
    for Step { outcome, name, detail, origin } in rows {
        let line = format!(
            "  {:<4}  {name:<names$}  {detail:<details$}  {}",
            outcome.as_str(),
            origin.as_ref().map(ToString::to_string).unwrap_or_default()
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for line in closing(explanation) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// What is asked for on the server.
fn item(explanation: &Explanation) -> String {
    let Explanation { tool, resource, prompt, method, .. } = explanation;
    match (tool, resource, prompt, method) {
        (Some(tool), _, _, _) => format!("/{tool}"),
        (None, Some(uri), _, _) => format!(" {uri}"),
        (None, None, Some(prompt), _) => format!(" prompt {prompt}"),
        (None, None, None, Some(method)) => format!(" {method}"),
        (None, None, None, None) => String::new(),
    }
}

fn closing(explanation: &Explanation) -> Vec<String> {
    let Explanation { other_grants, nearest, tool, resource, prompt, decision, .. } = explanation;
    let mut lines: Vec<_> = nearest.iter().map(ToString::to_string).collect();
    if let Some(first) = lines.first_mut() {
        first.insert_str(0, "Nearest: ");
    }
    for other in lines.iter_mut().skip(1) {
        other.insert_str(0, "      Or: ");
    }
    if decision.reason == Some(Reason::Banned) && lines.is_empty() {
        lines.push("Nearest: nothing was found that gets past the ban.".to_owned());
    }
    if decision.reason != Some(Reason::NoGrant) {
        return lines;
    }
    let verb = match (tool, resource, prompt) {
        (Some(_), _, _) => Some("call this tool"),
        (None, Some(_), _) => Some("read this resource"),
        (None, None, Some(_)) => Some("name this prompt"),
        (None, None, None) => None,
    };
    let others = match (verb, other_grants) {
        (None, _) | (_, 0) => String::new(),
        (Some(verb), 1) => format!("1 other grant does not {verb}."),
        (Some(verb), count) => format!("{count} other grants do not {verb}."),
    };
    if !others.is_empty() {
        lines.insert(0, others);
    }
    lines
}

/// `revenue, 2 conditions short: be in ads-eng; come via ai-chat`
impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { grant, changes, approval } = self;
        match changes.len() {
            1 => write!(f, "{grant}, one condition short: ")?,
            count => write!(f, "{grant}, {count} conditions short: ")?,
        }
        for (index, change) in changes.iter().enumerate() {
            let joint = if index == 0 { "" } else { "; " };
            write!(f, "{joint}{change}")?;
        }
        match approval {
            Some(approval) => write!(f, "; then {approval}"),
            None => Ok(()),
        }
    }
}

/// One JSON document.
#[must_use]
pub fn json(set: &PolicySet, explanation: &Explanation) -> Value {
    let Explanation {
        server,
        environment,
        tool,
        resource,
        prompt,
        method,
        at,
        decision,
        steps,
        grants,
        other_grants,
        nearest,
        trace: _,
    } = explanation;
    let rows = |steps: &[Step]| steps.iter().map(row).collect::<Vec<_>>();
    let rule = decision.rule.and_then(|rule| set.rule(rule)).map(|rule| {
        object!({ "name": rule.name, "file": rule.file.to_string_lossy(), "line": rule.line })
    });
    let place = decision.place.and_then(|place| set.place(place));
    object!({
        "verdict": verdict(decision.verdict),
        "enforced": verdict(decision.enforced),
        "reason": decision.reason.map(Reason::as_str),
        "scope": match decision.scope {
            Scope::Server => "server",
            Scope::Item => "item",
        },
        "server": server,
        "environment": environment,
        "tool": tool,
        "resource": resource,
        "prompt": prompt,
        "method": method,
        "at": at.to_string(),
        "surface": place.map(|place| &place.name),
        "channel": place
            .zip(decision.channel)
            .and_then(|(place, channel)| place.channel(channel))
            .map(|channel| &channel.name),
        "rule": rule,
        "policy": decision.policy.to_string(),
        "steps": rows(steps),
        "grants": rows(grants),
        "other_grants": other_grants,
        "nearest": nearest.iter().map(nearest_as_json).collect::<Vec<_>>(),
    })
}

fn nearest_as_json(nearest: &Nearest) -> Value {
    let Nearest { grant, changes, approval } = nearest;
    let change = |change: &Change| object!({ "kind": change.kind(), "words": change.to_string() });
    let changes: Vec<_> = changes.iter().map(change).collect();
    object!({ "grant": grant, "changes": changes, "approval": approval })
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Deny => "deny",
        Verdict::NeedsApproval => "needs_approval",
    }
}

fn row(step: &Step) -> Value {
    let Step { outcome, name, detail, origin } = step;
    let origin = origin
        .as_ref()
        .map(|Origin { file, line }| object!({ "file": file.to_string_lossy(), "line": line }));
    object!({ "outcome": outcome.as_str(), "name": name, "detail": detail, "origin": origin })
}

/// For people, who know which directory they asked about.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        write!(f, "{file}:{}", self.line)
    }
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Miss => "miss",
            Self::Ban => "ban",
            Self::Wait => "wait",
            Self::Note => "note",
        }
    }
}
