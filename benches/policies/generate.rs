//! Policy directories as large as somebody may ever have.

use std::fmt::Write as _;

use toolgate::policy::{self, PolicyFile, PolicyFiles};

const GROUPS: usize = 300;

/// The digest that a review covers, of the tools that every server here has.
fn digest() -> String {
    let files = PolicyFiles { files: vec![server(0, "")], ..PolicyFiles::default() };
    let digests = policy::tools_digests(&files);
    digests.first().map(|(_, digest)| digest.to_string()).unwrap_or_default()
}

/// A directory of that many servers with 3 tools and 5 grants each, for 300 groups.
pub(crate) fn directory(servers: usize) -> PolicyFiles {
    let mut groups = "toolgate: 1\ngroups:\n".to_owned();
    for group in 0..GROUPS {
        let _ = writeln!(groups, "  team-{group}: {{}}");
    }
    let mut guardrails = "toolgate: 1
environments:
  prod:
    reviews: [security]
    upstreams:
"
    .to_owned();
    let mut reviews = "toolgate: 1
reviews:
  SEC-1:
    kind: security
    approved: 2026-03-02
    last_day: 2027-03-02
    covers:
"
    .to_owned();
    let digest = digest();
    for server in 0..servers {
        let _ = writeln!(guardrails, "      - \"{}\"", host(server));
        let _ = writeln!(reviews, "      server-{server}: \"{digest}\"");
    }
    guardrails.push_str("approval: { write: another-person }\n");
    let mut files = vec![
        file("surfaces.yaml", SURFACES.to_owned()),
        file("groups.yaml", groups),
        file("guardrails.yaml", guardrails),
        file("reviews.yaml", reviews),
    ];
    files.extend((0..servers).map(|index| server(index, "")));
    PolicyFiles { files, ..PolicyFiles::default() }
}

/// The same directory, with one more group in one grant of the middle server.
pub(crate) fn with_one_change(files: &PolicyFiles) -> PolicyFiles {
    let servers = files.files.len() - 4;
    let mut files = files.clone();
    let changed = server(servers / 2, ", team-299");
    for file in &mut files.files {
        if file.path == changed.path {
            *file = changed.clone();
        }
    }
    files
}

const SURFACES: &str = "toolgate: 1
surfaces:
  ai-chat:
    workloads: [\"spiffe://prod.example.com/ns/ai-chat/sa/webapp\"]
    reaches: [prod]
  ide:
    workloads: [\"spiffe://prod.example.com/ns/ide-gateway/sa/gateway\"]
    reaches: [prod]
services:
  nightly:
    workloads: [\"spiffe://prod.example.com/ns/nightly/sa/job\"]
    reaches: [prod]
";

fn file(path: &str, text: String) -> PolicyFile {
    PolicyFile { path: path.to_owned(), bytes: text.into_bytes().into() }
}

fn host(server: usize) -> String {
    format!("127.0.{}.{}:7000", server / 250, server % 250 + 1)
}

/// A server, with more groups in its first grant.
fn server(index: usize, more: &str) -> PolicyFile {
    let mut text = format!(
        "toolgate: 1
server: server-{index}

about:
  title: Server {index}
  description: One of many servers that somebody looks after
  owner: team-{}
  support: \"#server-{index}\"

environments:
  prod: {{ upstream: \"http://{}/mcp\", reviews: [SEC-1] }}

tools:
  list_things:
    effect: read
    minutes_saved: 2
  query_things:
    effect: read
    minutes_saved: 8
    limits:
      /limit: {{ between: [1, 10000] }}
    accepts: [limit, offset]
  update_things:
    effect: write
    approval: another-person
    minutes_saved: 5

grants:
",
        index % GROUPS,
        host(index),
    );
    let calls = [
        "list_things",
        "list_things, query_things",
        "query_things",
        "list_things",
        "update_things",
    ];
    for (grant, call) in calls.iter().enumerate() {
        let one = (index + grant) % GROUPS;
        let other = (index * 7 + grant * 13 + 1) % GROUPS;
        let other = if other == one { (other + 1) % GROUPS } else { other };
        let more = if grant == 0 { more } else { "" };
        let _ = write!(
            text,
            "  grant-{grant}:
    people: [team-{one}, team-{other}{more}]
    via: [ai-chat, ide]
    in: [prod]
    call: [{call}]
"
        );
        if *call == "update_things" {
            text.push_str("    last_day: 2026-12-31\n");
        }
    }
    file(&format!("servers/server-{index}.yaml"), text)
}
