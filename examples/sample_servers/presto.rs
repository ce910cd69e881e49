//! Presto: a data warehouse.

use rmcp::{
    ServerHandler, handler::server::wrapper::Parameters, schemars::JsonSchema, tool, tool_handler,
    tool_router,
};
use serde::Deserialize;

use crate::told::Told;

#[derive(Clone)]
pub(crate) struct Presto;

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct RunQuery {
    /// One SELECT statement
    sql: String,
    /// At most this many rows
    limit: Option<i64>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct RevenueMetrics {
    /// Such as 2026-Q3; the last full quarter unless given
    quarter: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct OverwriteTable {
    /// The table to replace
    table: String,
    /// The query whose rows take its place
    sql: String,
}

const ROWS: [&str; 4] = [
    "2026-11-17 | search  | 1841022",
    "2026-11-18 | search  | 1902377",
    "2026-11-18 | display |  633140",
    "2026-11-19 | search  | 1876455",
];

#[tool_router]
impl Presto {
    #[tool(description = "List the tables of the warehouse")]
    fn list_tables(told: Told) -> String {
        told.answer("ads.clicks\nads.impressions\nfinance.bookings\nfinance.revenue\ninfra.hosts")
    }

    #[tool(description = "Run one SELECT statement and return its rows")]
    fn run_query(Parameters(query): Parameters<RunQuery>, told: Told) -> String {
        let limit = usize::try_from(query.limit.unwrap_or(100)).unwrap_or(0);
        let rows: Vec<_> = ROWS.into_iter().take(limit).collect();
        told.answer(format!(
            "{}\nday        | channel | clicks\n{}\n({} rows)",
            query.sql,
            rows.join("\n"),
            rows.len()
        ))
    }

    #[tool(description = "Revenue, growth and margin of a quarter")]
    fn get_revenue_metrics(Parameters(metrics): Parameters<RevenueMetrics>, told: Told) -> String {
        let quarter = metrics.quarter.as_deref().unwrap_or("2026-Q3");
        told.answer(format!(
            "{quarter}: revenue 412.6 M, growth 11.8 % year over year, margin 34.2 %"
        ))
    }

    #[tool(description = "Replace all rows of a table by the result of a query")]
    fn overwrite_table(Parameters(overwrite): Parameters<OverwriteTable>, told: Told) -> String {
        told.answer(format!(
            "{}: 48210 rows replaced by 4 rows of {}",
            overwrite.table, overwrite.sql
        ))
    }
}

#[tool_handler(name = "presto")]
impl ServerHandler for Presto {}
