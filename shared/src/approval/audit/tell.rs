//! A request's trail as records for auditors: who asked, who approved, that they differ, what exactly, under which rule.

use serde_json::{Map, Value, json};

use super::{Happened, digest};
use crate::approval::{
    facts::Mode,
    history::Deploy,
    means::Means,
    request::{Decision, Recipient, Record, State, Verdict},
    rules::evaluate::Actor,
    trail::{Entry, Kind},
    words,
};

/// What this entry of the request's trail says.
pub fn tell(record: &Record, entry: &Entry) -> Happened {
    let mut what = place(record);
    let who = entry.recipient.as_ref().and_then(|id| record.recipient(id));
    if entry.kind == Kind::LinkOpened {
        // Whoever opened it is nobody in particular.
        what.insert("linkOf".to_owned(), json!(who.map(|w| w.person.as_str())));
    } else {
        what.extend(who.map(person).unwrap_or_default());
    }
    match entry.kind {
        Kind::LinkOpened | Kind::Viewed => {
            what.extend(entry.means.as_ref().map(means).unwrap_or_default());
        }
        Kind::Asked => what.extend(asked(record)),
        Kind::Voted => {
            what.extend(who.map(|who| voted(record, who)).unwrap_or_default());
            what.extend(object(json!({"snapshot": entry.detail})));
        }
        Kind::Decided => what.extend(decided(record)),
        Kind::Delivered => {
            what.extend(decided(record));
            what.extend(object(json!({"awsRequest": entry.detail})));
        }
        Kind::Elsewhere => {
            let verdict = match &record.state {
                State::Elsewhere { verdict, .. } => verdict.map(Verdict::past),
                _ => None,
            };
            what.extend(object(
                json!({"verdict": verdict, "by": entry.detail, "outOfBand": true}),
            ));
        }
        Kind::BrokenGlass => what.extend(left(record)),
        Kind::Reviewed => {
            let of = record.review.as_ref().map(|review| review.of.as_str());
            what.extend(object(json!({"of": of, "finding": entry.detail})));
        }
        Kind::ReviewOverdue => what.extend(left(record)),
        Kind::Changed => what.extend(object(json!({"snapshot": entry.detail}))),
        Kind::Overtaken => what.extend(object(json!({"newerExecution": entry.detail}))),
        Kind::Escalated => what.extend(object(json!({"group": entry.detail}))),
        Kind::WrongCode => what.extend(object(json!({"triesLeft": entry.detail}))),
        _ => what.extend(entry.detail.iter().map(|d| ("detail".to_owned(), json!(d)))),
    }
    Happened {
        at: entry.at,
        kind: entry.kind.as_str(),
        approval: Some(record.request.id.clone()),
        what,
    }
}

/// Which action of which execution.
pub fn place(record: &Record) -> Map<String, Value> {
    let r = &record.request;
    let mut place = object(json!({
        "pipeline": r.target.pipeline.as_str(),
        "stage": r.target.stage.as_str(),
        "action": r.target.action.as_str(),
        "execution": r.execution.as_str(),
        "actionExecution": r.action_execution.as_str(),
    }));
    if let Some(task) = r.asker.machine() {
        place.insert(
            "machineExecution".to_owned(),
            json!(task.execution.as_str()),
        );
    }
    place
}

