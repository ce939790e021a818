//! Without an endpoint: what would be asked is checked and told, and nothing is made.

use serde_json::Value;

use super::{Desired, Ended, Mode, Plan, Trouble, Workshop};
use crate::{template, yaml};

/// What would be done, told in the log.
pub fn simulate(
    plan: &Plan,
    desired: Option<&Desired>,
    workshop: &Workshop,
) -> Result<Ended, Trouble> {
    let what = match &plan.mode {
        Mode::CreateUpdate => "would be created or updated".to_owned(),
        Mode::ReplaceOnFailure => "would be created, updated or replaced".to_owned(),
        Mode::DeleteOnly => "would be deleted".to_owned(),
        Mode::ChangeSetReplace(name) => format!("would get the change set {name}"),
        Mode::ChangeSetExecute(name) => format!("would be changed by the change set {name}"),
    };
    workshop.log("SIMULATED: no endpoint of cloudformation is named ([endpoint] or --endpoint cloudformation=URL), so that nothing is made");
    let mut outputs = std::collections::BTreeMap::new();
    if let Some(desired) = desired {
        let template = read(&desired.template)?;
        let declared = &template["Parameters"];
        for name in desired.parameters.keys() {
            if declared.get(name).is_none() {
                return Err(Trouble::job(format!(
                    "Parameters: [{name}] do not exist in the template"
                )));
            }
        }
        let missing: Vec<&String> = declared
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, of)| {
                of.get("Default").is_none() && !desired.parameters.contains_key(*name)
            })
            .map(|(name, _)| name)
            .collect();
        if !missing.is_empty() {
            return Err(Trouble::job(format!(
                "Parameters: {missing:?} must have values"
            )));
        }
        for (name, resource) in template["Resources"].as_object().into_iter().flatten() {
            let kind = resource["Type"].as_str().unwrap_or("?");
            workshop.log(&format!("SIMULATED {name} {kind}"));
        }
        let keys = template["Outputs"].as_object().into_iter().flatten();
        outputs = keys
            .map(|(key, _)| (key.clone(), format!("simulated:{}.{key}", plan.stack)))
            .collect();
    }
    Ok(Ended {
        summary: format!("Simulated: the stack {} {what}", plan.stack),
        stack: None,
        outputs,
    })
}

fn read(text: &str) -> Result<Value, Trouble> {
    let wrong = |problem: String| Trouble::job(format!("the template cannot be read: {problem}"));
    let template = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?
    } else {
        yaml::check(text).map_err(|e| wrong(e.to_string()))?;
        let yaml = yaml_serde::from_str(text).map_err(|e| wrong(e.to_string()))?;
        template::from_yaml(yaml).map_err(|e| wrong(e.to_string()))?
    };
    match template["Resources"].as_object() {
        Some(all) if !all.is_empty() => Ok(template),
        _ => Err(wrong(
            "At least one Resources member must be defined.".to_owned(),
        )),
    }
}
