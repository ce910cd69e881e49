//! The command line, run as a person runs it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a command printed, and how it ended.
fn toolgate(arguments: &str) -> String {
    run(Path::new(env!("CARGO_MANIFEST_DIR")), arguments)
}

pub(super) fn run(directory: &Path, arguments: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_toolgate"))
        .args(words(arguments))
        .current_dir(directory)
        .env_clear()
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    format!(
        "exit: {}\n{}{}",
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap()
    )
}

/// Splits at blanks; single quotes keep a word together.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split('\'')
        .enumerate()
        .flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

/// The samples, copied to where they can be changed.
fn copy_of_policies() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let to = directory.path().join("policies");
    std::fs::create_dir_all(to.join("servers")).unwrap();
    for inside in ["", "servers"] {
        for entry in std::fs::read_dir(from.join(inside)).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                std::fs::copy(entry.path(), to.join(inside).join(entry.file_name())).unwrap();
            }
        }
    }
    (directory, to)
}

#[test]
fn explain_tells_the_samples_stories() {
    let questions = [
        "presto/run_query --via ai-chat --user alice --groups ads --args '{\"sql\":\"select 1\"}'",
        "presto/run_query --via ai-chat --groups ads --args '{\"sql\":\"select 1\",\"limit\":20000}'",
        "presto/run_query --via ai-chat --groups ads --args '{\"sql\":\"select 1\",\"timeout\":0}'",
        "presto/get_revenue_metrics --via ai-chat --user alice --groups ads,finance",
        "presto/get_revenue_metrics --via ai-chat --groups ads-eng",
        "presto/get_revenue_metrics --via ai-chat --groups ads-eng,data-trained",
        "presto/get_revenue_metrics --via ai-chat --groups ads-eng,data-trained,contractors",
        "presto/overwrite_table --via ai-chat --groups infra",
        "presto/run_query --via ai-chat --groups-unknown",
        "presto@staging/run_query --via ide --groups data-platform --args '{\"sql\":\"select 1\"}'",
        "presto/list_tables --service nightly-lineage",
        "presto/run_query --service nightly-lineage",
        "presto/list_tabels --via ai-chat --groups ads",
        "presto --via ide --groups infra",
        "presto --via ai-chat",
        "spark/explain_failure --via ai-chat --user somebody",
        "spark/explain_failure --via chat-bot/spark-support --user somebody",
        "spark/explain_failure --via chat-bot --user somebody",
        "airflow/trigger_dag --via ide --groups data-platform",
        "airflow/trigger_dag --via ai-chat --groups data-platform",
        "airflow/clear_task --via ide --user corp:mia",
        "airflow/clear_task --via ide --user partner:mia",
        "knowledge/search --via ai-chat --user anybody",
        "knowledge --read handbook://company/pages/data-retention --via ai-chat --user anybody",
        "knowledge --read handbook://company/pages/../salaries --via ai-chat --user anybody",
        "knowledge --prompt welcome --via ai-chat --user anybody",
        "lab/echo --via ai-chat --groups infra",
        "lab/echo --via laptop --groups infra",
        "lab/echo --groups 'infra, ads'",
        "presto/run_query --groups ads",
        "presto/list_tables --via ai-chat --groups contractors",
    ];
    let mut told = String::new();
    for question in questions {
        let command = format!("explain {question} --at 2026-11-20T12:00:00Z");
        let answer = toolgate(&command);
        writeln!(told, "$ toolgate explain {question}\n{answer}").unwrap();
    }
    insta::assert_snapshot!(told);
}