fn asked(record: &Record) -> Map<String, Value> {
    let (r, rule) = (&record.request, &record.rule);
    let revisions = r.facts.revisions.iter().map(|revision| {
        json!({
            "name": revision.name,
            "id": revision.id,
            "message": words::headline(revision, 200),
            "author": revision.author,
            "branch": revision.branch,
            "url": revision.url,
        })
    });
    let artifacts =
        r.facts.artifacts.iter().map(
            |made| json!({"name": made.name, "location": made.location, "digest": made.digest}),
        );
    let history = &r.facts.history;
    let back = history.current.as_ref();
    let authors: Vec<Value> = r.facts.authors.iter().map(actor).collect();
    let asked: Vec<&str> = record
        .recipients
        .iter()
        .map(|r| r.person.as_str())
        .collect();
    object(json!({
        "region": r.region,
        "account": r.account,
        "deadline": r.expires_at.to_string(),
        "startedBy": r.facts.started_by,
        "trigger": actor(&r.facts.trigger),
        "authors": authors,
        "revisions": revisions.collect::<Vec<_>>(),
        "attempt": r.facts.attempt,
        "mode": r.facts.mode.map(Mode::as_str),
        "artifacts": artifacts.collect::<Vec<_>>(),
        "deploys": history.deploys.iter().map(deploys).collect::<Vec<_>>(),
        "rollbackTo": back.map(|e| e.execution.as_str()),
        "rollbackRevisions": back.map(|e| e.revisions.iter().map(|r| r.id.as_str()).collect::<Vec<_>>()),
        "changeCalendars": rule.change_calendars,
        "checks": rule.gates.iter().map(|gate| gate.name.as_str()).collect::<Vec<_>>(),
        "note": r.custom_data,
        "link": r.external_link,
        "rule": rule.name,
        "ruleSha256": digest(rule.source()),
        "approvalsNeeded": rule.needed(),
        "fourEyes": {"trigger": rule.four_eyes.trigger, "authors": rule.four_eyes.authors},
        "snapshot": record.snapshot_digest(),
        "people": asked,
    }))
}

fn voted(record: &Record, who: &Recipient) -> Map<String, Value> {
    let Some(vote) = record.vote_of(&who.id) else {
        return Map::new();
    };
    let mut what = object(json!({
        "verdict": vote.verdict.past(),
        "breakGlass": vote.alone,
        "comment": vote.comment,
        "votedAt": vote.at.to_string(),
        "level": record.rule.level.name(),
    }));
    what.extend(means(&vote.means));
    what
}

fn means(means: &Means) -> Map<String, Value> {
    object(json!({
        "channel": means.channel.as_str(),
        "ip": means.ip,
        "agent": means.agent,
    }))
}

fn decided(record: &Record) -> Map<String, Value> {
    let (State::Deciding { decision, .. } | State::Decided { decision, .. }) = &record.state else {
        return Map::new();
    };
    let Decision {
        id,
        verdict,
        at,
        newer,
    } = decision;
    let mut what = object(json!({
        "decision": id.as_str(),
        "verdict": verdict.past(),
        "decidedAt": at.to_string(),
        "by": record.agreeing(*verdict),
        "breakGlass": record.votes.iter().any(|vote| vote.alone && vote.verdict == *verdict),
        "startedBy": record.request.facts.started_by,
    }));
    if let Some(newer) = newer {
        what.insert("newerExecution".to_owned(), json!(newer.as_str()));
    }
    what
}

/// What an action deploys, and where.
pub fn deploys(deploy: &Deploy) -> Value {
    json!({
        "provider": deploy.provider,
        "what": deploy.what,
        "region": deploy.region,
        "account": deploy.account,
    })
}

/// Who decided alone, why, and who looks at it until when.
fn left(record: &Record) -> Map<String, Value> {
    let Some(review) = &record.review else {
        return Map::new();
    };
    let by: Vec<&str> = review.by.iter().map(|id| id.as_str()).collect();
    object(json!({
        "person": review.of.as_str(),
        "reason": review.reason,
        "group": review.group,
        "reviewers": by,
        "reviewUntil": review.due_at.to_string(),
    }))
}

fn person(who: &Recipient) -> Map<String, Value> {
    object(json!({"person": who.person.as_str(), "address": who.address}))
}

fn actor(actor: &Actor) -> Value {
    match actor {
        Actor::Unknown => json!("unknown"),
        Actor::Machine => json!("machine"),
        Actor::Named(names) => json!(names),
    }
}

/// The members of an object.
pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
