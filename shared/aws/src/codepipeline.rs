//! Job results, sent to CodePipeline. Jobs of workers are in [`crate::jobs`].

use std::sync::OnceLock;

use aws_sdk_codepipeline::{
    Client,
    types::{ExecutionDetails, FailureDetails, FailureType},
};
use shared::{
    id::JobId,
    job::{Details, FailureKind, Report},
    port::{JobReporter, PortError},
};

use crate::{jobs::CODEPIPELINE, rpc::Rpc, sdk::Aws};

/// `PutJobSuccessResult` and `PutJobFailureResult`, with the function's own role.
#[derive(Debug)]
pub struct CodePipeline {
    aws: Aws,
    client: OnceLock<Client>,
    /// For what [`crate::jobs`] asks.
    pub(crate) rpc: Rpc,
}

impl CodePipeline {
    /// The service id in `AWS_ENDPOINT_URL_CODEPIPELINE`.
    pub(crate) const SERVICE: &'static str = "CODEPIPELINE";

    /// Makes no client yet.
    pub fn new(aws: &Aws) -> Self {
        Self {
            aws: aws.clone(),
            client: OnceLock::new(),
            rpc: Rpc::new(aws, CODEPIPELINE),
        }
    }

    fn client(&self) -> &Client {
        self.client
            .get_or_init(|| Client::new(&self.aws.config(Self::SERVICE)))
    }

    async fn success(
        &self,
        job: &JobId,
        details: &Details,
        token: Option<&str>,
        variables: impl Iterator<Item = (&String, &String)>,
    ) -> Result<(), PortError> {
        let mut request = self
            .client()
            .put_job_success_result()
            .job_id(job.as_str())
            .set_execution_details(execution_details(details))
            .set_continuation_token(token.map(str::to_owned));
        for (name, value) in variables {
            request = request.output_variables(name, value);
        }
        self.aws
            .call("PutJobSuccessResult", request.send())
            .await
            .map(drop)
    }

    async fn failure(
        &self,
        job: &JobId,
        kind: FailureKind,
        message: &str,
        external_id: Option<&str>,
    ) -> Result<(), PortError> {
        let what = "PutJobFailureResult";
        let details = FailureDetails::builder()
            .r#type(failure_type(kind))
            .message(message)
            .set_external_execution_id(external_id.map(str::to_owned))
            .build()
            .map_err(|error| PortError::Invalid {
                what: what.to_owned(),
                message: error.to_string(),
            })?;
        let request = self
            .client()
            .put_job_failure_result()
            .job_id(job.as_str())
            .failure_details(details);
        self.aws.call(what, request.send()).await.map(drop)
    }
}

impl JobReporter for CodePipeline {
    async fn report(&self, job: &JobId, report: &Report) -> Result<(), PortError> {
        match report {
            Report::Success { details, variables } => {
                self.success(job, details, None, variables.iter()).await
            }
            Report::Continue { details, token } => {
                self.success(job, details, Some(token), std::iter::empty())
                    .await
            }
            Report::Failure {
                kind,
                message,
                external_id,
            } => {
                let external_id = external_id.as_ref().map(|id| id.as_str());
                self.failure(job, *kind, message, external_id).await
            }
        }
    }
}

fn execution_details(details: &Details) -> Option<ExecutionDetails> {
    (*details != Details::default()).then(|| {
        ExecutionDetails::builder()
            .set_summary(details.summary.clone())
            .set_external_execution_id(details.external_id.as_ref().map(ToString::to_string))
            .set_percent_complete(details.percent.map(i32::from))
            .build()
    })
}

fn failure_type(kind: FailureKind) -> FailureType {
    match kind {
        FailureKind::JobFailed => FailureType::JobFailed,
        FailureKind::ConfigurationError => FailureType::ConfigurationError,
        FailureKind::PermissionError => FailureType::PermissionError,
        FailureKind::RevisionOutOfSync => FailureType::RevisionOutOfSync,
        FailureKind::RevisionUnavailable => FailureType::RevisionUnavailable,
        FailureKind::SystemUnavailable => FailureType::SystemUnavailable,
    }
}
