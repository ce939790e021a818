//! `ActionTypeDeclaration`, which UpdateActionType takes.

use engine_plan::{
    model::{Pattern, Shape, arn, list, matching, optional, required, text},
    schema::{CATEGORY, FLAG, KEY_TEXT, PROVIDER, URL, VERSION},
};

/// Owners of types that are declared so.
pub(super) static TYPE_OWNER: Shape = Shape::Text(matching(
    0,
    usize::MAX,
    Pattern::Other("AWS|ThirdParty", |text| {
        ["AWS", "ThirdParty"].contains(&text)
    }),
));
/// `ActionTypeDeclaration`.
pub(super) static DECLARED_TYPE: Shape = Shape::Struct(&[
    optional("description", &Shape::Text(text(1, 1024))),
    required("executor", &EXECUTOR),
    required("id", &DECLARED_ID),
    required("inputArtifactDetails", &DECLARED_COUNTS),
    required("outputArtifactDetails", &DECLARED_COUNTS),
    optional("permissions", &PERMISSIONS),
    optional("properties", &list(&DECLARED_PROPERTY, 0, 10)),
    optional("urls", &URLS),
]);
static EXECUTOR: Shape = Shape::Struct(&[
    required("configuration", &EXECUTOR_CONFIGURATION),
    required("type", &Shape::OneOf(&["JobWorker", "Lambda"])),
    optional("policyStatementsTemplate", &Shape::Text(text(1, 2048))),
    optional(
        "jobTimeout",
        &Shape::Number {
            min: 60,
            max: 43_200,
        },
    ),
]);
static EXECUTOR_CONFIGURATION: Shape = Shape::Struct(&[
    optional("lambdaExecutorConfiguration", &LAMBDA_EXECUTOR),
    optional("jobWorkerExecutorConfiguration", &WORKER_EXECUTOR),
]);
static LAMBDA_EXECUTOR: Shape = Shape::Struct(&[required("lambdaFunctionArn", &FUNCTION_ARN)]);
static FUNCTION_ARN: Shape = Shape::Text(matching(
    1,
    140,
    Pattern::Other(
        r"arn:aws(-[\w]+)*:lambda:.+:[0-9]{12}:function:.+",
        |text| {
            arn(text, "lambda").is_some_and(|(region, _, name)| {
                let name = name.strip_prefix("function:");
                !region.is_empty() && name.is_some_and(|name| !name.is_empty())
            })
        },
    ),
));
static WORKER_EXECUTOR: Shape = Shape::Struct(&[
    optional("pollingAccounts", &list(&ACCOUNT, 1, 1000)),
    optional(
        "pollingServicePrincipals",
        &list(&Shape::Text(text(1, 128)), 1, 10),
    ),
]);
static ACCOUNT: Shape = Shape::Text(matching(
    0,
    usize::MAX,
    Pattern::Other("[0-9]{12}", is_account),
));
static PERMISSIONS: Shape = Shape::Struct(&[required("allowedAccounts", &list(&ALLOWED, 1, 1000))]);
static ALLOWED: Shape = Shape::Text(matching(
    0,
    usize::MAX,
    Pattern::Other(r"[0-9]{12}|\*", |text| text == "*" || is_account(text)),
));
static DECLARED_ID: Shape = Shape::Struct(&[
    required("category", &CATEGORY),
    required("owner", &TYPE_OWNER),
    required("provider", &PROVIDER),
    required("version", &VERSION),
]);
static DECLARED_COUNT: Shape = Shape::Number { min: 0, max: 10 };
static DECLARED_COUNTS: Shape = Shape::Struct(&[
    required("minimumCount", &DECLARED_COUNT),
    required("maximumCount", &DECLARED_COUNT),
]);
static DECLARED_PROPERTY: Shape = Shape::Struct(&[
    required("name", &Shape::Text(KEY_TEXT)),
    required("optional", &FLAG),
    required("key", &FLAG),
    required("noEcho", &FLAG),
    optional("queryable", &FLAG),
    optional("description", &Shape::Text(text(1, 250))),
]);
static URLS: Shape = Shape::Struct(&[
    optional("configurationUrl", &URL),
    optional("entityUrlTemplate", &URL),
    optional("executionUrlTemplate", &URL),
    optional("revisionUrlTemplate", &URL),
]);

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
