//! `action-template`: waits until a page says `done`.

use serde::Deserialize;
use shared::action::{Action, CutOff, Request, Step};
use shared::{fault::Fault, job::Details, port::PageFetcher};
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
        let details = Details::of(format!("asked {asked} times")).at(url);
        match (page.status, page.body.as_slice()) {
            (200, b"done") => Ok(Step::done(details)),
            (200, _) => Ok(Step::wait(asked, details, Duration::from_secs(30))),
            (status, _) => Err(Fault::failed(format!("the page answered {status}"))),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
