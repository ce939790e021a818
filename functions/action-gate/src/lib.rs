//! `action-gate`: waits until deployments are allowed.
//!
//! - **Trigger**: a pipeline's Lambda invoke action, a custom action, a state machine's task.
//! - **Effects**: none; it asks Change Calendars, alarms, a parameter and a page, whichever are given, in each step. The
//!   gate is open when all of them, and the hours given, say so.
//! - **Permissions**: `ssm:GetCalendarState` on the calendars, `cloudwatch:DescribeAlarms` (on `*`: AWS narrows it to
//!   nothing less), `ssm:GetParameter` on the parameter; those of the page's secret.
//! - **Failure**: `JobFailed` when the gate is closed and is not waited for, or stays closed; `SystemUnavailable` when it
//!   could not be asked until the patience was over; `ConfigurationError` when a calendar, an alarm or the parameter
//!   does not exist; `PermissionError` when the role may not ask.
//!
//! Output variables: `OpenedAt`, `WaitedSeconds`, `Checks`.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::{
    action::{Action, CutOff, Done, Request, Step},
    fault::{Fault, FaultKind},
    job::Details,
    port::{PortError, SecretStore, Services, Timer},
    provider::{Call, Http, Provider, Trouble},
};

use crate::{
    judge::{Sight, View, page_answer, view},
    params::{Page, Params},
};

mod description;
pub mod judge;
pub mod params;
pub mod window;
pub mod wire;

/// The action over its ports.
#[derive(Debug)]
pub struct Gate<S, H, T, K> {
    services: S,
    page: Provider<H, T>,
    secrets: K,
}

/// What is kept between two steps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How often the gate was looked at.
    pub checks: u32,
}

/// Between two looks, for hosts that choose; also CodePipeline's own pace, about.
const AGAIN_IN: Duration = Duration::from_secs(30);
/// A page is read this far for the text that is looked for.
const PAGE_LIMIT: usize = 1024 * 1024;

impl<S, H, T, K> Gate<S, H, T, K> {
    /// The action over these ports.
    pub fn new(services: S, page: Provider<H, T>, secrets: K) -> Self {
        Self {
            services,
            page,
            secrets,
        }
    }
}

impl<S: Services, H: Http, T: Timer, K: SecretStore> Action for Gate<S, H, T, K> {
    const NAME: &'static str = "action-gate";
    const STOPS: bool = false;
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;
    type Params = Params;
    type Progress = Progress;

    async fn step(&self, request: Request<'_, Params, Progress>) -> Result<Step<Progress>, Fault> {
        let params = request.params;
        let mut progress = request.progress.unwrap_or_default();
        progress.checks += 1;
        let waited = Duration::try_from(request.now.duration_since(request.started_at));
        let waited = waited.unwrap_or_default();
        let sights = self.look(params, request.now, request.budget).await?;
        let over = waited >= params.patience;
        match view(&sights) {
            View::Open => Ok(Step::Done(done(&progress, request.now, waited))),
            View::Closed { why, .. } if !params.waits => Err(Fault::new(
                FaultKind::Failed,
                format!("the gate is closed: {why}"),
            )),
            View::Closed { why, .. } if over => Err(Fault::new(
                FaultKind::TimedOut,
                format!(
                    "the gate did not open within {} minutes: {why}",
                    params.patience.as_secs() / 60
                ),
            )),
            View::Unknown { why, source } if over => {
                let text = format!(
                    "the gate could not be looked at until {} minutes were over: {why}",
                    params.patience.as_secs() / 60
                );
                Err(Fault {
                    source,
                    ..Fault::new(FaultKind::Unavailable, text)
                })
            }
            View::Closed { why, until } => Ok(wait(params, progress, waited, &why, until)),
            View::Unknown { why, .. } => Ok(wait(params, progress, waited, &why, None)),
        }
    }
}

