//! `stagewright check`: validates a definition, or a rules file of approvals, without running anything.

mod sarif;

use std::{collections::BTreeSet, fs, path::Path, process::ExitCode};

use anyhow::{Context as _, anyhow};
use engine_plan::{
    check::{Facts, Finding, Surroundings, advise, check as findings_of},
    policy::Policy,
};
use serde_json::json;

use self::sarif::Told;
use super::{
    Stop,
    args::{CheckArguments, DefinitionArguments, Findings},
    check_rules,
    load::{self, Choice, LoadError},
    say::say,
    wrong,
};
use crate::{
    config::{Config, EngineSettings},
    template::found::Found,
};

/// Loads and checks; status 0 when AWS takes it, 2 otherwise.
pub fn check(arguments: &CheckArguments) -> Result<ExitCode, Stop> {
    let file = &arguments.definition.file;
    let text = fs::read_to_string(file).unwrap_or_default();
    let checked = match check_rules::is_rules(&text) {
        true => Checked::rules(&text),
        false => definition(arguments)?,
    };
    let name = file.display().to_string();
    match arguments.output {
        Findings::Human => say(&checked.human(&name)),
        Findings::Json => say(&checked.lines()),
        Findings::Sarif => {
            let log = sarif::log(&name, &checked.told(&text));
            say(&format!(
                "{}\n",
                serde_json::to_string_pretty(&log).unwrap_or_default()
            ));
        }
    }
    let bad = !checked.errors.is_empty() || (arguments.strict && !checked.warnings.is_empty());
    Ok(if bad {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

fn definition(arguments: &CheckArguments) -> Result<Checked, Stop> {
    let file = &arguments.definition.file;
    let folder = file.parent().unwrap_or(Path::new("."));
    let config = Config::load(arguments.config.as_deref(), folder).map_err(wrong)?;
    let known = config.action_types();
    let choice = choice(&arguments.definition, &config.engine);
    let policy = arguments.role_policy.as_deref().map(policy).transpose()?;
    let mut checked = Checked::default();
    match load::load(file, &choice) {
        Ok(definition) => {
            let region = &config.engine.region;
            let surroundings = Surroundings {
                known: &known,
                region,
            };
            checked.errors = findings_of(&definition, surroundings);
            let template = load::found(file, &choice).map_err(wrong)?;
            let functions = functions(&template, &config);
            let facts = Facts {
                functions: Some(&functions),
                policy: policy.as_ref(),
            };
            checked.warnings = advise(&definition, facts);
            checked.names = definition
                .stages
                .iter()
                .map(|stage| {
                    let actions = stage.actions.iter().map(|action| action.name.clone());
                    (stage.name.clone(), actions.collect())
                })
                .collect();
            let actions: usize = definition.stages.iter().map(|s| s.actions.len()).sum();
            let stages = definition.stages.len();
            checked.summary = format!(
                "{} is valid: {stages} stages, {actions} actions",
                definition.name
            );
        }
        Err(LoadError::Shape(finding)) => checked.errors.push(*finding),
        Err(error) => return Err(wrong(error)),
    }
    Ok(checked)
}

/// Functions that somebody defines: the configuration, the template, the programs beside this one.
fn functions(template: &Found, config: &Config) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = template.functions.keys().cloned().collect();
    all.extend(config.function.keys().cloned());
    let program = std::env::current_exe().ok();
    let beside = program.as_deref().and_then(Path::parent).map(fs::read_dir);
    let names = beside.into_iter().flatten().flatten().flatten();
    all.extend(names.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    all
}

fn policy(file: &Path) -> Result<Policy, Stop> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .with_context(|| format!("{name} cannot be read"))
        .map_err(wrong)?;
    let document: serde_json::Value = serde_json::from_str(&text)
        .with_context(|| format!("{name} is not valid JSON"))
        .map_err(wrong)?;
    Policy::parse(&document).map_err(|problem| wrong(anyhow!("{name}: {problem}")))
}

/// What was found in one definition.
#[derive(Debug, Default)]
struct Checked {
    summary: String,
    /// What AWS refuses.
    errors: Vec<Finding>,
    /// What a run may stumble over.
    warnings: Vec<Finding>,
    /// Stages with their actions.
    names: Vec<(String, Vec<String>)>,
    /// Lines of the errors, where they are known for certain.
    at: Vec<usize>,
}

impl Checked {
    fn rules(text: &str) -> Self {
        let mut checked = Self::default();
        match check_rules::findings(text) {
            Ok(1) => checked.summary = "valid: 1 rule".to_owned(),
            Ok(count) => checked.summary = format!("valid: {count} rules"),
            Err(found) => (checked.errors, checked.at) = found.into_iter().unzip(),
        }
        checked
    }

    fn human(&self, file: &str) -> String {
        let mut errors = self.errors.clone();
        for (finding, line) in errors.iter_mut().zip(&self.at) {
            finding.place = format!("line {line}, {}", finding.place);
        }
        let mut out = human(file, &self.summary, &errors);
        for finding in &self.warnings {
            out.push_str(&shown(finding, "warning "));
        }
        out
    }

    fn lines(&self) -> String {
        let line = |level: &str, f: &Finding| {
            let line = json!({"level": level, "place": f.place, "exception": f.refusal.exception, "message": f.refusal.message, "hint": f.hint});
            format!("{line}\n")
        };
        let errors = self.errors.iter().map(|it| line("error", it));
        let warnings = self.warnings.iter().map(|it| line("warning", it));
        let mut out: String = errors.chain(warnings).collect();
        out.push_str(&format!(
            "{}\n",
            json!({"valid": self.errors.is_empty(), "findings": self.errors.len(), "warnings": self.warnings.len()})
        ));
        out
    }

    fn told(&self, text: &str) -> Vec<Told<'_>> {
        let errors = self.errors.iter().map(|it| ("error", it));
        let warnings = self.warnings.iter().map(|it| ("warning", it));
        errors
            .chain(warnings)
            .enumerate()
            .map(|(number, (level, finding))| {
                let (names, key) = self.way(&finding.place);
                let known = self.at.get(number).copied();
                let line = known.unwrap_or_else(|| sarif::line(text, &names, key));
                Told {
                    finding,
                    level,
                    line,
                }
            })
            .collect()
    }

    /// The names that `stages[1].actions[0].configuration.Key` goes by, and its last key.
    fn way<'a>(&'a self, place: &'a str) -> (Vec<&'a str>, Option<&'a str>) {
        let (mut names, mut key) = (Vec::new(), None);
        let number = |part: &str, name: &str| -> Option<usize> {
            part.strip_prefix(name)?.strip_suffix(']')?.parse().ok()
        };
        let mut stage = None;
        for part in place.split('.') {
            if let Some((name, actions)) = number(part, "stages[").and_then(|at| self.names.get(at))
            {
                names.push(name.as_str());
                stage = Some(actions);
            } else if let Some(name) = number(part, "actions[").and_then(|at| stage?.get(at)) {
                names.push(name.as_str());
            } else {
                key = part.split('[').next();
            }
        }
        (names, key)
    }
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
        out.push_str(&shown(finding, ""));
    }
    out
}

fn shown(finding: &Finding, level: &str) -> String {
    let mut out = format!(
        "\n  {}\n    {level}{}: {}\n",
        finding.place, finding.refusal.exception, finding.refusal.message
    );
    if let Some(hint) = &finding.hint {
        out.push_str(&format!("    hint: {hint}\n"));
    }
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
