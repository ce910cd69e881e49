use std::path::Path;

use super::*;
use crate::policy::PolicyFile;

const GUARDRAILS: &str = "\
toolgate: 1
environments: { dev: { reviews: [], upstreams: [\"127.0.0.1:7301\"] } }
";
const SERVER: &str = "\
toolgate: 1
server: a
environments: { dev: { upstream: \"http://127.0.0.1:7301/mcp\" } }
about: { support: help }
tools: { look: { effect: read, minutes_saved: 1 } }
grants:
  old: { people: [ads], via: [ide], call: [look], last_day: 2026-01-31 }
";

fn files(guardrails: &str, server: &str) -> PolicyFiles {
    let surfaces = "toolgate: 1\nsurfaces: { ide: { workloads: none, reaches: [dev] } }\n";
    let list = [
        ("guardrails.yaml", format!("{GUARDRAILS}{guardrails}")),
        ("groups.yaml", "toolgate: 1\ngroups: { ads: {} }\n".to_owned()),
        ("servers/a.yaml", server.to_owned()),
        ("surfaces.yaml", surfaces.to_owned()),
    ];
    let file = |(path, text): (&str, String)| PolicyFile {
        path: path.to_owned(),
        bytes: text.into_bytes().into(),
    };
    let mut files = PolicyFiles::rooted(Path::new("p"));
    files.files = list.into_iter().map(file).collect();
    files
}

/// `CODE severity line` of everything that is shown of a server's file.
fn shown(guardrails: &str, server: &str) -> Vec<String> {
    let report = lint(files(guardrails, server), "2026-11-20T12:00:00Z".parse().unwrap());
    let Diagnostics { sources, list } = &report.diagnostics;
    let show = |found: &Diagnostic| {
        let line = found.place.map_or(0, |place| sources.line_column(place).0);
        format!("{} {:?} {line}", found.code.as_str(), found.severity)
    };
    list.iter().map(show).collect()
}

/// A test file that does not load tests nothing, and that is said once.
#[test]
fn test_files_that_do_not_load_are_found() {
    let head = "toolgate: 1\nnow: 2026-11-20T12:00:00Z\n";
    for (cases, expected) in [
        ("refused:\n  - { who: nobody, via: ide, call: a/look, because: no_grnt }\n", "TG010 4"),
        ("allowed:\n  - { who: anna, via: ide, call: a/look }\n", "TG010 4"),
        ("allowed: [\n", "TG003 3"),
        ("always:\n  - never: { people: [adds] }\n    call: [a/look]\n", "TG030 4"),
    ] {
        let mut files = files("lint: { ended-grant: off }", SERVER);
        let bytes = format!("{head}{cases}").into_bytes().into();
        files.files.push(PolicyFile { path: "tests/a.yaml".to_owned(), bytes });
        let report = lint(files, "2026-11-20T12:00:00Z".parse().unwrap());
        let Diagnostics { sources, list } = &report.diagnostics;
        let show = |found: &Diagnostic| {
            let place = found.place.unwrap();
            assert_eq!(sources.get(place.source).unwrap().path, Path::new("p/tests/a.yaml"));
            format!("{} {}", found.code.as_str(), sources.line_column(place).0)
        };
        let shown: Vec<_> = list.iter().map(show).collect();
        assert_eq!(shown, [expected], "{cases}");
        assert_eq!(report.counts().errors, 1);
    }
}

#[test]
fn guardrails_say_what_rules_weigh_and_comments_what_is_ignored() {
    let ignored = SERVER.replace("2026-01-31 }", "2026-01-31 } # toolgate: ignore[TG121] why");
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("as it is", "", SERVER, &["TG121 Warning 7"]),
        ("an error", "lint: { ended-grant: error }", SERVER, &["TG121 Error 7"]),
        ("off", "lint: { ended-grant: off }", SERVER, &[]),
        ("another rule", "lint: { unused-tool: off }", SERVER, &["TG121 Warning 7"]),
        ("ignored", "", &ignored, &[]),
        ("an ignored error", "lint: { ended-grant: error }", &ignored, &[]),
        ("off, and ignored: nobody looked", "lint: { ended-grant: off }", &ignored, &[]),
        (
            "a misspelt rule is no reason not to load",
            "lint: { ended-grants: off }",
            SERVER,
            &["TG192 Error 3", "TG121 Warning 7"],
        ),
    ];
    for (name, guardrails, server, expected) in cases {
        assert_eq!(shown(guardrails, server), *expected, "{name}");
    }
}

#[test]
fn what_keeps_policies_from_loading_cannot_be_ignored_or_weighed() {
    for comment in ["ignore[TG030] why", "ignore[ended-grant, TG030] why"] {
        let text = format!("last_day: 2026-01-31 }} # toolgate: {comment}");
        let server = SERVER
            .replace("last_day: 2026-01-31 }", &text)
            .replace("people: [ads]", "people: [adz]");
        assert_eq!(shown("", &server), ["TG030 Error 7", "TG191 Error 7"], "{comment}");
    }
    // Nothing is said of a comment about a rule that could not look.
    let server = SERVER.replace("people: [ads]", "people: [adz]");
    let ignored = server.replace("2026-01-31 }", "2026-01-31 } # toolgate: ignore[TG121] why");
    assert_eq!(shown("", &ignored), ["TG030 Error 7"]);
    let report = lint(files("", &server), Timestamp::UNIX_EPOCH);
    let names: Vec<_> = report.not_looked_at.iter().map(|rule| rule.name()).collect();
    assert!(names.contains(&"ended-grant") && !names.contains(&"unquoted-channel"), "{names:?}");
    assert!(text(&report, false).contains("cannot look until the policies load"));
}

#[test]
fn a_finding_stands_in_the_place_of_the_problem_that_it_explains() {
    let about = |support: &str| SERVER.replace("{ support: help }", &format!("\n  {support}"));
    assert_eq!(shown("", &about("support: #a-help")), ["TG101 Error 5"]);
    assert_eq!(shown("", &about("support:")), ["TG009 Error 5"]);
    // If the finding does not fail the run, the problem stays.
    let weighs = "lint: { unquoted-channel: warning }";
    assert_eq!(shown(weighs, &about("support: #a-help")), ["TG009 Error 5", "TG101 Warning 5"]);
    let ignored = "# toolgate: ignore[unquoted-channel] why\n  support: #a-help";
    assert_eq!(shown("", &about(ignored)), ["TG009 Error 6"]);
}
