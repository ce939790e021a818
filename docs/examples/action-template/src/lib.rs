//! `action-template`: waits until a page says `done`.

use serde::Deserialize;
use shared::{
    action::{Action, CutOff, Done, Request, Step},
    fault::{Fault, FaultKind},
    job::Details,
    port::PageFetcher,
};
use std::time::Duration;

mod description;

/// The action over the ports it needs.
#[derive(Debug)]
pub struct Template<P>(pub P);

/// What a pipeline says; anything else is refused by name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    url: String,
}

impl<P: PageFetcher> Action for Template<P> {
    const NAME: &'static str = "action-template";
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;
    type Params = Params;
    type Progress = u32; // how often the page was asked

    async fn step(&self, request: Request<'_, Params, u32>) -> Result<Step<u32>, Fault> {
        let (url, asked) = (&request.params.url, request.progress.unwrap_or(0) + 1);
        let page = self.0.get(url, request.budget.min(PATIENCE), 100).await?;
        let details = Details {
            summary: Some(format!("asked {asked} times")),
            link: Some(url.clone()),
            ..Details::default()
        };
        match (page.status, page.body.as_slice()) {
            (200, b"done") => Ok(Step::Done(Done {
                details,
                ..Done::default()
            })),
            (200, _) => Ok(Step::Wait {
                progress: asked,
                details,
                again_in: Duration::from_secs(30),
            }),
            (status, _) => Err(Fault::new(
                FaultKind::Failed,
                format!("the page answered {status}"),
            )),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
