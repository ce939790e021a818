//! State machines and their versions.

use engine_states::{definition::Type, diagnostic::Refused};
use serde_json::{Value, json};

use super::{
    Fault, JsonAnswer, check_name, invalid, need, need_arn, no_machine, page::page, read_tags,
    refuse, sent, time,
};
use crate::{
    app::App,
    states::{StateMachine, Version, checked},
};

const SETTINGS: [&str; 3] = [
    "loggingConfiguration",
    "tracingConfiguration",
    "encryptionConfiguration",
];

fn kind(body: &Value) -> Result<Type, Fault> {
    match body["type"].as_str() {
        None | Some("STANDARD") => Ok(Type::Standard),
        Some("EXPRESS") => Ok(Type::Express),
        Some(other) => Err(refuse(
            "ValidationException",
            format!(
                "1 validation error detected: Value '{other}' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [STANDARD, EXPRESS]"
            ),
        )),
    }
}

fn revision() -> String {
    uuid::Uuid::new_v4().to_string()
}

pub fn create(app: &App, body: &Value) -> JsonAnswer {
    let (name, definition, role) = (
        need(body, "name")?,
        need(body, "definition")?,
        need(body, "roleArn")?,
    );
    check_name(name)?;
    let kind = kind(body)?;
    checked(definition, kind).map_err(|e| invalid(&e))?;
    let arn = app.workflows.arn("stateMachine", name);
    let now = app.clock.now();
    let publish = body["publish"] == true;
    app.workflows.change(|book| {
        if let Some(there) = book.machines.get(name) {
            // The same again is no mistake.
            if there.definition == definition && there.role == role && there.kind == kind {
                return Ok(json!({"stateMachineArn": arn, "creationDate": time(there.created)}));
            }
            return Err(refuse(
                "StateMachineAlreadyExists",
                format!("State Machine Already Exists: '{arn}'"),
            ));
        }
        let mut machine = StateMachine {
            definition: definition.to_owned(),
            revision: revision(),
            settings: Value::Object(sent(body, &SETTINGS)),
            tags: read_tags(body),
            ..StateMachine::new(arn.clone(), kind, role.to_owned(), now)
        };
        let mut answer = json!({"stateMachineArn": arn, "creationDate": time(now)});
        if publish {
            let number = publish_now(&mut machine, body["versionDescription"].as_str(), now);
            answer["stateMachineVersionArn"] = format!("{arn}:{number}").into();
        }
        book.machines.insert(name.to_owned(), machine);
        Ok(answer)
    })
}

/// Publishes the machine as it is; the version of this revision, if there is one.
fn publish_now(machine: &mut StateMachine, description: Option<&str>, now: jiff::Timestamp) -> u64 {
    if let Some((number, _)) = machine
        .versions
        .iter()
        .find(|(_, v)| v.revision == machine.revision)
    {
        return *number;
    }
    machine.last_version += 1;
    let version = Version {
        definition: machine.definition.clone(),
        role: machine.role.clone(),
        revision: machine.revision.clone(),
        description: description.unwrap_or_default().to_owned(),
        created: now,
    };
    machine.versions.insert(machine.last_version, version);
    machine.last_version
}

/// The name of the machine that an ARN without version or alias names.
pub fn machine_name(app: &App, arn: &str) -> Result<String, Fault> {
    app.workflows
        .read(|book| {
            book.find(arn)
                .filter(|(_, _, q)| q.is_none())
                .map(|(name, _, _)| name.to_owned())
        })
        .ok_or_else(|| no_machine(arn))
}

pub fn update(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "stateMachineArn", &["stateMachine"])?;
    let name = machine_name(app, arn)?;
    let now = app.clock.now();
    app.workflows.change(|book| {
        let machine = book.machines.get_mut(&name).ok_or_else(|| no_machine(arn))?;
        let changes = sent(body, &["definition", "roleArn", SETTINGS[0], SETTINGS[1], SETTINGS[2]]);
        if changes.is_empty() {
            return Err(refuse(
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, the TracingConfiguration, or the EncryptionConfiguration must be specified",
            ));
        }
        if let Some(definition) = body["definition"].as_str() {
            checked(definition, machine.kind).map_err(|e| invalid(&e))?;
            definition.clone_into(&mut machine.definition);
        }
        if let Some(role) = body["roleArn"].as_str() {
            role.clone_into(&mut machine.role);
        }
        for (key, value) in sent(body, &SETTINGS) {
            machine.settings[key] = value;
        }
        machine.revision = revision();
        let mut answer = json!({"updateDate": time(now), "revisionId": machine.revision});
        if body["publish"] == true {
            let number = publish_now(machine, body["versionDescription"].as_str(), now);
            answer["stateMachineVersionArn"] = format!("{}:{number}", machine.arn).into();
        }
        Ok(answer)
    })
}

