//! ListActionExecutions and ListRuleExecutions alike: what executions hold, newest first, filtered, in pages.

use std::iter;

use engine_plan::{
    refusal::Refusal,
    state::{Execution, Pipeline, State},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Ground,
    page::{invalid, page_of, position},
    shape,
};

/// Executions read at once for a page of what they hold.
const EXECUTIONS: usize = 16;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
    pipeline_name: String,
    max_results: Option<usize>,
    #[serde(default)]
    filter: Filter,
    next_token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    pipeline_execution_id: Option<String>,
    latest_in_pipeline_execution: Option<LatestIn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LatestIn {
    pipeline_execution_id: String,
    start_time_range: String,
}

/// What an item is made from.
pub(super) struct Scene<'a> {
    pub(super) state: &'a State,
    pub(super) pipeline: &'a Pipeline,
    /// Only the last run of each action or condition.
    pub(super) only_latest: bool,
}

/// An item with its position: the execution's number, then indexes in it.
pub(super) type Item<const N: usize> = ([usize; N], Value);

impl List {
    /// One page under `name` of what `items` finds in each execution, in the page's order.
    pub(super) fn page<const N: usize>(
        self,
        ground: &Ground<'_>,
        name: &str,
        items: impl Fn(&Scene<'_>, usize, &Execution) -> Vec<Item<N>>,
    ) -> Result<Value, Refusal> {
        let from: Option<Vec<usize>> = position(self.next_token.as_deref())?;
        if from.as_ref().is_some_and(|from| from.len() != N) {
            return Err(invalid());
        }
        let latest = self.filter.latest_in_pipeline_execution;
        let range = latest.as_ref().map(|it| it.start_time_range.as_str());
        let only_latest = range == Some("Latest");
        let id = latest
            .map(|latest| latest.pipeline_execution_id)
            .or(self.filter.pipeline_execution_id);
        ground.read_all(|state, past| {
            let pipeline = shape::pipeline(state, &self.pipeline_name)?;
            let scene = Scene {
                state,
                pipeline,
                only_latest,
            };
            let items = |number, execution: &Execution| {
                let items = items(&scene, number, execution).into_iter();
                items.map(|(at, item)| (at.to_vec(), item)).collect()
            };
            let size = self.max_results;
            match &id {
                Some(id) => {
                    let only = shape::execution(pipeline, past, id)?;
                    page_of(name, iter::once(Ok(only)), from.as_ref(), items, size)
                }
                None => {
                    let end = from.as_ref().map(|from| from[0].saturating_add(1));
                    let executions = past.history(pipeline, end, None, EXECUTIONS);
                    page_of(name, executions, from.as_ref(), items, size)
                }
            }
        })
    }
}
