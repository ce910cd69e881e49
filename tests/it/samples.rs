//! Samples are fixtures are documentation: every one is loaded.

use std::path::Path;

use toolgate::{config, disk, policy};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_policies_load_and_their_reviews_are_stamped() {
    let files = disk::read_policies(&root().join("policies"));
    let stamped = policy::stamp::stamp(&files, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(stamped.changes.is_empty(), "run `toolgate reviews stamp`: {:?}", stamped.changes);
    let set = policy::load(files).unwrap_or_else(|problems| panic!("{problems}"));
    let names: Vec<_> = set.servers().iter().map(|server| server.name.to_string()).collect();
    assert_eq!(names, ["airflow", "knowledge", "lab", "presto", "spark"]);
}

#[test]
fn the_sidecars_configuration_loads() {
    let path = root().join("envoy/toolgate.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    config::parse(&path, &text).unwrap_or_else(|problems| panic!("{problems}"));
}
