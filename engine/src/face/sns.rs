//! SNS, Query protocol; the links that confirm and end a subscription are pages of the engine.

use std::collections::BTreeMap;

use axum::{
    Router,
    extract::{RawQuery, State},
    response::Response,
    routing::get,
};

use super::{
    Call, Fault, XmlAnswer,
    call::{escape, form, respond},
};
use crate::{
    app::App,
    topic::{Message, MessageAttribute, Subscription, TopicError, Topics},
};

const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// `SubscribeURL` and `UnsubscribeURL` of messages; mount with `Router::merge`.
pub fn routes() -> Router<App> {
    Router::new().route(
        "/_stagewright/sns",
        get(
            |State(app): State<App>, RawQuery(query): RawQuery| async move {
                link(&app, &query.unwrap_or_default())
            },
        ),
    )
}

/// Answers one request.
///
/// # Errors
/// SNS's own refusals.
pub async fn call(app: &App, call: &Call) -> XmlAnswer {
    let form = Form(call.form());
    answer(
        &app.topics,
        &app.config.engine.account,
        &call.operation,
        &form,
        &call.request_id,
    )
}

fn link(app: &App, query: &str) -> Response {
    let form = Form(form(query.as_bytes()));
    let id = uuid::Uuid::new_v4().to_string();
    let action = form.text("Action").unwrap_or_default();
    let account = &app.config.engine.account;
    let answered = match action {
        "ConfirmSubscription" | "Unsubscribe" => answer(&app.topics, account, action, &form, &id),
        other => Err(Fault::not_built("sns", other)),
    };
    match answered {
        Ok(xml) => respond(200, "text/xml", xml),
        Err(fault) => fault.into_query_xml(&id),
    }
}