#[test]
fn explain_tells_what_is_only_recorded_and_from_which_client() {
    let (directory, policies) = copy_of_policies();
    let edit = |file: &str, from: &str, to: &str| {
        let path = policies.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    let until = "_until: 2026-12-01T00:00:00Z";
    edit("servers/spark.yaml", "GENAI-55] }", &format!("GENAI-55], mode: {{ shadow{until} }} }}"));
    edit(
        "servers/airflow.yaml",
        "\ngrants:",
        &format!(
            "\nbans:\n  no-ads: {{ people: [ads-eng], call: [list_dags], trial{until} }}\n\ngrants:"
        ),
    );
    edit(
        "surfaces.yaml",
        "    reaches: [prod]",
        "    clients: [ai-chat-web, ai-chat-app]\n    reaches: [prod]",
    );
    let mut told = String::new();
    for question in [
        "spark/explain_failure --via ai-chat --user somebody",
        "spark/kill_application --via ai-chat --user somebody",
        "spark --via ai-chat --user somebody",
        "airflow/list_dags --via ai-chat --groups ads-eng",
        "airflow/list_dags --via ai-chat --groups-unknown",
        "knowledge/search --via ai-chat --user somebody --client ai-chat-app",
        "knowledge/search --via ai-chat --user somebody --client evil",
    ] {
        let command = format!("explain {question} --at 2026-11-20T12:00:00Z");
        let answer = run(directory.path(), &command);
        writeln!(told, "$ toolgate explain {question}\n{answer}").unwrap();
    }
    insta::assert_snapshot!(told);
}

#[test]
fn explain_refuses_questions_about_what_is_not_there() {
    let mut told = String::new();
    for question in [
        "prest/run_query --via ai-chat --groups ads",
        "presto/run_query --via ai-chatt --groups ads",
        "presto/run_query --via nightly-lineage --groups ads",
        "presto/run_query --via chat-bot/spark --groups ads",
        "presto/run_query --service ai-chat",
        "presto/run_query --via ai-chat --groups adz",
        "presto@prd/run_query --via ai-chat --groups ads",
        "presto@dev/run_query --via ai-chat --groups ads",
        "prest@prod/run_query --via ai-chat --groups ads",
        "presto/ --via ai-chat --groups ads",
        "presto/run_query --via ai-chat/spark --groups ads",
        "presto/run_query --via chat-bot/spark-suport --groups ads",
        "presto/run_query --service nightly",
        "presto/run_query --service nightly-linage",
        "presto/run_query --via ai-chat --groups ads --at yesterday",
        "presto/run_query --via ai-chat --groups ads --at 2026-11-20",
        "presto/run_query --via ai-chat --groups ads --args '{\"a\":'",
        "presto/run_query --via ai-chat --groups ads --args '{a: 1}'",
        "airflow/clear_task --via ide --user mia",
        "presto/run_query --read db://w/a --via ai-chat",
        "presto/run_query --via ai-chat --groups ads --args '[1]'",
        "presto/run_query --via ai-chat --groups ads --args '{\"a\":1,\"a\":2}'",
        "presto/run_query --policies nowhere",
    ] {
        let answer = toolgate(&format!("explain {question}"));
        writeln!(told, "$ toolgate explain {question}\n{answer}").unwrap();
    }
    insta::assert_snapshot!(told);
}

#[test]
fn explain_also_speaks_json() {
    let command = "explain presto/get_revenue_metrics --via ai-chat --groups ads --at 2026-11-20T12:00:00Z --format json";
    let output = toolgate(command);
    let (exit, json) = output.split_once('\n').unwrap();
    assert_eq!(exit, "exit: 1");
    let mut value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(value["policy"].as_str().unwrap().len(), 64);
    value["policy"] = "DIGEST".into();
    insta::assert_snapshot!(format!("{value:#}"));
}

#[test]
fn explains_json_names_lines_in_one_way() {
    let command = "explain presto/get_revenue_metrics --via ai-chat --groups contractors --at 2026-11-20T12:00:00Z --format json";
    let output = toolgate(command);
    let (_, json) = output.split_once('\n').unwrap();
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    let ban = value["steps"].as_array().unwrap().iter().find(|step| step["outcome"] == "ban");
    let origin = &ban.unwrap()["origin"];
    assert_eq!(origin["file"], "policies/guardrails.yaml");
    assert!(origin["line"].is_u64());
    assert_eq!(
        (&value["rule"]["file"], &value["rule"]["line"]),
        (&origin["file"], &origin["line"])
    );
}

#[test]
fn a_review_that_ended_and_tools_that_changed_are_refused_with_their_reason() {
    let (directory, policies) = copy_of_policies();
    let ask = |at: &str| {
        run(
            directory.path(),
            &format!("explain presto/list_tables --via ai-chat --groups ads --at {at}"),
        )
    };
    assert!(ask("2027-05-31T23:59:59Z").starts_with("exit: 0"));
    let over = ask("2027-06-01T00:00:00Z");
    assert!(over.starts_with("exit: 1\nREFUSED  review"), "{over}");
    let presto = policies.join("servers/presto.yaml");
    let text = std::fs::read_to_string(&presto).unwrap();
    let changed = text.replacen("effect: destructive", "effect: write", 1);
    std::fs::write(&presto, changed).unwrap();
    let other = ask("2026-11-20T12:00:00Z");
    assert!(other.starts_with("exit: 1\nREFUSED  review"), "{other}");
    assert!(other.contains("SEC-1412 covers other tools than there are now"), "{other}");
    // A new look, and a new stamp.
    let stamped = run(directory.path(), "reviews stamp presto");
    assert!(
        stamped.starts_with("exit: 0") && stamped.contains("SEC-1412 now covers presto"),
        "{stamped}"
    );
    assert!(!stamped.contains("spark"), "{stamped}");
    assert!(ask("2026-11-20T12:00:00Z").starts_with("exit: 0"));
    assert!(run(directory.path(), "reviews stamp").contains("every digest is up to date"));
}

#[test]
fn a_review_that_does_not_cover_a_server_yet_is_stamped_for_it() {
    let (directory, policies) = copy_of_policies();
    let file = policies.join("reviews.yaml");
    let before = std::fs::read_to_string(&file).unwrap();
    let (head, tail) = before.split_once("    covers:\n").unwrap();
    let (_, tail) = tail.split_once('\n').unwrap();
    std::fs::write(&file, format!("{head}    covers: {{}}\n{tail}")).unwrap();
    let command = "explain presto/list_tables --via ai-chat --groups ads --at 2026-11-20T12:00:00Z";
    let refused = run(directory.path(), command);
    assert!(refused.contains("security: SEC-1412 does not cover presto"), "{refused}");
    std::fs::write(&file, format!("{head}{tail}")).unwrap();
    let missing = run(directory.path(), command);
    assert!(missing.starts_with("exit: 2") && missing.contains("reviews stamp"), "{missing}");
    let unknown = run(directory.path(), "reviews stamp prestoo");
    assert_eq!(unknown, "exit: 2\nerror: unknown server `prestoo`\nhint: did you mean `presto`?\n");
    assert!(run(directory.path(), "reviews stamp").contains("SEC-1412 now covers presto"));
    // What stood there, in the place where it stood.
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    assert!(run(directory.path(), command).starts_with("exit: 0"));
    assert!(!policies.join(".reviews.yaml.new").exists());
}

#[test]
fn reviews_status_says_how_every_review_stands() {
    let (directory, policies) = copy_of_policies();
    let reviews = policies.join("reviews.yaml");
    let text = std::fs::read_to_string(&reviews).unwrap();
    let unused =
        "  SEC-9: { kind: security, approved: 2026-12-01, last_day: 2027-12-01, covers: {} }\n";
    std::fs::write(&reviews, format!("{text}{unused}")).unwrap();
    let mut told = String::new();
    for day in ["2026-11-20", "2027-05-30", "2027-05-31", "2027-06-01"] {
        let command = format!("reviews status --at {day}T12:00:00Z");
        let answer = run(directory.path(), &command);
        writeln!(told, "$ toolgate {command}\n{answer}").unwrap();
    }
    // Other tools than were reviewed.
    let spark = policies.join("servers/spark.yaml");
    let text = std::fs::read_to_string(&spark).unwrap();
    std::fs::write(&spark, text.replacen("effect: destructive", "effect: write", 1)).unwrap();
    let command = "reviews status --at 2026-11-20T12:00:00Z";
    writeln!(told, "$ toolgate {command}\n{}", run(directory.path(), command)).unwrap();
    insta::assert_snapshot!(told);

    let json = run(directory.path(), &format!("{command} --format json"));
    let (exit, json) = json.split_once('\n').unwrap();
    assert_eq!(exit, "exit: 1");
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(value["refused"][0]["server"], "spark");
    assert_eq!(value["reviews"][0]["days_left"], 192);
    insta::assert_snapshot!(value["reviews"][3]);

    std::fs::write(&reviews, "toolgate: 1\nreviews: [").unwrap();
    assert!(run(directory.path(), command).starts_with("exit: 2"));
}

#[test]
fn nothing_to_decide_with_is_no_answer() {
    let (directory, policies) = copy_of_policies();
    let ask = || run(directory.path(), "explain presto/list_tables --via ai-chat --groups ads");
    std::fs::write(policies.join("servers/presto.yaml"), "").unwrap();
    assert!(ask().starts_with("exit: 2"));
    std::fs::remove_dir_all(policies.join("servers")).unwrap();
    let empty = ask();
    assert!(empty.starts_with("exit: 2") && empty.contains("no server has a policy"), "{empty}");
    std::fs::remove_dir_all(&policies).unwrap();
    let missing = ask();
    assert!(missing.starts_with("exit: 2") && missing.contains("cannot be read"), "{missing}");
}

#[test]
fn a_file_that_cannot_be_read_is_not_a_file_that_is_not_there() {
    let (directory, policies) = copy_of_policies();
    // A link that leads nowhere; unlike a mode, it also stops root.
    std::os::unix::fs::symlink("nowhere", policies.join("servers/ghost.yaml")).unwrap();
    let output = run(directory.path(), "explain presto/list_tables --via ai-chat --groups ads");
    assert!(
        output.starts_with("exit: 2") && output.contains("ghost.yaml: cannot be read"),
        "{output}"
    );
}

#[test]
fn envoys_configuration_is_written_where_it_can_be_or_not_at_all() {
    let cases = [
        ("--out nowhere", "error: nowhere: does not exist\nhint: `--out` names a directory"),
        ("--out Cargo.toml", "error: Cargo.toml: is not a directory\nhint: `--out` names"),
        // Whoever reaches it can make Envoy forward anything.
        ("--static --admin 0.0.0.0:9901", "error: `--admin` is unprotected"),
        ("--static --admin '[::]:9901'", "error: `--admin` is unprotected"),
        ("--static --admin 192.0.2.1:9901", "error: `--admin` is unprotected"),
    ];
    for (arguments, expected) in cases {
        let output = toolgate(&format!("envoy {arguments}"));
        assert!(output.starts_with(&format!("exit: 2\n{expected}")), "{arguments}: {output}");
    }
    let loopback = toolgate("envoy --static --admin 127.0.0.1:9901");
    assert!(loopback.starts_with("exit: 0\n{"), "{loopback}");
}

/// A copy of the samples, with the configuration's `envoy` section replaced.
fn with_envoy(envoy: Option<&str>) -> tempfile::TempDir {
    let (directory, _) = copy_of_policies();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("envoy/toolgate.yaml")).unwrap();
    let (rest, _) = text.split_once("\nenvoy:\n").unwrap();
    let section = envoy.map(|envoy| {
        format!("envoy:\n  listen: {{ mtls: 127.0.0.1:8443, plain: 127.0.0.1:8080 }}\n{envoy}")
    });
    std::fs::create_dir(directory.path().join("envoy")).unwrap();
    let text = format!("{rest}\n{}", section.unwrap_or_default());
    std::fs::write(directory.path().join("envoy/toolgate.yaml"), text).unwrap();
    directory
}

