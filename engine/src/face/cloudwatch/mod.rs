//! CloudWatch, as far as CloudWatchAlarm rules need it: alarms whose state is set by hand.
//!
//! Served over the three protocols of its model: boto3 and the AWS CLI of today send JSON 1.0, the Rust SDK sends
//! Smithy RPC v2 CBOR, older clients send Query.

use std::io;

use axum::response::Response;
use http::HeaderValue;
use serde_json::{Map, Value, json};

use super::{Call, Fault, call::respond};
use crate::{
    alarm::{Alarm, AlarmState, Alarms},
    app::App,
};

mod cbor;
mod query;

/// The protocol a call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Json,
    Query,
    Cbor,
}

/// Names of one DeleteAlarms or DescribeAlarms, alarms of one page.
const MOST: usize = 100;
/// Alarms of a page unless the caller says otherwise.
const PAGE: usize = 50;
/// Characters of an alarm's name.
const NAME: usize = 255;
/// Characters of a reason.
const REASON: usize = 1023;

/// Answers one call in its protocol, refusals too.
pub fn call(app: &App, call: &Call, protocol: Protocol) -> Response {
    let path_operation = call.uri.path().rsplit('/').next().unwrap_or_default();
    let operation = match protocol {
        Protocol::Cbor => path_operation,
        Protocol::Json | Protocol::Query => &call.operation,
    };
    let request = match protocol {
        Protocol::Json => call.json::<Value>(),
        Protocol::Query => query::read(&call.form()),
        Protocol::Cbor => cbor::read(&call.body),
    };
    let answer = request.and_then(|request| act(app, operation, &request));
    let mut response = match (protocol, answer) {
        (Protocol::Json, Ok(reply)) => {
            respond(200, "application/x-amz-json-1.0", reply.to_string())
        }
        (Protocol::Query, Ok(reply)) => {
            let text = query::write(operation, &reply, &call.request_id);
            respond(200, "text/xml", text)
        }
        (Protocol::Cbor, Ok(reply)) => respond(200, "application/cbor", cbor::write(&reply)),
        (Protocol::Query, Err(fault)) => return fault.into_query_xml(&call.request_id),
        (_, Err(fault)) => refuse(protocol, fault),
    };
    if protocol == Protocol::Cbor {
        let value = HeaderValue::from_static("rpc-v2-cbor");
        response.headers_mut().insert("smithy-protocol", value);
    }
    response
}

/// The model's `awsQueryCompatible`: the code of the Query protocol goes into a header.
fn refuse(protocol: Protocol, fault: Fault) -> Response {
    let code = format!("{};Sender", fault.code);
    let mut response = if protocol == Protocol::Cbor {
        let body = json!({"__type": fault.code, "message": fault.message});
        respond(fault.status, "application/cbor", cbor::write(&body))
    } else {
        fault.into_json("1.0")
    };
    if let Ok(code) = HeaderValue::from_str(&code) {
        response.headers_mut().insert("x-amzn-query-error", code);
    }
    response
}

fn act(app: &App, operation: &str, request: &Value) -> Result<Value, Fault> {
    let now = app.clock.now();
    let alarms = &app.alarms;
    match operation {
        "PutMetricAlarm" => {
            let name = name(request, "AlarmName")?;
            let mut configuration = put(request)?;
            configuration.remove("Tags");
            alarms.put(&name, configuration, now).map_err(stored)?;
            Ok(json!({}))
        }
        "SetAlarmState" => set(alarms, request, now),
        "DescribeAlarms" => describe(app, request),
        "DeleteAlarms" => {
            let names = texts(request, "AlarmNames")?;
            let names = names.ok_or_else(|| null("alarmNames"))?;
            match alarms.delete(&names).map_err(stored)? {
                true => Ok(json!({})),
                false => Err(Fault::new(
                    404,
                    "ResourceNotFound",
                    "An alarm does not exist",
                )),
            }
        }
        other => Err(Fault::not_built("monitoring", other)),
    }
}