pub fn delete(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "stateMachineArn", &["stateMachine"])?;
    app.workflows.change(|book| {
        let name = book.find(arn).map(|(name, _, _)| name.to_owned());
        if let Some(name) = name {
            book.machines.remove(&name);
        }
        Ok::<_, Fault>(json!({}))
    })
}

pub fn describe(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "stateMachineArn", &["stateMachine"])?;
    app.workflows.read(|book| {
        let chosen = book.choose(arn, 0).ok_or_else(|| no_machine(arn))?;
        let (name, machine, _) = book.find(arn).ok_or_else(|| no_machine(arn))?;
        let mut answer = json!({
            "stateMachineArn": arn,
            "name": name,
            "status": "ACTIVE",
            "definition": chosen.definition,
            "roleArn": chosen.role,
            "type": chosen.kind,
            "creationDate": time(machine.created),
            "loggingConfiguration": {"level": "OFF", "includeExecutionData": false},
            "tracingConfiguration": {"enabled": false},
            "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
            "revisionId": machine.revision,
        });
        for (key, value) in machine.settings.as_object().into_iter().flatten() {
            answer[key] = value.clone();
        }
        Ok(answer)
    })
}

pub fn describe_for_execution(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "executionArn", &["execution", "express"])?;
    let look = app.workflows.look(arn)?;
    let id = &look.begun.identity;
    Ok(json!({
        "stateMachineArn": id.machine_arn,
        "name": id.machine_name,
        "definition": look.begun.definition,
        "roleArn": id.role_arn,
        "updateDate": time(look.begun.at),
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": false},
        "tracingConfiguration": {"enabled": false},
    }))
}

pub fn list(app: &App, body: &Value) -> JsonAnswer {
    let machines = app.workflows.read(|book| {
        let shown = |(name, m): (&String, &StateMachine)| {
            json!({"stateMachineArn": m.arn, "name": name, "type": m.kind, "creationDate": time(m.created)})
        };
        book.machines.iter().map(shown).collect()
    });
    page(body, "stateMachines", machines)
}

pub fn validate(body: &Value) -> JsonAnswer {
    let definition = body["definition"].as_str().unwrap_or_default();
    let most = body["maxResults"]
        .as_u64()
        .filter(|n| *n > 0)
        .unwrap_or(100);
    let mut found = match checked(definition, kind(body)?) {
        Ok(_) => Vec::new(),
        Err(Refused(found)) => found,
    };
    let result = if found.is_empty() { "OK" } else { "FAIL" };
    let most = usize::try_from(most).unwrap_or(100);
    let truncated = found.len() > most;
    found.truncate(most);
    Ok(json!({"result": result, "diagnostics": found, "truncated": truncated}))
}

pub fn publish(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "stateMachineArn", &["stateMachine"])?;
    let name = machine_name(app, arn)?;
    let now = app.clock.now();
    app.workflows.change(|book| {
        let machine = book.machines.get_mut(&name).ok_or_else(|| no_machine(arn))?;
        if body["revisionId"].as_str().is_some_and(|r| r != machine.revision) {
            return Err(refuse("ConflictException", "Failed to publish the State Machine version for revision: the revision is not the current one"));
        }
        let number = publish_now(machine, body["description"].as_str(), now);
        let created = machine.versions.get(&number).map_or(now, |v| v.created);
        Ok(json!({"stateMachineVersionArn": format!("{}:{number}", machine.arn), "creationDate": time(created)}))
    })
}

pub fn versions(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "stateMachineArn", &["stateMachine"])?;
    let name = machine_name(app, arn)?;
    let versions = app.workflows.read(|book| {
        let machine = book.machines.get(&name)?;
        let shown = |(n, v): (&u64, &Version)| {
            json!({"stateMachineVersionArn": format!("{}:{n}", machine.arn), "creationDate": time(v.created)})
        };
        Some(machine.versions.iter().rev().map(shown).collect())
    });
    page(body, "stateMachineVersions", versions.unwrap_or_default())
}

pub fn delete_version(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "stateMachineVersionArn", &["stateMachine"])?;
    app.workflows.change(|book| {
        let found = book
            .find(arn)
            .and_then(|(name, _, q)| Some((name.to_owned(), q?.parse::<u64>().ok()?)));
        let Some((name, number)) = found else {
            return Err(refuse(
                "ValidationException",
                format!("Version does not exist: {arn}"),
            ));
        };
        if let Some(machine) = book.machines.get_mut(&name) {
            if machine
                .aliases
                .values()
                .any(|a| a.routes.iter().any(|(n, _)| *n == number))
            {
                return Err(refuse(
                    "ConflictException",
                    "Version to be deleted must not be referenced by an alias",
                ));
            }
            machine.versions.remove(&number);
        }
        Ok(json!({}))
    })
}
