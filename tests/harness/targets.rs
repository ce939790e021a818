//! The parsers of the functions as functions of bytes: what `fuzz/functions` and `tests/it/garbage.rs` call.
//!
//! They stand apart from [`targets`] because they need the AWS SDK, which a fuzzer would instrument for half an hour.

use action_http_check::params::Params as CheckParams;
use action_publish_site::params::Params as PublishParams;
use engine::lambda::url;
use shared::{
    approval::http::{Body, HttpRequest},
    drive::{decide, parameters::PROPERTY, token::Ticket},
    job::RawParameters,
    wire::approval_message::ApprovalMessage,
};
use targets::{Target, json, text};

/// The targets; each has a folder of seeds under `fuzz/seeds` and a file under `fuzz/functions/fuzz_targets`.
pub const ALL: [(&str, Target); 6] = [
    ("sns_event", sns_event),
    ("http_event", http_event),
    ("continuation_token", continuation_token),
    ("approval_form", approval_form),
    ("check_parameters", check_parameters),
    ("publish_parameters", publish_parameters),
];

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
            let _ = form.mistakes();
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
