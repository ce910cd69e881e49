//! `toolgate explain`

use std::path::PathBuf;

use jiff::Timestamp;

use super::exit::{Exit, fail, print};
use super::load;
use crate::engine::Verdict;
use crate::explain::{self, Question};

/// Decide one call, and say why
///
/// It is decided as the running process would. Exits with 0 if the call is allowed, 1 if it is
/// refused, 2 if there is no answer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// `SERVER/TOOL`, `SERVER@ENVIRONMENT/TOOL`, or `SERVER` for looking around
    what: String,
    /// Read this resource of the server
    #[arg(long, value_name = "URI", conflicts_with = "prompt")]
    read: Option<String>,
    /// Get this prompt of the server
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    /// Send a request of this method: one that looks around, one of tasks, or an extension's
    #[arg(long, value_name = "METHOD", conflicts_with_all = ["prompt", "read"])]
    method: Option<String>,
    /// The policy directory
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Where the person works: a surface, or `SURFACE/CHANNEL` [default: the surface with
    /// `workloads: none`, where callers without a workload identity are]
    #[arg(long, value_name = "SURFACE")]
    via: Option<String>,
    /// Who asks, as `ISSUER:SUBJECT` or by any name; without this and `--groups`, nobody is
    /// signed in
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The person's groups, by their names in groups.yaml
    #[arg(long, value_delimiter = ',', value_name = "GROUP,...")]
    groups: Option<Vec<String>>,
    /// The token does not say which groups the person is in
    #[arg(long, conflicts_with = "groups")]
    groups_unknown: bool,
    /// The OAuth scopes of the person's token, as grants name them
    #[arg(long, value_delimiter = ',', value_name = "SCOPE,...")]
    scopes: Vec<String>,
    /// The OAuth client of the person's token [default: the surface's first]
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// A service asks, without a person
    #[arg(long, value_name = "NAME", conflicts_with_all = ["via", "user", "groups", "groups_unknown", "scopes"])]
    service: Option<String>,
    /// The arguments of the call, one JSON object
    #[arg(long = "args", value_name = "JSON", default_value = "{}")]
    arguments: String,
    /// When, such as 2026-11-20T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<Timestamp>,
    /// How to print the answer
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn instant(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "write an instant with its zone, such as 2026-11-20T12:00:00Z")
}

/// Names of a list, without the blanks around them.
fn list(names: &[String]) -> Vec<&str> {
    names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect()
}

pub(super) fn run(args: &Args) -> Exit {
    let policies = match load::policies(&args.policies) {
        Ok(policies) => policies,
        Err(exit) => return exit,
    };
    let question = Question {
        what: &args.what,
        read: args.read.as_deref(),
        prompt: args.prompt.as_deref(),
        method: args.method.as_deref(),
        via: args.via.as_deref(),
        service: args.service.as_deref(),
        user: args.user.as_deref(),
        groups: args.groups.as_deref().map(list),
        groups_unknown: args.groups_unknown,
        scopes: list(&args.scopes),
        client: args.client.as_deref(),
        args: &args.arguments,
        at: args.at.unwrap_or_else(Timestamp::now),
    };
    let explanation = match explain::explain(&policies, &question) {
        Ok(explanation) => explanation,
        Err(error) => return fail(error),
    };
    match args.format {
        Format::Text => print(explain::text(&explanation)),
        Format::Json => print(format_args!("{:#}\n", explain::json(&policies, &explanation))),
    }
    match explanation.decision.enforced {
        Verdict::Allow => Exit::Success,
        Verdict::Deny | Verdict::NeedsApproval => Exit::No,
    }
}
