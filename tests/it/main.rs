//! The integration tests: one binary.

/// What a decision allocates: nothing.
#[cfg(test)]
mod allocations;
/// The dependency arrows of the modules.
#[cfg(test)]
mod architecture;
/// What programs of CI are told.
#[cfg(test)]
mod ci;
/// The command line, as a person sees it.
#[cfg(test)]
mod cli;
/// `toolgate lint`, as a person sees it.
#[cfg(test)]
mod cli_lint;
/// `toolgate matrix`, as a person sees it.
#[cfg(test)]
mod cli_matrix;
/// What changes from one policy directory to another.
#[cfg(test)]
mod diff;
/// The documentation.
#[cfg(test)]
mod docs;
/// The lint rules.
#[cfg(test)]
mod lint;
/// Input of every malformed kind.
#[cfg(test)]
mod malformed;
/// What stands in the cells of the table.
#[cfg(test)]
mod matrix;
/// The reference of the policy language: every example of it.
#[cfg(test)]
mod policy_page;
/// Tokens in the shapes that providers send.
#[cfg(test)]
mod presets;
/// Random policies, and what holds for all of them.
#[cfg(test)]
mod properties;
/// The generated code is that of the schemas.
#[cfg(test)]
mod proto;
/// Every shipped sample loads.
#[cfg(test)]
mod samples;
/// The schemas for editors, beside the loader.
#[cfg(test)]
mod schema;
