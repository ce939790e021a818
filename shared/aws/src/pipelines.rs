//! What the approval functions read of pipelines, and the one result they send: to a pipeline or a state machine.

mod machine;
mod past;

use std::sync::OnceLock;

use aws_sdk_codepipeline::{
    Client,
    operation::RequestId,
    types::{
        ActionExecutionDetail, ActionExecutionFilter, ActionExecutionStatus, ApprovalResult,
        ApprovalStatus, ArtifactRevision,
    },
};
use shared::{
    approval::{
        decide::{Finding, SendAnswer},
        facts::{ExecutionFacts, Mode, SourceOutput, Waiting},
        history::Past,
        port::{Answer, PipelineReader, ResultSender},
        request::{Record, Request, Revision, Target, Verdict},
        task_answer::TaskAnswer,
    },
    id::{ExecutionId, PipelineName, StageName},
    port::PortError,
    secret::Secret,
};

use machine::Machines;

use crate::{approver::ApproverRole, error::port_error, sdk::Aws};

/// Pages of ListActionExecutions read at most: 500 runs, newest first.
const PAGES: usize = 5;

/// Reads with the function's own role, and answers with it or with the approver role.
#[derive(Debug)]
pub struct Pipelines {
    aws: Aws,
    client: OnceLock<Client>,
    approver: Option<ApproverRole>,
    machines: Machines,
}

impl Pipelines {
    /// Makes no client yet.
    pub fn new(aws: &Aws) -> Self {
        Self {
            aws: aws.clone(),
            client: OnceLock::new(),
            approver: None,
            machines: Machines::new(aws),
        }
    }

    /// Answers through this role, in a session named after the approver.
    pub fn answering_as(self, role: Option<&str>) -> Self {
        let approver = role.map(|arn| ApproverRole::new(&self.aws, arn));
        Self { approver, ..self }
    }

    /// The client that answers in this approver's name.
    async fn client_of(&self, approver: Option<&str>) -> Result<Client, PortError> {
        let Some(role) = &self.approver else {
            return Ok(self.client().clone());
        };
        let approver = approver.ok_or_else(|| PortError::Invalid {
            what: "assuming the approver role".to_owned(),
            message: "the decision names no approver".to_owned(),
        })?;
        let credentials = role.assume(approver).await?;
        Ok(Client::new(
            &self.aws.config_as("CODEPIPELINE", credentials),
        ))
    }

    fn client(&self) -> &Client {
        self.client
            .get_or_init(|| Client::new(&self.aws.config("CODEPIPELINE")))
    }

    async fn actions(
        &self,
        pipeline: &PipelineName,
        execution: Option<&ExecutionId>,
    ) -> Result<Vec<ActionExecutionDetail>, PortError> {
        let what = format!("ListActionExecutions of {pipeline}");
        let filter = execution.map(|id| {
            ActionExecutionFilter::builder()
                .pipeline_execution_id(id.as_str())
                .build()
        });
        let mut all = Vec::new();
        let mut next = None;
        for _ in 0..PAGES {
            let request = self
                .client()
                .list_action_executions()
                .pipeline_name(pipeline.as_str())
                .set_filter(filter.clone())
                .max_results(100)
                .set_next_token(next);
            let page = self.aws.call(&what, request.send()).await?;
            all.extend(page.action_execution_details.unwrap_or_default());
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
        Ok(all)
    }
}

impl PipelineReader for Pipelines {
    async fn waiting_in_state(&self, pipeline: &PipelineName) -> Result<Vec<Waiting>, PortError> {
        let request = self.client().get_pipeline_state().name(pipeline.as_str());
        let what = format!("GetPipelineState of {pipeline}");
        let state = self.aws.call(&what, request.send()).await?;
        let mut waiting = Vec::new();
        for stage in state.stage_states() {
            let execution = stage
                .latest_execution()
                .map(aws_sdk_codepipeline::types::StageExecution::pipeline_execution_id);
            for action in stage.action_states() {
                let run = action.latest_execution();
                waiting.extend(parse_waiting(
                    stage.stage_name(),
                    action.action_name(),
                    execution,
                    run.and_then(|r| r.action_execution_id()),
                    run.and_then(|r| r.token()),
                ));
            }
        }
        Ok(waiting)
    }

