//! Verbs that talk to a running engine over AWS's own protocol.

mod approvals;
mod client;
mod show;

use std::process::ExitCode;

use anyhow::anyhow;
use serde_json::{Value, json};

use super::{
    Stop,
    args::{
        AnswerArguments, LogsArguments, Output, RetryArguments, RollbackArguments, StatusArguments,
        StopArguments,
    },
    failed,
    say::say,
    wrong,
};
use client::{CallError, Client};

impl From<CallError> for Stop {
    fn from(error: CallError) -> Self {
        if error.is_refusal() {
            wrong(error)
        } else {
            failed(error)
        }
    }
}

/// `stagewright status`: all pipelines, or the stages and actions of one.
pub async fn status(arguments: StatusArguments) -> Result<ExitCode, Stop> {
    let client = Client::new(&arguments.at.endpoint_url)?;
    let Some(name) = &arguments.pipeline else {
        let list = client.call("ListPipelines", json!({})).await?;
        let mut rows = Vec::new();
        for pipeline in list["pipelines"].as_array().into_iter().flatten() {
            let name = pipeline["name"].as_str().unwrap_or_default();
            rows.push((name.to_owned(), newest(&client, name).await?));
        }
        print(
            arguments.output,
            &json!(rows.iter().map(|(_, e)| e).collect::<Vec<_>>()),
            || show::pipelines(&rows),
        );
        return Ok(ExitCode::SUCCESS);
    };
    let state = client
        .call("GetPipelineState", json!({"name": name}))
        .await?;
    let execution = newest(&client, name).await?;
    print(arguments.output, &state, || {
        show::state(name, &execution, &state)
    });
    Ok(ExitCode::SUCCESS)
}

