//! Schemas are what is checked in, and know the keys that the loader knows. Whether a validator
//! takes and refuses the same files is asked in `tests/e2e/test_editor_schema.py`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use toolgate::diagnostics::{Code, Diagnostics, Source, Sources};
use toolgate::policy::{PolicyFile, PolicyFiles};
use toolgate::schema::{Kind, schema};
use toolgate::yaml::{self, Node, Plain};
use toolgate::{config, disk, policy, scenario};

/// A key that no mapping has, and that is like none.
const IMPOSSIBLE: &str = "0123456789";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The file with every key of a kind, inside `tests/schema`.
fn full(kind: Kind) -> &'static str {
    match kind {
        Kind::Server => "policies/servers/full.yaml",
        Kind::Surfaces => "policies/surfaces.yaml",
        Kind::Groups => "policies/groups.yaml",
        Kind::Reviews => "policies/reviews.yaml",
        Kind::Guardrails => "policies/guardrails.yaml",
        Kind::Tests => "policies/tests/full.yaml",
        Kind::Config => "config.yaml",
        Kind::Revoked => "revoked.yaml",
    }
}

fn text_of(kind: Kind) -> String {
    fs::read_to_string(root().join("tests/schema").join(full(kind))).unwrap()
}

/// The full file, and the same with what cannot stand in it beside the rest.
fn variants(kind: Kind) -> Vec<String> {
    let mut texts = vec![text_of(kind)];
    if kind == Kind::Config {
        let files = "  certificate: { cert: certs/envoy.pem, key: certs/envoy.key }
  bundles: certs/bundles.json
";
        assert!(texts[0].contains(files));
        let bundles = "  bundles: certs/jwt-bundles.json\n";
        assert!(texts[0].contains(bundles));
        let spire = "  spire: unix:agent.sock\n";
        let certificate = "    certificate: certs/toolgate.pem
    key: certs/toolgate.key
";
        assert!(texts[0].contains(certificate));
        let agent = texts[0].replace(files, spire).replace(bundles, spire);
        let agent = agent.replace(certificate, "    from: spire\n");
        texts.push(agent.replace("    ca: certs/ca.pem\n", ""));
        // Where another Envoy asks.
        let by_certificate = texts[0].replace("  verify_certificates: true\n", "");
        let (rest, _) = by_certificate.split_once("envoy:\n").unwrap();
        let from = |more: &str| rest.replace("workloads:\n", &format!("workloads:\n  {more}\n"));
        let variants = [
            from("from: principal\n  trust_principal_without_certificate: true"),
            from(
                "from: xfcc\n  xfcc: { mode: append_last, trusted_hops: 1, by: ['spiffe://a/b'] }",
            ),
            from("from: xfcc\n  xfcc: { mode: sanitize_set, by: ['spiffe://a/b'] }"),
        ];
        texts.extend(variants);
    }
    texts
}

/// What the loader says of the full directory with one file replaced.
fn load(kind: Kind, text: &str) -> Result<(), Diagnostics> {
    if kind == Kind::Config {
        return config::parse(Path::new("config.yaml"), text).map(|_| ());
    }
    if kind == Kind::Revoked {
        let issuers = ["corp".into(), "partners".into()];
        let listed = config::revoked::parse(Path::new("revoked.yaml"), text.as_bytes(), &issuers);
        return listed.whole().map(|_| ());
    }
    let mut files = disk::read_policies(&root().join("tests/schema/policies"));
    let path = full(kind).strip_prefix("policies/").unwrap();
    let file = files.files.iter_mut().find(|file| file.path == path).unwrap();
    file.bytes = text.as_bytes().into();
    let files = PolicyFiles { root: "policies".into(), ..files };
    let set = policy::load(files.clone())?;
    scenario::run(&set, &files).map(|_| ())
}

/// The tree of a file as JSON.
fn value(text: &str) -> Value {
    let mut problems = Vec::new();
    let source = Sources::default().add(Source { path: "x".into(), text: text.to_owned() });
    let tree = yaml::parse(source, text, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    json_of(&tree.unwrap())
}

fn json_of(node: &Node) -> Value {
    match &node.kind {
        yaml::Kind::Text(text) => json!(text),
        yaml::Kind::Plain(Plain::Null, _) => Value::Null,
        yaml::Kind::Plain(Plain::Bool(value), _) => json!(value),
        yaml::Kind::Plain(Plain::Integer | Plain::Float, text) => text.parse().unwrap(),
        yaml::Kind::Sequence(items) => items.iter().map(json_of).collect(),
        yaml::Kind::Mapping(entries) => Value::Object(
            entries.iter().map(|(key, node)| (key.text.clone(), json_of(node))).collect(),
        ),
    }
}

/// The mappings with keys of the language, by JSON Pointer into the schema.
fn mappings(schema: &Value, at: &str, found: &mut BTreeSet<String>) {
    if schema.get("properties").is_some() {
        found.insert(at.to_owned());
    }
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        mappings(inner, &format!("{at}/properties/{key}"), found);
    }
    for key in ["additionalProperties", "items"] {
        if let Some(inner) = schema.get(key).filter(|inner| inner.is_object()) {
            mappings(inner, &format!("{at}/{key}"), found);
        }
    }
}

