//! Puts pipelines into an engine before anything starts: the definition of a run, and those of `[pipeline.NAME]`.

use std::collections::BTreeMap;

use anyhow::anyhow;
use engine_plan::{
    check::{Surroundings, check as findings_of},
    definition::PipelineDeclaration,
    event::Event,
    refusal::Refusal,
};

use super::{
    Stop,
    args::DefinitionArguments,
    check::{choice, human},
    failed, load, wrong,
};
use crate::{assemble::Engine, config::Config};

/// A definition from its file, checked.
///
/// # Errors
/// It cannot be read, or has findings: the text lists them.
pub(super) fn definition(
    wanted: &DefinitionArguments,
    config: &Config,
) -> Result<PipelineDeclaration, Stop> {
    let definition = load::load(&wanted.file, &choice(wanted, &config.engine)).map_err(wrong)?;
    let findings = findings_of(
        &definition,
        Surroundings {
            known: &config.action_types(),
            region: &config.engine.region,
        },
    );
    if findings.is_empty() {
        return Ok(definition);
    }
    let file = wanted.file.display().to_string();
    let told = human(&file, "", &findings).trim_end().to_owned();
    Err(wrong(anyhow!("{told}")))
}

/// The pipelines of `[pipeline.NAME]`.
///
/// # Errors
/// As [`definition`], and a definition of another name than its table's.
pub(super) fn configured(config: &Config) -> Result<Vec<PipelineDeclaration>, Stop> {
    let mut found = Vec::new();
    for (name, pipeline) in &config.pipeline {
        let wanted = DefinitionArguments {
            file: config.path(&pipeline.definition),
            logical_id: pipeline.logical_id.clone(),
            parameters: Vec::new(),
        };
        let definition = definition(&wanted, config)?;
        if definition.name != *name {
            return Err(wrong(anyhow!(
                "[pipeline.{name}]: {} defines the pipeline {}",
                wanted.file.display(),
                definition.name
            )));
        }
        found.push(definition);
    }
    Ok(found)
}

/// Creates the pipeline without starting it, or updates the one that is there when it differs.
///
/// # Errors
/// What CreatePipeline and UpdatePipeline refuse.
pub(super) async fn put(engine: &Engine, definition: &PipelineDeclaration) -> Result<(), Stop> {
    let known = engine.app.desk.read(|state| {
        let known = state.pipelines.get(&definition.name);
        known.map(|pipeline| pipeline.definition.clone())
    });
    let event = match known {
        Some(known) if same(&known, definition) => return Ok(()),
        Some(_) => Event::UpdatePipeline {
            definition: definition.clone(),
        },
        None => Event::CreatePipeline {
            definition: definition.clone(),
            tags: BTreeMap::new(),
            start: false,
        },
    };
    engine.app.desk.submit(event).await.map_err(rejected)?;
    Ok(())
}

/// What a refusal is to the command line.
pub(super) fn rejected(refusal: Refusal) -> Stop {
    if refusal.is_internal() {
        failed(refusal)
    } else {
        wrong(refusal)
    }
}

/// Whether two definitions differ in more than the version number.
fn same(known: &PipelineDeclaration, wanted: &PipelineDeclaration) -> bool {
    let mut wanted = wanted.clone();
    wanted.version = known.version;
    *known == wanted
}