#[test]
fn the_spire_agent_may_be_named_on_the_command_line_unless_the_file_says_otherwise() {
    let of = |envoy: &str, arguments: &str| {
        run(with_envoy(Some(envoy)).path(), &format!("envoy --static {arguments}"))
    };
    let written = of("  spire: unix:/run/a.sock\n", "");
    assert!(written.starts_with("exit: 0\n") && written.contains("/run/a.sock"), "{written}");
    assert_eq!(of("", "--spire unix:/run/a.sock"), written);
    assert_eq!(of("  spire: unix:/run/a.sock\n", "--spire unix:/run/a.sock"), written);
    let files = "  certificate: { cert: a, key: b }\n  bundles: c\n";
    for (envoy, arguments, expected) in [
        ("", "", &["`certificate` is missing"][..]),
        (
            files,
            "--spire unix:/run/a.sock",
            &["`certificate` stands beside `--spire`", "`bundles` stands beside `--spire`"],
        ),
        (
            "  spire: unix:/run/b.sock\n",
            "--spire unix:/run/a.sock",
            &["`--spire` names another agent, `unix:/run/a.sock`"],
        ),
        ("", "--spire /run/a.sock", &["write `unix:PATH`"]),
        ("", "--spire unix:", &["write `unix:PATH`"]),
    ] {
        let output = of(envoy, arguments);
        assert!(!output.starts_with("exit: 0"), "{envoy} {arguments}: {output}");
        for expected in expected {
            assert!(output.contains(expected), "{envoy} {arguments}: {output}");
        }
    }
}

