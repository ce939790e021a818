//! EventBridge events, exactly as AWS shapes them (`codepipeline.md` 8.1); only `id` is missing.

use serde_json::{Map, Value, json};

use super::Turn;
use crate::{
    definition::StageDeclaration,
    effect::Effect,
    event::Reference,
    state::{ActionRun, ActionStatus, ArtifactPlace, Place},
};

/// What an action's event says that never started because the structure changed. The guide has the state and its reason,
/// not which actions have it (codepipeline.md 3.1: as event state only); those in progress end as they end.
const CANCELED_ACTION: &str = "CANCELED";

impl Turn<'_> {
    /// `CodePipeline Pipeline Execution State Change`.
    pub(super) fn emit_pipeline(&mut self, pipeline: &str, execution: usize, state: &str) {
        let Some(run) = self.execution(pipeline, execution) else {
            return;
        };
        let mut detail = json!({
            "pipeline": pipeline,
            "execution-id": run.id,
            "start-time": format!("{:.3}", run.started),
            "state": state,
            "version": run.pipeline_version as f64,
            "pipeline-execution-attempt": f64::from(run.attempt),
        });
        if state == "STARTED" {
            detail["execution-trigger"] = json!({
                "trigger-type": run.trigger.trigger_type,
                "trigger-detail": run.trigger.trigger_detail,
            });
            match &run.trigger.reference {
                Some(Reference::Branch(name)) => {
                    detail["execution-trigger"]["branch-name"] = json!(name)
                }
                Some(Reference::Tag(name)) => detail["execution-trigger"]["tag-name"] = json!(name),
                None => {}
            }
        }
        if state == "STOPPING"
            && let Some(comments) = &run.stop_reason
        {
            detail["stop-execution-comments"] = json!(comments);
        }
        self.emit(
            pipeline,
            "CodePipeline Pipeline Execution State Change",
            detail,
        );
    }

    /// `CodePipeline Stage Execution State Change` of the stage the execution is in.
    pub(super) fn emit_stage(&mut self, pipeline: &str, execution: usize, state: &str) {
        let Some(run) = self.execution(pipeline, execution) else {
            return;
        };
        let Some(stage) = run.stages.last() else {
            return;
        };
        let detail = json!({
            "pipeline": pipeline,
            "execution-id": run.id,
            "start-time": format!("{:.3}", stage.entered),
            "stage": stage.name,
            "state": state,
            "version": run.pipeline_version as f64,
            "pipeline-execution-attempt": f64::from(run.attempt),
        });
        self.emit(
            pipeline,
            "CodePipeline Stage Execution State Change",
            detail,
        );
    }

    /// `CodePipeline Action Execution State Change` with the state the action run is in.
    pub(super) fn emit_action(&mut self, place: &Place) {
        let Some(execution) = self.execution(&place.pipeline, place.execution) else {
            return;
        };
        let Some(stage) = execution.stages.get(place.stage) else {
            return;
        };
        let Some(run) = stage.actions.get(place.action) else {
            return;
        };
        let mut detail = json!({
            "pipeline": place.pipeline,
            "execution-id": execution.id,
            "start-time": format!("{:.3}", run.started),
            "stage": stage.name,
            "action-execution-id": run.id,
            "action": run.name,
            "state": match run.status {
                ActionStatus::InProgress => "STARTED",
                ActionStatus::Succeeded => "SUCCEEDED",
                ActionStatus::Failed => "FAILED",
                ActionStatus::Abandoned => "ABANDONED",
            },
            "region": self.action_region(place),
            "type": {
                "owner": run.action_type.owner,
                "provider": run.action_type.provider,
                "category": run.action_type.category,
                "version": run.action_type.version,
            },
            "version": execution.pipeline_version as f64,
            "pipeline-execution-attempt": f64::from(execution.attempt),
        });
        match run.status {
            ActionStatus::InProgress => detail["input-artifacts"] = artifacts(&run.inputs),
            ActionStatus::Succeeded => {
                detail["output-artifacts"] = artifacts(&run.outputs);
                detail["execution-result"] = result(run);
            }
            ActionStatus::Failed => {
                detail["input-artifacts"] = artifacts(&run.inputs);
                detail["output-artifacts"] = json!([]);
                detail["execution-result"] = result(run);
            }
            ActionStatus::Abandoned => {}
        }
        self.emit(
            &place.pipeline,
            "CodePipeline Action Execution State Change",
            detail,
        );
    }

    /// `CodePipeline Action Execution State Change` of actions that the change of the structure kept from starting: they
    /// are "canceled because the pipeline structure was updated" as events only and have no execution.
    pub(super) fn emit_canceled(
        &mut self,
        pipeline: &str,
        execution: usize,
        declared: &StageDeclaration,
    ) {
        let Some(run) = self.execution(pipeline, execution) else {
            return;
        };
        let Some(stage) = run.stages.last() else {
            return;
        };
        let waiting = declared.actions.iter().filter(|action| {
            stage.latest(&action.name).is_none() || stage.again.contains(&action.name)
        });
        let details: Vec<Value> = waiting
            .map(|action| {
                json!({
                    "pipeline": pipeline,
                    "execution-id": run.id,
                    "stage": stage.name,
                    "action": action.name,
                    "state": CANCELED_ACTION,
                    "region": action.region.as_deref().unwrap_or(self.state.region()),
                    "type": {
                        "owner": action.action_type_id.owner,
                        "provider": action.action_type_id.provider,
                        "category": action.action_type_id.category,
                        "version": action.action_type_id.version,
                    },
                    "version": run.pipeline_version as f64,
                    "pipeline-execution-attempt": f64::from(run.attempt),
                })
            })
            .collect();
        for detail in details {
            self.emit(
                pipeline,
                "CodePipeline Action Execution State Change",
                detail,
            );
        }
    }

    fn action_region(&self, place: &Place) -> String {
        let declared = || {
            let pipeline = self.state.pipelines.get(&place.pipeline)?;
            let execution = pipeline.executions.get(place.execution)?;
            let stage = execution.stages.get(place.stage)?;
            let run = stage.actions.get(place.action)?;
            let definition = pipeline.definition_of(execution)?;
            definition
                .stages
                .get(definition.stage(&stage.name)?)?
                .action(&run.name)?
                .region
                .clone()
        };
        declared().unwrap_or_else(|| self.state.region().to_owned())
    }

    fn emit(&mut self, pipeline: &str, detail_type: &str, detail: Value) {
        let event = json!({
            "version": "0",
            "detail-type": detail_type,
            "source": "aws.codepipeline",
            "account": self.state.account(),
            "time": format!("{:.0}", self.at),
            "region": self.state.region(),
            "resources": [self.state.pipeline_arn(pipeline)],
            "detail": detail,
        });
        self.effects.push(Effect::Emit(Box::new(event)));
    }
}

fn artifacts(places: &[ArtifactPlace]) -> Value {
    places
        .iter()
        .map(|place| {
            json!({"name": place.name, "s3location": {"bucket": place.bucket, "key": place.key}})
        })
        .collect()
}

fn result(run: &ActionRun) -> Value {
    let mut result = Map::new();
    let mut put = |key: &str, value: Option<&String>| {
        if let Some(value) = value {
            result.insert(key.to_owned(), json!(value));
        }
    };
    put(
        "external-execution-url",
        run.details.external_execution_url.as_ref(),
    );
    put(
        "external-execution-summary",
        run.details
            .summary
            .as_ref()
            .or(run.error.as_ref().map(|error| &error.message)),
    );
    // of an approval it is the token (PARALLEL): never in an event
    if run.approval_token.is_none() {
        put(
            "external-execution-id",
            run.details.external_execution_id.as_ref(),
        );
    }
    put("error-code", run.error.as_ref().map(|error| &error.code));
    Value::Object(result)
}