    async fn waiting_in_history(&self, pipeline: &PipelineName) -> Result<Vec<Waiting>, PortError> {
        let actions = self.actions(pipeline, None).await?;
        let open = actions
            .iter()
            .filter(|a| a.status() == Some(&ActionExecutionStatus::InProgress));
        Ok(open
            .filter_map(|action| {
                let result = action.output()?.execution_result()?;
                parse_waiting(
                    action.stage_name(),
                    action.action_name(),
                    action.pipeline_execution_id(),
                    action.action_execution_id(),
                    result.external_execution_id(),
                )
            })
            .collect())
    }

    async fn execution(
        &self,
        pipeline: &PipelineName,
        execution: &ExecutionId,
    ) -> Result<ExecutionFacts, PortError> {
        let request = self
            .client()
            .get_pipeline_execution()
            .pipeline_name(pipeline.as_str())
            .pipeline_execution_id(execution.as_str());
        let what = format!("GetPipelineExecution of {pipeline}");
        let answer = self.aws.call(&what, request.send()).await?;
        let found = answer
            .pipeline_execution
            .ok_or(PortError::NotFound { what })?;
        let trigger = found.trigger();
        Ok(ExecutionFacts {
            trigger: trigger
                .and_then(|t| t.trigger_type())
                .map(|t| t.as_str().to_owned()),
            trigger_detail: trigger.and_then(|t| t.trigger_detail()).map(str::to_owned),
            revisions: found.artifact_revisions().iter().map(revision).collect(),
            mode: found.execution_mode().and_then(|m| Mode::read(m.as_str())),
        })
    }

    async fn past(&self, pipeline: &PipelineName, stage: &StageName) -> Result<Past, PortError> {
        let actions = self.actions(pipeline, None).await?;
        let request = self.client().get_pipeline_state().name(pipeline.as_str());
        let what = format!("GetPipelineState of {pipeline}");
        let state = self.aws.call(&what, request.send()).await?;
        let mut stages = state.stage_states().iter();
        let here = stages.find(|s| s.stage_name() == Some(stage.as_str()));
        let inbound = here.map(|s| s.inbound_executions()).unwrap_or_default();
        Ok(Past {
            runs: actions.iter().filter_map(past::run).collect(),
            inbound: inbound
                .iter()
                .filter_map(|e| e.pipeline_execution_id().parse().ok())
                .collect(),
            shut: here
                .and_then(|s| s.inbound_transition_state())
                .is_some_and(|t| !t.enabled()),
        })
    }

    async fn source_outputs(
        &self,
        pipeline: &PipelineName,
        execution: &ExecutionId,
    ) -> Result<Vec<SourceOutput>, PortError> {
        let actions = self.actions(pipeline, Some(execution)).await?;
        Ok(actions.iter().filter_map(past::source_output).collect())
    }
}

impl ResultSender for Pipelines {
    async fn put(&self, answer: &Answer<'_>) -> Result<SendAnswer, PortError> {
        let request = &answer.record.request;
        if request.asker.machine().is_some() {
            let told = TaskAnswer::of_decision(answer.record, answer.decision, answer.summary);
            return self.machines.tell(request, &told).await;
        }
        let target = &request.target;
        let what = format!("PutApprovalResult of {}", target.pipeline);
        let status = match answer.decision.verdict {
            Verdict::Approve => ApprovalStatus::Approved,
            Verdict::Reject => ApprovalStatus::Rejected,
        };
        let result = ApprovalResult::builder()
            .summary(answer.summary)
            .status(status)
            .build()
            .map_err(|error| PortError::Invalid {
                what: what.clone(),
                message: error.to_string(),
            })?;
        let client = self.client_of(answer.approver).await?;
        let call = client
            .put_approval_result()
            .pipeline_name(target.pipeline.as_str())
            .stage_name(target.stage.as_str())
            .action_name(target.action.as_str())
            .result(result)
            .token(request.token.reveal());
        match self.aws.within(&what, call.send()).await? {
            Ok(sent) => Ok(SendAnswer::Accepted {
                request: sent.request_id().map(str::to_owned),
            }),
            Err(error) => match error.as_service_error() {
                Some(e)
                    if e.is_approval_already_completed_exception()
                        || e.is_invalid_approval_token_exception() =>
                {
                    Ok(SendAnswer::NotOpen)
                }
                Some(e)
                    if e.is_pipeline_not_found_exception()
                        || e.is_stage_not_found_exception()
                        || e.is_action_not_found_exception() =>
                {
                    Ok(SendAnswer::Gone)
                }
                _ => Err(port_error(&what, &error)),
            },
        }
    }

