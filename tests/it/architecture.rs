//! Nothing points upward. `src/lib.rs` draws the map; this keeps it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may name, apart from itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("json", &[]),
    ("diagnostics", &[]),
    ("identity", &[]),
    ("yaml", &["diagnostics"]),
    ("mcp", &["json"]),
    ("policy", &["diagnostics", "identity", "json", "mcp", "yaml"]),
    ("engine", &["identity", "json", "mcp", "policy"]),
    ("lists", &["json", "policy"]),
    ("authn", &["identity", "json"]),
    ("config", &["authn", "diagnostics", "identity", "mcp", "yaml"]),
    ("doctor", &["authn", "config", "diagnostics", "identity", "policy"]),
    ("envoy", &["config", "identity", "policy"]),
    ("disk", &["diagnostics", "policy", "yaml"]),
    ("git", &["diagnostics", "policy", "yaml"]),
    ("record", &[]),
    ("explain", &["diagnostics", "engine", "identity", "json", "mcp", "policy"]),
    ("matrix", &["access", "engine", "identity", "policy"]),
    ("telemetry", &["config", "record"]),
    (
        "server",
        &[
            "authn",
            "config",
            "diagnostics",
            "disk",
            "engine",
            "envoy",
            "identity",
            "json",
            "lists",
            "mcp",
            "policy",
            "record",
            "telemetry",
        ],
    ),
    ("scenario", &["access", "diagnostics", "engine", "explain", "identity", "policy", "yaml"]),
    ("lint", &["access", "diagnostics", "engine", "identity", "policy", "scenario", "yaml"]),
    ("access", &["engine", "identity", "json", "mcp", "policy"]),
    ("diff", &["access", "diagnostics", "engine", "policy", "scenario", "yaml"]),
    ("schema", &["authn", "engine", "policy"]),
    (
        "cli",
        &[
            "access",
            "authn",
            "config",
            "diagnostics",
            "diff",
            "disk",
            "doctor",
            "engine",
            "envoy",
            "explain",
            "git",
            "identity",
            "json",
            "lint",
            "matrix",
            "mcp",
            "policy",
            "scenario",
            "schema",
            "server",
            "telemetry",
            "yaml",
        ],
    ),
];

/// Only these may name the crates that bring an async runtime or the network.
const EDGE: &[&str] = &["server", "telemetry", "cli"];
const EDGE_CRATES: &[&str] =
    &["tokio", "tonic", "envoy_types", "reqwest", "axum", "arc_swap", "tracing"];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules of `src/`, each with its production code.
fn modules() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut modules: BTreeMap<String, String> = BTreeMap::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let name = first.trim_end_matches(".rs").to_owned();
        if matches!(name.as_str(), "lib" | "main") || inside.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let production = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        let code = production.lines().filter(|line| !line.trim_start().starts_with("//"));
        modules.entry(name).or_default().push_str(&code.collect::<Vec<_>>().join("\n"));
    }
    modules
}

#[test]
fn nothing_points_upward() {
    let modules = modules();
    for (name, code) in &modules {
        let (_, allowed) = ARROWS
            .iter()
            .find(|(known, _)| known == name)
            .unwrap_or_else(|| panic!("`{name}` is not on the map"));
        for other in modules.keys().filter(|other| *other != name) {
            let named = code.contains(&format!("crate::{other}"))
                || code.lines().any(|line| {
                    line.trim_start().starts_with("use crate::{")
                        && line
                            .split(|c: char| !c.is_alphanumeric() && c != '_')
                            .any(|w| w == other)
                });
            assert!(!named || allowed.contains(&other.as_str()), "`{name}` names `{other}`");
        }
    }
}

#[test]
fn the_domain_names_no_runtime() {
    for (name, code) in modules() {
        if EDGE.contains(&name.as_str()) {
            continue;
        }
        for banned in EDGE_CRATES {
            assert!(!code.contains(&format!("{banned}::")), "`{name}` names `{banned}`");
        }
    }
}

#[test]
fn one_module_knows_each_outside_format() {
    for (crate_name, home) in [
        ("granit_parser", "yaml"),
        ("annotate_snippets", "diagnostics"),
        ("x509_parser", "authn"),
        ("batsat", "access"),
    ] {
        for (name, code) in modules() {
            assert!(name == home || !code.contains(crate_name), "`{name}` names `{crate_name}`");
        }
    }
}

#[test]
fn the_domain_never_asks_the_clock() {
    for (name, code) in modules() {
        if EDGE.contains(&name.as_str()) {
            continue;
        }
        for clock in ["Timestamp::now", "SystemTime::now", "Instant::now", "Zoned::now"] {
            assert!(!code.contains(clock), "`{name}` asks the clock");
        }
    }
}
