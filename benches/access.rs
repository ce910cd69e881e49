//! How long exact answers take where they are hard: many grants for many groups on one server, and
//! many servers of which one changed. `cargo bench --bench access`; `-- --short` for smaller ones.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use toolgate::access::compare;
use toolgate::lint;
use toolgate::matrix::Matrix;
use toolgate::policy::{self, Cores, PolicyFile, PolicyFiles, PolicySet};

const GROUPS: usize = 300;

/// Servers of so many grants each; a seed for which groups they name.
fn files(servers: usize, grants: usize, changed: bool) -> anyhow::Result<PolicyFiles> {
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
    Ok(PolicyFiles { files, ..PolicyFiles::default() })
}

fn load(files: &PolicyFiles) -> anyhow::Result<PolicySet> {
    policy::load_on(files.clone(), Cores::All).map_err(|problems| anyhow::anyhow!("{problems}"))
}

fn main() -> anyhow::Result<()> {
    let now = "2026-11-20T12:00:00Z".parse()?;
    let short = std::env::args().any(|argument| argument == "--short");
    let large =
        if short { [(1, 100), (1, 200), (500, 3)] } else { [(1, 100), (1, 1000), (10_000, 3)] };
    println!(
        "{:>7} {:>7} {:>12} {:>12} {:>12} {:>12}",
        "servers", "grants", "load both", "compare", "lint", "matrix"
    );
    for (servers, grants) in large {
        let (old, new) = (files(servers, grants, false)?, files(servers, grants, true)?);
        let start = Instant::now();
        let sets = (load(&old)?, load(&new)?);
        let loaded = start.elapsed();
        let start = Instant::now();
        let found = compare(&sets.0, &sets.1, now)?;
        let compared = start.elapsed();
        assert!(!found.changes.is_empty(), "one grant leaves nobody out any more");
        let start = Instant::now();
        black_box(lint::lint(new.clone(), now));
        let linted = start.elapsed();
        let set = &sets.1;
        let all = set.servers();
        let wanted: Vec<_> = all
            .iter()
            .flat_map(|s| s.environments.iter().map(|e| (*s, e.id)))
            .take(1_000)
            .collect();
        let start = Instant::now();
        black_box(Matrix::of(set, now, &wanted));
        let drawn = start.elapsed();
        println!(
            "{servers:>7} {grants:>7} {loaded:>12.2?} {compared:>12.2?} {linted:>12.2?} {drawn:>12.2?}"
        );
    }
    println!("grants: of each server, for {GROUPS} groups; matrix: of 1,000 servers at most");
    Ok(())
}