#[test]
fn what_routes_tell_toolgate_is_told_to_other_envoys_too() {
    let printed = toolgate("envoy --context");
    let told: serde_json::Value =
        serde_json::from_str(printed.strip_prefix("exit: 0\n").unwrap()).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let routes = std::fs::read_to_string(root.join("envoy/routes.json")).unwrap();
    let routes: serde_json::Value = serde_json::from_str(&routes).unwrap();
    let routes = routes.pointer("/resources/0/virtual_hosts/0/routes").unwrap();
    let rendered: serde_json::Map<_, _> = routes
        .as_array()
        .unwrap()
        .iter()
        .map(|route| {
            let path = route["match"]["path"].as_str().unwrap().to_owned();
            let filter = &route["typed_per_filter_config"]["envoy.filters.http.ext_authz"];
            let mut context = filter["check_settings"]["context_extensions"].clone();
            // Another Envoy has no routes whose answers are seen.
            assert_eq!(context.as_object_mut().unwrap().remove("toolgate.answers").unwrap(), "1");
            (path, context)
        })
        .collect();
    assert_eq!(told, serde_json::Value::Object(rendered));
    // An Envoy that somebody else configures has no section here.
    assert_eq!(run(with_envoy(None).path(), "envoy --context"), printed);
    let none = run(with_envoy(None).path(), "envoy --static");
    assert!(none.contains("`envoy` is missing"), "{none}");
}

