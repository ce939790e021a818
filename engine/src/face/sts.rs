//! STS, Query protocol: who am I, and roles for the asking.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::SignedDuration;

use super::call::{Call, Fault, XmlAnswer, escape};
use crate::app::App;

/// Namespace of STS's replies.
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Session tokens that AssumeRole gives begin so; role and session follow.
const SESSION_TOKEN: &str = "stagewright-session-";

/// Role and session of a token that AssumeRole gave: `role/session`.
pub fn session_of(token: &str) -> Option<String> {
    let text = BASE64_URL_SAFE_NO_PAD
        .decode(token.strip_prefix(SESSION_TOKEN)?)
        .ok()?;
    String::from_utf8(text).ok()
}

/// AWS: 2 to 64 of `[A-Za-z0-9_+=,.@-]`.
fn is_session(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (2..=64).contains(&text.len()) && text.chars().all(allowed)
}

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
    let source = members
        .get("SourceIdentity")
        .filter(|text| !text.is_empty());
    for (name, value) in [
        ("roleSessionName", Some(session)),
        ("sourceIdentity", source),
    ] {
        if value.is_some_and(|value| !is_session(value)) {
            let text = format!(
                "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]* and have length between 2 and 64"
            );
            return Err(Fault::new(400, "ValidationError", text));
        }
    }
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
    let token = format!(
        "{SESSION_TOKEN}{}",
        BASE64_URL_SAFE_NO_PAD.encode(format!("{name}/{session}"))
    );
    let source = source.map_or_else(String::new, |source| {
        format!("<SourceIdentity>{}</SourceIdentity>", escape(source))
    });
    Ok(format!(
        "{source}<AssumedRoleUser><AssumedRoleId>AROA{id}:{session}</AssumedRoleId><Arn>arn:aws:sts::{account}:assumed-role/{name}/{session}</Arn></AssumedRoleUser><Credentials><AccessKeyId>ASIA{id}</AccessKeyId><SecretAccessKey>{random}</SecretAccessKey><SessionToken>{token}</SessionToken><Expiration>{expires}</Expiration></Credentials>",
        id = &random[..16],
        session = escape(session),
        account = escape(account),
        name = escape(name),
    ))
}
