//! `Retry` and `Catch`.

use serde_json::Value;

use super::{
    Catcher, Language, ResultPath, Retrier,
    branch::Names,
    fields::{Fields, Findings},
    read::Reader,
};
use crate::limit;

impl Reader {
    pub fn retry(&mut self, fields: &mut Fields<'_>) -> Vec<Retrier> {
        let place = fields.place("Retry");
        let list = fields.list("Retry", &mut self.findings).unwrap_or_default();
        let last = list.len().saturating_sub(1);
        let read = |(i, value): (usize, &Value)| {
            let mut fields = Fields::new(value, format!("{place}[{i}]"), &mut self.findings)?;
            let findings = &mut self.findings;
            fields.take("Comment");
            let errors = errors(&mut fields, i == last, findings)?;
            let most_attempts = limit::TIMEOUT_SECONDS;
            let interval = fields.whole("IntervalSeconds", 1, limit::TIMEOUT_SECONDS, findings);
            let attempts = fields.whole("MaxAttempts", 0, most_attempts, findings);
            let backoff = fields.number("BackoffRate", 1.0, f64::MAX, findings);
            let most = fields.whole("MaxDelaySeconds", 1, 31_622_400, findings);
            let jitter = match fields.text("JitterStrategy", findings) {
                None | Some("NONE") => false,
                Some("FULL") => true,
                Some(other) => {
                    fields.bad(
                        "JitterStrategy",
                        format!("Value is not one of [FULL, NONE]: {other}"),
                        findings,
                    );
                    false
                }
            };
            fields.finish(findings);
            #[expect(clippy::cast_precision_loss, reason = "seconds are far below 2^53")]
            Some(Retrier {
                errors,
                interval: interval.map_or(limit::RETRY_INTERVAL_SECONDS, |s| s as f64),
                attempts: attempts.unwrap_or(limit::RETRY_ATTEMPTS),
                backoff: backoff.unwrap_or(limit::RETRY_BACKOFF),
                most: most.map(|s| s as f64),
                jitter,
            })
        };
        list.iter().enumerate().filter_map(read).collect()
    }

    pub fn catch(
        &mut self,
        fields: &mut Fields<'_>,
        language: Language,
        names: &Names<'_>,
    ) -> Vec<Catcher> {
        let place = fields.place("Catch");
        let list = fields.list("Catch", &mut self.findings).unwrap_or_default();
        let last = list.len().saturating_sub(1);
        let mut catchers = Vec::with_capacity(list.len());
        for (i, value) in list.iter().enumerate() {
            let Some(mut fields) = Fields::new(value, format!("{place}[{i}]"), &mut self.findings)
            else {
                continue;
            };
            fields.take("Comment");
            let errors = errors(&mut fields, i == last, &mut self.findings);
            fields.require(&["Next"], &mut self.findings);
            let next = self.target(&mut fields, "Next", names);
            let result_path = match language {
                Language::JsonPath => self.result_path(&mut fields),
                Language::Jsonata => ResultPath::Whole,
            };
            let assign = self.assign(&mut fields, language);
            let output = match language {
                Language::Jsonata => self.template(&mut fields, "Output", language),
                Language::JsonPath => None,
            };
            fields.finish(&mut self.findings);
            if let (Some(errors), Some(next)) = (errors, next) {
                catchers.push(Catcher {
                    errors,
                    next,
                    result_path,
                    assign,
                    output,
                });
            }
        }
        catchers
    }
}

/// `ErrorEquals`: names, `States.ALL` alone and in the last entry only.
fn errors(fields: &mut Fields<'_>, last: bool, findings: &mut Findings) -> Option<Vec<String>> {
    fields.require(&["ErrorEquals"], findings);
    let list = fields.list("ErrorEquals", findings)?;
    if list.is_empty() {
        fields.bad("ErrorEquals", "ErrorEquals must not be empty", findings);
        return None;
    }
    let mut names = Vec::with_capacity(list.len());
    for value in list {
        match value {
            Value::String(name) => names.push(name.clone()),
            other => {
                let message = format!(
                    "Expected value of type String, but was {}",
                    crate::template::type_name(other)
                );
                fields.bad("ErrorEquals", message, findings);
            }
        }
    }
    if names.iter().any(|n| n == "States.ALL") && (names.len() > 1 || !last) {
        fields.bad(
            "ErrorEquals",
            "The reserved name States.ALL must appear alone in the ErrorEquals array, and in the last entry",
            findings,
        );
    }
    Some(names)
}
