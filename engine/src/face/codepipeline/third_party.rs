//! Jobs of partners: PollForThirdPartyJobs, GetThirdPartyJobDetails, AcknowledgeThirdPartyJob and their results.

use engine_plan::{
    action_type,
    definition::{ActionTypeId, THIRD_PARTY},
    event::Event,
    refusal::Refusal,
};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::secret::Secret;

use super::{
    Ground,
    jobs::{self, For},
    shape::Object,
};
use crate::third_party::Partner;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Poll {
    action_type_id: ActionTypeId,
    max_batch_size: Option<usize>,
}

/// What every other request begins with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown<R> {
    client_token: Secret,
    #[serde(flatten)]
    rest: R,
}

pub(super) async fn poll(ground: &Ground<'_>, request: Poll) -> Result<Value, Refusal> {
    let id = request.action_type_id;
    let account = ground.read(|state| {
        let known = id.owner == THIRD_PARTY
            && (action_type::find(&id).is_some()
                || action_type::find_custom(&state.action_types, &id).is_some());
        known
            .then(|| state.account().to_owned())
            .ok_or_else(|| jobs::no_such_type(&id))
    })?;
    // without the setting its actions fail at once and have no jobs
    let Some(partner) = ground.partners.get(&id.provider) else {
        return Ok(json!({"jobs": []}));
    };
    let client = partner.client_id(&account, &id.provider);
    let most = request.max_batch_size.unwrap_or(1);
    let given = jobs::hand_out(ground, &id, most, |_| true).await?;
    let jobs: Vec<Value> = given
        .iter()
        .map(|(job, _)| json!({"clientId": client, "jobId": job.id}))
        .collect();
    Ok(json!({"jobs": jobs}))
}

pub(super) fn details(ground: &Ground<'_>, request: &Shown<jobs::ByJob>) -> Result<Value, Refusal> {
    let id = &request.rest.job_id;
    verify(ground, id, &request.client_token, "InvalidJobException")?;
    let (job, task, open) = jobs::read(ground, id, For::Partner)?;
    let data = jobs::data(ground, &task, open, For::Partner);
    let details = Object::new()
        .with("id", id.as_str())
        .with("data", data)
        .with("nonce", job.nonce);
    Ok(json!({"jobDetails": Value::from(details)}))
}

pub(super) async fn acknowledge(
    ground: &Ground<'_>,
    request: Shown<jobs::Acknowledge>,
) -> Result<Value, Refusal> {
    verify(ground, &request.rest.job_id, &request.client_token, NO_JOB)?;
    jobs::acknowledge(ground, request.rest, For::Partner).await
}

pub(super) async fn succeeded(
    ground: &Ground<'_>,
    request: Shown<jobs::Success>,
) -> Result<Value, Refusal> {
    verify(ground, &request.rest.job_id, &request.client_token, NO_JOB)?;
    let mut event = jobs::success(request.rest);
    // the operation has no such member
    if let Event::JobSucceeded { variables, .. } = &mut event {
        variables.clear();
    }
    ground.submit(event).await?;
    Ok(json!({}))
}

pub(super) async fn failed(
    ground: &Ground<'_>,
    request: Shown<jobs::Failure>,
) -> Result<Value, Refusal> {
    verify(ground, &request.rest.job_id, &request.client_token, NO_JOB)?;
    ground.submit(jobs::failure(request.rest)).await?;
    Ok(json!({}))
}

const NO_JOB: &str = "JobNotFoundException";

/// The job is a partner's, and the worker is that partner's. The texts are unconfirmed.
fn verify(
    ground: &Ground<'_>,
    job: &str,
    token: &Secret,
    absent: &'static str,
) -> Result<(), Refusal> {
    let provider = ground.read(|state| {
        let known = state.jobs.get(job);
        match known.filter(|it| it.action_type.owner == THIRD_PARTY) {
            Some(known) => Ok(known.action_type.provider.clone()),
            None if known.is_some() => Err(jobs::not_found(absent)),
            None => Err(jobs::not_found(NO_JOB)),
        }
    })?;
    let partner: Option<&Partner> = ground.partners.get(&provider);
    if partner.is_some_and(|it| it.is_token(token.reveal())) {
        Ok(())
    } else {
        Err(Refusal::new(
            "InvalidClientTokenException",
            format!("The client token is not valid for job '{job}'"),
        ))
    }
}
