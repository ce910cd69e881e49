//! The generated code is that of the schema. Nobody needs `protoc`: the compiler is `protox`.

use std::fs;
use std::path::Path;

const PACKAGE: &str = "toolgate.v1";
const SCHEMAS: [&str; 1] = ["toolgate/v1/decision.proto"];
const GENERATED: &str = "src/record/v1.rs";
const HEAD: &str = "// Generated from proto/toolgate/v1/decision.proto by `make render`.\n";

#[test]
fn the_generated_code_is_that_of_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schemas = protox::compile(SCHEMAS, [root.join("proto")]).unwrap();
    let out = tempfile::tempdir().unwrap();
    prost_build::Config::new().out_dir(out.path()).btree_map(["."]).compile_fds(schemas).unwrap();
    let code = fs::read_to_string(out.path().join(format!("{PACKAGE}.rs"))).unwrap();
    let code = format!("{HEAD}{code}");
    let path = root.join(GENERATED);
    if std::env::var_os("TOOLGATE_GENERATE").is_some() {
        fs::write(&path, &code).unwrap();
    }
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    assert!(checked_in == code, "{GENERATED} is out of date; run `make render`");
}
