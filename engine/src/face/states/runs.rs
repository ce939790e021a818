//! Map runs of distributed Maps, and their child executions.

use engine_states::{
    effect::MapRun,
    event::{Event, RunUpdate},
};
use serde_json::{Value, json};

use super::{Fault, JsonAnswer, need_arn, page::page, refuse, time};
use crate::{
    app::App,
    states::{Child, Look},
};

pub fn list(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "executionArn", &["execution"])?;
    let look = app.workflows.look(arn)?;
    let machine = &look.begun.identity.machine_arn;
    let shown = |run: &String| json!({"mapRunArn": run, "executionArn": arn, "stateMachineArn": machine, "startDate": time(look.begun.at)});
    page(body, "mapRuns", look.runs.keys().map(shown).collect())
}

/// The run and the execution it belongs to.
fn find(app: &App, arn: &str) -> Result<(Look, MapRun), Fault> {
    let missing = || refuse("ResourceNotFound", format!("Resource not found: '{arn}'"));
    let (_, execution) = app.workflows.execution_of(arn)?.ok_or_else(missing)?;
    let look = app.workflows.look(&execution)?;
    let run = look.runs.get(arn).cloned().ok_or_else(missing)?;
    Ok((look, run))
}

/// DescribeMapRun.
pub fn describe(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "mapRunArn", &["mapRun"])?;
    let (look, run) = find(app, arn)?;
    let counts = json!({
        "pending": run.total.saturating_sub(run.succeeded + run.failed + run.running), "running": run.running,
        "succeeded": run.succeeded, "failed": run.failed, "timedOut": 0, "aborted": 0, "total": run.total,
        "resultsWritten": 0,
    });
    Ok(json!({
        "mapRunArn": arn,
        "executionArn": look.begun.identity.arn,
        "status": run.status,
        "startDate": time(look.begun.at),
        "maxConcurrency": run.concurrency,
        "toleratedFailurePercentage": 0.0,
        "toleratedFailureCount": run.tolerated,
        "itemCounts": counts,
        "executionCounts": counts,
    }))
}

/// UpdateMapRun.
pub fn update(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "mapRunArn", &["mapRun"])?;
    let (look, _) = find(app, arn)?;
    let whole = |name: &str| body[name].as_u64();
    let update = RunUpdate {
        run: arn.to_owned(),
        concurrency: whole("maxConcurrency"),
        tolerated_count: whole("toleratedFailureCount"),
        tolerated_percentage: percentage(&body["toleratedFailurePercentage"])?,
    };
    if update.concurrency.is_none()
        && update.tolerated_count.is_none()
        && update.tolerated_percentage.is_none()
    {
        return Err(refuse(
            "ValidationException",
            "One of maxConcurrency, toleratedFailureCount and toleratedFailurePercentage must be given",
        ));
    }
    if look.ended.is_some() {
        return Err(refuse(
            "ValidationException",
            format!("Map Run is not running: '{arn}'"),
        ));
    }
    app.workflows
        .tell(app, &look.begun.identity.arn, Event::UpdateRun(update))?;
    Ok(json!({}))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it lies between 0 and 100"
)]
fn percentage(value: &Value) -> Result<Option<u64>, Fault> {
    match value.as_f64() {
        None => Ok(None),
        Some(share) if (0.0..=100.0).contains(&share) => Ok(Some(share as u64)),
        Some(_) => Err(refuse(
            "ValidationException",
            "toleratedFailurePercentage must be between 0 and 100",
        )),
    }
}

/// ListExecutions of a map run.
pub fn children(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "mapRunArn", &["mapRun"])?;
    let (look, run) = find(app, arn)?;
    let status = body["statusFilter"].as_str();
    let shown = |child: &Child| {
        let mut out = shown(&look, child);
        if let Some(fields) = out.as_object_mut() {
            fields.retain(|key, _| !super::executions::DETAILS.contains(&key.as_str()));
        }
        out["mapRunArn"] = arn.into();
        out["itemCount"] = 1.into();
        out
    };
    let children = look
        .children
        .iter()
        .rev()
        .filter(|c| c.run == run.arn && status.is_none_or(|s| s == state(c)))
        .map(shown)
        .collect();
    page(body, "executions", children)
}

fn state(child: &Child) -> &str {
    child.ended.as_ref().map_or("RUNNING", |e| &e.status)
}

/// A child execution as DescribeExecution gives it.
pub fn shown(look: &Look, child: &Child) -> Value {
    let name = child.arn.rsplit(':').next().unwrap_or_default();
    let mut out = json!({
        "executionArn": child.arn,
        "stateMachineArn": look.begun.identity.machine_arn,
        "name": name,
        "status": state(child),
        "startDate": time(child.at),
        "input": child.input.to_string(),
        "inputDetails": {"included": true},
        "mapRunArn": child.run,
    });
    super::executions::end(&mut out, child.ended.as_ref());
    out
}

/// The child execution of this ARN (`…:execution:MACHINE/LABEL:NAME`) with the history it is part of.
pub fn child(app: &App, arn: &str) -> Result<Option<(Look, Child)>, Fault> {
    let Some((place, _)) = arn
        .rsplit_once(':')
        .filter(|(place, _)| place.contains('/'))
    else {
        return Ok(None);
    };
    let run = format!("{}:%", place.replacen(":execution:", ":mapRun:", 1));
    let Some((_, execution)) = app.workflows.execution_of(&run)? else {
        return Ok(None);
    };
    let look = app.workflows.look(&execution)?;
    let found = look.children.iter().find(|c| c.arn == arn).cloned();
    Ok(found.map(|child| (look, child)))
}
