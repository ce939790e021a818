//! Wires the engine's own approval functions: table, signing key, settings, subscriptions, rules of EventBridge.

use std::{collections::BTreeMap, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use engine_events::{
    book::{Denied, Wanted},
    route::DEFAULT_BUS,
    target::Target,
};
use engine_plan::definition::PipelineDeclaration;
use serde_json::{Value, json};

use crate::{
    config::{ApprovalConfig, Config, FunctionConfig, SubscriptionConfig},
    eventbridge::EventRules,
    store::{
        keys::{KeyError, Keys},
        tables::Tables,
    },
};

/// `{base-url}` in an environment variable of the configuration stands for the engine's address.
const BASE_URL: &str = "{base-url}";

const NOTIFY: &str = "approval-notify";
const RESPOND: &str = "approval-respond";
const SWEEP: &str = "approval-sweep";
/// The rules that wake the sweep.
const MINUTE: &str = "stagewright-approval-sweep";
const CHANGES: &str = "stagewright-approval-changes";
/// The one table of all functions (`docs/table.md`).
const TABLE: &str = "stagewright";
const KEY_ALIAS: &str = "alias/stagewright-links";
/// Name of the key in links; a state folder has one key for its whole life.
const KEY_NAME: &str = "local";
/// Enough to mail every approver, with a cold start in a debug build.
const TIMEOUT_SECONDS: u32 = 60;

/// Why approvals are not wired.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Nobody would be told.
    #[error(
        "[approval] is configured, but no topic has a subscription of approval-notify: add one under [topic.NAME]"
    )]
    NoTopic,
    /// The signing key.
    #[error("the link key cannot be made")]
    Key(#[source] KeyError),
    /// The rules that wake functions.
    #[error("the rules that wake functions cannot be made")]
    Rule(#[source] Denied),
    /// The table; DynamoDB's answer.
    #[error("the table of the functions cannot be made: {0}")]
    Table(String),
}

/// What wakes the sweep.
#[derive(Debug, Clone, Copy)]
pub struct Wake<'a> {
    /// The engine's rules.
    pub rules: &'a EventRules,
    /// Time jumps: an open approval would be swept ten thousand times on its way to its deadline.
    pub fast_clock: bool,
}

/// Does what `[approval]` asks for; answers what was wired. Without `[approval]` nothing is: AWS's own behaviour.
///
/// # Errors
/// When the table or the key cannot be made.
pub async fn approvals(
    config: &mut Config,
    definition: Option<&PipelineDeclaration>,
    keys: &Keys,
    tables: &Tables,
    wake: Wake<'_>,
    base_url: &str,
) -> Result<Vec<String>, WireError> {
    let Some(approval) = config.approval.clone() else {
        return Ok(Vec::new());
    };
    make_table(tables).await?;
    let (key, public) = keys.ensure_signing_key(KEY_ALIAS).map_err(WireError::Key)?;
    let mut notes = subscribe(config, definition);
    let topics: Vec<String> = config
        .topic
        .iter()
        .filter(|(_, topic)| topic.subscriptions.iter().any(is_notify))
        .map(|(name, _)| {
            format!(
                "arn:aws:sns:{}:{}:{name}",
                config.engine.region, config.engine.account
            )
        })
        .collect();
    if topics.is_empty() {
        return Err(WireError::NoTopic);
    }
    for (name, environment) in settings(
        &approval,
        &config.folder.clone(),
        &key,
        &public,
        &topics,
        base_url,
    ) {
        let function = config
            .function
            .entry(name.to_owned())
            .or_insert_with(|| FunctionConfig {
                timeout_seconds: TIMEOUT_SECONDS,
                ..FunctionConfig::default()
            });
        function.url = function.url || name == RESPOND;
        for (variable, value) in environment {
            function.environment.entry(variable).or_insert(value);
        }
    }
    sweep(config, wake)?;
    let whom = match &approval.rules {
        Some(file) => format!("whom the rules of {} ask", file.display()),
        None => approval.approvers.join(", "),
    };
    notes.push(format!(
        "approvals go to {whom} by mail: {base_url}/_stagewright/mail"
    ));
    Ok(notes)
}

fn is_notify(subscription: &SubscriptionConfig) -> bool {
    subscription.protocol == "lambda" && subscription.endpoint.rsplit(':').next() == Some(NOTIFY)
}

/// Topics that approval actions name and nobody subscribed to get `approval-notify`.
fn subscribe(config: &mut Config, definition: Option<&PipelineDeclaration>) -> Vec<String> {
    let named = definition
        .into_iter()
        .flat_map(|d| d.stages.iter().flat_map(|s| &s.actions))
        .filter(|a| a.action_type_id.category == "Approval")
        .filter_map(|a| a.configuration.get("NotificationArn")?.rsplit(':').next());
    let mut notes = Vec::new();
    for name in named {
        let topic = config.topic.entry(name.to_owned()).or_default();
        if topic.subscriptions.is_empty() {
            topic.subscriptions.push(SubscriptionConfig {
                protocol: "lambda".to_owned(),
                endpoint: NOTIFY.to_owned(),
            });
            notes.push(format!("subscribed {NOTIFY} to the topic {name}"));
        }
    }
    notes
}

/// The function may run in another folder.
fn in_full(path: &Path) -> String {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    full.display().to_string()
}

