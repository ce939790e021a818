//! Services that speak JSON: the engine's own faces, or an endpoint elsewhere (`[endpoint]`, `--upstream`).

use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};

use crate::{
    app::App,
    cloud::{Client, CloudError},
    face::{self, Call, Caller, Fault},
    states::task::Failed,
};

/// A service of the AWS SDK integrations.
struct Service {
    /// As `arn:aws:states:::aws-sdk:NAME:…` writes it.
    name: &'static str,
    /// Begins the names of its errors.
    shown: &'static str,
    /// Its signing name.
    signing: &'static str,
    /// What `X-Amz-Target` begins with.
    target: &'static str,
    version: &'static str,
    /// Whether its members begin with small letters; state machines always begin them with capitals.
    small: bool,
}

const fn service(
    name: &'static str,
    shown: &'static str,
    signing: &'static str,
    (target, version, small): (&'static str, &'static str, bool),
) -> Service {
    Service {
        name,
        shown,
        signing,
        target,
        version,
        small,
    }
}

/// Targets and versions are those of botocore's service models.
#[rustfmt::skip]
const SERVICES: [Service; 24] = [
    service("codepipeline", "CodePipeline", "codepipeline", ("CodePipeline_20150709", "1.1", true)),
    service("sfn", "Sfn", "states", ("AWSStepFunctions", "1.0", true)),
    service("dynamodb", "DynamoDb", "dynamodb", ("DynamoDB_20120810", "1.0", false)),
    service("eventbridge", "EventBridge", "events", ("AWSEvents", "1.1", false)),
    service("kms", "Kms", "kms", ("TrentService", "1.1", false)),
    service("sqs", "Sqs", "sqs", ("AmazonSQS", "1.0", false)),
    service("secretsmanager", "SecretsManager", "secretsmanager", ("secretsmanager", "1.1", false)),
    service("ssm", "Ssm", "ssm", ("AmazonSSM", "1.1", false)),
    service("codebuild", "CodeBuild", "codebuild", ("CodeBuild_20161006", "1.1", true)),
    service("codecommit", "CodeCommit", "codecommit", ("CodeCommit_20150413", "1.1", true)),
    service("codedeploy", "CodeDeploy", "codedeploy", ("CodeDeploy_20141006", "1.1", true)),
    service("cloudwatchlogs", "CloudWatchLogs", "logs", ("Logs_20140328", "1.1", true)),
    service("ecr", "Ecr", "ecr", ("AmazonEC2ContainerRegistry_V20150921", "1.1", true)),
    service("ecs", "Ecs", "ecs", ("AmazonEC2ContainerServiceV20141113", "1.1", true)),
    service("kinesis", "Kinesis", "kinesis", ("Kinesis_20131202", "1.1", false)),
    service("firehose", "Firehose", "firehose", ("Firehose_20150804", "1.1", false)),
    service("athena", "Athena", "athena", ("AmazonAthena", "1.1", false)),
    service("glue", "Glue", "glue", ("AWSGlue", "1.1", false)),
    service("sagemaker", "SageMaker", "sagemaker", ("SageMaker", "1.1", false)),
    service("cognitoidentityprovider", "CognitoIdentityProvider", "cognito-idp", ("AWSCognitoIdentityProviderService", "1.1", false)),
    service("servicediscovery", "ServiceDiscovery", "servicediscovery", ("Route53AutoNaming_v20170314", "1.1", false)),
    service("acm", "Acm", "acm", ("CertificateManager", "1.1", false)),
    service("organizations", "Organizations", "organizations", ("AWSOrganizationsV20161128", "1.1", false)),
    service("databasemigration", "DatabaseMigration", "dms", ("AmazonDMSv20160101", "1.1", false)),
];

/// Whether a service of this SDK name can be called.
pub fn knows(name: &str) -> bool {
    SERVICES.iter().any(|s| s.name == name)
}

