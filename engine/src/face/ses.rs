//! SES: version 2 (REST) and the sending operations of version 1 (Query). Mails land in the mail sink.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Call, Fault, JsonAnswer, XmlAnswer};
use crate::{
    app::App,
    mail::{Mail, MailSink},
};

/// Recipients of one mail.
const RECIPIENTS: usize = 50;
const NAMESPACE: &str = "http://ses.amazonaws.com/doc/2010-12-01/";

/// Answers one SESv2 request (`/v2/email/…`); refusals are written as JSON.
///
/// # Errors
/// SES's own refusals.
pub async fn call(app: &App, call: &Call) -> JsonAnswer {
    match (&call.method, call.uri.path()) {
        (&Method::POST, "/v2/email/outbound-emails") => send(&app.mail, &call.json()?),
        (&Method::GET, "/v2/email/account") => Ok(json!({
            "DedicatedIpAutoWarmupEnabled": false,
            "EnforcementStatus": "HEALTHY",
            "ProductionAccessEnabled": true,
            "SendingEnabled": true,
            "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": app.mail.list().len() as f64},
        })),
        (method, path) => Err(Fault::not_built("ses", &format!("{method} {path}"))),
    }
}

/// Answers one SES version 1 request (Query protocol).
///
/// # Errors
/// SES's own refusals.
pub async fn query(app: &App, call: &Call) -> XmlAnswer {
    let form = call.form();
    let text = |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let list = |prefix: &str| {
        let of_it = |(name, _): &&(String, String)| name.starts_with(prefix);
        let values = form.iter().filter(of_it).map(|(_, value)| value.clone());
        values.collect::<Vec<_>>()
    };
    let action = call.operation.as_str();
    let id = match action {
        "SendEmail" => {
            let mail = Mail {
                from: text("Source").unwrap_or_default(),
                to: ["To", "Cc", "Bcc"]
                    .iter()
                    .flat_map(|kind| list(&format!("Destination.{kind}Addresses.member.")))
                    .collect(),
                subject: text("Message.Subject.Data").unwrap_or_default(),
                text: text("Message.Body.Text.Data"),
                html: text("Message.Body.Html.Data"),
            };
            deliver(&app.mail, mail, "InvalidParameterValue")?
        }
        "SendRawEmail" => {
            let raw = text("RawMessage.Data").unwrap_or_default();
            let raw = BASE64_STANDARD.decode(raw).map_err(|_| {
                Fault::new(
                    400,
                    "InvalidParameterValue",
                    "RawMessage.Data is not base64",
                )
            })?;
            deliver_raw(
                &app.mail,
                text("Source"),
                list("Destinations.member."),
                &raw,
            )?
        }
        other => return Err(Fault::not_built("ses", other)),
    };
    let request_id = &call.request_id;
    Ok(format!(
        "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result><MessageId>{id}</MessageId></{action}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail {
    #[serde(default)]
    from_email_address: Option<String>,
    #[serde(default)]
    destination: Destination,
    content: Content,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Destination {
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    bcc_addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    #[serde(default)]
    simple: Option<Simple>,
    #[serde(default)]
    raw: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Data,
    body: Body,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    #[serde(default)]
    text: Option<Data>,
    #[serde(default)]
    html: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    data: String,
}

fn send(sink: &MailSink, request: &SendEmail) -> JsonAnswer {
    let destination = &request.destination;
    let to: Vec<String> = [
        &destination.to_addresses,
        &destination.cc_addresses,
        &destination.bcc_addresses,
    ]
    .into_iter()
    .flatten()
    .cloned()
    .collect();
    let id = match (&request.content.simple, &request.content.raw) {
        (Some(simple), None) => {
            let data = |part: &Option<Data>| part.as_ref().map(|d| d.data.clone());
            let mail = Mail {
                from: request.from_email_address.clone().unwrap_or_default(),
                to,
                subject: simple.subject.data.clone(),
                text: data(&simple.body.text),
                html: data(&simple.body.html),
            };
            deliver(sink, mail, "BadRequestException")?
        }
        (None, Some(raw)) => {
            let raw = BASE64_STANDARD.decode(&raw.data).map_err(|_| {
                Fault::new(400, "BadRequestException", "Content.Raw.Data is not base64")
            })?;
            deliver_raw(sink, request.from_email_address.clone(), to, &raw)?
        }
        _ => {
            return Err(Fault::not_built(
                "ses",
                "SendEmail with anything but one of Content.Simple and Content.Raw",
            ));
        }
    };
    Ok(json!({"MessageId": id}))
}

fn deliver(sink: &MailSink, mail: Mail, code: &str) -> Result<String, Fault> {
    let refuse = |text: &str| Err(Fault::new(400, code, text));
    if !mail.from.contains('@') {
        return refuse("Missing or invalid sender address");
    }
    if mail.to.is_empty() || mail.to.iter().any(|to| !to.contains('@')) {
        return refuse("Missing or invalid destination address");
    }
    if mail.to.len() > RECIPIENTS {
        return refuse("Recipient count exceeds 50.");
    }
    if mail.text.is_none() && mail.html.is_none() {
        return refuse("Missing body: text or HTML");
    }
    sink.deliver(mail).map(message_id).map_err(broken)
}

fn deliver_raw(
    sink: &MailSink,
    from: Option<String>,
    to: Vec<String>,
    raw: &[u8],
) -> Result<String, Fault> {
    if raw.is_empty() {
        return Err(Fault::new(
            400,
            "BadRequestException",
            "the raw message is empty",
        ));
    }
    sink.deliver_raw(from, to, raw)
        .map(message_id)
        .map_err(broken)
}

/// The mail's id in the sink is its last part.
fn message_id(id: String) -> String {
    format!("stagewright-{id}")
}

fn broken(error: std::io::Error) -> Fault {
    Fault::new(
        500,
        "InternalServiceErrorException",
        format!("the mail cannot be kept: {error}"),
    )
}
