//! Starting a build once, and finding it again.

use shared::{
    fault::{Fault, FaultKind},
    port::{Artifacts, Timer},
    provider::{Http, Payload, ProviderError, Trouble},
    start::{Found, StartError, Starter},
};

use crate::{
    decide::{self, Way, is_marked},
    files,
    look::Followed,
    run::{At, Run, queue_item},
};

impl<H: Http, T: Timer, A: Artifacts> Followed<'_, H, T, A> {
    /// The run's key: the value of the job's own parameter for it.
    fn key(&self) -> &str {
        self.job.map_or("", |(job, _)| job.run_key.as_str())
    }

    async fn way(&self) -> Result<Way, Fault> {
        let about = self.server.about().await.map_err(ProviderError::fault)?;
        decide::way(&about, self.server.params)
    }

    fn refused(&self, error: ProviderError) -> StartError {
        let params = self.server.params;
        let text = match &error.trouble {
            Trouble::Refused { status: 409, .. } => decide::disabled(params),
            Trouble::Refused { status: 400, .. } => format!(
                "Jenkins takes no parameters for {}: declare them in the job, or leave parameters out",
                params.job
            ),
            Trouble::Denied { status: 403 } => format!(
                "Jenkins does not let {} start {}: give that user the permission Job/Build",
                params.user, params.job
            ),
            _ => return error.start_error(),
        };
        let fault = error.fault();
        StartError::NotStarted(Fault {
            public: text,
            ..fault
        })
    }
}

impl<H: Http, T: Timer, A: Artifacts> Starter for Followed<'_, H, T, A> {
    async fn start(&self) -> Result<String, StartError> {
        let params = self.server.params;
        let way = self.way().await.map_err(StartError::NotStarted)?;
        let mut all: Vec<(String, String)> = params.parameters.clone().into_iter().collect();
        if way.marked {
            all.push((params.run_parameter.clone(), self.key().to_owned()));
        }
        // The form lies on disk as long as this lives.
        let mut with_files = None;
        let form = match (&params.files[..], self.job) {
            _ if !way.parameterised => None,
            ([], _) | (_, None) => Some(Payload::form(all)),
            (files, Some((job, store))) => {
                let form = files::form(job, store, &all, files).await;
                let form = form.map_err(StartError::NotStarted)?;
                Some(with_files.insert(form).payload())
            }
        };
        let answer = self.server.start(form).await;
        drop(with_files);
        let answer = answer.map_err(|error| self.refused(error))?;
        let location = answer.header("location").unwrap_or_default();
        let Some(id) = queue_item(location) else {
            return Err(StartError::Unknown(Fault::new(
                FaultKind::Failed,
                format!(
                    "Jenkins did not say which queue item the build of {} is",
                    params.job
                ),
            )));
        };
        let run = Run {
            at: At::Queue(id),
            // Equal items are merged. With the marker the other one is an earlier start of this very run.
            shared: answer.status == 303 && !way.marked,
        };
        Ok(run.to_string())
    }

    async fn find(&self) -> Result<Found, Fault> {
        let (server, params) = (&self.server, self.server.params);
        if !self.way().await?.marked {
            return Ok(Found::CannotTell {
                look_at: format!(
                    "the queue and the builds of {} in Jenkins ({}); for a retry that finds its build, declare a text parameter {} in that job",
                    params.job,
                    params.base.at(&params.job.url_path()),
                    params.run_parameter
                ),
            });
        }
        // The queue first: what leaves it in between is among the builds.
        let items = server.queue().await.map_err(ProviderError::fault)?;
        if let Some(item) = items
            .iter()
            .find(|item| is_marked(&item.actions, params, self.key()))
        {
            return Ok(Found::Run(Run::own(At::Queue(item.id)).to_string()));
        }
        let builds = server.builds().await.map_err(ProviderError::fault)?;
        let ours = builds
            .iter()
            .find(|build| is_marked(&build.actions, params, self.key()));
        Ok(match ours {
            Some(build) => Found::Run(Run::own(At::Build(build.number)).to_string()),
            None => Found::Nothing,
        })
    }
}
