//! PutWebhook, ListWebhooks, DeleteWebhook, RegisterWebhookWithThirdParty, DeregisterWebhookWithThirdParty.

use engine_plan::{
    event::Event,
    hidden::Hidden,
    refusal::Refusal,
    state::State,
    webhook::{Authentication, Webhook, WebhookDefinition, WebhookError, WebhookFilter},
};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ground,
    page::{page, position},
    pipelines::ByName,
    shape::{self, MASK, Object},
    tags::{self, Tag},
};
use crate::webhook;

/// `errorCode` of a registered webhook: the engine calls no third party.
const BY_HAND: &str = "501";

#[derive(Deserialize)]
pub(super) struct Put {
    webhook: Declared,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Declared {
    name: String,
    target_pipeline: String,
    target_action: String,
    filters: Vec<WebhookFilter>,
    authentication: String,
    authentication_configuration: Configuration,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(rename = "SecretToken")]
    secret_token: Option<Hidden>,
    #[serde(rename = "AllowedIPRange")]
    allowed_ip_range: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Register {
    #[serde(default)]
    webhook_name: String,
}

pub(super) async fn put(ground: &Ground<'_>, request: Put) -> Result<Value, Refusal> {
    let name = request.webhook.name.clone();
    let mut webhook = checked(request.webhook)?;
    if let Authentication::GithubHmac { secret_token } = &mut webhook.authentication
        && secret_token.reveal() == MASK
    {
        ground.read(|state| {
            let known = state
                .webhooks
                .get(&name)
                .map(|it| &it.definition.authentication);
            if let Some(Authentication::GithubHmac { secret_token: kept }) = known {
                *secret_token = kept.clone();
            }
            Ok(())
        })?;
    }
    let tags = request.tags.into_iter().map(Tag::pair).collect();
    ground.submit(Event::PutWebhook { webhook, tags }).await?;
    ground.read(|state| {
        let webhook = state.webhooks.get(&name).ok_or_else(|| not_found(&name))?;
        Ok(json!({"webhook": item(ground, state, webhook)}))
    })
}

pub(super) fn list(ground: &Ground<'_>, request: List) -> Result<Value, Refusal> {
    let from: Option<String> = position(request.next_token.as_deref())?;
    ground.read(|state| {
        let items = state
            .webhooks
            .range(from.unwrap_or_default()..)
            .map(|(name, webhook)| (name, item(ground, state, webhook)));
        let mut page = page("webhooks", items, request.max_results, 100);
        if let Some(fields) = page.as_object_mut()
            && let Some(next) = fields.remove("nextToken")
        {
            fields.insert("NextToken".to_owned(), next);
        }
        Ok(page)
    })
}

pub(super) async fn delete(ground: &Ground<'_>, request: ByName) -> Result<Value, Refusal> {
    let name = request.name;
    ground.submit(Event::DeleteWebhook { name }).await?;
    Ok(json!({}))
}

/// The engine calls no third party: the webhook says what is to be done by hand until its first delivery.
pub(super) async fn register(ground: &Ground<'_>, request: Register) -> Result<Value, Refusal> {
    let name = request.webhook_name;
    let message = ground.read(|state| {
        let webhook = state.webhooks.get(&name).ok_or_else(|| not_found(&name))?;
        Ok(by_hand(state, webhook))
    })?;
    let error = Some(WebhookError {
        code: BY_HAND.to_owned(),
        message,
    });
    let webhook = name;
    ground
        .submit(Event::WebhookNoted { webhook, error })
        .await?;
    Ok(json!({}))
}

pub(super) async fn deregister(ground: &Ground<'_>, request: Register) -> Result<Value, Refusal> {
    let event = Event::WebhookNoted {
        webhook: request.webhook_name,
        error: None,
    };
    ground.submit(event).await?;
    Ok(json!({}))
}

fn by_hand(state: &State, webhook: &Webhook) -> String {
    let repository = state.webhook_action(webhook).and_then(|action| {
        let get = |key: &str| action.configuration.get(key);
        (action.action_type_id.provider == "GitHub")
            .then(|| Some(format!("{}/{}", get("Owner")?, get("Repo")?)))?
    });
    match repository {
        Some(repository) => format!(
            "stagewright does not call GitHub: in the settings of {repository} add a webhook for pushes with this url, content type application/json and the secret token"
        ),
        None => {
            "stagewright calls no third party: let it send POST requests to this url".to_owned()
        }
    }
}

/// The request with what PutWebhook checks of it alone. The texts are unconfirmed.
fn checked(declared: Declared) -> Result<WebhookDefinition, Refusal> {
    for filter in &declared.filters {
        webhook::path(&filter.json_path).map_err(|error| {
            Refusal::new(
                "InvalidWebhookFilterPatternException",
                format!("Invalid jsonPath '{}': {error}", filter.json_path),
            )
        })?;
    }
    let wrong = |rule: &str| {
        Err(Refusal::new(
            "InvalidWebhookAuthenticationParametersException",
            format!("Authentication type {} {rule}", declared.authentication),
        ))
    };
    let Configuration {
        secret_token,
        allowed_ip_range,
    } = declared.authentication_configuration;
    let authentication = match (&*declared.authentication, secret_token, allowed_ip_range) {
        ("GITHUB_HMAC", Some(secret_token), None) => Authentication::GithubHmac { secret_token },
        ("GITHUB_HMAC", _, _) => return wrong("requires the property SecretToken and no other"),
        ("IP", None, Some(allowed_ip_range)) => {
            if allowed_ip_range.parse::<IpNet>().is_err() {
                return wrong("requires AllowedIPRange to be a valid CIDR range");
            }
            Authentication::Ip { allowed_ip_range }
        }
        ("IP", _, _) => return wrong("requires the property AllowedIPRange and no other"),
        (_, None, None) => Authentication::Unauthenticated,
        _ => return wrong("takes no properties"),
    };
    Ok(WebhookDefinition {
        name: declared.name,
        target_pipeline: declared.target_pipeline,
        target_action: declared.target_action,
        filters: declared.filters,
        authentication,
    })
}

/// `ListWebhookItem`.
fn item(ground: &Ground<'_>, state: &State, webhook: &Webhook) -> Value {
    let WebhookDefinition {
        name,
        target_pipeline,
        target_action,
        filters,
        authentication,
    } = &webhook.definition;
    let (kind, configuration) = match authentication {
        Authentication::GithubHmac { .. } => ("GITHUB_HMAC", json!({"SecretToken": MASK})),
        Authentication::Ip { allowed_ip_range } => {
            ("IP", json!({"AllowedIPRange": allowed_ip_range}))
        }
        Authentication::Unauthenticated => ("UNAUTHENTICATED", json!({})),
    };
    let definition = json!({
        "name": name,
        "targetPipeline": target_pipeline,
        "targetAction": target_action,
        "filters": filters,
        "authentication": kind,
        "authenticationConfiguration": configuration,
    });
    let error = webhook.error.as_ref();
    Object::new()
        .with("definition", definition)
        .with("url", webhook::url(ground.base_url, webhook))
        .maybe("errorMessage", error.map(|it| it.message.as_str()))
        .maybe("errorCode", error.map(|it| it.code.as_str()))
        .maybe("lastTriggered", webhook.last_triggered.map(shape::time))
        .with("arn", state.webhook_arn(name))
        .maybe(
            "tags",
            (!webhook.tags.is_empty()).then(|| tags::shown(&webhook.tags)),
        )
        .into()
}

fn not_found(name: &str) -> Refusal {
    Refusal::new(
        "WebhookNotFoundException",
        format!("Webhook with name '{name}' could not be found"),
    )
}
