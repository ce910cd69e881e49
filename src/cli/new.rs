//! `toolgate new`

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::exit::{Exit, fail, fail_with, hint, print};
use crate::disk;
use crate::policy::outline::{EnvironmentOutline, Outline, outline, server_name};
use crate::yaml;

/// Start a file
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write servers/NAME.yaml, with everything that is known, and DECIDE where somebody decides
    ///
    /// It does not load while a DECIDE is left.
    Server(Server),
}

#[derive(Debug, clap::Args)]
struct Server {
    /// The server's name
    #[arg(value_name = "NAME")]
    name: String,
    /// The policy directory
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
}

pub(super) fn run(args: &Args) -> Exit {
    match &args.command {
        Command::Server(args) => server(args),
    }
}

fn server(args: &Server) -> Exit {
    let Server { name, policies } = args;
    if let Err(why) = server_name(name) {
        let exit = fail(format_args!("`{name}` is not a server's name"));
        hint(why);
        return exit;
    }
    let known = match outline(&disk::read_policies(policies)) {
        Ok(known) => known,
        Err(problems) => return fail_with(&problems),
    };
    if known.environments.is_empty() {
        let exit = fail(format_args!("{}: no environment is declared", policies.display()));
        hint("guardrails.yaml names the environments and their upstreams");
        return exit;
    }
    let path = policies.join("servers").join(format!("{name}.yaml"));
    if let Err(error) = create(&path, &starting_file(name, &known, has_schema(policies))) {
        if error.kind() == io::ErrorKind::AlreadyExists {
            let exit = fail(format_args!("{} is already there", path.display()));
            hint("nothing was changed; choose another name, or edit that file");
            return exit;
        }
        return fail(format_args!("{}: {error}", path.display()));
    }
    print(next(name, &path, policies, &known));
    Exit::Success
}

/// Whether the schema lies where the line for editors would look for it.
fn has_schema(policies: &Path) -> bool {
    policies.join("../docs/schema/server.json").exists()
}

/// Writes a file that is not there yet.
fn create(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::File::create_new(path)?.write_all(text.as_bytes())
}

/// What there is to choose from, as a comment.
fn choice(what: &str, names: &[String]) -> String {
    if names.is_empty() {
        return format!("# {what}: none yet");
    }
    let names: Vec<_> = names.iter().map(|name| yaml::written(name)).collect();
    format!("# {what}: {}", names.join(", "))
}

fn environment(known: &EnvironmentOutline, text: &mut String) {
    let EnvironmentOutline { name, reviews, free_upstream } = known;
    let _ = writeln!(text, "  {}:", yaml::written(name));
    let loopback = |host: &String| host.starts_with("127.") || host.starts_with("[::1]");
    let _ = match free_upstream {
        Some(host) if loopback(host) => {
            writeln!(text, "    upstream: \"http://{host}/mcp\"  # free in guardrails.yaml")
        }
        Some(host) => writeln!(
            text,
            "    upstream: \"https://{host}/mcp\"  # free in guardrails.yaml\n    \
             upstream_identity: DECIDE  # the SPIFFE ID that it proves"
        ),
        None => writeln!(
            text,
            "    upstream: \"http://DECIDE/mcp\"  # list its host:port under {name} in guardrails.yaml"
        ),
    };
    if !reviews.is_empty() {
        let _ = writeln!(text, "    reviews:  # as they are called in reviews.yaml");
        for kind in reviews {
            let _ = writeln!(text, "      - DECIDE-{kind}");
        }
    }
}

fn starting_file(name: &str, known: &Outline, has_schema: bool) -> String {
    let Outline { environments, groups, surfaces, services } = known;
    let schema = if has_schema {
        "# yaml-language-server: $schema=../../docs/schema/server.json\n"
    } else {
        ""
    };
    let name = yaml::written(name);
    let mut text = format!(
        "{schema}# Every DECIDE is somebody's decision. The file loads once none is left.
toolgate: 1
server: {name}

about:  # for people; it decides nothing
  title: {name}
  # description: what it is for
  # owner: who looks after it
  # support: \"#channel\"

environments:  # remove those that it does not run in
"
    );
    for known in environments {
        environment(known, &mut text);
    }
    text.push_str(
        "
tools:  # what the reviews cover; nothing else can be called
  \"DECIDE: a tool's name\":
    effect: DECIDE  # read, write, or destructive: what cannot be changed back
    # traits: [sensitive, external, costly]  # those that hold
    # minutes_saved: 5  # by one call
    # limits: { /argument: { max_length: 100 } }

grants:  # without one, nobody may do anything
  first:
    people: [DECIDE]  # or [anyone-signed-in]
",
    );
    let _ = writeln!(text, "    {}", choice("groups", groups));
    text.push_str("    via: [DECIDE]  # or [any-surface]\n");
    let _ = writeln!(text, "    {}", choice("surfaces", surfaces));
    if environments.len() > 1 {
        text.push_str("    in: [DECIDE]  # of the environments above\n");
    }
    text.push_str("    call: [DECIDE]  # of the tools above\n");
    if !services.is_empty() {
        let _ = writeln!(
            text,
            "  # a service, instead of people and via, may call plain reads:\n  {}",
            choice("services", services)
        );
    }
    text
}

fn next(name: &str, path: &Path, policies: &Path, known: &Outline) -> String {
    let mut text = format!("{} is written. Next:\n", path.display());
    let mut step = 0;
    let mut tell = |what: &str| {
        step += 1;
        let _ = writeln!(text, "  {step}. {what}");
    };
    tell("decide wherever it says DECIDE");
    let missing = known.environments.iter().filter(|known| known.free_upstream.is_none());
    let missing: Vec<_> = missing.map(|known| known.name.as_str()).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        tell(&format!("list its upstream in guardrails.yaml, where none is free: {missing}"));
    }
    let policies = match policies.to_string_lossy() {
        default if default == "policies" => String::new(),
        other => format!(" --policies {other}"),
    };
    if known.environments.iter().any(|known| !known.reviews.is_empty()) {
        tell("add its reviews to reviews.yaml, with `covers: {}`");
        tell(&format!("toolgate reviews stamp {name}{policies}"));
    }
    tell(&format!("write tests/{name}.yaml, then: toolgate test{policies}"));
    tell(&format!("toolgate explain {name}/TOOL --via SURFACE --groups GROUP{policies}"));
    text
}
