//! The loop's decisions, as plain functions: what a step's end means, and what to do after a call that reports.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{limit, token::Ticket};
use crate::{
    action::{CutOff, Step},
    fault::{Fault, FaultKind},
    job::{Details, FailureKind, Job, RawParameters, Report},
    port::PortError,
    wire::{
        from_text, from_value,
        job_event::{JobEvent, JobEventError},
        loose::from_flat,
    },
};

/// Kept before the deadline for reporting: two slow calls with a wait between them.
pub const RESERVE: Duration = Duration::from_secs(5);
/// Steps cut off in a row before the action is told to be out of time: a step that never fits is not asked for ever.
pub const MAX_CUT_OFFS: u32 = 20;
/// Calls made to deliver one report.
pub const MAX_ATTEMPTS: u32 = 4;
/// The longest that one call may take while there is time for another.
pub const MAX_CALL: Duration = Duration::from_secs(10);
/// One call is always tried, and has at least this long.
pub const MIN_CALL: Duration = Duration::from_secs(1);

/// How a step ended, every way it can.
#[derive(Debug)]
pub enum StepEnd<G> {
    /// It returned.
    Returned(Result<Step<G>, Fault>),
    /// It panicked.
    Panicked,
    /// It outran this budget and was dropped.
    CutOff(Duration),
}

/// What a step's end means, whatever the host.
#[derive(Debug)]
pub enum Conclusion {
    /// The action succeeded.
    Done {
        /// What people see.
        details: Details,
        /// Output variables.
        variables: BTreeMap<String, String>,
    },
    /// Ask again.
    Wait {
        /// What is known then.
        ticket: Ticket,
        /// What people see meanwhile.
        details: Details,
        /// After how long, for hosts that choose.
        again_in: Duration,
    },
    /// The action failed.
    Failed(Fault),
}

/// The one place where a fault becomes what the pipeline is told.
pub fn failure(fault: &Fault) -> Report {
    Report::Failure {
        kind: fault.kind.into(),
        message: limit::message(&fault.public),
        external_id: fault.external_id.clone(),
    }
}

/// What to do after a call that reports.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// It was taken.
    Delivered,
    /// The job has a result already.
    AlreadyThere,
    /// Call again after this time.
    Again(Duration),
    /// CodePipeline will never take this report: send this one in its place.
    Instead(Report),
    /// Nothing more can be done here.
    GiveUp,
}

/// Reads a job event.
pub fn job(event: Value) -> Result<Job, Fault> {
    let unreadable = |error: JobEventError| {
        let text = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        Fault::new(FaultKind::Internal, text).because(error)
    };
    let event = JobEvent::try_from(event).map_err(unreadable)?;
    Job::try_from(event).map_err(unreadable)
}

/// The ticket of a job's run; the job is given the run's key.
pub fn open(mut job: Job, now: Timestamp) -> Result<(Job, Ticket), Fault> {
    let ticket = match &job.continuation {
        None => Ticket::first(job.run_key.clone(), now),
        Some(text) => Ticket::decode(text)
            .map_err(|error| Fault::new(FaultKind::Internal, error.to_string()).because(error))?,
    };
    job.run_key = ticket.run_key.clone();
    Ok((job, ticket))
}

/// Characters of one text among the parameters. JSON as a text is bounded by what it means.
pub const MAX_TEXT: usize = 10_000;

/// The first text that is longer: its name and length.
fn too_long<'a>(texts: impl Iterator<Item = (&'a String, &'a str)>) -> Option<(String, usize)> {
    let is_json = |text: &str| text.trim_start().starts_with(['{', '[']);
    texts
        .map(|(name, text)| (name, text, text.chars().count()))
        .find(|(_, text, length)| *length > MAX_TEXT && !is_json(text))
        .map(|(name, _, length)| (name.clone(), length))
}

/// Refuses a text that is too long for any parameter, by name.
fn bounded(parameters: &RawParameters) -> Result<(), Fault> {
    let of_value = |value: &Value| {
        let members = value.as_object().into_iter().flatten();
        too_long(members.filter_map(|(name, value)| Some((name, value.as_str()?))))
    };
    let found = match parameters {
        // No longer than the limit as a whole, or read as a value first.
        RawParameters::Text(text) if text.len() <= MAX_TEXT => None,
        RawParameters::Text(text) => {
            let value: Option<Value> = serde_json::from_str(text).ok();
            value.as_ref().and_then(of_value)
        }
        RawParameters::Json(value) => of_value(value),
        RawParameters::Flat(map) => too_long(map.iter().map(|(name, text)| (name, text.as_str()))),
    };
    match found {
        None => Ok(()),
        Some((name, length)) => Err(Fault::new(
            FaultKind::Configuration,
            format!("{name} has {length} characters: at most {MAX_TEXT} are taken"),
        )),
    }
}

/// Typed parameters: JSON, where no text at all means `{}`; see [`crate::wire::loose`] for a flat configuration.
pub fn params<P: DeserializeOwned>(parameters: &RawParameters) -> Result<P, Fault> {
    bounded(parameters)?;
    let (typed, name) = match parameters {
        RawParameters::Text(text) if text.trim().is_empty() => (from_text("{}"), "UserParameters"),
        RawParameters::Text(text) => (from_text(text), "UserParameters"),
        RawParameters::Json(value) => (from_value(value.clone()), "params"),
        RawParameters::Flat(map) => (
            from_flat(super::parameters::spread(map)?),
            "the action's configuration",
        ),
    };
    typed.map_err(|error| {
        let text = format!("{name} cannot be used: {error}");
        Fault::new(FaultKind::Configuration, text).because(error)
    })
}

