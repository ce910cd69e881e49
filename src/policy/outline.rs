//! What a policy directory declares, for somebody who writes a new server's file. It does not
//! need the directory to load: a first server's file is written where there is none yet.

use std::collections::BTreeSet;

use super::cores::Cores;
use super::files::PolicyFiles;
use super::lower;
use super::names;
use crate::diagnostics::{Diagnostics, Sources};

/// What there is to choose from; names in the order of their files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The environments.
    pub environments: Vec<EnvironmentOutline>,
    /// Groups of users.
    pub groups: Vec<String>,
    /// Surfaces, and `surface/channel` for each of their channels.
    pub surfaces: Vec<String>,
    /// Services.
    pub services: Vec<String>,
}

/// What a server must say about an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentOutline {
    /// Its name.
    pub name: String,
    /// The kinds of review that it needs.
    pub reviews: Vec<String>,
    /// `host:port` of an upstream that no server has yet.
    pub free_upstream: Option<String>,
}

/// Whether a server can have that name.
///
/// # Errors
///
/// Why not.
pub fn server_name(name: &str) -> Result<(), String> {
    names::plain(name).map_err(|error| error.to_string())
}

/// Reads what a policy directory declares.
///
/// # Errors
///
/// Every problem of a file that declares: what it declares is not known then.
pub fn outline(files: &PolicyFiles) -> Result<Outline, Diagnostics> {
    let mut sources = Sources::default();
    let mut problems = files.problems.clone();
    let trees = lower::trees(files, Cores::One, &mut sources, &mut problems);
    let raw = lower::read(&trees, Cores::One, &mut problems);
    // What is wrong in another server's file, perhaps one just started, is not in the way.
    let servers = files.root.join("servers");
    problems.retain(|problem| {
        let source = problem.place.and_then(|place| sources.get(place.source));
        let path = source.map(|source| &source.path).or(problem.path.as_ref());
        !path.is_some_and(|path| path.starts_with(&servers))
    });
    if !problems.is_empty() {
        return Err(Diagnostics { sources, list: problems }.sorted());
    }
    let environments = raw.servers.iter().flat_map(|(server, _)| &server.environments);
    let taken: BTreeSet<String> = environments
        .filter_map(|environment| {
            let url = &environment.upstream.value;
            Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
        })
        .collect();
    let mut outline = Outline::default();
    for environment in raw.guardrails.iter().flat_map(|guardrails| &guardrails.environments) {
        let free = environment.upstreams.iter().find(|host| !taken.contains(host.value));
        outline.environments.push(EnvironmentOutline {
            name: environment.name.value.to_owned(),
            reviews: environment.reviews.iter().map(|kind| kind.value.to_owned()).collect(),
            free_upstream: free.map(|host| host.value.to_owned()),
        });
    }
    outline.groups = raw.groups.iter().map(|group| group.name.value.to_owned()).collect();
    for place in &raw.places {
        let name = place.name.value;
        if place.service {
            outline.services.push(name.to_owned());
            continue;
        }
        outline.surfaces.push(name.to_owned());
        let channels =
            place.channels.iter().map(|(channel, _)| format!("{name}/{}", channel.value));
        outline.surfaces.extend(channels);
    }
    Ok(outline)
}
