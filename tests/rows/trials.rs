//! One test for each row, and a few that look at the rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use toolgate::{authn, disk, policy};

use crate::grpc;
use crate::keys::{self, Keys};
use crate::listener::Listener;
use crate::peers::{self, Certificate};
use crate::row::{self, Case, Row, Setup};
use crate::sidecar::{Sidecar, Sidecars};
use crate::{check, forged, recorded, standards, token};

/// The rows of the list: all of them.
const LISTED: [std::ops::RangeInclusive<u32>; 1] = [1..=124];

/// What all rows share.
pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) keys: Keys,
    pub(crate) peers: BTreeMap<String, Certificate>,
    /// The hash of the route, as the policy has it.
    pub(crate) route: String,
    pub(crate) listener: Listener,
    sidecars: Sidecars,
    runtime: tokio::runtime::Runtime,
}

pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::from_args();
    let rows = row::rows();
    let world = Arc::new(World::new());
    let mut trials: Vec<Trial> = rows
        .iter()
        .map(|row| {
            let (row, world) = (row.clone(), Arc::clone(&world));
            let input: String = row.input.chars().filter(|c| *c != ':').collect();
            Trial::test(format!("{}::{} {input}", row.file, row.id), move || test(&row, &world))
        })
        .collect();
    trials.extend(standards::trials());
    trials.extend(recorded::trials(&world));
    trials.push(forged::trial(&world.setup, &world.keys));
    trials.push(forged::revoked(&world.setup, &world.keys));
    trials.push(forged::jwt_svid_trial(&world.keys));
    trials.push(Trial::test("every_row_of_the_list_is_here", move || all_are_here(&rows)));
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Whoever follows an address in a token may do so a moment after the answer.
    assert_eq!(world.listener.asked(), 0, "an address in a token was asked");
    // The last one: the Toolgates end with it.
    drop(world);
    conclusion.exit_code()
}

impl World {
    fn new() -> Self {
        authn::install_crypto().unwrap();
        let (setup, keys) = (row::setup(), keys::make());
        let files = disk::read_policies(&row::directory().join("policies"));
        let policies = policy::load(files).unwrap_or_else(|problems| panic!("{problems}"));
        let route = policies.server("presto").unwrap().environments[0].route.to_string();
        let peers = peers::make(&setup.peers);
        let sidecars = Sidecars::new(&setup, &keys, &peers);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        Self { setup, keys, peers, route, listener: Listener::new(), sidecars, runtime }
    }

    pub(crate) fn sidecar(&self, name: &str) -> &Sidecar {
        self.sidecars.of(name, &self.setup, &self.runtime)
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

fn test(row: &Row, world: &World) -> Result<(), Failed> {
    assert!(row.otherwise.as_ref().is_none_or(|why| why.ends_with('.')), "`otherwise` says why");
    if let Some(named) = &row.shown_by {
        return shown_elsewhere(row, named);
    }
    let case = row.case(&world.setup.usual)?;
    let token = token::token(&case, world);
    ask(&case, &token, &case.peer, world);
    if case.allowed.is_some() {
        // From the cache.
        ask(&case, &token, &case.peer, world);
        if let Some(why) = &case.from_elsewhere {
            let (refused, why) = (Some("token_invalid".to_owned()), Some(why.clone()));
            let case = Case { allowed: None, refused, why, ..case };
            ask(&case, &token, "stranger", world);
        }
    } else if case.refused.as_deref() == Some("token_invalid") {
        // A service may make this call as long as it brings no user: it must not help.
        ask(&case, &token, "nightly", world);
    } else if case.refused.as_deref() == Some("workload_invalid") && case.kind == "user" {
        // Nor does it become a service, or nobody in particular, without the user's token.
        let refused = Some("unauthenticated".to_owned());
        let case = Case { authorization: Vec::new(), refused, ..case };
        ask(&case, &token, &case.peer, world);
    }
    Ok(())
}

fn ask(case: &Case, token: &str, peer: &str, world: &World) {
    let peer = world.peers.get(peer).unwrap_or_else(|| panic!("no peer `{peer}`"));
    let sidecar = world.sidecar(&case.sidecar);
    let mut client = sidecar.client.clone();
    let request = grpc::request(case, token, peer, world);
    let response = world.block_on(client.check(request)).unwrap();
    check::check(case, &grpc::answer(response.into_inner()), sidecar, world);
    assert_eq!(world.listener.asked(), 0, "an address in a token was asked");
}

/// A row that only names a test: it has to be there.
fn shown_elsewhere(row: &Row, named: &str) -> Result<(), Failed> {
    if let Some((key, _)) = row.rest.iter().next() {
        return Err(format!("`{key}`, and shown elsewhere").into());
    }
    let (path, name) = named.split_once("::").ok_or("write PATH::NAME")?;
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .map_err(|error| format!("{path}: {error}"))?;
    let there = [format!("\ndef {name}("), format!("fn {name}(")].iter().any(|f| text.contains(f));
    if there { Ok(()) } else { Err(format!("there is no {named}").into()) }
}

fn all_are_here(rows: &[Row]) -> Result<(), Failed> {
    let mut names = BTreeSet::new();
    for row in rows {
        if !names.insert(row.id.to_string()) {
            return Err(format!("{} stands twice", row.id).into());
        }
    }
    let here: BTreeSet<u32> = rows.iter().map(|row| row.id.number()).collect();
    let missing: Vec<_> =
        LISTED.into_iter().flatten().filter(|number| !here.contains(number)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("no row for {missing:?}").into()) }
}
