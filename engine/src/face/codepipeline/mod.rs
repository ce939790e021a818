//! CodePipeline over JSON 1.1: checks a request against the model, submits it to the desk or reads the state.

use axum::response::Response;
use engine_plan::{
    effect::{ActionTask, ArtifactLocation},
    event::Event,
    refusal::Refusal,
    state::State,
    step::Answer,
};
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Call, Fault, JsonAnswer, call::respond, constraint::read as check};
use crate::{
    app::App,
    clock::Clock,
    desk::{Desk, Past, stopping},
    third_party::Partners,
    vault::{Scope, Vault},
};
use jobs::For;

mod action_types;
mod actions;
mod conditions;
mod executions;
mod held;
mod jobs;
mod model;
mod page;
mod pipelines;
mod revisions;
mod shape;
mod state_view;
mod tags;
mod third_party;
mod webhooks;

/// Prefix of `X-Amz-Target`.
pub const TARGET: &str = "CodePipeline_20150709.";

/// How long artifact credentials of a job work, as for functions; GetJobDetails gives fresh ones.
const CREDENTIALS_LAST: SignedDuration = SignedDuration::from_hours(1);

/// Answers one operation.
///
/// # Errors
/// CodePipeline's own refusals, and those of what is not built.
pub async fn call(app: &App, call: &Call) -> JsonAnswer {
    let ground = Ground {
        desk: &app.desk,
        clock: &app.clock,
        caller: &call.caller.arn,
        base_url: &app.base_url,
        partners: &app.config.third_party,
        credentials: &|task, expires| credentials(&app.vault, task, expires),
    };
    ground
        .answer(&call.operation, &call.body)
        .await
        .map_err(fault)
}

/// Refuses Smithy RPC v2 CBOR (`/service/CodePipeline_20150709/operation/…`) in its own terms: this engine speaks
/// JSON 1.1, which every SDK that knows the other protocol can be set to.
pub fn refuse_cbor(call: &Call) -> Response {
    let path = call.uri.path();
    let operation = path.rsplit('/').next().unwrap_or_default();
    let mut response = respond(400, "application/cbor", cbor_refusal(operation));
    let protocol = HeaderValue::from_static("rpc-v2-cbor");
    response.headers_mut().insert("smithy-protocol", protocol);
    response
}

fn cbor_refusal(operation: &str) -> Vec<u8> {
    let message = format!(
        "{operation}: stagewright speaks AWS JSON 1.1 for CodePipeline, not Smithy RPC v2 CBOR; set the client's protocol to awsJson1_1"
    );
    let mut body = vec![0xa2];
    for text in [
        "__type",
        "UnsupportedProtocolException",
        "message",
        &message,
    ] {
        // A text string of up to 65,535 bytes; a path is shorter.
        body.push(0x79);
        body.extend(u16::try_from(text.len()).unwrap_or(0).to_be_bytes());
        body.extend(text.as_bytes());
    }
    body
}

/// What the operations use of the engine.
#[derive(Clone, Copy)]
struct Ground<'a> {
    desk: &'a Desk,
    clock: &'a Clock,
    caller: &'a str,
    /// The engine's public address, in the URLs of webhooks.
    base_url: &'a str,
    partners: &'a Partners,
    /// Credentials (`artifactCredentials`) that open a task's artifacts until then.
    credentials: &'a (dyn Fn(&ActionTask, Timestamp) -> Value + Sync),
}

