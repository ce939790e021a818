//! Ending a run: out of the queue, or by stop, term and kill.

use std::time::Duration;

use shared::{
    fault::{Fault, FaultKind},
    port::Timer,
    provider::{Http, ProviderError, Trouble},
};

use crate::{
    decide::{self, Progress, Queued},
    run::{At, Run},
    server::Server,
    words,
};

/// How long a build may take to end before the next, harder way is tried.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_secs(3);

/// Ends a run; one that has ended is no error.
pub async fn end<H: Http, T: Timer>(
    server: &Server<'_, H, T>,
    timer: &T,
    run: Run,
) -> Result<(), Fault> {
    let number = match run.at {
        At::Build(number) => Some(number),
        At::Queue(id) => out_of_queue(server, timer, id)
            .await
            .map_err(|error| refused(server, run, error))?,
    };
    let Some(number) = number else {
        return Ok(());
    };
    let run = run.build(number);
    let mut left = server.budget;
    for how in ["stop", "term", "kill"] {
        if is_over(server, number)
            .await
            .map_err(|error| refused(server, run, error))?
        {
            return Ok(());
        }
        server
            .end(number, how)
            .await
            .map_err(|error| refused(server, run, error))?;
        let until = left.saturating_sub(PATIENCE);
        while left > until && left > LOOK {
            // Read at once: most builds end at the first word.
            if is_over(server, number)
                .await
                .map_err(|error| refused(server, run, error))?
            {
                return Ok(());
            }
            timer.sleep(LOOK).await;
            left = left.saturating_sub(LOOK);
        }
    }
    match is_over(server, number).await {
        Ok(true) => Ok(()),
        _ => Err(words::of_run(
            FaultKind::Unavailable,
            run,
            format!(
                "the build {} #{number} was told to stop and still runs: end it in Jenkins, {}",
                server.params.job,
                words::link(server.params, run)
            ),
        )),
    }
}

/// Cancels a waiting item; answers the build of one that left the queue.
async fn out_of_queue<H: Http, T: Timer>(
    server: &Server<'_, H, T>,
    timer: &T,
    id: u64,
) -> Result<Option<u64>, ProviderError> {
    let mut left = server.budget;
    loop {
        if server.cancel(id).await? {
            return Ok(None);
        }
        match server.item(id).await {
            Ok(item) => match decide::queued(&item) {
                Queued::Cancelled => return Ok(None),
                Queued::Build(number) => return Ok(Some(number)),
                // Its build is being made.
                Queued::Leaves | Queued::Waits(_) if left > LOOK => {
                    timer.sleep(LOOK).await;
                    left = left.saturating_sub(LOOK);
                }
                Queued::Leaves | Queued::Waits(_) => return server.build_of_item(id).await,
            },
            Err(error) if error.is_not_found() => return server.build_of_item(id).await,
            Err(error) => return Err(error),
        }
    }
}

async fn is_over<H: Http, T: Timer>(
    server: &Server<'_, H, T>,
    number: u64,
) -> Result<bool, ProviderError> {
    match server.build(number).await {
        Ok(build) => Ok(!matches!(
            decide::progress(&build, true, 0),
            Progress::Runs(_)
        )),
        Err(error) if error.is_not_found() => Ok(true),
        Err(error) => Err(error),
    }
}

fn refused<H, T>(server: &Server<'_, H, T>, run: Run, error: ProviderError) -> Fault {
    let params = server.params;
    let may_not = match error.trouble {
        Trouble::Denied { status: 403 } | Trouble::Refused { status: 422, .. } => {
            format!(
                "Jenkins does not let {} stop it: give that user the permission Job/Cancel",
                params.user
            )
        }
        _ => error.to_string(),
    };
    let text = format!(
        "the build {} ({run}) could not be stopped and may still run, {}: {may_not}",
        params.job,
        words::link(params, run)
    );
    let fault = error.fault();
    words::of_run(fault.kind, run, text).because(fault)
}
