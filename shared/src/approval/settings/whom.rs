//! Who must agree: a rules file, or one list of approvers and a number.

use jiff::Timestamp;

use super::{APPROVERS, Address, NEEDED, RULES, RespondSettings, sign_in, some, wrong};
use crate::{
    approval::{
        level::Level,
        request::{Recipient, Record},
        rules::RuleSet,
    },
    config::{self, ConfigError, Source},
};

pub(super) fn rules(
    source: &impl Source,
    file: impl FnOnce(&str) -> Result<String, String>,
) -> Result<RuleSet, ConfigError> {
    let approvers: Vec<Address> = config::list(source, &APPROVERS)?;
    let Some(text) = config::optional(source, &RULES) else {
        let approvers = if approvers.is_empty() {
            some(source, &APPROVERS)?
        } else {
            approvers
        };
        return simple(&approvers, config::parsed_required(source, &NEEDED)?);
    };
    let refuse = |problem| Err(wrong(&RULES, problem));
    if !approvers.is_empty() {
        return refuse(format!("{} is set too: leave one out", APPROVERS.name));
    }
    if text.starts_with("arn:") {
        let problem = "an ARN is not read: write ssm: and the parameter's name";
        return refuse(problem.to_owned());
    }
    let text = if text.starts_with('{') {
        text
    } else {
        file(&text).map_err(|problem| wrong(&RULES, problem))?
    };
    let set = RuleSet::parse(&text).map_err(|error| wrong(&RULES, error.to_string()))?;
    if config::optional(source, &sign_in::ISSUER).is_none()
        && let Some(rule) = set.rules().find(|rule| rule.level == Level::SignIn)
    {
        return refuse(format!(
            "the rule {:?} wants level L3, and {} does not say where people sign in",
            rule.name,
            sign_in::ISSUER.name
        ));
    }
    Ok(set)
}

/// The same where the function may be without.
pub(super) fn known_rules(
    source: &impl Source,
    file: impl FnOnce(&str) -> Result<String, String>,
) -> Result<Option<RuleSet>, ConfigError> {
    let set = |variable| config::optional(source, variable).is_some();
    if set(&RULES) || set(&APPROVERS) {
        rules(source, file).map(Some)
    } else {
        Ok(None)
    }
}

impl RespondSettings {
    /// Whether this person may answer no more with a link made then: revoked, or not asked any longer by the rules of
    /// now.
    pub fn refuses(&self, record: &Record, who: &Recipient, made_at: Timestamp) -> bool {
        let target = &record.request.target;
        let rules = self.rules.as_ref();
        self.revoked.made(&record.request.id, made_at)
            || self.revoked.recipient(who, made_at)
            || rules.is_some_and(|rules| !rules.still_asks(target, &who.address))
    }
}

fn simple(approvers: &[Address], needed: u32) -> Result<RuleSet, ConfigError> {
    for (at, address) in approvers.iter().enumerate() {
        if approvers[..at]
            .iter()
            .any(|a| a.person() == address.person())
        {
            return Err(wrong(
                &APPROVERS,
                format!("approver {} is the same person as an earlier one", at + 1),
            ));
        }
    }
    if needed == 0 || needed as usize > approvers.len() {
        let problem = format!("{needed} approvals of {} approvers", approvers.len());
        return Err(wrong(&NEEDED, problem));
    }
    RuleSet::simple(approvers.iter().map(Address::as_str), needed)
        .map_err(|error| wrong(&APPROVERS, error.to_string()))
}