/// Calls an action of a service by its SDK name; errors begin with `shown`, or with the SDK's name for it.
pub async fn call(
    app: &App,
    name: &str,
    shown: Option<&str>,
    action: &str,
    input: &Value,
) -> Result<Value, Failed> {
    let Some(service) = SERVICES.iter().find(|s| s.name == name) else {
        return Err(Failed::not_built(&format!("aws-sdk:{name}"), action));
    };
    let shown = shown.unwrap_or(service.shown);
    let mut letters = action.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    let operation: String = first.into_iter().chain(letters).collect();
    let body = if service.small {
        renamed(input, |c| c.to_ascii_lowercase())
    } else {
        input.clone()
    };
    let answer = match own(app, service, &operation, &body).await {
        Some(answer) => answer,
        None => match Client::configured(app, service.signing, &app.config.engine.region) {
            Ok(Some(client)) => elsewhere(&client, service, &operation, &body).await,
            Ok(None) => return Err(Failed::nowhere(service.signing, name, action)),
            Err(error) => Err(unreachable(&error)),
        },
    };
    let answer = answer.map_err(|fault| refused(shown, &fault))?;
    Ok(if service.small {
        renamed(&answer, |c| c.to_ascii_uppercase())
    } else {
        answer
    })
}

/// The engine's own face for a service, if it has one.
async fn own(
    app: &App,
    service: &Service,
    operation: &str,
    body: &Value,
) -> Option<Result<Value, Fault>> {
    let call = Call {
        service: service.signing.to_owned(),
        operation: operation.to_owned(),
        caller: Caller {
            access_key: "states".to_owned(),
            arn: format!(
                "arn:aws:sts::{}:assumed-role/states/execution",
                app.config.engine.account
            ),
        },
        method: http::Method::POST,
        uri: http::Uri::from_static("/"),
        headers: http::HeaderMap::new(),
        body: Bytes::from(body.to_string()),
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    Some(match service.signing {
        "codepipeline" => face::codepipeline::call(app, &call).await,
        "events" => face::events::call(app, &call).await,
        "kms" => face::kms::call(app, &call).await,
        // Boxed: a state machine may start another one.
        "states" => Box::pin(face::states::call(app, &call)).await,
        "dynamodb" => match face::dynamodb::call(app, &call.operation, &call.body).await {
            Ok(response) => collected(response).await,
            Err(fault) => Err(fault),
        },
        _ => return None,
    })
}

async fn collected(response: Response) -> Result<Value, Fault> {
    let status = response.status().as_u16();
    let bytes = response
        .into_body()
        .collect()
        .await
        .map_err(|e| Fault::new(500, "InternalFailure", e.to_string()))?
        .to_bytes();
    read(status, &bytes)
}

/// Another endpoint, signed.
async fn elsewhere(
    client: &Client,
    service: &Service,
    operation: &str,
    body: &Value,
) -> Result<Value, Fault> {
    let target = format!("{}.{operation}", service.target);
    let answer = client.json(&target, service.version, body).await;
    answer.map_err(|error| match error {
        CloudError::Refused {
            code,
            message,
            status,
            ..
        } => Fault::new(status, code, message),
        other => unreachable(&other),
    })
}

fn unreachable(error: &dyn std::error::Error) -> Fault {
    let cause = error
        .source()
        .map_or_else(String::new, |e| format!(": {e}"));
    Fault::new(502, "SdkClientException", format!("{error}{cause}"))
}

/// A JSON service's response, or its refusal.
fn read(status: u16, bytes: &[u8]) -> Result<Value, Fault> {
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    if status < 300 {
        return Ok(match value {
            Value::Null => Value::Object(Map::new()),
            value => value,
        });
    }
    let code = value["__type"].as_str().unwrap_or("Unknown");
    let code = code.rsplit('#').next().unwrap_or(code);
    let message = value["message"]
        .as_str()
        .or(value["Message"].as_str())
        .unwrap_or_default();
    Err(Fault::new(status, code, message))
}

/// A refusal as the state gets it.
pub fn refused(service: &str, fault: &Fault) -> Failed {
    // The SDK's Java names of errors end so; JSON services leave it out where their model does.
    let code = if fault.code.ends_with("Exception") || fault.code.ends_with("Error") {
        fault.code.clone()
    } else {
        format!("{}Exception", fault.code)
    };
    Failed::new(
        format!("{service}.{code}"),
        format!(
            "{} (Service: {service}, Status Code: {})",
            fault.message, fault.status
        ),
    )
}

/// The same with other first letters of all members.
fn renamed(value: &Value, letter: fn(char) -> char) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: Map<String, Value> = fields
                .iter()
                .map(|(key, value)| {
                    let mut letters = key.chars();
                    let first = letters.next().map(letter);
                    (
                        first.into_iter().chain(letters).collect(),
                        renamed(value, letter),
                    )
                })
                .collect();
            Value::Object(fields)
        }
        Value::Array(items) => items.iter().map(|v| renamed(v, letter)).collect(),
        other => other.clone(),
    }
}
