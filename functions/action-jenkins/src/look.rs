//! Looking at a run, and what it means for the action.

use std::collections::BTreeMap;

use shared::{
    action::{Done, Step},
    fault::{Fault, FaultKind},
    job::Details,
    port::{Artifacts, Timer},
    provider::{Http, ProviderError},
};

use crate::{
    AGAIN_IN, Asked, Jenkins, MISSING_MOST, Progress,
    decide::{self, Progress as Seen, Queued, Verdict},
    end, is_over, minutes, output,
    params::Params,
    run::{At, Run},
    server::Server,
    waiting,
    wire::Build,
    words,
};

impl<H: Http, T: Timer, S, L, A: Artifacts> Jenkins<H, T, S, L, A> {
    /// Looks how the run is.
    pub(crate) async fn look(
        &self,
        server: &Server<'_, H, T>,
        request: &Asked<'_>,
        run: Run,
        missing: u8,
    ) -> Result<Step<Progress>, Fault> {
        let params = request.params;
        let job = &params.job;
        match self.now(server, run, request).await {
            Ok(Looked::Over(build, verdict)) => self.over(server, request, &build, verdict).await,
            Ok(Looked::Goes { .. } | Looked::Missing) if is_over(request) => {
                self.late(server, run, params).await
            }
            Ok(Looked::Goes { run, why, percent }) => {
                Ok(waiting(params, Some(run), 0, why, percent, AGAIN_IN))
            }
            Ok(Looked::Missing) if missing + 1 < MISSING_MOST => {
                let why = format!("{job}: Jenkins does not know {run} at the moment");
                Ok(waiting(params, Some(run), missing + 1, why, None, AGAIN_IN))
            }
            Ok(Looked::Missing) => Err(words::of_run(
                FaultKind::Failed,
                run,
                format!(
                    "{job}: Jenkins no longer knows {run}: somebody cancelled it or deleted the build"
                ),
            )),
            Ok(Looked::Cancelled) => Err(words::of_run(
                FaultKind::Failed,
                run,
                format!("{job}: somebody cancelled {run} in Jenkins before it was built"),
            )),
            Err(error) if error.is_passing() && !is_over(request) => {
                let again_in = error.again_in().unwrap_or(AGAIN_IN);
                Ok(waiting(
                    params,
                    Some(run),
                    missing,
                    format!("{job}: {error}"),
                    None,
                    again_in,
                ))
            }
            Err(error) => {
                let fault = error.fault();
                let text = format!(
                    "{job}: {}; the build {run} may still run: {}",
                    fault.public,
                    words::link(params, run)
                );
                Err(Fault {
                    public: text,
                    ..words::of_run(fault.kind, run, String::new()).because(fault)
                })
            }
        }
    }

    /// Where the run is now.
    async fn now(
        &self,
        server: &Server<'_, H, T>,
        run: Run,
        request: &Asked<'_>,
    ) -> Result<Looked, ProviderError> {
        let job = &request.params.job;
        let number = match run.at {
            At::Build(number) => number,
            At::Queue(id) => match server.item(id).await {
                Ok(item) => match decide::queued(&item) {
                    Queued::Build(number) => number,
                    Queued::Cancelled => return Ok(Looked::Cancelled),
                    Queued::Leaves => {
                        return Ok(Looked::goes(run, format!("{job} leaves the queue")));
                    }
                    Queued::Waits(why) => {
                        return Ok(Looked::goes(
                            run,
                            format!("{job} waits in the queue: {why}"),
                        ));
                    }
                },
                // Forgotten after 5 minutes: the build knows its item.
                Err(error) if error.is_not_found() => match server.build_of_item(id).await? {
                    Some(number) => number,
                    None => return Ok(Looked::Missing),
                },
                Err(error) => return Err(error),
            },
        };
        let run = run.build(number);
        let build = match server.build(number).await {
            Ok(build) => build,
            Err(error) if error.is_not_found() => return Ok(Looked::Missing),
            Err(error) => return Err(error),
        };
        let seen = decide::progress(
            &build,
            request.params.unstable_is_good,
            request.now.as_millisecond(),
        );
        Ok(match seen {
            Seen::Runs(percent) => Looked::Goes {
                run,
                why: format!("{job} #{number} runs"),
                percent,
            },
            Seen::Undecided => {
                Looked::goes(run, format!("{job} #{number} ended and has no result yet"))
            }
            Seen::Over(verdict) => Looked::Over(Box::new(build), verdict),
        })
    }

    async fn over(
        &self,
        server: &Server<'_, H, T>,
        request: &Asked<'_>,
        build: &Build,
        verdict: Verdict,
    ) -> Result<Step<Progress>, Fault> {
        let (params, number) = (request.params, build.number);
        if let Verdict::Bad(how) = verdict {
            return Err(words::failure(server, build, &how).await);
        }
        let files = match request.job.outputs.first() {
            None => None,
            Some(artifact) => {
                Some(output::make(server, build, request.job, artifact, &self.artifacts).await?)
            }
        };
        let link = words::link(params, Run::own(At::Build(number)));
        let result = build.result.clone().unwrap_or_default();
        let seconds = build.duration.unwrap_or_default() / 1000;
        let mut variables = BTreeMap::from([
            ("BuildNumber", number.to_string()),
            ("BuildUrl", link.clone()),
            ("Result", result.clone()),
            ("DurationSeconds", seconds.to_string()),
        ]);
        let mut summary = format!("{} #{number}: {result} in {seconds} s", params.job);
        if let Some(tests) = decide::tests(build) {
            let (failed, skipped, all) = tests;
            variables.extend([
                ("TestsTotal", all.to_string()),
                ("TestsFailed", failed.to_string()),
                ("TestsSkipped", skipped.to_string()),
            ]);
            summary += &format!(", {}", decide::tests_in_words(tests));
        }
        if let Some(files) = files {
            summary += &format!(", {files} files in the artifact");
        }
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Ok(Step::Done(Done {
            details: Details {
                summary: Some(summary),
                external_id: number.to_string().parse().ok(),
                percent: Some(100),
                link: Some(link),
            },
            variables: variables.collect(),
        }))
    }

    /// The time is over: ends the run.
    async fn late(
        &self,
        server: &Server<'_, H, T>,
        run: Run,
        params: &Params,
    ) -> Result<Step<Progress>, Fault> {
        let (job, minutes) = (&params.job, minutes(params));
        let fault = match end::end(server, &self.timer, run).await {
            Ok(()) if run.shared => (
                format!(
                    "it goes on, because somebody else wanted it too: {}",
                    words::link(params, run)
                ),
                None,
            ),
            Ok(()) => ("it was stopped".to_owned(), None),
            Err(fault) => (fault.public.clone(), Some(fault)),
        };
        let text = format!(
            "{job} did not end within {minutes} minutes (timeoutMinutes); {}",
            fault.0
        );
        let late = words::of_run(FaultKind::TimedOut, run, text);
        Err(match fault.1 {
            Some(source) => late.because(source),
            None => late,
        })
    }
}

enum Looked {
    Goes {
        run: Run,
        why: String,
        percent: Option<u8>,
    },
    Cancelled,
    Missing,
    Over(Box<Build>, Verdict),
}

impl Looked {
    fn goes(run: Run, why: String) -> Self {
        Self::Goes {
            run,
            why,
            percent: None,
        }
    }
}
