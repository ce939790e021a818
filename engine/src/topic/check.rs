//! What SNS accepts, and how it words a refusal; protocols and attributes that are not built are refused here.

use std::collections::BTreeMap;

use super::{Message, TopicError, filter};

/// SNS's limit of a message with its attributes.
const MESSAGE_LIMIT: usize = 256 * 1024;
/// SNS's limit of a subject.
const SUBJECT_LIMIT: usize = 100;

pub(super) fn check_name(name: &str) -> Result<(), TopicError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.ends_with(".fifo") {
        return Err(invalid(
            "Topic Name: FIFO topics are not built in stagewright",
        ));
    }
    if name.is_empty() || name.len() > 256 || !name.bytes().all(plain) {
        return Err(invalid("Topic Name"));
    }
    Ok(())
}

pub(super) fn check_subscription(
    protocol: &str,
    endpoint: &str,
    attributes: &BTreeMap<String, String>,
) -> Result<(), TopicError> {
    let fits = match protocol {
        "lambda" => !endpoint.is_empty(),
        "http" => endpoint.starts_with("http://"),
        "https" => endpoint.starts_with("https://"),
        "email" | "email-json" => endpoint.contains('@') && !endpoint.contains(char::is_whitespace),
        other => {
            let text = format!(
                "Protocol {other} is not built in stagewright: lambda, http, https, email and email-json are"
            );
            return Err(invalid(&text));
        }
    };
    if !fits {
        return Err(invalid(&format!(
            "Endpoint does not fit the protocol {protocol}"
        )));
    }
    let by_body = match attributes.get("FilterPolicyScope").map(String::as_str) {
        None | Some("MessageAttributes") => false,
        Some("MessageBody") => true,
        Some(_) => return Err(invalid("FilterPolicyScope: Invalid value")),
    };
    for (name, value) in attributes {
        match name.as_str() {
            "FilterPolicyScope" => {}
            "FilterPolicy" => {
                filter::compile(value, by_body)
                    .map_err(|e| invalid(&format!("FilterPolicy: {e}")))?;
            }
            "RawMessageDelivery" if matches!(value.as_str(), "true" | "false") => {}
            other => {
                return Err(invalid(&format!(
                    "Subscription attribute {other} is not built in stagewright, or its value is wrong"
                )));
            }
        }
    }
    Ok(())
}

pub(super) fn check_message(message: &Message) -> Result<(), TopicError> {
    let attributes: usize = message
        .attributes
        .iter()
        .map(|(name, a)| name.len() + a.data_type.len() + a.value.len())
        .sum();
    if message.body.is_empty() {
        return Err(invalid("Empty message"));
    }
    if message.body.len() + attributes > MESSAGE_LIMIT {
        return Err(invalid("Message too long"));
    }
    if let Some(subject) = &message.subject {
        let odd = subject.chars().any(char::is_control);
        if subject.is_empty() || subject.chars().count() > SUBJECT_LIMIT || odd {
            return Err(invalid("Subject"));
        }
    }
    Ok(())
}

pub(super) fn invalid(what: &str) -> TopicError {
    TopicError {
        code: "InvalidParameter",
        message: format!("Invalid parameter: {what}"),
    }
}

pub(super) fn no_topic() -> TopicError {
    TopicError {
        code: "NotFound",
        message: "Topic does not exist".to_owned(),
    }
}