/// The members of PutMetricAlarm, if an alarm can be made of them.
fn put(request: &Value) -> Result<Map<String, Value>, Fault> {
    let members = request.as_object().cloned().unwrap_or_default();
    let one_of = |names: &[&str]| names.iter().any(|name| members.contains_key(*name));
    if !one_of(&["MetricName", "Metrics"]) {
        return Err(invalid(
            "One of the parameters MetricName and Metrics is required",
        ));
    }
    for (member, shown) in [
        ("EvaluationPeriods", "evaluationPeriods"),
        ("ComparisonOperator", "comparisonOperator"),
    ] {
        if !members.contains_key(member) {
            return Err(null(shown));
        }
    }
    if !one_of(&["Threshold", "ThresholdMetricId"]) {
        return Err(null("threshold"));
    }
    Ok(members)
}

fn set(alarms: &Alarms, request: &Value, now: jiff::Timestamp) -> Result<Value, Fault> {
    let name = name(request, "AlarmName")?;
    let word = text(request, "StateValue")?.ok_or_else(|| null("stateValue"))?;
    let reason = text(request, "StateReason")?.ok_or_else(|| null("stateReason"))?;
    let data = text(request, "StateReasonData")?;
    let state = AlarmState::of(&word).ok_or_else(|| unknown_state(&word))?;
    if reason.chars().count() > REASON {
        return Err(too_long("stateReason", REASON));
    }
    if data
        .as_ref()
        .is_some_and(|data| serde_json::from_str::<Value>(data).is_err())
    {
        let text = "StateReasonData was not syntactically valid JSON";
        return Err(Fault::new(400, "InvalidFormat", text));
    }
    let known = alarms.set(&name, state, &reason, data.as_deref(), now);
    if known.map_err(stored)? {
        Ok(json!({}))
    } else {
        let text = format!("Alarm {name} does not exist");
        Err(Fault::new(404, "ResourceNotFound", text))
    }
}

fn describe(app: &App, request: &Value) -> Result<Value, Fault> {
    for member in ["ChildrenOfAlarmName", "ParentsOfAlarmName"] {
        if request.get(member).is_some() {
            let what = format!("DescribeAlarms with {member} (composite alarms)");
            return Err(Fault::not_built("monitoring", &what));
        }
    }
    let names = texts(request, "AlarmNames")?;
    let prefix = text(request, "AlarmNamePrefix")?;
    if names.is_some() && prefix.is_some() {
        return Err(invalid(
            "AlarmNames and AlarmNamePrefix cannot be given together",
        ));
    }
    let state = match text(request, "StateValue")? {
        None => None,
        Some(word) => Some(AlarmState::of(&word).ok_or_else(|| unknown_state(&word))?),
    };
    let action = text(request, "ActionPrefix")?;
    let kinds = texts(request, "AlarmTypes")?;
    let metric = kinds.is_none_or(|kinds| kinds.iter().any(|kind| kind == "MetricAlarm"));
    let most = match request.get("MaxRecords") {
        None => PAGE,
        Some(given) => given
            .as_u64()
            .and_then(|given| usize::try_from(given).ok())
            .filter(|given| (1..=MOST).contains(given))
            .ok_or_else(|| invalid("MaxRecords is not between 1 and 100"))?,
    };
    let all = app.alarms.all();
    let after = match text(request, "NextToken")? {
        None => None,
        Some(token) if all.contains_key(&token) => Some(token),
        Some(_) => {
            let text = "The next token specified is invalid.";
            return Err(Fault::new(400, "InvalidNextToken", text));
        }
    };
    let mut found = all.iter().filter(|(name, alarm)| {
        metric
            && names.as_ref().is_none_or(|names| names.contains(name))
            && prefix
                .as_ref()
                .is_none_or(|prefix| name.starts_with(prefix.as_str()))
            && state.is_none_or(|state| alarm.state == state)
            && action.as_ref().is_none_or(|action| acts(alarm, action))
            && after.as_ref().is_none_or(|after| *name > after)
    });
    let page: Vec<_> = found.by_ref().take(most).collect();
    let last = page.last().map(|(name, _)| (*name).clone());
    let more = found.next().and(last);
    let shown: Vec<Value> = page
        .iter()
        .map(|(name, alarm)| shown(app, name, alarm))
        .collect();
    let mut reply = json!({"MetricAlarms": shown, "CompositeAlarms": []});
    if let Some(token) = more {
        reply["NextToken"] = json!(token);
    }
    Ok(reply)
}

