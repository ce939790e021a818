//! Activities.

use serde_json::{Value, json};

use super::{Fault, JsonAnswer, check_name, need, need_arn, page::page, read_tags, refuse, time};
use crate::{app::App, states::Activity};

fn name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

fn missing(arn: &str) -> Fault {
    refuse(
        "ActivityDoesNotExist",
        format!("Activity Does Not Exist: '{arn}'"),
    )
}

pub fn create(app: &App, body: &Value) -> JsonAnswer {
    let name = need(body, "name")?;
    check_name(name)?;
    let arn = app.workflows.arn("activity", name);
    let now = app.clock.now();
    app.workflows.change(|book| {
        let activity = book
            .activities
            .entry(name.to_owned())
            .or_insert_with(|| Activity {
                arn: arn.clone(),
                created: now,
                tags: read_tags(body),
            });
        Ok::<_, Fault>(json!({"activityArn": arn, "creationDate": time(activity.created)}))
    })
}

pub fn describe(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "activityArn", &["activity"])?;
    let created = app
        .workflows
        .read(|book| book.activities.get(name(arn)).map(|a| a.created));
    let created = created.ok_or_else(|| missing(arn))?;
    Ok(json!({"activityArn": arn, "name": name(arn), "creationDate": time(created)}))
}

pub fn delete(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "activityArn", &["activity"])?;
    app.workflows.change(|book| {
        book.activities.remove(name(arn));
        Ok::<_, Fault>(json!({}))
    })
}

pub fn list(app: &App, body: &Value) -> JsonAnswer {
    let activities = app.workflows.read(|book| {
        let shown = |(name, a): (&String, &Activity)| json!({"activityArn": a.arn, "name": name, "creationDate": time(a.created)});
        book.activities.iter().map(shown).collect()
    });
    page(body, "activities", activities)
}

/// GetActivityTask: waits up to a minute; an empty answer then.
pub async fn task(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "activityArn", &["activity"])?;
    if app
        .workflows
        .read(|book| !book.activities.contains_key(name(arn)))
    {
        return Err(missing(arn));
    }
    Ok(match app.workflows.hand_out(app, arn).await? {
        Some(handed) => json!({"taskToken": handed.token, "input": handed.input.to_string()}),
        None => json!({}),
    })
}
