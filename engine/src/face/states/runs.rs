//! Map runs of distributed Maps.

use serde_json::{Value, json};

use super::{JsonAnswer, need_arn, page::page, refuse, time};
use crate::app::App;

pub fn list(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "executionArn", &["execution"])?;
    let look = app.workflows.look(arn)?;
    let machine = &look.begun.identity.machine_arn;
    let shown = |run: &String| json!({"mapRunArn": run, "executionArn": arn, "stateMachineArn": machine, "startDate": time(look.begun.at)});
    page(body, "mapRuns", look.runs.keys().map(shown).collect())
}

/// DescribeMapRun. The execution that a run belongs to is looked for among those of its machine.
pub fn describe(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "mapRunArn", &["mapRun"])?;
    let missing = || refuse("ResourceNotFound", format!("Resource not found: '{arn}'"));
    let machine = arn.replacen(":mapRun:", ":stateMachine:", 1);
    let machine = machine.split('/').next().unwrap_or_default().to_owned();
    for listed in app.workflows.list(&machine, None)? {
        let look = app.workflows.look(&listed.begun.identity.arn)?;
        let Some(run) = look.runs.get(arn) else {
            continue;
        };
        let counts = json!({
            "pending": run.total.saturating_sub(run.succeeded + run.failed + run.running), "running": run.running,
            "succeeded": run.succeeded, "failed": run.failed, "timedOut": 0, "aborted": 0, "total": run.total,
            "resultsWritten": 0,
        });
        return Ok(json!({
            "mapRunArn": arn,
            "executionArn": listed.begun.identity.arn,
            "status": run.status,
            "startDate": time(listed.begun.at),
            "maxConcurrency": run.concurrency,
            "toleratedFailurePercentage": 0.0,
            "toleratedFailureCount": 0,
            "itemCounts": counts,
            "executionCounts": counts,
        }));
    }
    Err(missing())
}