    async fn give_up(&self, record: &Record) -> Result<(), PortError> {
        let request = &record.request;
        match request.asker.machine() {
            Some(_) => {
                let told = TaskAnswer::of_expiry(record);
                self.machines.tell(request, &told).await.map(drop)
            }
            None => Ok(()),
        }
    }

    async fn look(&self, request: &Request) -> Result<Finding, PortError> {
        if let Some(task) = request.asker.machine() {
            return self.machines.look(request, task).await;
        }
        let target = &request.target;
        let run = request.action_execution.as_str();
        let actions = self
            .actions(&target.pipeline, Some(&request.execution))
            .await?;
        let Some(action) = actions
            .iter()
            .find(|a| a.action_execution_id() == Some(run))
        else {
            return Ok(Finding {
                ended: true,
                ..Finding::default()
            });
        };
        let mut finding = Finding {
            summary: action
                .output()
                .and_then(|o| o.execution_result())
                .and_then(|r| r.external_execution_summary())
                .map(str::to_owned),
            verdict: match action.status() {
                Some(ActionExecutionStatus::Succeeded) => Some(Verdict::Approve),
                Some(ActionExecutionStatus::Failed) => Some(Verdict::Reject),
                _ => None,
            },
            ended: action.status() != Some(&ActionExecutionStatus::InProgress),
            by: action.updated_by().map(str::to_owned),
        };
        if finding.summary.is_none() {
            finding.summary = self.summary_in_state(target, run).await?;
        }
        Ok(finding)
    }
}

impl Pipelines {
    /// The person's text as GetPipelineState shows it while this run is the action's latest.
    async fn summary_in_state(
        &self,
        target: &Target,
        run: &str,
    ) -> Result<Option<String>, PortError> {
        let request = self
            .client()
            .get_pipeline_state()
            .name(target.pipeline.as_str());
        let what = format!("GetPipelineState of {}", target.pipeline);
        let state = self.aws.call(&what, request.send()).await?;
        let latest = state
            .stage_states()
            .iter()
            .flat_map(|stage| stage.action_states())
            .filter_map(|action| action.latest_execution())
            .find(|latest| latest.action_execution_id() == Some(run));
        Ok(latest.and_then(|l| l.summary()).map(str::to_owned))
    }
}

fn parse_waiting(
    stage: Option<&str>,
    action: Option<&str>,
    execution: Option<&str>,
    run: Option<&str>,
    token: Option<&str>,
) -> Option<Waiting> {
    Some(Waiting {
        stage: stage?.parse().ok()?,
        action: action?.parse().ok()?,
        execution: execution?.parse().ok()?,
        action_execution: run?.parse().ok()?,
        token: Secret::new(token?.to_owned()),
    })
}

fn revision(revision: &ArtifactRevision) -> Revision {
    let owned = |text: Option<&str>| text.filter(|t| !t.is_empty()).map(str::to_owned);
    Revision {
        name: owned(revision.name()).unwrap_or_default(),
        id: owned(revision.revision_id()).unwrap_or_default(),
        message: owned(revision.revision_summary()),
        url: owned(revision.revision_url()),
        ..Revision::default()
    }
}
