//! What the parts of a decision cost: deciding, reading a body, verifying a token, filtering a
//! list. `cargo bench --bench micro`; a word after `--` picks some of them.
//!
//! Without such a word, verifying a token is compared with the bare signature check first, in
//! turns, by the thread's CPU time.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends if it cannot begin"
)]

#[expect(dead_code, reason = "another benchmark changes the directory")]
#[path = "../policies/generate.rs"]
mod generate;
mod tokens;

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::BytesCount;
use toolgate::engine::{NoTrace, Query, Verdict, decide};
use toolgate::identity::{Caller, Groups, User, Workload};
use toolgate::lists::{Bits, Rules, Shown, Visible, filter};
use toolgate::mcp;
use toolgate::policy;
use toolgate::policy::model::Offer;

use self::tokens::{Kind, Signed};

const SURFACE: &str = "spiffe://prod.example.com/ns/ai-chat/sa/webapp";

const BODY: &[u8] = br#"{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"query_things","arguments":{"limit":100,"offset":20},"_meta":{"progressToken":"a1b2c3"}}}"#;

fn main() -> anyhow::Result<()> {
    // `cargo bench` says `--bench` to every benchmark.
    if std::env::args().skip(1).all(|argument| argument == "--bench") {
        for kind in Kind::ALL {
            let (bare, token) = Signed::new(kind)?.compared()?;
            let ratio = token / bare;
            println!("{kind:?}: signature {bare:.1} µs, token {token:.1} µs: {ratio:.3} times");
        }
    }
    divan::main();
    Ok(())
}

/// The first grant that calls the tool is the second of five; the caller has twenty groups.
#[divan::bench(args = [1, 100, 10_000])]
fn decision(bencher: Bencher<'_, '_>, servers: usize) {
    let set = policy::load(generate::directory(servers)).unwrap();
    let index = servers / 2;
    // The grant is for the group of the server's number and one more.
    let mine = set.group(&format!("team-{}", (index + 1) % 300));
    let others = (0..300).step_by(16).filter_map(|other| set.group(&format!("team-{other}")));
    let groups = Groups::Known(mine.into_iter().chain(others).collect());
    let user = Some(User::new("corp", "alice", groups));
    let caller =
        Caller { user: user.map(Into::into), workload: Some(Workload::new(SURFACE).unwrap()) };
    let message = mcp::parse(BODY).unwrap();
    let server = format!("server-{index}");
    let query = Query {
        server: &server,
        environment: "prod",
        caller: &caller,
        channel: None,
        action: message.action().unwrap(),
        now: "2026-11-20T12:00:00Z".parse().unwrap(),
    };
    assert_eq!(decide(&set, &query, &mut NoTrace).verdict, Verdict::Allow);
    bencher.bench_local(|| decide(&set, black_box(&query), &mut NoTrace));
}

#[divan::bench]
fn body(bencher: Bencher<'_, '_>) {
    let bytes = BytesCount::of_slice(BODY);
    bencher.counter(bytes).bench_local(|| mcp::parse(black_box(BODY)).is_ok());
}

#[divan::bench(args = Kind::ALL)]
fn signature(bencher: Bencher<'_, '_>, kind: Kind) {
    let signed = Signed::new(kind).unwrap();
    bencher.bench_local(|| signed.bare());
}

#[divan::bench(args = Kind::ALL)]
fn token(bencher: Bencher<'_, '_>, kind: Kind) {
    let signed = Signed::new(kind).unwrap();
    bencher.bench_local(|| signed.verified());
}

/// Every other tool stays.
#[divan::bench(args = [10, 1000])]
fn list(bencher: Bencher<'_, '_>, tools: usize) {
    let mut message = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":["#.to_owned();
    for tool in 0..tools {
        let comma = if tool == 0 { "" } else { "," };
        write!(
            message,
            r#"{comma}{{"name":"tool-{tool}","description":"One of many tools that a server has","inputSchema":{{"type":"object","properties":{{"limit":{{"type":"integer"}},"query":{{"type":"string"}}}}}}}}"#
        )
        .unwrap();
    }
    message.push_str("]}}");
    let names: Vec<_> = (0..tools).map(|tool| format!("tool-{tool}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let offer = Arc::new(Offer::new(&names, Vec::new(), &[]));
    let shown = Some(Bits::new(tools, (0..tools).step_by(2)));
    let visible = Visible::new(offer, Shown { tools: shown, ..Shown::default() }).unwrap();
    let rules = Rules { visible, private: false };
    let bytes = BytesCount::of_slice(message.as_bytes());
    let message = message.as_bytes();
    bencher.counter(bytes).bench_local(|| filter(black_box(message), &rules).is_ok());
}
