//! Knowledge: the company's pages.

use rmcp::{
    ServerHandler, handler::server::wrapper::Parameters, schemars::JsonSchema, tool, tool_handler,
    tool_router,
};
use serde::Deserialize;

use crate::told::Told;

#[derive(Clone)]
pub(crate) struct Knowledge;

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Search {
    /// Words to look for
    query: String,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct ReadPage {
    /// Page name, as search returns it
    page: String,
}

const PAGES: [(&str, &str); 3] = [
    ("oncall-handbook", "Page the owner first. Write down what you changed. Hand over in person."),
    ("data-retention", "Raw clicks are kept 90 days, sessions 13 months, aggregates for good."),
    ("mcp-servers", "Every MCP server is reviewed before people may call its tools."),
];

#[tool_router]
impl Knowledge {
    #[tool(description = "Find pages by words")]
    fn search(Parameters(Search { query }): Parameters<Search>, told: Told) -> String {
        let names: Vec<_> = PAGES.into_iter().map(|(name, _)| name).collect();
        told.answer(format!("{} pages for {query:?}:\n{}", names.len(), names.join("\n")))
    }

    #[tool(description = "Read one page")]
    fn read_page(Parameters(ReadPage { page }): Parameters<ReadPage>, told: Told) -> String {
        let found = PAGES.into_iter().find(|(name, _)| *name == page);
        told.answer(found.map_or("no such page", |(_, text)| text))
    }
}

#[tool_handler(name = "knowledge")]
impl ServerHandler for Knowledge {}
