//! Spark: batch applications and what became of them.

use rmcp::{
    ServerHandler, handler::server::wrapper::Parameters, schemars::JsonSchema, tool, tool_handler,
    tool_router,
};
use serde::Deserialize;

use crate::told::Told;

#[derive(Clone)]
pub(crate) struct Spark;

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Application {
    /// Application ID, such as `app-20261119-0007`
    application: String,
}

#[tool_router]
impl Spark {
    #[tool(description = "List recent applications and their states")]
    fn list_applications(told: Told) -> String {
        told.answer(
            "app-20261119-0007 sessionize-clicks FAILED\n\
             app-20261119-0011 revenue-rollup RUNNING\n\
             app-20261120-0002 feature-backfill SUCCEEDED",
        )
    }

    #[tool(description = "Explain why an application failed")]
    fn explain_failure(Parameters(of): Parameters<Application>, told: Told) -> String {
        told.answer(format!(
            "{}: executor 14 lost in stage 3, 5.9 GB of 6 GB used; \
             one key holds 61 % of the rows of the join on user_id",
            of.application
        ))
    }

    #[tool(description = "Kill a running application")]
    fn kill_application(Parameters(of): Parameters<Application>, told: Told) -> String {
        told.answer(format!("{} killed, 24 executors released", of.application))
    }
}

#[tool_handler(name = "spark")]
impl ServerHandler for Spark {}