impl<S: Services, H: Http, T: Timer, K: SecretStore> Gate<S, H, T, K> {
    /// Everything that is given, looked at once. What may pass is a [`Sight::Unknown`].
    async fn look(
        &self,
        params: &Params,
        now: Timestamp,
        budget: Duration,
    ) -> Result<Vec<Sight>, Fault> {
        let mut sights = Vec::new();
        if let Some(window) = &params.window {
            sights.push(judge::hours(window, now));
        }
        if !params.calendars.is_empty() {
            let asked = wire::calendars(&self.services, &params.calendars).await;
            sights.push(self.sight(asked, "ssm:GetCalendarState")?);
        }
        if !params.alarms.is_empty() {
            let asked = wire::alarms(&self.services, &params.alarms).await;
            let asked = asked.map(|states| {
                judge::alarms(&params.alarms, &states, params.insufficient_data_opens)
            });
            sights.push(match asked {
                Ok(sight) => sight?,
                Err(error) => self.sight(Err(error), "cloudwatch:DescribeAlarms")?,
            });
        }
        if let Some((name, wanted)) = &params.parameter {
            let asked = wire::parameter(&self.services, name).await;
            sights.push(match asked {
                Ok(value) => judge::parameter(name, wanted, &value)?,
                Err(error) => self.sight(Err(error), "ssm:GetParameter")?,
            });
        }
        if let Some(page) = &params.page {
            sights.push(self.page(page, budget, now).await?);
        }
        Ok(sights)
    }

    fn sight(&self, asked: Result<Sight, PortError>, needed: &str) -> Result<Sight, Fault> {
        match asked {
            Ok(sight) => Ok(sight),
            Err(error @ PortError::Unavailable { .. }) => Ok(Sight::Unknown {
                why: error.to_string(),
                source: Some(error.into()),
            }),
            Err(error @ PortError::Denied { .. }) => {
                let text = format!("{error}: the function's role needs {needed}");
                Err(Fault::new(FaultKind::Permission, text).because(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn page(&self, page: &Page, budget: Duration, now: Timestamp) -> Result<Sight, Fault> {
        let mut call = Call::get("the page of the gate", page.url.as_str()).limit(PAGE_LIMIT);
        if let Some(token) = &page.token {
            match self.secrets.read(token).await {
                Ok(token) => call = call.bearer(&token),
                Err(error) => return self.sight(Err(error), "to read the page's secret"),
            }
        }
        match self.page.ask(&call, budget, now).await {
            Ok(answer) => Ok(page_answer(page, answer.status, &answer.body)),
            Err(error) => match (error.status(), &error.trouble) {
                (Some(status), _) if status == page.status => Ok(Sight::Open),
                (_, Trouble::Denied { .. }) if page.token.is_some() => Err(error.fault()),
                (_, Trouble::Unusable) => Err(error.fault()),
                (Some(status), _) => Ok(page_answer(page, status, b"")),
                (None, _) => Ok(Sight::Unknown {
                    why: format!("{} gave no answer", page.url),
                    source: Some(error.into()),
                }),
            },
        }
    }
}

fn done(progress: &Progress, now: Timestamp, waited: Duration) -> Done {
    let seconds = waited.as_secs();
    let variables = [
        ("OpenedAt", format!("{now:.0}")),
        ("WaitedSeconds", seconds.to_string()),
        ("Checks", progress.checks.to_string()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    Done {
        details: Details {
            summary: Some(format!("the gate is open, after {seconds} s")),
            percent: Some(100),
            ..Details::default()
        },
        variables: BTreeMap::from(variables),
    }
}

fn wait(
    params: &Params,
    progress: Progress,
    waited: Duration,
    why: &str,
    until: Option<Timestamp>,
) -> Step<Progress> {
    let percent = waited.as_secs() * 100 / params.patience.as_secs().max(1);
    let next = until.map_or_else(String::new, |until| format!("; next change at {until:.0}"));
    Step::Wait {
        progress,
        details: Details {
            summary: Some(format!("the gate is closed: {why}{next}")),
            percent: u8::try_from(percent.min(99)).ok(),
            ..Details::default()
        },
        again_in: AGAIN_IN,
    }
}

#[cfg(test)]
mod tests;