fn settings(
    approval: &ApprovalConfig,
    folder: &Path,
    key: &str,
    public: &[u8; 32],
    topics: &[String],
    base_url: &str,
) -> [(&'static str, BTreeMap<String, String>); 3] {
    let map = |pairs: &[(&str, String)]| {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.clone()))
            .collect()
    };
    let url = format!("{base_url}/_stagewright/function/{RESPOND}");
    let rules = match &approval.rules {
        Some(file) => ("STAGEWRIGHT_APPROVAL_RULES", in_full(&folder.join(file))),
        None => ("STAGEWRIGHT_APPROVERS", approval.approvers.join(",")),
    };
    [
        (
            NOTIFY,
            map(&[
                ("STAGEWRIGHT_TABLE", TABLE.to_owned()),
                rules.clone(),
                ("STAGEWRIGHT_APPROVALS_NEEDED", approval.needed.to_string()),
                ("STAGEWRIGHT_APPROVAL_SENDER", approval.sender.clone()),
                ("STAGEWRIGHT_APPROVAL_URL", url.clone()),
                ("STAGEWRIGHT_LINK_KEY_ID", key.to_owned()),
                ("STAGEWRIGHT_LINK_KID", KEY_NAME.to_owned()),
                ("STAGEWRIGHT_APPROVAL_TOPICS", topics.join(",")),
            ]),
        ),
        (
            RESPOND,
            map(&[
                ("STAGEWRIGHT_TABLE", TABLE.to_owned()),
                rules,
                ("STAGEWRIGHT_APPROVALS_NEEDED", approval.needed.to_string()),
                ("STAGEWRIGHT_APPROVAL_URL", url),
                (
                    "STAGEWRIGHT_LINK_KEYS",
                    format!("{KEY_NAME}:{}", STANDARD.encode(public)),
                ),
            ]),
        ),
        (SWEEP, map(&[("STAGEWRIGHT_TABLE", TABLE.to_owned())])),
    ]
}

/// The sweep is woken by the clock and by what approvals and executions do.
fn sweep(config: &Config, wake: Wake<'_>) -> Result<(), WireError> {
    let changes = json!({
        "source": ["aws.codepipeline"],
        "$or": [
            {"detail-type": ["CodePipeline Action Execution State Change"], "detail": {"type": {"category": ["Approval"]}}},
            {"detail-type": ["CodePipeline Pipeline Execution State Change"],
             "detail": {"state": ["SUCCEEDED", "FAILED", "STOPPED", "SUPERSEDED", "CANCELED"]}},
        ],
    });
    let every = if wake.fast_clock {
        "rate(1 hour)"
    } else {
        "rate(1 minute)"
    };
    let rule = |name: &str| Wanted {
        name: name.to_owned(),
        description: Some("Wakes approval-sweep; made by [approval].".to_owned()),
        ..Wanted::default()
    };
    let wanted = [
        Wanted {
            schedule: Some(every.to_owned()),
            ..rule(MINUTE)
        },
        Wanted {
            pattern: Some(changes.to_string()),
            ..rule(CHANGES)
        },
    ];
    wakes(config, wake.rules, SWEEP, wanted.into())
}

/// Rules that call a function.
pub(super) fn wakes(
    config: &Config,
    rules: &EventRules,
    function: &str,
    wanted: Vec<Wanted>,
) -> Result<(), WireError> {
    let arn = format!(
        "arn:aws:lambda:{}:{}:function:{function}",
        config.engine.region, config.engine.account
    );
    let made = rules.change(|book, now| {
        for rule in wanted {
            let name = rule.name.clone();
            book.put_rule(DEFAULT_BUS, rule, now)?;
            let target = Target {
                id: function.to_owned(),
                arn: arn.clone(),
                role_arn: None,
                input: None,
                input_path: None,
                input_transformer: None,
                retry_policy: None,
            };
            book.put_targets(DEFAULT_BUS, &name, vec![target])?;
        }
        Ok(())
    });
    made.map_err(WireError::Rule)
}

/// Gives the functions of connectors their table and their time. Without `[connector]` nothing is done.
///
/// # Errors
/// When the table cannot be made.
pub async fn connectors(config: &mut Config, tables: &Tables) -> Result<(), WireError> {
    if config.connector.is_empty() {
        return Ok(());
    }
    make_table(tables).await?;
    let names = config.connector.iter();
    let names = names.filter_map(|(provider, connector)| connector.function(provider));
    let names: Vec<String> = names.map(str::to_owned).collect();
    for name in names {
        keeps(config, &name);
    }
    Ok(())
}

/// A function that keeps things in the table.
pub(super) fn keeps(config: &mut Config, name: &str) {
    let function = config
        .function
        .entry(name.to_owned())
        .or_insert_with(|| FunctionConfig {
            timeout_seconds: TIMEOUT_SECONDS,
            ..FunctionConfig::default()
        });
    let table = "STAGEWRIGHT_TABLE".to_owned();
    let variables = &mut function.environment;
    variables.entry(table).or_insert_with(|| TABLE.to_owned());
}

pub(super) async fn make_table(tables: &Tables) -> Result<(), WireError> {
    let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let request = json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [attribute("pk"), attribute("sk")],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    });
    match tables.call("CreateTable", &request.to_string()).await {
        Some(Ok(_)) => Ok(()),
        Some(Err(fault)) if kind(&fault.body).ends_with("ResourceInUseException") => Ok(()),
        Some(Err(fault)) => Err(WireError::Table(fault.body)),
        None => Err(WireError::Table("CreateTable is not known".to_owned())),
    }
}

fn kind(body: &str) -> String {
    serde_json::from_str::<Value>(body)
        .ok()
        .and_then(|v| v["__type"].as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Puts the engine's address where the configuration asks for it.
pub(super) fn base_url(config: &mut Config, base_url: &str) {
    let functions = config.function.values_mut().map(|f| &mut f.environment);
    let builds = config.codebuild.values_mut().map(|b| &mut b.environment);
    for value in functions.chain(builds).flat_map(|e| e.values_mut()) {
        *value = value.replace(BASE_URL, base_url);
    }
}
