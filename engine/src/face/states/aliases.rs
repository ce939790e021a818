//! Aliases: names for one version, or for two by weight.

use serde_json::{Value, json};

use super::{Fault, JsonAnswer, check_name, need, need_arn, no_machine, page::page, refuse, time};
use crate::{
    app::App,
    states::{Alias, Book},
};

/// `routingConfiguration`: the machine's name and the routes.
fn routes(book: &Book, body: &Value) -> Result<(String, Vec<(u64, u64)>), Fault> {
    let bad = |text: &str| refuse("ValidationException", text);
    let list = body["routingConfiguration"]
        .as_array()
        .filter(|l| (1..=2).contains(&l.len()))
        .ok_or_else(|| bad("routingConfiguration needs one or two entries"))?;
    let mut owner = None;
    let mut routes = Vec::new();
    for entry in list {
        let arn = need(entry, "stateMachineVersionArn")?;
        let (name, machine, qualifier) = book.find(arn).ok_or_else(|| no_machine(arn))?;
        let number: u64 = qualifier
            .and_then(|q| q.parse().ok())
            .filter(|n| machine.versions.contains_key(n))
            .ok_or_else(|| refuse("ResourceNotFound", format!("Version does not exist: {arn}")))?;
        if owner.as_deref().is_some_and(|o: &str| o != name) {
            return Err(bad(
                "Routing configuration must contain versions of the same state machine",
            ));
        }
        owner = Some(name.to_owned());
        routes.push((number, entry["weight"].as_u64().unwrap_or_default()));
    }
    if routes.iter().map(|(_, weight)| weight).sum::<u64>() != 100 {
        return Err(bad("Sum of routing configuration weights must equal 100"));
    }
    Ok((owner.unwrap_or_default(), routes))
}

pub fn create(app: &App, body: &Value) -> JsonAnswer {
    let name = need(body, "name")?;
    check_name(name)?;
    if name.chars().all(|c| c.is_ascii_digit()) {
        return Err(refuse("InvalidName", format!("Invalid Name: '{name}'")));
    }
    let now = app.clock.now();
    app.workflows.change(|book| {
        let (owner, routes) = routes(book, body)?;
        let machine = book.machines.get_mut(&owner).ok_or_else(|| no_machine(&owner))?;
        let arn = format!("{}:{name}", machine.arn);
        if machine.aliases.get(name).is_some_and(|a| a.routes != routes) {
            return Err(refuse("ConflictException", format!("Failed to create alias because an alias with the same name and a different routing configuration already exists: {arn}")));
        }
        machine.aliases.entry(name.to_owned()).or_insert(Alias {
            description: body["description"].as_str().unwrap_or_default().to_owned(),
            routes,
            created: now,
            updated: now,
        });
        Ok(json!({"stateMachineAliasArn": arn, "creationDate": time(now)}))
    })
}

/// The machine and alias an ARN names.
fn named(book: &Book, arn: &str) -> Result<(String, String), Fault> {
    let found = book.find(arn).and_then(|(name, machine, alias)| {
        let alias = alias.filter(|a| machine.aliases.contains_key(*a))?;
        Some((name.to_owned(), alias.to_owned()))
    });
    found.ok_or_else(|| refuse("ResourceNotFound", format!("Alias does not exist: {arn}")))
}

pub fn update(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "stateMachineAliasArn", &["stateMachine"])?;
    let now = app.clock.now();
    app.workflows.change(|book| {
        let (owner, alias) = named(book, arn)?;
        let changed = match body.get("routingConfiguration").filter(|v| !v.is_null()) {
            Some(_) => Some(routes(book, body)?.1),
            None => None,
        };
        let alias = book
            .machines
            .get_mut(&owner)
            .and_then(|m| m.aliases.get_mut(&alias))
            .ok_or_else(|| no_machine(arn))?;
        if let Some(routes) = changed {
            alias.routes = routes;
        }
        if let Some(text) = body["description"].as_str() {
            text.clone_into(&mut alias.description);
        }
        alias.updated = now;
        Ok(json!({"updateDate": time(now)}))
    })
}

pub fn describe(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "stateMachineAliasArn", &["stateMachine"])?;
    app.workflows.read(|book| {
        let (owner, name) = named(book, arn)?;
        let machine = &book.machines[&owner];
        let alias = &machine.aliases[&name];
        let route = |(n, weight): &(u64, u64)| json!({"stateMachineVersionArn": format!("{}:{n}", machine.arn), "weight": weight});
        Ok(json!({
            "stateMachineAliasArn": arn,
            "name": name,
            "description": alias.description,
            "routingConfiguration": alias.routes.iter().map(route).collect::<Vec<_>>(),
            "creationDate": time(alias.created),
            "updateDate": time(alias.updated),
        }))
    })
}

pub fn delete(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "stateMachineAliasArn", &["stateMachine"])?;
    app.workflows.change(|book| {
        let (owner, name) = named(book, arn)?;
        if let Some(machine) = book.machines.get_mut(&owner) {
            machine.aliases.remove(&name);
        }
        Ok::<_, Fault>(json!({}))
    })
}

pub fn list(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "stateMachineArn", &["stateMachine"])?;
    let aliases = app.workflows.read(|book| {
        let (_, machine, _) = book.find(arn).ok_or_else(|| no_machine(arn))?;
        let shown = |(name, a): (&String, &Alias)| {
            json!({"stateMachineAliasArn": format!("{}:{name}", machine.arn), "creationDate": time(a.created)})
        };
        Ok::<_, Fault>(machine.aliases.iter().map(shown).collect())
    })?;
    page(body, "stateMachineAliases", aliases)
}