/// Visits every mapping of a value that has keys of the language, with where it stands in the
/// value and in the schema.
fn visit(value: &Value, schema: &Value, at: (String, String), found: &mut Vec<(String, String)>) {
    let (here, there) = at;
    match value {
        Value::Object(members) => {
            if schema.get("properties").is_some() {
                found.push((here.clone(), there.clone()));
            }
            for (key, value) in members {
                let named = schema.get("properties").and_then(|properties| properties.get(key));
                let (inner, step) = match named {
                    Some(inner) => (inner, format!("properties/{key}")),
                    None => (&schema["additionalProperties"], "additionalProperties".to_owned()),
                };
                let key = key.replace('~', "~0").replace('/', "~1");
                visit(value, inner, (format!("{here}/{key}"), format!("{there}/{step}")), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let at = (format!("{here}/{index}"), format!("{there}/items"));
                visit(item, &schema["items"], at, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The keys that the loader names when it meets one that it does not know.
fn keys_of_the_loader(kind: Kind, full: &Value, at: &str) -> BTreeSet<String> {
    let mut changed = full.clone();
    let mapping: &mut Map<String, Value> =
        changed.pointer_mut(at).unwrap().as_object_mut().unwrap();
    mapping.insert(IMPOSSIBLE.to_owned(), json!(1));
    // JSON is YAML in flow style.
    let problems = load(kind, &changed.to_string()).unwrap_err();
    let unknown = problems
        .list
        .iter()
        .find(|problem| problem.code == Code::UnknownKey && problem.message.contains(IMPOSSIBLE));
    let unknown = unknown.unwrap_or_else(|| panic!("{kind:?} {at} takes any key: {problems}"));
    let keys = unknown.help.as_deref().unwrap().strip_prefix("keys here: ").unwrap();
    keys.split(", ").filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_schemas_are_those_that_are_checked_in() {
    for kind in Kind::ALL {
        let path = root().join(format!("docs/schema/{}.json", kind.name()));
        let text = format!("{:#}\n", schema(kind));
        let checked_in = fs::read_to_string(&path).unwrap_or_default();
        assert!(checked_in == text, "{} is out of date; run `make render`", path.display());
    }
}

#[test]
fn what_has_every_key_loads() {
    for kind in Kind::ALL {
        for text in variants(kind) {
            load(kind, &text).unwrap_or_else(|problems| panic!("{problems}"));
        }
    }
}

#[test]
fn schema_and_loader_know_the_same_keys() {
    for kind in Kind::ALL {
        let schema = schema(kind);
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut used: BTreeSet<(String, String)> = BTreeSet::new();
        for full in variants(kind).iter().map(|text| value(text)) {
            let mut places = Vec::new();
            visit(&full, &schema, (String::new(), String::new()), &mut places);
            for (here, there) in &places {
                let inner = schema.pointer(there).unwrap();
                assert_eq!(inner["additionalProperties"], json!(false), "{kind:?} {there}");
                let known: BTreeSet<_> =
                    inner["properties"].as_object().unwrap().keys().cloned().collect();
                assert_eq!(known, keys_of_the_loader(kind, &full, here), "{kind:?} {here}");
                let keys = full.pointer(here).unwrap().as_object().unwrap().keys();
                used.extend(keys.map(|key| (there.clone(), key.clone())));
                seen.insert(there.clone());
            }
        }
        // The full file is full: every mapping and every key of the schema stands in it.
        let mut all = BTreeSet::new();
        mappings(&schema, "", &mut all);
        for there in all {
            for key in schema.pointer(&there).unwrap()["properties"].as_object().unwrap().keys() {
                assert!(used.contains(&(there.clone(), key.clone())), "{kind:?} {there} {key}");
            }
            assert!(seen.contains(&there), "{kind:?} {there}");
        }
    }
}

#[test]
fn the_loader_refuses_what_schemas_refuse() {
    let rows = fs::read_to_string(root().join("tests/schema/wrong.json")).unwrap();
    let rows: Vec<(String, String, String)> = serde_json::from_str(&rows).unwrap();
    assert!(rows.len() > 100);
    for (kind, from, to) in rows {
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind).unwrap();
        let text = text_of(kind);
        assert!(text.contains(&from), "{kind:?} has no {from:?}");
        let loaded = load(kind, &text.replacen(&from, &to, 1));
        assert!(loaded.is_err(), "{kind:?} {from:?} -> {to:?} loads");
    }
}

/// The kind of file that a first line names, by the schema's path.
#[test]
fn every_sample_names_its_schema() {
    let policies = disk::read_policies(&root().join("policies"));
    let of = |file: &PolicyFile| {
        let path = file.path.as_str();
        match path.split_once('/') {
            Some(("servers", _)) => (root().join("policies").join(path), Kind::Server),
            Some(_) => (root().join("policies").join(path), Kind::Tests),
            None => {
                let stem = path.strip_suffix(".yaml").unwrap();
                let kind = Kind::ALL.into_iter().find(|kind| kind.name() == stem).unwrap();
                (root().join("policies").join(path), kind)
            }
        }
    };
    let mut files: Vec<_> = policies.files.iter().map(of).collect();
    files.extend(
        ["envoy/toolgate.yaml", "envoy/compose/toolgate.yaml"]
            .map(|path| (root().join(path), Kind::Config)),
    );
    for (path, kind) in files {
        let text = fs::read_to_string(&path).unwrap();
        let line = text.lines().next().unwrap();
        let schema = line.strip_prefix("# yaml-language-server: $schema=");
        let schema = schema.unwrap_or_else(|| panic!("{} names no schema", path.display()));
        let named = fs::canonicalize(path.parent().unwrap().join(schema)).unwrap();
        assert_eq!(named, root().join(format!("docs/schema/{}.json", kind.name())));
    }
}
