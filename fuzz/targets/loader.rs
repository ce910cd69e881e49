//! A policy directory out of any bytes: it loads or says why not, and what loads decides.
//!
//! A line `=== PATH` starts a file. What the input leaves out is taken from a small directory that
//! loads, so that a change in one file can reach what lies behind loading.

#![no_main]

use libfuzzer_sys::fuzz_target;
use toolgate::diagnostics::{render_json, render_text};
use toolgate::engine::{NoTrace, Query, Recorder, decide, visible};
use toolgate::identity::{Caller, Groups, User};
use toolgate::json::Object;
use toolgate::mcp::{Action, Discovery, PromptOp, ResourceOp};
use toolgate::policy::model::{PlaceId, Server, ServerEnvironment};
use toolgate::policy::{self, PolicyFile, PolicyFiles, PolicySet, stamp};
use toolgate::scenario;

const BASE: &str = include_str!("../seeds/loader/whole");

/// The files of a text, later ones in the place of earlier ones with the same path.
fn files(bytes: &[u8], files: &mut Vec<PolicyFile>) {
    let mut path: Option<String> = None;
    let mut content: Vec<u8> = Vec::new();
    let mut keep = |path: Option<String>, content: &mut Vec<u8>| {
        let bytes = std::mem::take(content).into();
        if let Some(path) = path {
            files.retain(|file| file.path != path);
            files.push(PolicyFile { path, bytes });
        }
    };
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if let Some(name) = line.strip_prefix(b"=== ") {
            keep(path.take(), &mut content);
            path = Some(String::from_utf8_lossy(name).trim().to_owned());
        } else {
            content.extend_from_slice(line);
        }
    }
    keep(path, &mut content);
}

/// Somebody from the first place that a grant could mean, in every group.
fn caller(set: &PolicySet, place: Option<PlaceId>) -> Caller {
    let groups = set.group_names().filter_map(|name| set.group(name)).collect();
    let user = User::new("corp", "ana", Groups::Known(groups));
    let place = place.and_then(|id| set.place(id));
    let workload = place.and_then(|place| place.workloads.first()?.example());
    Caller { user: Some(user.into()), workload }
}

fn ask(set: &PolicySet, server: &Server, environment: &ServerEnvironment) {
    let arguments = Object::default();
    let mut actions = vec![Action::Discover(Discovery::ListTools), Action::Unknown];
    for tool in server.tools() {
        actions.push(Action::CallTool { name: &tool.name, arguments: &arguments, task: false });
    }
    for resource in server.resources() {
        let uri = resource.pattern.to_string();
        actions.push(Action::Resource { op: ResourceOp::Read, uri: uri.leak() });
    }
    for prompt in server.prompts() {
        actions.push(Action::Prompt { op: PromptOp::Get, name: &prompt.name });
    }
    let places = set.place_names().filter_map(|name| set.place_named(name));
    let places: Vec<_> = places.map(|(id, _)| Some(id)).chain([None]).collect();
    for place in places {
        let caller = caller(set, place);
        for action in &actions {
            let query = Query {
                server: &server.name,
                environment: set.environment_name(environment.id),
                caller: &caller,
                channel: Some("C1"),
                action: *action,
                now: "2026-11-20T12:00:00Z".parse().expect("an instant"),
            };
            let decision = decide(set, &query, &mut NoTrace);
            let mut recorder = Recorder::default();
            assert_eq!(decision, decide(set, &query, &mut recorder), "a trace changes the answer");
            let _ = visible(set, &query);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut directory = PolicyFiles::rooted("policies".as_ref());
    files(BASE.as_bytes(), &mut directory.files);
    files(bytes, &mut directory.files);
    // With digests of the tools as they stand, reviews do not refuse everything.
    let stamped = stamp::stamp(&directory, &[]).ok();
    if let Some(stamped) = &stamped
        && let Some(reviews) = directory.files.iter_mut().find(|file| file.path == "reviews.yaml")
    {
        reviews.bytes = stamped.text.as_bytes().into();
    }
    let set = match policy::load(directory.clone()) {
        Ok(set) => set,
        Err(problems) => {
            assert!(!problems.list.is_empty(), "nothing loads and nobody is told why");
            // What is shown reads the places of what was read.
            let _ = (render_text(&problems, true), render_json(&problems));
            return;
        }
    };
    for server in set.servers() {
        for environment in &server.environments {
            ask(&set, server, environment);
        }
    }
    if let Err(problems) = scenario::run(&set, &directory) {
        let _ = render_text(&problems, true);
    }
});
