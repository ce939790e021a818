//! Follows one execution to its end: tells the report, asks or plays the approver.

use std::{collections::BTreeSet, time::Duration};

use anyhow::anyhow;
use engine_plan::state::{ActionStatus, ExecutionStatus};

use super::{
    Stop,
    approver::{Approvers, Pending},
    args::Approve,
    failed,
    output::worth_showing,
    report::{Closing, Report},
    signals::Signals,
    view::{Change, View, changes, view},
};
use crate::{assemble::Engine, logs::LogLine};

/// How long output may still arrive after the last action ended.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Runs until the execution has ended.
pub async fn follow(
    engine: &mut Engine,
    signals: Signals,
    pipeline: &str,
    execution: &str,
    approve: Approve,
    report: &mut dyn Report,
) -> Result<ExecutionStatus, Stop> {
    let app = engine.app.clone();
    let places = engine.places(execution);
    let stopped = signals.until_stopped(app.desk.clone());
    tokio::pin!(stopped);
    let (lines, events, notices) = &mut engine.followers;
    let mut approvers = Approvers::new(app.clone(), approve);
    let mut asked = BTreeSet::new();
    let mut seen: Option<View> = None;
    loop {
        let news = app.desk.wait_until(|state| {
            let known = state.pipelines.get(pipeline)?;
            let run = known.execution(execution)?;
            let now = view(known.definition_of(run).unwrap_or(&known.definition), run);
            (seen.as_ref() != Some(&now)).then_some(now)
        });
        tokio::select! {
            biased;
            line = lines.next() => {
                if line.item.execution == execution {
                    tell(report, &line.item);
                }
            }
            event = events.next() => {
                if event.item["detail"]["execution-id"] == execution {
                    report.event(&event.item);
                }
            }
            note = approvers.next() => report.note(&note),
            notice = notices.next() => report.note(&format!("warning: {}", notice.item)),
            now = news => {
                let Some(now) = now else {
                    return Err(failed(anyhow!("the journal cannot be written: the engine stopped")));
                };
                let at = app.clock.now();
                for change in changes(seen.as_ref(), &now) {
                    report.change(&change, at);
                    if let Change::Started(action) = &change
                        && action.category == "Approval"
                        && action.status == ActionStatus::InProgress
                        && asked.insert(action.id.clone())
                    {
                        let pending = Pending::new(pipeline, execution, action);
                        for note in approvers.begin(pending) {
                            report.note(&note);
                        }
                    }
                }
                let status = now.status;
                seen = Some(now);
                if !matches!(status, ExecutionStatus::InProgress | ExecutionStatus::Stopping) {
                    last_words(lines, events, execution, report).await;
                    report.close(&Closing { status, ended: at, places });
                    return Ok(status);
                }
            }
            stopped = &mut stopped => {
                report.note("cut off: `stagewright run --resume` continues this execution");
                stopped?;
                return Err(Stop::Interrupted);
            }
        }
    }
}

fn tell(report: &mut dyn Report, line: &LogLine) {
    if let Some(text) = worth_showing(&line.text) {
        report.output(&line.action_execution, &text);
    }
}

async fn last_words(
    lines: &mut crate::bus::Follower<LogLine>,
    events: &mut crate::bus::Follower<serde_json::Value>,
    execution: &str,
    report: &mut dyn Report,
) {
    let until = tokio::time::Instant::now() + LAST_WORDS;
    loop {
        tokio::select! {
            biased;
            line = lines.next() => {
                if line.item.execution == execution {
                    tell(report, &line.item);
                }
            }
            event = events.next() => {
                if event.item["detail"]["execution-id"] == execution {
                    report.event(&event.item);
                }
            }
            () = tokio::time::sleep_until(until) => return,
        }
    }
}
