//! The parsers of the functions as functions of bytes: what `fuzz/functions` and `tests/it/garbage.rs` call.
//!
//! They stand apart from [`targets`] because they need the AWS SDK, which a fuzzer would instrument for half an hour.

use action_http_check::params::Params as CheckParams;
use action_publish_site::params::Params as PublishParams;
use engine::lambda::url;
use serde::de::DeserializeOwned;
use shared::{
    approval::http::{Body, HttpRequest},
    drive::{decide, parameters::PROPERTY, token::Ticket},
    job::RawParameters,
    wire::approval_message::ApprovalMessage,
};
use targets::{Target, json, text};

/// The targets; each has a folder of seeds under `fuzz/seeds` and a file under `fuzz/functions/fuzz_targets`.
pub const ALL: [(&str, Target); 7] = [
    ("sns_event", sns_event),
    ("http_event", http_event),
    ("continuation_token", continuation_token),
    ("approval_form", approval_form),
    ("check_parameters", check_parameters),
    ("publish_parameters", publish_parameters),
    ("connector_parameters", connector_parameters),
];

/// Whether a connector takes these parameters.
pub type Takes = fn(&RawParameters) -> bool;

/// The connectors; each has a seed of its name, which it takes.
pub const CONNECTORS: [(&str, Takes); 10] = [
    (
        "action-alexa-skill",
        takes::<action_alexa_skill::params::Params>,
    ),
    (
        "action-blazemeter-monitoring",
        takes::<action_blazemeter_monitoring::params::Params>,
    ),
    (
        "action-commit-status",
        takes::<action_commit_status::params::Params>,
    ),
    (
        "action-device-farm",
        takes::<action_device_farm::params::Params>,
    ),
    ("action-gate", takes::<action_gate::params::Params>),
    (
        "action-ghost-inspector",
        takes::<action_ghost_inspector::params::Params>,
    ),
    ("action-jenkins", takes::<action_jenkins::params::Params>),
    (
        "action-loadrunner-cloud",
        takes::<action_loadrunner_cloud::params::Params>,
    ),
    (
        "action-run-state-machine",
        takes::<action_run_state_machine::params::Params>,
    ),
    ("action-run-task", takes::<action_run_task::params::Params>),
];

fn takes<P: DeserializeOwned>(given: &RawParameters) -> bool {
    decide::params::<P>(given).is_ok()
}

/// SNS's event for a function, with the approval message in it.
pub fn sns_event(bytes: &[u8]) {
    let deliveries = json(bytes).map(shared_aws::sns_entry::deliveries);
    for delivery in deliveries.and_then(Result::ok).unwrap_or_default() {
        let _ = (delivery.region(), delivery.account());
        let _ = ApprovalMessage::parse(delivery.message.reveal());
    }
}

/// A function URL's event, and what a function answers to one.
pub fn http_event(bytes: &[u8]) {
    if let Some(Ok(request)) = json(bytes).map(shared_aws::http_entry::request) {
        let _ = approval_respond::form::read(&request);
        let _ = request.cookie("stagewright_form");
    }
    let _ = url::answer(bytes);
}

/// A token as a job brings it back.
pub fn continuation_token(bytes: &[u8]) {
    let Ok(ticket) = Ticket::decode(&text(bytes)) else {
        return;
    };
    let _ = decide::progress::<action_http_check::Progress>(&ticket);
    let _ = decide::progress::<action_publish_site::Progress>(&ticket);
    if let Ok(again) = ticket.encode() {
        assert!(
            Ticket::decode(&again).is_ok(),
            "a token that was written is read"
        );
    }
}

/// What is posted to the approval page.
pub fn approval_form(bytes: &[u8]) {
    let headers = vec![(
        "content-type".to_owned(),
        "application/x-www-form-urlencoded".to_owned(),
    )];
    for body in [Body::Text(text(bytes)), Body::Base64(text(bytes))] {
        let request = HttpRequest {
            method: "POST".to_owned(),
            headers: headers.clone(),
            body,
            ..HttpRequest::default()
        };
        if let Ok(form) = approval_respond::form::read(&request) {
            let _ = form.mistakes(shared::approval::level::Level::Code);
        }
    }
}

/// `UserParameters` of action-http-check, and the same as one property of a custom action.
pub fn check_parameters(bytes: &[u8]) {
    let _ = decide::params::<CheckParams>(&RawParameters::Text(text(bytes)));
    let property = [(PROPERTY.to_owned(), text(bytes))];
    let _ = decide::params::<CheckParams>(&RawParameters::Flat(property.into()));
}

/// `UserParameters` of action-publish-site.
pub fn publish_parameters(bytes: &[u8]) {
    let _ = decide::params::<PublishParams>(&RawParameters::Text(text(bytes)));
}

/// Parameters of every connector, as a job's text and as one property of a custom action.
pub fn connector_parameters(bytes: &[u8]) {
    let property = [(PROPERTY.to_owned(), text(bytes))];
    let given = [
        RawParameters::Text(text(bytes)),
        RawParameters::Flat(property.into()),
    ];
    for (_, takes) in CONNECTORS {
        for given in &given {
            takes(given);
        }
    }
}