#[test]
fn a_server_has_no_audience_that_every_token_has() {
    let (directory, policies) = copy_of_policies();
    let envoy = directory.path().join("envoy");
    std::fs::create_dir(&envoy).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(root.join("envoy/toolgate.yaml"), envoy.join("toolgate.yaml")).unwrap();
    let presto = policies.join("servers/presto.yaml");
    let text = std::fs::read_to_string(&presto).unwrap();
    for (resource, expected) in [
        ("https://mcp.example.com", "exit: 2\nerror: the `resource` of `presto` is an audience"),
        ("https://mcp.example.com/presto/mcp", "exit: 0\n{"),
    ] {
        let own = format!("\nresource: \"{resource}\"\ntools:");
        std::fs::write(&presto, text.replacen("\ntools:", &own, 1)).unwrap();
        for command in ["envoy --static", "serve --check"] {
            let output = run(directory.path(), &format!("{command} --config envoy/toolgate.yaml"));
            let refused = expected.starts_with("exit: 2");
            assert_eq!(
                output.contains("is an audience of an issuer"),
                refused,
                "{command} {output}"
            );
            assert!(command.starts_with("serve") || output.starts_with(expected), "{output}");
        }
    }
}

#[test]
fn serve_does_not_start_on_a_broken_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let missing = run(directory.path(), "serve --config none.yaml");
    assert!(missing.starts_with("exit: 2\nerror: none.yaml"), "{missing}");
    std::fs::write(directory.path().join("bad.yaml"), "toolgate: 1\nlisten: { grpc: 0.0.0.0:1 }\n")
        .unwrap();
    let bad = run(directory.path(), "serve --config bad.yaml");
    assert!(bad.starts_with("exit: 2") && bad.contains("off the loopback"), "{bad}");
}

