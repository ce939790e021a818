//! Runs of actions in the words of the approvals.

use std::collections::BTreeMap;

use aws_sdk_codepipeline::types::{ActionCategory, ActionExecutionDetail, ActionExecutionStatus};
use jiff::Timestamp;
use shared::approval::{
    facts::SourceOutput,
    history::{self, Deploy, Run, RunStatus, Work},
    made,
    request::Artifact,
};

pub(super) fn source_output(action: &ActionExecutionDetail) -> Option<SourceOutput> {
    let kind = action.input()?.action_type_id()?;
    if kind.category() != &ActionCategory::Source {
        return None;
    }
    let output = action.output()?;
    Some(SourceOutput {
        action: action.action_name().unwrap_or_default().to_owned(),
        artifacts: output
            .output_artifacts()
            .iter()
            .filter_map(|a| a.name().map(str::to_owned))
            .collect(),
        variables: output
            .output_variables()
            .into_iter()
            .flatten()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
    })
}

/// A run as it matters to a release; `None` when it lacks what every run has.
pub(super) fn run(action: &ActionExecutionDetail) -> Option<Run> {
    let time = |at: Option<&aws_smithy_types::DateTime>| {
        let at = at?;
        Timestamp::from_millisecond(at.to_millis().ok()?).ok()
    };
    let work = match (source_output(action), deploy(action)) {
        (Some(output), _) => Work::Source(output),
        (None, Some(deploy)) => Work::Deploy(deploy),
        (None, None) => Work::Other,
    };
    let started = time(action.start_time())?;
    Some(Run {
        execution: action.pipeline_execution_id()?.parse().ok()?,
        stage: action.stage_name()?.to_owned(),
        action: action.action_name()?.to_owned(),
        work,
        artifacts: artifacts(action),
        status: match action.status() {
            Some(ActionExecutionStatus::InProgress) => RunStatus::InProgress,
            Some(ActionExecutionStatus::Succeeded) => RunStatus::Succeeded,
            _ => RunStatus::Failed,
        },
        started,
        updated: time(action.last_update_time()).unwrap_or(started),
    })
}

fn artifacts(action: &ActionExecutionDetail) -> Vec<Artifact> {
    let Some(output) = action.output() else {
        return Vec::new();
    };
    let named = output.output_artifacts().iter().filter_map(|artifact| {
        let place = artifact.s3_location();
        let location = place.and_then(|s3| Some(format!("s3://{}/{}", s3.bucket()?, s3.key()?)));
        Some((artifact.name()?.to_owned(), location))
    });
    let variables = output.output_variables().into_iter().flatten();
    let variables = variables.map(|(k, v)| (k.clone(), v.clone())).collect();
    made::of_run(named, &variables)
}

fn deploy(action: &ActionExecutionDetail) -> Option<Deploy> {
    let input = action.input()?;
    let kind = input.action_type_id()?;
    if kind.category() != &ActionCategory::Deploy {
        return None;
    }
    let configuration: BTreeMap<String, String> = input
        .resolved_configuration()
        .or(input.configuration())
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    Some(Deploy {
        provider: kind.provider().to_owned(),
        what: history::target_of(kind.provider(), &configuration),
        region: input.region().map(str::to_owned),
        // arn:aws:iam::ACCOUNT:role/NAME
        account: input
            .role_arn()
            .and_then(|arn| arn.split(':').nth(4))
            .filter(|account| !account.is_empty())
            .map(str::to_owned),
    })
}
