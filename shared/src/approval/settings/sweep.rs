//! Settings of `approval-sweep`, and the approver role that it shares with `approval-respond`.

use super::{
    Address, TABLE, optionally,
    revoked::{self, Revoked},
    variable, wrong,
};
use crate::config::{self, ConfigError, Source, Variable};

const SWEEP: &[&str] = &["approval-sweep"];

/// Results are sent through this role.
pub(super) const ROLE: Variable = optionally(
    "STAGEWRIGHT_APPROVER_ROLE",
    "ARN of the role that results are sent through, in a session named after the approver; without it the function's own role sends them",
    &["approval-respond", "approval-sweep"],
);
/// Who sends mails.
pub(super) const NOTIFY: Variable = variable(
    "STAGEWRIGHT_NOTIFY_FUNCTION",
    "name or ARN of approval-notify, which sends reminders and outcomes",
    Some("approval-notify"),
    SWEEP,
);
/// Who hears of decisions past the rules.
pub(super) const ALERTS: Variable = optionally(
    "STAGEWRIGHT_ALERT_TOPIC",
    "ARN of the SNS topic that hears of decisions made elsewhere, overridden conditions, contradictory answers, locked links, sign-ins of somebody else, broken glasses and late reviews; without it they are logged as errors",
    SWEEP,
);
/// Name of the install in its audit.
pub(super) const INSTALL: Variable = variable(
    "STAGEWRIGHT_INSTALL",
    "name of this install in its audit chain: 1 to 40 of a-z A-Z 0-9 _ -",
    Some("main"),
    SWEEP,
);
/// Where anchors lie.
pub(super) const BUCKET: Variable = optionally(
    "STAGEWRIGHT_AUDIT_BUCKET",
    "S3 bucket with Object Lock that holds the anchors of the audit chain; without it a cut or rewritten chain cannot be told",
    SWEEP,
);
/// How long the audit is kept.
pub(super) const DAYS: Variable = variable(
    "STAGEWRIGHT_AUDIT_DAYS",
    "how many days records and anchors of the audit are kept, 1 to 36500",
    Some("2557"),
    SWEEP,
);

/// Who is mailed where the chain stands.
pub(super) const MAIL: Variable = optionally(
    "STAGEWRIGHT_AUDIT_MAIL",
    "mail addresses, separated by commas, that get the head of the audit chain once a week",
    &["approval-notify", "approval-sweep"],
);

/// What `approval-sweep` is told.
#[derive(Debug, Clone)]
pub struct SweepSettings {
    /// DynamoDB table.
    pub table: String,
    /// `approval-notify`.
    pub notify: String,
    /// SNS topic of alerts.
    pub alerts: Option<String>,
    /// Name of the install.
    pub install: String,
    /// Bucket of anchors.
    pub bucket: Option<String>,
    /// How long the audit is kept.
    pub audit_days: u32,
    /// Results are sent through this role.
    pub approver_role: Option<String>,
    /// Links that hold no longer.
    pub revoked: Revoked,
    /// Whether somebody is mailed where the chain stands.
    pub mails_head: bool,
}

impl SweepSettings {
    /// Reads and checks all of them.
    ///
    /// # Errors
    /// The first that is missing or wrong.
    pub fn read(source: &impl Source) -> Result<Self, ConfigError> {
        let install = config::required(source, &INSTALL)?;
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if install.len() > 40 || !install.bytes().all(fits) {
            return Err(wrong(
                &INSTALL,
                "write 1 to 40 of a-z A-Z 0-9 _ -".to_owned(),
            ));
        }
        let audit_days = config::parsed_required(source, &DAYS)?;
        if !(1..=36_500).contains(&audit_days) {
            return Err(wrong(&DAYS, "write 1 to 36500".to_owned()));
        }
        Ok(Self {
            table: config::required(source, &TABLE)?,
            notify: config::required(source, &NOTIFY)?,
            alerts: arn(source, &ALERTS, ":sns:")?,
            install,
            bucket: config::optional(source, &BUCKET),
            audit_days,
            approver_role: role(source)?,
            revoked: revoked::read(source)?,
            mails_head: !auditors(source)?.is_empty(),
        })
    }
}

/// Who is mailed where the chain stands.
pub(super) fn auditors(source: &impl Source) -> Result<Vec<Address>, ConfigError> {
    config::list(source, &MAIL)
}

/// The approver role.
pub(super) fn role(source: &impl Source) -> Result<Option<String>, ConfigError> {
    arn(source, &ROLE, ":iam:")
}

fn arn(
    source: &impl Source,
    variable: &Variable,
    service: &str,
) -> Result<Option<String>, ConfigError> {
    match config::optional(source, variable) {
        Some(text) if !(text.starts_with("arn:") && text.contains(service)) => Err(wrong(
            variable,
            format!("it is no ARN of {}", service.trim_matches(':')),
        )),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_sweep_are_checked() {
        let read = |name: &str, value: &str| {
            let map = |asked: &str| match asked {
                _ if asked == name => Some(value.to_owned()),
                "STAGEWRIGHT_TABLE" => Some("t".to_owned()),
                _ => None,
            };
            SweepSettings::read(&Map(map)).map_err(|error| error.to_string())
        };
        let plain = read("", "").unwrap();
        assert_eq!(
            (plain.notify.as_str(), plain.audit_days),
            ("approval-notify", 2557)
        );
        assert!(plain.alerts.is_none() && plain.approver_role.is_none());
        let role = "arn:aws:iam::123456789012:role/approver";
        let with = read("STAGEWRIGHT_APPROVER_ROLE", role).unwrap();
        assert_eq!(with.approver_role.as_deref(), Some(role));
        for (name, value) in [
            ("STAGEWRIGHT_TABLE", ""),
            ("STAGEWRIGHT_INSTALL", "a/b"),
            ("STAGEWRIGHT_AUDIT_DAYS", "0"),
            ("STAGEWRIGHT_ALERT_TOPIC", "alerts"),
            ("STAGEWRIGHT_APPROVER_ROLE", "approver"),
        ] {
            let error = read(name, value).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
    }

    struct Map<F>(F);
    impl<F: Fn(&str) -> Option<String>> Source for Map<F> {
        fn get(&self, name: &str) -> Option<String> {
            (self.0)(name)
        }
    }
}