impl Ground<'_> {
    async fn answer(&self, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
        let text = if body.is_empty() { b"{}" } else { body };
        let body: Value = serde_json::from_slice(text).map_err(|error| {
            Refusal::new(
                "SerializationException",
                format!("the body is not JSON: {error}"),
            )
        })?;
        match operation {
            "CreatePipeline" => pipelines::create(self, check(body, model::CREATE_PIPELINE)?).await,
            "UpdatePipeline" => pipelines::update(self, check(body, model::UPDATE_PIPELINE)?).await,
            "GetPipeline" => pipelines::get(self, check(body, model::GET_PIPELINE)?),
            "DeletePipeline" => pipelines::delete(self, check(body, model::BY_NAME)?).await,
            "ListPipelines" => pipelines::list(self, check(body, model::LIST_PIPELINES)?),
            "StartPipelineExecution" => executions::start(self, check(body, model::START)?).await,
            "StopPipelineExecution" => executions::stop(self, check(body, model::STOP)?).await,
            "RetryStageExecution" => executions::retry(self, check(body, model::RETRY)?).await,
            "RollbackStage" => executions::rollback(self, check(body, model::ROLLBACK)?).await,
            "OverrideStageCondition" => {
                conditions::override_condition(self, check(body, model::OVERRIDE)?).await
            }
            "ListRuleExecutions" => conditions::executions(self, check(body, model::LIST_ACTIONS)?),
            "ListRuleTypes" => conditions::types(self, &check(body, model::LIST_RULE_TYPES)?),
            "PutActionRevision" => revisions::put(self, check(body, model::PUT_REVISION)?).await,
            "ListDeployActionExecutionTargets" => {
                revisions::targets(self, &check(body, model::LIST_TARGETS)?)
            }
            "GetActionType" => action_types::get(&check(body, model::GET_ACTION_TYPE)?),
            "UpdateActionType" => {
                let request: action_types::Update = check(body, model::UPDATE_ACTION_TYPE)?;
                action_types::get(&request.action_type.id)
            }
            "GetPipelineExecution" => executions::get(self, check(body, model::GET_EXECUTION)?),
            "ListPipelineExecutions" => {
                executions::list(self, check(body, model::LIST_EXECUTIONS)?)
            }
            "ListActionExecutions" => actions::list(self, check(body, model::LIST_ACTIONS)?),
            "GetPipelineState" => state_view::get(self, check(body, model::BY_NAME)?),
            "EnableStageTransition" => {
                state_view::set(self, check(body, model::ENABLE)?, true).await
            }
            "DisableStageTransition" => {
                state_view::set(self, check(body, model::DISABLE)?, false).await
            }
            "PutApprovalResult" => state_view::approve(self, check(body, model::APPROVAL)?).await,
            "PutJobSuccessResult" => jobs::succeeded(self, check(body, model::JOB_SUCCESS)?).await,
            "PutJobFailureResult" => jobs::failed(self, check(body, model::JOB_FAILURE)?).await,
            "GetJobDetails" => jobs::details(self, &check(body, model::JOB)?),
            "PollForJobs" => jobs::poll(self, check(body, model::POLL)?).await,
            "AcknowledgeJob" => {
                jobs::acknowledge(self, check(body, model::ACKNOWLEDGE)?, For::Own).await
            }
            "PollForThirdPartyJobs" => {
                third_party::poll(self, check(body, model::POLL_THIRD_PARTY)?).await
            }
            "GetThirdPartyJobDetails" => {
                third_party::details(self, &check(body, model::THIRD_PARTY_JOB)?)
            }
            "AcknowledgeThirdPartyJob" => {
                third_party::acknowledge(self, check(body, model::ACKNOWLEDGE_THIRD_PARTY)?).await
            }
            "PutThirdPartyJobSuccessResult" => {
                third_party::succeeded(self, check(body, model::THIRD_PARTY_SUCCESS)?).await
            }
            "PutThirdPartyJobFailureResult" => {
                third_party::failed(self, check(body, model::THIRD_PARTY_FAILURE)?).await
            }
            "PutWebhook" => webhooks::put(self, check(body, model::PUT_WEBHOOK)?).await,
            "ListWebhooks" => webhooks::list(self, check(body, model::LIST_WEBHOOKS)?),
            "DeleteWebhook" => webhooks::delete(self, check(body, model::BY_NAME)?).await,
            "RegisterWebhookWithThirdParty" => {
                webhooks::register(self, check(body, model::REGISTER_WEBHOOK)?).await
            }
            "DeregisterWebhookWithThirdParty" => {
                webhooks::deregister(self, check(body, model::REGISTER_WEBHOOK)?).await
            }
            "TagResource" => tags::tag(self, check(body, model::TAG_RESOURCE)?).await,
            "UntagResource" => tags::untag(self, check(body, model::UNTAG_RESOURCE)?).await,
            "ListTagsForResource" => tags::list(self, check(body, model::LIST_TAGS)?),
            "ListActionTypes" => action_types::list(self, check(body, model::LIST_ACTION_TYPES)?),
            "CreateCustomActionType" => {
                action_types::create(self, check(body, model::CREATE_ACTION_TYPE)?).await
            }
            "DeleteCustomActionType" => {
                action_types::delete(self, check(body, model::DELETE_ACTION_TYPE)?).await
            }
            unknown => Err(Refusal::new(
                "UnknownOperationException",
                format!("CodePipeline has no operation {unknown}"),
            )),
        }
    }

    async fn submit(&self, event: Event) -> Result<Answer, Refusal> {
        self.desk.submit(event).await
    }

    fn read<R>(&self, look: impl FnOnce(&State) -> Result<R, Refusal>) -> Result<R, Refusal> {
        self.trusted(self.desk.read(look))
    }

    /// Reads executions too that have left memory.
    fn read_all<R>(
        &self,
        look: impl FnOnce(&State, &Past<'_>) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        self.trusted(self.desk.read_all(look))
    }

    /// What was read, unless it may be what a start will not know of.
    fn trusted<R>(&self, read: Result<R, Refusal>) -> Result<R, Refusal> {
        if self.desk.is_broken() {
            return Err(stopping());
        }
        read
    }

    /// `artifactCredentials` for a task, from now on.
    fn credentials(&self, task: &ActionTask) -> Value {
        let expires = self
            .clock
            .now()
            .checked_add(CREDENTIALS_LAST)
            .unwrap_or(Timestamp::MAX);
        (self.credentials)(task, expires)
    }
}

fn fault(refusal: Refusal) -> Fault {
    let status = match refusal.exception {
        _ if refusal.is_internal() => 500,
        "NotImplementedException" => 501,
        // botocore models it so from 1.44.5 on.
        "ConflictException" => 409,
        _ => 400,
    };
    Fault::new(status, refusal.exception, refusal.message)
}

/// `artifactCredentials` that open the task's artifacts: inputs to read, outputs to write.
fn credentials(vault: &Vault, task: &ActionTask, expires: Timestamp) -> Value {
    let places = |artifacts: &[ArtifactLocation]| {
        artifacts
            .iter()
            .map(|a| (a.bucket.clone(), a.key.clone()))
            .collect()
    };
    let scope = Scope {
        read: places(&task.inputs),
        write: places(&task.outputs),
    };
    let issued = vault.issue(scope, expires);
    json!({
        "accessKeyId": issued.access_key_id,
        "secretAccessKey": issued.secret_access_key.reveal(),
        "sessionToken": issued.session_token.reveal(),
    })
}

/// Answer of a step that this operation cannot get: the planner and the face disagree.
fn unexpected(answer: &Answer) -> Refusal {
    tracing::error!(?answer, "the planner answered something else");
    Refusal::internal("the engine could not answer this request: see its log")
}

#[cfg(test)]
mod tests;
