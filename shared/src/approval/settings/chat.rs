//! Settings of chats, and of mail without SES.

use super::{optionally, variable, wrong};
use crate::{
    config::{self, ConfigError, Source, Variable},
    secret::SecretRef,
};

/// Who writes in Slack.
pub(super) const TOKEN: Variable = optionally(
    "STAGEWRIGHT_SLACK_TOKEN",
    "where the bot token of the Slack app lies: secretsmanager:NAME, secretsmanager:NAME#FIELD or ssm:NAME",
    &["approval-notify"],
);
/// Whose presses are taken.
pub(super) const SECRET: Variable = optionally(
    "STAGEWRIGHT_SLACK_SIGNING_SECRET",
    "where the signing secret of the Slack app lies: secretsmanager:NAME, secretsmanager:NAME#FIELD or ssm:NAME",
    &["approval-respond"],
);
/// Slack's address.
pub(super) const API: Variable = variable(
    "STAGEWRIGHT_SLACK_API",
    "address of Slack's Web API; another one only for tests",
    Some("https://slack.com/api"),
    &["approval-notify", "approval-respond"],
);
/// Mail by SNS.
pub(super) const MAIL_TOPIC: Variable = optionally(
    "STAGEWRIGHT_APPROVAL_MAIL_TOPIC",
    "ARN of the SNS topic that mails go to in place of SES, each with the attribute `recipient`",
    &["approval-notify"],
);

/// Slack's address without the slash at its end.
pub(super) fn api(source: &impl Source) -> Result<String, ConfigError> {
    let api: String = config::required(source, &API)?;
    let local = ["http://127.0.0.1:", "http://localhost:"];
    if !api.starts_with("https://") && !local.iter().any(|host| api.starts_with(host)) {
        return Err(wrong(&API, "write an https address".to_owned()));
    }
    Ok(api.trim_end_matches('/').to_owned())
}

/// Where a secret lies. What does not refer to one may be the secret itself and is not repeated.
pub(super) fn secret(
    source: &impl Source,
    variable: &Variable,
) -> Result<Option<SecretRef>, ConfigError> {
    config::optional(source, variable)
        .map(|text| text.parse::<SecretRef>())
        .transpose()
        .map_err(|problem| wrong(variable, problem.to_string()))
}

/// The topic of mails.
pub(super) fn mail_topic(source: &impl Source) -> Result<Option<String>, ConfigError> {
    match config::optional(source, &MAIL_TOPIC) {
        Some(arn) if !(arn.starts_with("arn:") && arn.contains(":sns:")) => {
            Err(wrong(&MAIL_TOPIC, "it is no ARN of a topic".to_owned()))
        }
        topic => Ok(topic),
    }
}
