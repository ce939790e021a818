//! Device Farm's operations as they are asked here.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::{
    fault::{Fault, FaultKind},
    port::{PortError, ServiceCall, Services},
    wire::from_value,
};

use crate::wire::{Artifact, Artifacts, DEVICE_FARM, Listed, Run, Runs, Upload, Uploads};

/// Pages of runs that are looked through for one of ours. Runs are kept for 400 days, a hundred on a page or so.
const MOST_PAGES: usize = 50;
/// Pages of files that are listed, of each kind.
const MOST_FILE_PAGES: usize = 20;
const FILES: [&str; 3] = ["FILE", "LOG", "SCREENSHOT"];

/// Device Farm.
pub struct Api<'a, S>(pub &'a S);

impl<S: Services> Api<'_, S> {
    /// Makes room for a file. Each call makes another.
    pub async fn create_upload(&self, body: Value) -> Result<Upload, PortError> {
        let call = ServiceCall::new(DEVICE_FARM, "CreateUpload", "the upload", body);
        Ok(self.read::<Uploads>(&call).await?.upload)
    }

    /// An upload as it is now.
    pub async fn upload(&self, arn: &str) -> Result<Upload, PortError> {
        let body = json!({ "arn": arn });
        let call = ServiceCall::new(DEVICE_FARM, "GetUpload", "the upload", body);
        Ok(self.read::<Uploads>(&call).await?.upload)
    }

    /// Starts a run. Each call starts another.
    pub async fn schedule(&self, body: Value) -> Result<Run, PortError> {
        let call = ServiceCall::new(DEVICE_FARM, "ScheduleRun", "the start of the run", body);
        Ok(self.read::<Runs>(&call.once()).await?.run)
    }

    /// A run as it is now.
    pub async fn run(&self, arn: &str) -> Result<Run, PortError> {
        let body = json!({ "arn": arn });
        let call = ServiceCall::new(DEVICE_FARM, "GetRun", "the run", body);
        Ok(self.read::<Runs>(&call).await?.run)
    }

    /// Ends a run.
    pub async fn stop(&self, arn: &str) -> Result<(), PortError> {
        let body = json!({ "arn": arn });
        let call = ServiceCall::new(DEVICE_FARM, "StopRun", "the run", body);
        self.0.call(&call).await.map(drop)
    }

    /// The run of this name: `Some(None)` when there is certainly none, `None` when there are too many to tell.
    pub async fn named(&self, project: &str, name: &str) -> Result<Option<Option<Run>>, PortError> {
        let mut body = json!({ "arn": project });
        for _ in 0..MOST_PAGES {
            let what = "the project's runs";
            let call = ServiceCall::new(DEVICE_FARM, "ListRuns", what, body.clone());
            let page: Listed = self.read(&call).await?;
            if let Some(run) = page.runs.into_iter().find(|run| run.name == name) {
                return Ok(Some(Some(run)));
            }
            match page.next_token {
                Some(token) => body["nextToken"] = token.into(),
                None => return Ok(Some(None)),
            }
        }
        Ok(None)
    }

    /// The files that a run left.
    pub async fn files(&self, run: &str) -> Result<Vec<Artifact>, PortError> {
        let mut all = Vec::new();
        for kind in FILES {
            let mut body = json!({"arn": run, "type": kind});
            for _ in 0..MOST_FILE_PAGES {
                let what = "the run's files";
                let call = ServiceCall::new(DEVICE_FARM, "ListArtifacts", what, body.clone());
                let page: Artifacts = self.read(&call).await?;
                all.extend(page.artifacts);
                match page.next_token {
                    Some(token) => body["nextToken"] = token.into(),
                    None => break,
                }
            }
        }
        Ok(all)
    }

    /// An answer of another shape is a passing fault: it is asked for again.
    async fn read<V: DeserializeOwned>(&self, call: &ServiceCall<'_>) -> Result<V, PortError> {
        let answer = self.0.call(call).await?;
        from_value(answer).map_err(|error| PortError::Unavailable {
            what: call.what.to_owned(),
            source: Some(format!("the answer has an unexpected shape: {error}").into()),
        })
    }
}

/// What the pipeline is told of an error; `needed` is the permission.
pub fn fault(error: PortError, needed: &str) -> Fault {
    match error {
        PortError::Denied { .. } => {
            let text = format!("{error}: the function's role needs {needed} (in us-west-2)");
            Fault::new(FaultKind::Permission, text).because(error)
        }
        error if error.has_code("LimitExceededException") => {
            let text = format!("a limit of Device Farm's is reached: {error}");
            Fault::new(FaultKind::Unavailable, text).because(error)
        }
        error => error.into(),
    }
}
