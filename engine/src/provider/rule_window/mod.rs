//! The rule DeploymentWindow: waits until its window opens.

use engine_plan::{
    effect::ActionTask,
    event::{ExecutionDetails, Outcome},
    window::Cron,
};
use futures_util::future::BoxFuture;

use super::{Context, Provider, Trouble, required};

mod zone;

/// The provider. Performed again after a restart it looks for the next opening anew.
#[derive(Debug, Clone, Copy, Default)]
pub struct WindowRule;

impl Provider for WindowRule {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let waited = wait(&task, &context).await;
            Some(waited.unwrap_or_else(|trouble| trouble.outcome(ExecutionDetails::default())))
        })
    }
}

async fn wait(task: &ActionTask, context: &Context) -> Result<Outcome, Trouble> {
    let refuse = |text: String| Trouble::configuration(format!("rule {}: {text}", task.action));
    let text = required(task, "Cron")?;
    let cron: Cron = text.parse().map_err(|error| refuse(format!("{error}")))?;
    let name = task.configuration.get("TimeZone").map(|text| text.trim());
    let name = name.filter(|text| !text.is_empty()).unwrap_or("UTC");
    let zone = zone::parse(name).map_err(refuse)?;
    let clock = &context.app.clock;
    let now = clock.now();
    let opening = cron
        .opening(now, &zone)
        .ok_or_else(|| refuse(format!("the window '{text}' never opens")))?;
    let shown = opening
        .to_zoned(zone)
        .strftime("%Y-%m-%d %H:%M:%S %:z")
        .to_string();
    let summary = if opening <= now {
        "the window is open".to_owned()
    } else {
        let summary = format!("waits for the window to open at {shown}");
        context.progress.tell(details(summary)).await;
        let stopped = context.held.rest(async {
            tokio::select! {
                () = clock.sleep_until(opening) => false,
                () = context.stop.cancelled() => true,
            }
        });
        if stopped.await {
            return Ok(Outcome::Stopped);
        }
        format!("the window opened at {shown}")
    };
    Ok(Outcome::Succeeded {
        details: details(summary),
        variables: [].into(),
        revision: None,
    })
}

fn details(summary: String) -> ExecutionDetails {
    ExecutionDetails {
        summary: Some(summary),
        ..ExecutionDetails::default()
    }
}