/// Typed progress of the step before.
pub fn progress<G: DeserializeOwned>(ticket: &Ticket) -> Result<Option<G>, Fault> {
    let Some(value) = &ticket.progress else {
        return Ok(None);
    };
    from_value(value.clone()).map(Some).map_err(|error| {
        let text = "the continuation token holds progress that this version of the function does not read: \
                    start the action again";
        Fault::new(FaultKind::Internal, text).because(error)
    })
}

/// Time for the step: what is left, without the reserve for reporting (a third, when little is left).
pub fn budget(now: Timestamp, deadline: Timestamp) -> Duration {
    let left = until(now, deadline);
    left - RESERVE.min(left / 3)
}

/// What a step's end means.
pub fn conclude<G: Serialize>(
    action: &str,
    cut_off: CutOff,
    ticket: &Ticket,
    end: StepEnd<G>,
) -> Conclusion {
    let concluded = match end {
        StepEnd::Returned(Err(fault)) => Err(fault),
        StepEnd::Returned(Ok(Step::Done(done))) => {
            limit::variables(done.variables).map(|variables| Conclusion::Done {
                details: limit::details(done.details),
                variables,
            })
        }
        StepEnd::Returned(Ok(Step::Wait {
            progress,
            details,
            again_in,
        })) => waiting(ticket, &progress, details, again_in),
        StepEnd::Panicked => Err(Fault::new(
            FaultKind::Internal,
            format!("{action} panicked; the function's log says where"),
        )),
        StepEnd::CutOff(budget) => out_of_time(action, cut_off, ticket, budget),
    };
    concluded.unwrap_or_else(Conclusion::Failed)
}

/// What a reporting call's end means. `attempt` counts from 1; `left` is the time until the deadline.
pub fn after_call(
    report: &Report,
    result: &Result<(), PortError>,
    attempt: u32,
    left: Duration,
) -> Next {
    match result {
        Ok(()) => Next::Delivered,
        Err(PortError::Conflict { .. }) => Next::AlreadyThere,
        Err(PortError::Unavailable { .. }) => {
            // 100, 200, 400 ms
            let wait = Duration::from_millis(50 << attempt.min(8));
            if attempt < MAX_ATTEMPTS && left > wait {
                Next::Again(wait)
            } else {
                Next::GiveUp
            }
        }
        Err(PortError::Invalid { message, .. }) => match report {
            Report::Failure { .. } => Next::GiveUp,
            _ => Next::Instead(Report::Failure {
                kind: FailureKind::JobFailed,
                message: limit::message(&format!(
                    "CodePipeline did not take the action's result: {message}"
                )),
                external_id: None,
            }),
        },
        Err(PortError::NotFound { .. } | PortError::Denied { .. }) => Next::GiveUp,
    }
}

/// How long one reporting call may take.
pub fn call_time(attempt: u32, left: Duration) -> Duration {
    let calls = MAX_ATTEMPTS.saturating_sub(attempt).saturating_add(1);
    (left / calls).clamp(MIN_CALL, MAX_CALL)
}

/// Time from `now` to `deadline`; nothing when it is past.
pub fn until(now: Timestamp, deadline: Timestamp) -> Duration {
    deadline.duration_since(now).try_into().unwrap_or_default()
}

fn waiting<G: Serialize>(
    ticket: &Ticket,
    progress: &G,
    details: Details,
    again_in: Duration,
) -> Result<Conclusion, Fault> {
    let progress = serde_json::to_value(progress).map_err(|error| {
        Fault::new(
            FaultKind::Internal,
            "the action's progress cannot be written as JSON",
        )
        .because(error)
    })?;
    Ok(Conclusion::Wait {
        ticket: Ticket {
            progress: Some(progress),
            cut_offs: 0,
            ..ticket.clone()
        },
        details: limit::details(details),
        again_in,
    })
}

fn out_of_time(
    action: &str,
    cut_off: CutOff,
    ticket: &Ticket,
    budget: Duration,
) -> Result<Conclusion, Fault> {
    let seconds = budget.as_secs_f32();
    let cut_offs = ticket.cut_offs.saturating_add(1);
    let again = ticket.progress.is_some() || cut_off == CutOff::AskAgain;
    if !again || cut_offs >= MAX_CUT_OFFS {
        let times = match cut_offs {
            1 => String::new(),
            times => format!(" {times} times in a row"),
        };
        return Err(Fault::new(
            FaultKind::TimedOut,
            format!(
                "{action} did not end its step in {seconds:.1} s{times}: give the function a longer timeout"
            ),
        ));
    }
    let summary = format!("the step did not end in {seconds:.1} s and is asked again");
    let details = Details {
        summary: Some(summary),
        ..Details::default()
    };
    Ok(Conclusion::Wait {
        ticket: Ticket {
            cut_offs,
            ..ticket.clone()
        },
        details,
        again_in: Duration::ZERO,
    })
}