fn answer(
    topics: &Topics,
    account: &str,
    action: &str,
    form: &Form,
    request_id: &str,
) -> XmlAnswer {
    let arn = |arn: &str, element: &str| format!("<{element}>{}</{element}>", escape(arn));
    let result = match action {
        "CreateTopic" => {
            let made = topics.create(form.need("Name")?, form.map("Attributes", "key", "value"));
            arn(&made.map_err(fault)?, "TopicArn")
        }
        "DeleteTopic" => {
            topics.delete(form.need("TopicArn")?).map_err(fault)?;
            String::new()
        }
        "ListTopics" => {
            let one = |topic: &String| format!("<member>{}</member>", arn(topic, "TopicArn"));
            let all: String = topics.topics().iter().map(one).collect();
            format!("<Topics>{all}</Topics>")
        }
        "GetTopicAttributes" => {
            let attributes = topics.attributes(form.need("TopicArn")?).map_err(fault)?;
            entries(&attributes)
        }
        "SetTopicAttributes" => {
            let (name, value) = (form.need("AttributeName")?, form.text("AttributeValue"));
            topics
                .set_attribute(form.need("TopicArn")?, name, value.unwrap_or_default())
                .map_err(fault)?;
            String::new()
        }
        "Subscribe" => {
            let subscription = topics.subscribe(
                form.need("TopicArn")?,
                form.need("Protocol")?,
                form.need("Endpoint")?,
                form.map("Attributes", "key", "value"),
            );
            let subscription = subscription.map_err(fault)?;
            let wants_arn = form.text("ReturnSubscriptionArn") == Some("true");
            if subscription.is_pending() && !wants_arn {
                arn("pending confirmation", "SubscriptionArn")
            } else {
                arn(&subscription.arn, "SubscriptionArn")
            }
        }
        "ConfirmSubscription" => {
            let confirmed = topics.confirm(form.need("TopicArn")?, form.need("Token")?);
            arn(&confirmed.map_err(fault)?, "SubscriptionArn")
        }
        "Unsubscribe" => {
            topics
                .unsubscribe(form.need("SubscriptionArn")?)
                .map_err(fault)?;
            String::new()
        }
        "ListSubscriptions" => subscriptions(&topics.subscriptions(None).map_err(fault)?, account),
        "ListSubscriptionsByTopic" => {
            let topic = form.need("TopicArn")?;
            subscriptions(&topics.subscriptions(Some(topic)).map_err(fault)?, account)
        }
        "GetSubscriptionAttributes" => {
            let wanted = form.need("SubscriptionArn")?;
            let all = topics.subscriptions(None).map_err(fault)?;
            let found = all.iter().find(|s| s.arn == wanted);
            let found =
                found.ok_or_else(|| Fault::new(404, "NotFound", "Subscription does not exist"))?;
            let mut attributes = found.attributes.clone();
            for (name, value) in [
                ("SubscriptionArn", found.arn.as_str()),
                ("TopicArn", &found.topic),
                ("Protocol", &found.protocol),
                ("Endpoint", &found.endpoint),
                ("Owner", account),
                (
                    "PendingConfirmation",
                    if found.is_pending() { "true" } else { "false" },
                ),
            ] {
                attributes.insert(name.to_owned(), value.to_owned());
            }
            entries(&attributes)
        }
        "SetSubscriptionAttributes" => {
            let (name, value) = (form.need("AttributeName")?, form.text("AttributeValue"));
            topics
                .set_subscription_attribute(
                    form.need("SubscriptionArn")?,
                    name,
                    value.unwrap_or_default(),
                )
                .map_err(fault)?;
            String::new()
        }
        "Publish" => {
            let topic = form.text("TopicArn").or_else(|| form.text("TargetArn"));
            let Some(topic) = topic else {
                return Err(Fault::not_built("sns", "Publish to a phone number"));
            };
            let id = topics.publish(topic, message(form)?).map_err(fault)?;
            format!("<MessageId>{id}</MessageId>")
        }
        other => return Err(Fault::not_built("sns", other)),
    };
    let result = if result.is_empty() && !action.starts_with("List") {
        String::new()
    } else {
        format!("<{action}Result>{result}</{action}Result>")
    };
    Ok(format!(
        "<{action}Response xmlns=\"{NAMESPACE}\">{result}<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    ))
}

fn message(form: &Form) -> Result<Message, Fault> {
    let body = form.need("Message")?.to_owned();
    let mut message = Message {
        subject: form.text("Subject").map(str::to_owned),
        body,
        ..Message::default()
    };
    match form.text("MessageStructure") {
        None | Some("") => {}
        Some("json") => {
            let bodies: BTreeMap<String, String> = serde_json::from_str(&message.body)
                .map_err(|_| invalid("Message Structure - JSON message body failed to parse"))?;
            let default = bodies.get("default").cloned();
            let missing = || invalid("Message Structure - No default entry in JSON message body");
            message.body = default.ok_or_else(missing)?;
            message.by_protocol = bodies;
        }
        Some(_) => return Err(invalid("MessageStructure")),
    }
    for number in 1.. {
        let prefix = format!("MessageAttributes.entry.{number}.");
        let field = |name: &str| form.text(&format!("{prefix}{name}"));
        let Some(name) = field("Name") else {
            break;
        };
        let data_type = field("Value.DataType").unwrap_or_default();
        let value = field("Value.StringValue").or_else(|| field("Value.BinaryValue"));
        let Some(value) = value.filter(|_| !data_type.is_empty()) else {
            return Err(Fault::new(
                400,
                "ParameterValueInvalid",
                format!("The message attribute '{name}' must contain a non-empty type and value."),
            ));
        };
        let attribute = MessageAttribute {
            data_type: data_type.to_owned(),
            value: value.to_owned(),
        };
        message.attributes.insert(name.to_owned(), attribute);
    }
    Ok(message)
}

fn entries(attributes: &BTreeMap<String, String>) -> String {
    let one = |(name, value): (&String, &String)| {
        format!(
            "<entry><key>{}</key><value>{}</value></entry>",
            escape(name),
            escape(value)
        )
    };
    let all: String = attributes.iter().map(one).collect();
    format!("<Attributes>{all}</Attributes>")
}

fn subscriptions(all: &[Subscription], account: &str) -> String {
    let one = |s: &Subscription| {
        let arn = if s.is_pending() {
            "PendingConfirmation"
        } else {
            &s.arn
        };
        format!(
            "<member><SubscriptionArn>{}</SubscriptionArn><Owner>{account}</Owner><Protocol>{}</Protocol><Endpoint>{}</Endpoint><TopicArn>{}</TopicArn></member>",
            escape(arn),
            escape(&s.protocol),
            escape(&s.endpoint),
            escape(&s.topic),
        )
    };
    let members: String = all.iter().map(one).collect();
    format!("<Subscriptions>{members}</Subscriptions>")
}

/// Members of a Query call.
struct Form(Vec<(String, String)>);

impl Form {
    fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    fn need(&self, name: &str) -> Result<&str, Fault> {
        let value = self.text(name).filter(|v| !v.is_empty());
        value.ok_or_else(|| invalid(&format!("{name} Reason: no value for required parameter")))
    }

    /// `PREFIX.entry.N.KEY` and `PREFIX.entry.N.VALUE`.
    fn map(&self, prefix: &str, key: &str, value: &str) -> BTreeMap<String, String> {
        (1..)
            .map_while(|number| {
                let field = |name: &str| self.text(&format!("{prefix}.entry.{number}.{name}"));
                Some((
                    field(key)?.to_owned(),
                    field(value).unwrap_or_default().to_owned(),
                ))
            })
            .collect()
    }
}

fn invalid(what: &str) -> Fault {
    Fault::new(
        400,
        "InvalidParameter",
        format!("Invalid parameter: {what}"),
    )
}

fn fault(error: TopicError) -> Fault {
    let status = match error.code {
        "NotFound" => 404,
        "InternalError" => 500,
        _ => 400,
    };
    Fault::new(status, error.code, error.message)
}
