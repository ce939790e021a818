//! `stagewright check`: validates a definition without running anything.

use std::{path::Path, process::ExitCode};

use engine_plan::check::{Finding, Surroundings, check as findings_of};
use serde_json::json;

use super::{
    Stop,
    args::{CheckArguments, DefinitionArguments, Output},
    load::{self, Choice, LoadError},
    say::say,
    wrong,
};
use crate::config::{Config, EngineSettings};

/// Loads and checks; status 0 when nothing is wrong, 2 otherwise.
pub fn check(arguments: &CheckArguments) -> Result<ExitCode, Stop> {
    let file = &arguments.definition.file;
    let config = Config::load(None, file.parent().unwrap_or(Path::new("."))).map_err(wrong)?;
    let known = config.action_types();
    let settings = config.engine;
    let (summary, findings) = match load::load(file, &choice(&arguments.definition, &settings)) {
        Ok(definition) => {
            let findings = findings_of(
                &definition,
                Surroundings {
                    known: &known,
                    region: &settings.region,
                },
            );
            let actions: usize = definition.stages.iter().map(|s| s.actions.len()).sum();
            let stages = definition.stages.len();
            (
                format!(
                    "{} is valid: {stages} stages, {actions} actions",
                    definition.name
                ),
                findings,
            )
        }
        Err(LoadError::Shape(finding)) => (String::new(), vec![*finding]),
        Err(error) => return Err(wrong(error)),
    };
    match arguments.output {
        Output::Human => say(&human(&file.display().to_string(), &summary, &findings)),
        Output::Json => say(&lines(&findings)),
    }
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}

/// What a template needs, from the arguments and the account.
pub fn choice(arguments: &DefinitionArguments, settings: &EngineSettings) -> Choice {
    Choice {
        logical_id: arguments.logical_id.clone(),
        parameters: arguments.parameters.iter().cloned().collect(),
        region: settings.region.clone(),
        account: settings.account.clone(),
    }
}

/// Findings for people.
pub fn human(file: &str, summary: &str, findings: &[Finding]) -> String {
    if findings.is_empty() {
        return format!("{file}: {summary}\n");
    }
    let mut out = match findings.len() {
        1 => format!("{file}: 1 finding\n"),
        n => format!("{file}: {n} findings\n"),
    };
    for finding in findings {
        out.push_str(&format!(
            "\n  {}\n    {}: {}\n",
            finding.place, finding.refusal.exception, finding.refusal.message
        ));
        if let Some(hint) = &finding.hint {
            out.push_str(&format!("    hint: {hint}\n"));
        }
    }
    out
}

fn lines(findings: &[Finding]) -> String {
    let mut out: String = findings
        .iter()
        .map(|f| {
            let line = json!({"place": f.place, "exception": f.refusal.exception, "message": f.refusal.message, "hint": f.hint});
            format!("{line}\n")
        })
        .collect();
    out.push_str(&format!(
        "{}\n",
        json!({"valid": findings.is_empty(), "findings": findings.len()})
    ));
    out
}

#[cfg(test)]
mod tests {
    use engine_plan::refusal::Refusal;

    use super::*;

    #[test]
    fn a_finding_shows_place_exception_text_and_hint() {
        let finding = Finding {
            place: "stages[1].actions[0]".to_owned(),
            refusal: Refusal::new(
                "InvalidActionDeclarationException",
                "Action X declares 0 input artifacts which is less than the minimum count (1)",
            ),
            hint: Some("name an output artifact of an earlier action".to_owned()),
        };
        assert_eq!(
            human("p.json", "", &[finding]),
            "p.json: 1 finding\n\n  stages[1].actions[0]\n    InvalidActionDeclarationException: Action X declares 0 input artifacts which is less than the minimum count (1)\n    hint: name an output artifact of an earlier action\n"
        );
    }
}
