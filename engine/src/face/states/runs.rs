//! Map runs of distributed Maps, and their child executions.

use engine_states::event::{Event, RunUpdate};
use serde_json::{Value, json};

use super::{Fault, JsonAnswer, need_arn, page::page, refuse, time};
use crate::{
    app::App,
    states::{Child, Counts, Look, Run},
};

pub fn list(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "executionArn", &["execution"])?;
    let look = app.workflows.look(arn)?;
    let machine = &look.begun.identity.machine_arn;
    let shown = |(run, seen): (&String, &Run)| {
        let mut out = json!({"mapRunArn": run, "executionArn": arn, "stateMachineArn": machine, "startDate": time(seen.at)});
        if let Some(at) = seen.ended {
            out["stopDate"] = time(at);
        }
        out
    };
    page(body, "mapRuns", look.runs.iter().map(shown).collect())
}

/// The run and the execution it belongs to.
fn find(app: &App, arn: &str) -> Result<(Look, Run), Fault> {
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
    // Results are written when the run is over.
    let written = |of: &Counts| match run.ended {
        Some(_) if run.run.writes => of.succeeded + of.failed + of.aborted,
        _ => 0,
    };
    let mut out = json!({
        "mapRunArn": arn,
        "executionArn": look.begun.identity.arn,
        "status": run.run.status,
        "startDate": time(run.at),
        "maxConcurrency": run.run.concurrency,
        "toleratedFailurePercentage": run.run.tolerated_percentage,
        "toleratedFailureCount": run.run.tolerated_count,
        "itemCounts": counts(&run.items, run.run.items, written(&run.items)),
        "executionCounts": counts(&run.executions, run.run.total, written(&run.executions)),
        "redriveCount": look.redriven.0,
    });
    if let Some(at) = run.ended {
        out["stopDate"] = time(at);
    }
    Ok(out)
}

fn counts(of: &Counts, total: u64, written: u64) -> Value {
    let begun = of.running + of.succeeded + of.failed + of.aborted;
    json!({
        "pending": total.saturating_sub(begun), "running": of.running, "succeeded": of.succeeded, "failed": of.failed,
        "timedOut": 0, "aborted": of.aborted, "total": total, "resultsWritten": written,
        "failuresNotRedrivable": 0, "pendingRedrive": 0,
    })
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
        let mut out = shown(child);
        if let Some(fields) = out.as_object_mut() {
            fields.retain(|key, _| !super::executions::DETAILS.contains(&key.as_str()));
        }
        out["mapRunArn"] = arn.into();
        out["itemCount"] = child.items.into();
        out
    };
    let children = look
        .children
        .iter()
        .rev()
        .filter(|c| c.run == run.run.arn && status.is_none_or(|s| s == state(c)))
        .map(shown)
        .collect();
    page(body, "executions", children)
}

fn state(child: &Child) -> &str {
    child.ended.as_ref().map_or("RUNNING", |e| &e.status)
}

/// A child execution as DescribeExecution gives it.
pub fn shown(child: &Child) -> Value {
    let (place, name) = child.arn.rsplit_once(':').unwrap_or_default();
    // MACHINE/LABEL: what a child execution runs is the Map's processor.
    let machine = place.replacen(":execution:", ":stateMachine:", 1);
    let mut out = json!({
        "executionArn": child.arn,
        "stateMachineArn": machine,
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