/// `stagewright logs`: the output of the actions of one execution.
pub async fn logs(arguments: LogsArguments) -> Result<ExitCode, Stop> {
    let client = Client::new(&arguments.at.endpoint_url)?;
    let name = &arguments.pipeline;
    let execution = match arguments.execution {
        Some(id) => id,
        None => id_of(&newest(&client, name).await?, name)?,
    };
    let mut found = client.actions(name, &execution).await?;
    found.reverse();
    let wanted = |d: &&Value| {
        arguments
            .action
            .as_ref()
            .is_none_or(|a| d["actionName"] == a.as_str())
    };
    let shown: Vec<&Value> = found.iter().filter(wanted).collect();
    if shown.is_empty() {
        return Err(wrong(anyhow!(
            "execution {execution} of {name} has no such action yet"
        )));
    }
    for action in shown {
        let text = |key: &str| action[key].as_str().unwrap_or_default();
        say(&format!(
            "== {} / {} ({})\n{}",
            text("stageName"),
            text("actionName"),
            text("status"),
            client.log(&execution, text("actionExecutionId")).await?
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// What an answer from here is.
const PAST_THE_RULES: &str = "This answer went past the approval rules, if there are any: approval-sweep finds it, alerts, and records it as out-of-band. Within the rules, people answer by the link of their mail.";

/// `stagewright approve`: lists what waits, shows what is decided, or decides it. It answers as the AWS console does: past
/// the approval rules, which `approval-sweep` then tells and records.
pub async fn approve(arguments: AnswerArguments) -> Result<ExitCode, Stop> {
    let client = Client::new(&arguments.at.endpoint_url)?;
    let now = jiff::Timestamp::now();
    let Some(name) = &arguments.pipeline else {
        let list = client.call("ListPipelines", json!({})).await?;
        let mut open = Vec::new();
        for pipeline in list["pipelines"].as_array().into_iter().flatten() {
            let name = pipeline["name"].as_str().unwrap_or_default();
            open.extend(waiting(&client, name).await?);
        }
        print(arguments.output, &approvals::as_json(&open), || {
            approvals::table(&open, now)
        });
        return Ok(ExitCode::SUCCESS);
    };
    let open = waiting(&client, name).await?;
    let wanted = |one: &&approvals::Open| {
        let action = arguments.action.as_ref().is_none_or(|a| *a == one.action);
        let execution = arguments.execution.as_ref();
        action && execution.is_none_or(|e| Some(e) == one.execution.as_ref())
    };
    let found: Vec<_> = open.iter().filter(wanted).collect();
    let one = match found.as_slice() {
        [one] => *one,
        [] => return Err(wrong(anyhow!("nothing waits for an approval in {name}"))),
        _ => {
            return Err(wrong(anyhow!(
                "several approvals are open: choose one with --action or --execution\n{}",
                approvals::table(&open, now)
            )));
        }
    };
    let runs = json!({"pipelineName": name, "maxResults": 100});
    let runs = client.call("ListPipelineExecutions", runs).await?;
    let mut runs = runs["pipelineExecutionSummaries"]
        .as_array()
        .into_iter()
        .flatten();
    let run = runs.find(|run| run["pipelineExecutionId"].as_str() == one.execution.as_deref());
    let pipeline = client.call("GetPipeline", json!({"name": name})).await?;
    let run = run.cloned().unwrap_or_default();
    say(&approvals::sheet(one, &run, &pipeline, now));
    if arguments.show {
        return Ok(ExitCode::SUCCESS);
    }
    let status = if arguments.reject {
        "Rejected"
    } else {
        "Approved"
    };
    let comment = arguments.comment.as_deref();
    let summary = comment.unwrap_or("answered with stagewright approve");
    let request = json!({
        "pipelineName": name, "stageName": one.stage, "actionName": one.action, "token": one.token.reveal(),
        "result": {"status": status, "summary": summary},
    });
    client.call("PutApprovalResult", request).await?;
    say(&format!(
        "\n{status}: {} / {}: {summary}\n{PAST_THE_RULES}\n",
        one.stage, one.action
    ));
    Ok(ExitCode::SUCCESS)
}

async fn waiting(client: &Client, name: &str) -> Result<Vec<approvals::Open>, CallError> {
    let state = client
        .call("GetPipelineState", json!({"name": name}))
        .await?;
    let history = json!({"pipelineName": name, "maxResults": 100});
    let history = client.call("ListActionExecutions", history).await?;
    Ok(approvals::open(name, &state, &history))
}

/// `stagewright retry`: retries the failed stage of the newest execution.
pub async fn retry(arguments: RetryArguments) -> Result<ExitCode, Stop> {
    let client = Client::new(&arguments.at.endpoint_url)?;
    let name = &arguments.pipeline;
    let state = client
        .call("GetPipelineState", json!({"name": name}))
        .await?;
    let Some((stage, execution)) = show::failed_stage(&state, arguments.stage.as_deref()) else {
        return Err(wrong(anyhow!(
            "no stage of {name} has failed or was stopped"
        )));
    };
    let mode = if arguments.all {
        "ALL_ACTIONS"
    } else {
        "FAILED_ACTIONS"
    };
    let request = json!({"pipelineName": name, "stageName": stage, "pipelineExecutionId": execution, "retryMode": mode});
    client.call("RetryStageExecution", request).await?;
    say(&format!("retrying {stage} of execution {execution}\n"));
    Ok(ExitCode::SUCCESS)
}

/// `stagewright stop`: stops the newest execution.
pub async fn stop(arguments: StopArguments) -> Result<ExitCode, Stop> {
    let client = Client::new(&arguments.at.endpoint_url)?;
    let name = &arguments.pipeline;
    let execution = match arguments.execution {
        Some(id) => id,
        None => id_of(&newest(&client, name).await?, name)?,
    };
    let mut request = json!({"pipelineName": name, "pipelineExecutionId": execution, "abandon": arguments.abandon});
    if let Some(reason) = arguments.reason {
        request["reason"] = json!(reason);
    }
    client.call("StopPipelineExecution", request).await?;
    say(&format!("stopping execution {execution}\n"));
    Ok(ExitCode::SUCCESS)
}

/// `stagewright rollback`: rolls a stage back to an execution that succeeded in it.
pub async fn rollback(arguments: RollbackArguments) -> Result<ExitCode, Stop> {
    let client = Client::new(&arguments.at.endpoint_url)?;
    let request = json!({
        "pipelineName": arguments.pipeline, "stageName": arguments.stage,
        "targetPipelineExecutionId": arguments.execution,
    });
    let answer = client.call("RollbackStage", request).await?;
    say(&format!(
        "rolling back in execution {}\n",
        answer["pipelineExecutionId"].as_str().unwrap_or_default()
    ));
    Ok(ExitCode::SUCCESS)
}

async fn newest(client: &Client, pipeline: &str) -> Result<Value, CallError> {
    let request = json!({"pipelineName": pipeline, "maxResults": 1});
    let list = client.call("ListPipelineExecutions", request).await?;
    Ok(list["pipelineExecutionSummaries"][0].clone())
}

fn id_of(execution: &Value, pipeline: &str) -> Result<String, Stop> {
    execution["pipelineExecutionId"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| wrong(anyhow!("{pipeline} has no execution yet")))
}

fn print(output: Output, json: &Value, human: impl FnOnce() -> String) {
    match output {
        Output::Json => say(&format!("{}\n", show::without_tokens(json))),
        Output::Human => say(&human()),
    }
}