#[test]
fn a_new_servers_file_loads_once_everything_is_decided() {
    let (directory, policies) = copy_of_policies();
    let guardrails = policies.join("guardrails.yaml");
    let text = std::fs::read_to_string(&guardrails).unwrap();
    let upstreams = [
        ("127.0.0.1:7104\"", "127.0.0.1:7104\", \"wiki.example.com:443\""),
        ("7201\"", "7201\", \"127.0.0.1:7202\""),
    ];
    let text = upstreams.iter().fold(text, |text, (from, to)| text.replacen(from, to, 1));
    std::fs::write(&guardrails, &text).unwrap();
    let told = run(directory.path(), "new server wiki");
    let path = policies.join("servers/wiki.yaml");
    let written = std::fs::read_to_string(&path).unwrap();
    insta::assert_snapshot!(format!("{told}\n{written}"));

    // The loader names every place that is open.
    let command = "explain wiki@staging/search --via ide --groups ads --at 2026-11-20T12:00:00Z";
    let open = run(directory.path(), command);
    for (index, line) in written.lines().enumerate() {
        let (code, _) = line.split_once('#').unwrap_or((line, ""));
        let named = open.contains(&format!("wiki.yaml:{}:", index + 1))
            || open.lines().any(|shown| shown.starts_with(&format!("{} |", index + 1)));
        assert!(!code.contains("DECIDE") || named, "{}: {line}\n{open}", index + 1);
    }

    // An undecided file is not in the way of another one.
    let other = run(directory.path(), "new server other");
    assert!(other.starts_with("exit: 0"), "{other}");
    std::fs::remove_file(policies.join("servers/other.yaml")).unwrap();
    let again = run(directory.path(), "new server wiki");
    assert_eq!(
        again,
        "exit: 2\nerror: policies/servers/wiki.yaml is already there\n\
         hint: nothing was changed; choose another name, or edit that file\n"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);

    let decisions = [
        (
            "upstream_identity: DECIDE",
            "upstream_identity: spiffe://prod.example.com/ns/wiki/sa/mcp",
        ),
        ("DECIDE-security", "SEC-1412"),
        ("DECIDE-legal", "LEGAL-377"),
        ("DECIDE-genai", "GENAI-52"),
        ("DECIDE-security", "SEC-1412"),
        ("http://DECIDE/mcp", "http://127.0.0.1:7399/mcp"),
        ("DECIDE: a tool's name", "search"),
        ("effect: DECIDE", "effect: read"),
        ("people: [DECIDE]", "people: [ads]"),
        ("via: [DECIDE]", "via: [ide]"),
        ("in: [DECIDE]", "in: [staging]"),
        ("call: [DECIDE]", "call: [search]"),
    ];
    let decided = decisions.iter().fold(written, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    std::fs::write(&path, decided).unwrap();
    std::fs::write(&guardrails, text.replacen("7301\"", "7301\", \"127.0.0.1:7399\"", 1)).unwrap();
    let stamped = run(directory.path(), "reviews stamp wiki");
    assert!(stamped.contains("SEC-1412 now covers wiki"), "{stamped}");
    let allowed = run(directory.path(), command);
    assert!(allowed.starts_with("exit: 0\nALLOWED"), "{allowed}");
}

#[test]
fn a_new_servers_file_is_written_in_its_place_or_not_at_all() {
    let (directory, policies) = copy_of_policies();
    for name in ["Wiki", "wi/ki", "../wiki", "", "."] {
        let told = run(directory.path(), &format!("new server '{name}'"));
        assert!(told.starts_with("exit: 2\nerror: `"), "{name}: {told}");
    }
    let nowhere = run(directory.path(), "new server wiki --policies nowhere");
    assert!(nowhere.starts_with("exit: 2") && nowhere.contains("cannot be read"), "{nowhere}");
    std::fs::write(policies.join("groups.yaml"), "toolgate: 1\ngroups: [").unwrap();
    let broken = run(directory.path(), "new server wiki");
    assert!(broken.starts_with("exit: 2") && broken.contains("groups.yaml"), "{broken}");
    assert!(!policies.join("servers/wiki.yaml").exists());
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = toolgate(&format!("completions {shell}"));
        for word in ["explain", "reviews", "lint", "deny-warnings"] {
            assert!(script.starts_with("exit: 0\n") && script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn every_command_says_what_it_is_for_and_how_it_ends() {
    let mut told = String::new();
    for command in [
        "serve",
        "status",
        "probe",
        "doctor",
        "envoy",
        "explain",
        "test",
        "matrix",
        "lint",
        "diff",
        "new",
        "new server",
        "reviews",
        "reviews stamp",
        "reviews status",
        "schema",
        "completions",
    ] {
        let help = toolgate(&format!("{command} --help"));
        let about = help.split("\nUsage:").next().unwrap();
        let _ = writeln!(told, "\n$ toolgate {command} --help\n{}", about.trim_end());
    }
    insta::assert_snapshot!(told);
}