/// `MetricAlarm`.
fn shown(app: &App, name: &str, alarm: &Alarm) -> Value {
    let engine = &app.config.engine;
    let mut members = alarm.configuration.clone();
    members.entry("ActionsEnabled").or_insert(json!(true));
    for list in [
        "OKActions",
        "AlarmActions",
        "InsufficientDataActions",
        "Dimensions",
    ] {
        members.entry(list).or_insert(json!([]));
    }
    let arn = format!(
        "arn:aws:cloudwatch:{}:{}:alarm:{name}",
        engine.region, engine.account
    );
    let time = |at: jiff::Timestamp| json!(at.as_millisecond() as f64 / 1000.0);
    for (member, value) in [
        ("AlarmName", json!(name)),
        ("AlarmArn", json!(arn)),
        ("AlarmConfigurationUpdatedTimestamp", time(alarm.configured)),
        ("StateValue", json!(alarm.state.word())),
        ("StateReason", json!(alarm.reason)),
        ("StateUpdatedTimestamp", time(alarm.updated)),
        ("StateTransitionedTimestamp", time(alarm.transitioned)),
    ] {
        members.insert(member.to_owned(), value);
    }
    if let Some(data) = &alarm.reason_data {
        members.insert("StateReasonData".to_owned(), json!(data));
    }
    members.into()
}

fn acts(alarm: &Alarm, prefix: &str) -> bool {
    ["OKActions", "AlarmActions", "InsufficientDataActions"]
        .iter()
        .filter_map(|list| alarm.configuration.get(*list)?.as_array())
        .flatten()
        .any(|action| action.as_str().is_some_and(|arn| arn.starts_with(prefix)))
}

fn name(request: &Value, member: &str) -> Result<String, Fault> {
    let name = text(request, member)?.ok_or_else(|| null("alarmName"))?;
    match name.chars().count() {
        0 => Err(constraint(
            "alarmName",
            "Member must have length greater than or equal to 1",
        )),
        1..=NAME => Ok(name),
        _ => Err(too_long("alarmName", NAME)),
    }
}

fn text(request: &Value, member: &str) -> Result<Option<String>, Fault> {
    match request.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Fault::new(
            400,
            "SerializationException",
            format!("{member} is not a string"),
        )),
    }
}

fn texts(request: &Value, member: &str) -> Result<Option<Vec<String>>, Fault> {
    let wrong = || {
        Fault::new(
            400,
            "SerializationException",
            format!("{member} is not a list of strings"),
        )
    };
    let list = match request.get(member) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(wrong()),
    };
    if list.len() > MOST {
        return Err(too_long(member, MOST));
    }
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(wrong);
    list.iter().map(text).collect::<Result<_, _>>().map(Some)
}

fn unknown_state(word: &str) -> Fault {
    let rule = "Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]";
    invalid(format!(
        "1 validation error detected: Value '{word}' at 'stateValue' failed to satisfy constraint: {rule}"
    ))
}

fn null(member: &str) -> Fault {
    invalid(format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    ))
}

fn too_long(member: &str, most: usize) -> Fault {
    constraint(
        member,
        &format!("Member must have length less than or equal to {most}"),
    )
}

fn constraint(member: &str, rule: &str) -> Fault {
    invalid(format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint: {rule}"
    ))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(400, "ValidationError", message)
}

fn stored(error: io::Error) -> Fault {
    tracing::error!(%error, "the alarms cannot be stored");
    Fault::new(500, "InternalServiceFault", "the alarms cannot be stored")
}

#[cfg(test)]
mod tests;
