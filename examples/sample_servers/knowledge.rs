//! Knowledge: the company's pages.

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::wrapper::Parameters,
    model::{
        ListResourcesResult, PaginatedRequestParams, ReadResourceRequestParams,
        ReadResourceResponse, ReadResourceResult, Resource, ResourceContents,
    },
    schemars::JsonSchema,
    service::RequestContext,
    tool, tool_handler, tool_router,
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

/// What the pages' URIs start with.
const PAGE_URI: &str = "handbook://company/pages/";

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
impl ServerHandler for Knowledge {
    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resource = |(name, _)| Resource::new(format!("{PAGE_URI}{name}"), name);
        Ok(ListResourcesResult::with_all_items(PAGES.into_iter().map(resource).collect()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        let name = uri.strip_prefix(PAGE_URI);
        let found = PAGES.into_iter().find(|(page, _)| Some(*page) == name);
        let text = found.map_or("no such page", |(_, text)| text);
        Ok(ReadResourceResult::new(vec![ResourceContents::text(text, uri)]).into())
    }
}
