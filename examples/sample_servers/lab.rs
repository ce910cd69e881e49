//! Lab: something harmless to try things on.

use std::hash::{BuildHasher as _, RandomState};

use rmcp::{
    ServerHandler, handler::server::wrapper::Parameters, schemars::JsonSchema, tool, tool_handler,
    tool_router,
};
use serde::Deserialize;

use crate::told::Told;

#[derive(Clone)]
pub(crate) struct Lab;

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Echo {
    /// What to say back
    message: String,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct RollDice {
    /// How many sides, 6 unless given
    sides: Option<u32>,
}

#[tool_router]
impl Lab {
    #[tool(description = "Say it back")]
    fn echo(Parameters(Echo { message }): Parameters<Echo>, told: Told) -> String {
        told.answer(message)
    }

    #[tool(description = "Roll one die")]
    fn roll_dice(Parameters(RollDice { sides }): Parameters<RollDice>, told: Told) -> String {
        let sides = u64::from(sides.unwrap_or(6).max(1));
        told.answer((RandomState::new().hash_one(sides) % sides + 1).to_string())
    }
}

#[tool_handler(name = "lab")]
impl ServerHandler for Lab {}
