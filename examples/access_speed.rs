//! How long comparing takes: `cargo run --release --example access_speed`.

use std::fmt::Write as _;
use std::time::Instant;

use toolgate::access::compare;
use toolgate::policy::{self, PolicyFile, PolicyFiles, PolicySet};

const GROUPS: usize = 300;

/// Servers of so many grants each; a seed for which groups they name.
fn load(servers: usize, grants: usize, changed: bool) -> anyhow::Result<PolicySet> {
    let mut groups = "toolgate: 1\ngroups:\n".to_owned();
    for group in 0..GROUPS {
        writeln!(groups, "  g{group}: {{}}")?;
    }
    let surfaces = "toolgate: 1\nsurfaces:\n  chat: { workloads: [spiffe://td/chat], reaches: [prod] }\n  \
                    ide: { workloads: [spiffe://td/ide], reaches: [prod] }\n  \
                    bot: { workloads: [spiffe://td/bot], reaches: [prod], channels: { a: [C1], b: [C2] } }\n";
    let upstreams = (0..servers).map(|server| format!("'127.0.0.1:{}'", 10_000 + server));
    let upstreams = upstreams.collect::<Vec<_>>().join(", ");
    let guardrails = format!(
        "toolgate: 1\nenvironments: {{ prod: {{ reviews: [], upstreams: [{upstreams}] }} }}\n"
    );
    let mut files = vec![
        ("surfaces.yaml".to_owned(), surfaces.to_owned()),
        ("groups.yaml".to_owned(), groups),
        ("guardrails.yaml".to_owned(), guardrails),
    ];
    let mut state = 1_usize;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for server in 0..servers {
        let mut text = format!(
            "toolgate: 1\nserver: s{server}\nenvironments: {{ prod: {{ upstream: 'http://127.0.0.1:{}/mcp' }} }}\ntools:\n",
            10_000 + server
        );
        for tool in 0..20 {
            writeln!(
                text,
                "  t{tool}: {{ effect: read, limits: {{ /n: {{ between: [1, 9] }} }} }}"
            )?;
        }
        text.push_str("grants:\n");
        for grant in 0..grants {
            let (a, b, c, tool) = (random(GROUPS), random(150), 150 + random(150), 1 + random(19));
            let except =
                if changed && server == 0 && grant == grants / 2 { "" } else { ", except: [g0]" };
            writeln!(
                text,
                "  r{grant}: {{ people: [g{a}], also_in: [g{b}, g{c}]{except}, via: [chat, bot/a], call: [t{tool}, t0] }}"
            )?;
        }
        writeln!(text, "bans:\n  b: {{ people: [g7], call: [t0] }}")?;
        files.push((format!("servers/s{server}.yaml"), text));
    }
    let file =
        |(path, text): (String, String)| PolicyFile { path, bytes: text.into_bytes().into() };
    let files = files.into_iter().map(file).collect();
    policy::load(PolicyFiles { files, ..PolicyFiles::default() })
        .map_err(|problems| anyhow::anyhow!("{problems}"))
}

#[expect(clippy::print_stdout, reason = "printing is what it is for")]
fn main() -> anyhow::Result<()> {
    let now = "2026-11-20T12:00:00Z".parse()?;
    for (servers, grants) in [(1, 100), (1, 1000), (10_000, 3)] {
        let start = Instant::now();
        let (old, new) = (load(servers, grants, false)?, load(servers, grants, true)?);
        let loaded = start.elapsed();
        let start = Instant::now();
        let found = compare(&old, &new, now)?;
        let (changes, looked_at, took) = (found.changes.len(), found.looked_at, start.elapsed());
        println!(
            "{servers} servers of {grants} grants: loaded in {loaded:.2?}; {changes} changes, {looked_at} looked at, {took:.2?}"
        );
    }
    Ok(())
}
