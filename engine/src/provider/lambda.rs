//! Invoke/AWS/Lambda: sends the `CodePipeline.job` event to a function; the function reports.

use engine_plan::{effect::ActionTask, event::Outcome};
use futures_util::future::BoxFuture;

use super::{Context, Provider};

/// The provider.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lambda;

impl Provider for Lambda {
    fn perform(&self, task: ActionTask, _context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            Some(super::failed(
                "JobFailed",
                format!("action {}: Invoke/AWS/Lambda is not built", task.action),
            ))
        })
    }
}
