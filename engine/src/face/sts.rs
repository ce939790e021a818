//! STS, Query protocol: who am I, and roles for the asking.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::call::{Call, Fault, XmlAnswer, escape};
use crate::app::App;

/// Namespace of STS's replies.
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Answers one request. Every role may be assumed: the engine accepts any credentials and has no policies.
///
/// # Errors
/// The operation is not built or a member is missing; a job's credentials assume no role.
pub fn call(app: &App, call: &Call, scoped: bool) -> XmlAnswer {
    let (action, caller, request_id) = (call.operation.as_str(), &call.caller, &call.request_id);
    let result = match action {
        "GetCallerIdentity" => format!(
            "<Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account>",
            escape(&caller.arn),
            escape(&caller.access_key),
            app.config.engine.account,
        ),
        "AssumeRole" if scoped => {
            return Err(Fault::new(
                403,
                "AccessDenied",
                "a job's artifact credentials assume no role",
            ));
        }
        "AssumeRole" => assume_role(app, &call.form().into_iter().collect())?,
        _ => return Err(Fault::not_built("sts", action)),
    };
    Ok(format!(
        "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{result}</{action}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    ))
}

fn assume_role(app: &App, members: &BTreeMap<String, String>) -> Result<String, Fault> {
    let member = |name: &str| {
        members.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            Fault::new(400, "ValidationError", format!("Value null at '{name}' failed to satisfy constraint: Member must not be null"))
        })
    };
    let (role, session) = (member("RoleArn")?, member("RoleSessionName")?);
    let seconds = match members.get("DurationSeconds") {
        None => 3_600,
        Some(text) => text
            .parse::<i64>()
            .ok()
            .filter(|seconds| (900..=43_200).contains(seconds))
            .ok_or_else(|| {
                Fault::new(
                    400,
                    "ValidationError",
                    "DurationSeconds is not between 900 and 43200",
                )
            })?,
    };
    let name = role
        .split_once(":role/")
        .and_then(|(_, path)| path.rsplit('/').next())
        .ok_or_else(|| Fault::new(400, "ValidationError", "RoleArn is not the ARN of a role"))?;
    let account = role.split(':').nth(4).unwrap_or(&app.config.engine.account);
    let random = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
    let expires = app
        .clock
        .now()
        .saturating_add(SignedDuration::from_secs(seconds))
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .map_err(|error| Fault::new(500, "InternalFailure", error.to_string()))?;
    Ok(format!(
        "<AssumedRoleUser><AssumedRoleId>AROA{id}:{session}</AssumedRoleId><Arn>arn:aws:sts::{account}:assumed-role/{name}/{session}</Arn></AssumedRoleUser><Credentials><AccessKeyId>ASIA{id}</AccessKeyId><SecretAccessKey>{random}</SecretAccessKey><SessionToken>{random}</SessionToken><Expiration>{expires}</Expiration></Credentials>",
        id = &random[..16],
        session = escape(session),
        account = escape(account),
        name = escape(name),
    ))
}
