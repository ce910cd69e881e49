//! What a server's file says about the protocol: how it is refused there, and what beside tools,
//! resources and prompts goes through.

use super::{Few, Server};

/// What goes through beside the protocol's usual methods, and how refusals look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protocol {
    /// The shape of a refused request.
    pub refusal: Refusal,
    /// Whether tasks go through: the server keeps each for the user who began it.
    pub tasks: bool,
    /// Methods of extensions that go through: sorted, each once.
    pub methods: Few<Box<str>>,
}

/// The shape of one refused request. It changes no decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refusal {
    /// A JSON-RPC error.
    #[default]
    Error,
    /// For a call: a result of the tool that says so, which a model can read.
    Result,
    /// Status 403.
    Http,
}

impl Server {
    /// What its file says about the protocol.
    #[must_use]
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// Whether requests of an extension's method go through.
    #[must_use]
    pub fn lets_through(&self, method: &str) -> bool {
        self.protocol.methods.iter().any(|listed| **listed == *method)
    }
}
