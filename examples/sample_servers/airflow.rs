//! Airflow: scheduled workflows.

use rmcp::{
    ServerHandler, handler::server::wrapper::Parameters, schemars::JsonSchema, tool, tool_handler,
    tool_router,
};
use serde::Deserialize;

use crate::told::Told;

#[derive(Clone)]
pub(crate) struct Airflow;

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Dag {
    /// DAG ID, such as `revenue_daily`
    dag: String,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Task {
    /// DAG ID, such as `revenue_daily`
    dag: String,
    /// Task ID within the DAG
    task: String,
}

#[tool_router]
impl Airflow {
    #[tool(description = "List the DAGs, their schedules and last runs")]
    fn list_dags(told: Told) -> String {
        told.answer(
            "revenue_daily 0 5 * * * success\n\
             ads_sessionize @hourly failed\n\
             lineage_nightly 30 1 * * * success",
        )
    }

    #[tool(description = "Start a run of a DAG now")]
    fn trigger_dag(Parameters(Dag { dag }): Parameters<Dag>, told: Told) -> String {
        told.answer(format!("{dag}: run manual__2026-11-20T09:14:00 queued"))
    }

    #[tool(description = "Clear a task, so that it runs again")]
    fn clear_task(Parameters(Task { dag, task }): Parameters<Task>, told: Told) -> String {
        told.answer(format!("{dag}.{task}: cleared, 1 task instance will run again"))
    }
}

#[tool_handler(name = "airflow")]
impl ServerHandler for Airflow {}
