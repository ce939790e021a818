//! The shapes of definitions with their limits, as data (`codepipeline.md` 1.2, from the service model).
//!
//! Requests of the API are made of the same pieces.

use crate::{
    limit::CONFIGURATION_VALUE,
    model::{Member, Pattern, Shape, Text, arn, list, matching, optional, required, text},
};

const MANY: usize = usize::MAX;

/// Names of pipelines, stages, actions, rules and webhooks.
pub static NAME: Shape = Shape::Text(matching(
    1,
    100,
    Pattern::Chars(r"[A-Za-z0-9.@\-_]+", ".@-_"),
));
/// What names of variables consist of.
pub const VARIABLE: Pattern = Pattern::Chars(r"[A-Za-z0-9@\-_]+", "@-_");
/// Names of pipeline variables.
pub static VARIABLE_NAME: Shape = Shape::Text(matching(1, 128, VARIABLE));
/// Values of pipeline variables.
pub static VARIABLE_VALUE: Shape = Shape::Text(matching(1, 1000, LINE).secret());
/// An AWS region.
pub static REGION: Shape = Shape::Text(REGION_TEXT);
/// Categories of action types.
pub static CATEGORY: Shape = Shape::OneOf(&[
    "Source", "Build", "Deploy", "Test", "Invoke", "Approval", "Compute",
]);
/// Owners of action types.
pub static OWNER: Shape = Shape::OneOf(&["AWS", "ThirdParty", "Custom"]);
/// Providers of action and rule types.
pub static PROVIDER: Shape = Shape::Text(matching(1, 35, WORD));
/// Versions of action and rule types.
pub static VERSION: Shape = Shape::Text(matching(1, 9, WORD));
/// Owners of rule types.
pub static RULE_OWNER: Shape = Shape::OneOf(&["AWS"]);
/// RetryStageExecution and `retryConfiguration`.
pub static RETRY_MODE: Shape = Shape::OneOf(&["FAILED_ACTIONS", "ALL_ACTIONS"]);
/// A URL or a template of one.
pub static URL: Shape = Shape::Text(text(1, 2048));
/// The name of a configuration property.
pub const KEY_TEXT: Text = text(1, 50);
/// `true` or `false`.
pub static FLAG: Shape = Shape::Flag;
/// A number from 1 on.
pub static POSITIVE: Shape = Shape::Number {
    min: 1,
    max: i32::MAX as i64,
};
/// `ActionTypeId`.
pub static ACTION_TYPE_ID: Shape = Shape::Struct(&[
    required("category", &CATEGORY),
    required("owner", &OWNER),
    required("provider", &PROVIDER),
    required("version", &VERSION),
]);

const WORD: Pattern = Pattern::Chars("[0-9A-Za-z_-]+", "_-");
static KEY: Shape = Shape::Text(KEY_TEXT);
const REGION_TEXT: Text = text(4, 30);
/// `.*` matches no line break.
const LINE: Pattern = Pattern::Other(".*", |text| !text.contains(['\n', '\r']));
const ROLE: Pattern = Pattern::Other(r"arn:aws(-[\w]+)*:iam::[0-9]{12}:role/.*", |text| {
    arn(text, "iam").is_some_and(|(region, _, resource)| {
        region.is_empty() && resource.starts_with("role/") && !resource.contains(['\n', '\r'])
    })
});

static ROLE_ARN: Shape = Shape::Text(matching(0, 1024, ROLE));
static NAMESPACE: Shape = Shape::Text(matching(1, 100, VARIABLE));
static ARTIFACT: Shape = Shape::Text(matching(1, 100, Pattern::Chars(r"[a-zA-Z0-9_\-]+", "_-")));
static MINUTES: Shape = Shape::Number {
    min: 5,
    max: 86_400,
};

static STORE: Shape = Shape::Struct(&[
    required("type", &Shape::OneOf(&["S3"])),
    required("location", &BUCKET),
    optional("encryptionKey", &ENCRYPTION_KEY),
]);
static BUCKET: Shape = Shape::Text(matching(3, 63, Pattern::Chars(r"[a-zA-Z0-9\-\.]+", "-.")));
static ENCRYPTION_KEY: Shape = Shape::Struct(&[
    required("id", &Shape::Text(text(1, 400))),
    required("type", &Shape::OneOf(&["KMS"])),
]);
static STORES: Shape = Shape::MapOf {
    key: REGION_TEXT,
    of: &STORE,
};

static CONFIGURATION: Shape = Shape::Map {
    max: MANY,
    key: KEY_TEXT,
    value: text(1, CONFIGURATION_VALUE),
};
static RULE_CONFIGURATION: Shape = Shape::Map {
    max: 200,
    key: KEY_TEXT,
    value: text(1, 10_000),
};
static COMMANDS: Shape = list(&Shape::Text(text(1, 1000).secret()), 1, 50);
static INPUTS: Shape = list(&Shape::Struct(&[required("name", &ARTIFACT)]), 0, MANY);
static OUTPUTS: Shape = list(
    &Shape::Struct(&[required("name", &ARTIFACT), optional("files", &FILES)]),
    0,
    MANY,
);
static FILES: Shape = list(&TEXT_128, 1, 10);
static TEXT_128: Shape = Shape::Text(text(1, 128));

static ACTION: Shape = Shape::Struct(&[
    required("name", &NAME),
    required("actionTypeId", &ACTION_TYPE_ID),
    optional("runOrder", &Shape::Number { min: 1, max: 999 }),
    optional("configuration", &CONFIGURATION),
    optional("commands", &COMMANDS),
    optional("environmentVariables", &ENVIRONMENT),
    optional("outputVariables", &list(&TEXT_128, 1, 15)),
    optional("outputArtifacts", &OUTPUTS),
    optional("inputArtifacts", &INPUTS),
    optional("roleArn", &ROLE_ARN),
    optional("region", &REGION),
    optional("namespace", &NAMESPACE),
    optional("timeoutInMinutes", &MINUTES),
]);
static ENVIRONMENT: Shape = list(
    &Shape::Struct(&[
        required("name", &ENVIRONMENT_NAME),
        required("value", &Shape::Text(matching(1, 2000, LINE).secret())),
        optional("type", &Shape::OneOf(&["PLAINTEXT", "SECRETS_MANAGER"])),
    ]),
    1,
    10,
);
static ENVIRONMENT_NAME: Shape =
    Shape::Text(matching(1, 128, Pattern::Chars("[A-Za-z0-9_]+", "_")));

static CONDITIONS: Shape = list(&CONDITION, 1, 1);
static CONDITION: Shape = Shape::Struct(&[
    optional("result", &RESULT),
    optional("rules", &list(&RULE, 1, 5)),
]);
static RULE: Shape = Shape::Struct(&[
    required("name", &NAME),
    required("ruleTypeId", &RULE_TYPE_ID),
    optional("configuration", &RULE_CONFIGURATION),
    optional("commands", &COMMANDS),
    optional("inputArtifacts", &INPUTS),
    optional("roleArn", &ROLE_ARN),
    optional("region", &REGION),
    optional("timeoutInMinutes", &MINUTES),
]);
static RULE_TYPE_ID: Shape = Shape::Struct(&[
    required("category", &Shape::OneOf(&["Rule"])),
    optional("owner", &RULE_OWNER),
    required("provider", &PROVIDER),
    optional("version", &VERSION),
]);
static RESULT: Shape = Shape::OneOf(&["ROLLBACK", "FAIL", "RETRY", "SKIP"]);
static GATE: Shape = Shape::Struct(&[required("conditions", &CONDITIONS)]);
static FAILURE_GATE: Shape = Shape::Struct(&[
    optional("result", &RESULT),
    optional(
        "retryConfiguration",
        &Shape::Struct(&[optional("retryMode", &RETRY_MODE)]),
    ),
    optional("conditions", &CONDITIONS),
]);

static STAGE: Shape = Shape::Struct(&[
    required("name", &NAME),
    optional("blockers", &list(&BLOCKER, 0, MANY)),
    required("actions", &list(&ACTION, 0, MANY)),
    optional("onFailure", &FAILURE_GATE),
    optional("onSuccess", &GATE),
    optional("beforeEntry", &GATE),
]);
static BLOCKER: Shape = Shape::Struct(&[
    required("name", &Shape::Text(text(1, 100))),
    required("type", &Shape::OneOf(&["Schedule"])),
]);

static TRIGGER: Shape = Shape::Struct(&[
    required("providerType", &Shape::OneOf(&["CodeStarSourceConnection"])),
    required("gitConfiguration", &GIT),
]);
static GIT: Shape = Shape::Struct(&[
    required("sourceActionName", &NAME),
    optional("push", &list(&PUSH, 1, 3)),
    optional("pullRequest", &list(&PULL_REQUEST, 1, 3)),
]);
static PUSH: Shape = Shape::Struct(&[
    optional("tags", &TAG_FILTER),
    optional("branches", &FILTER),
    optional("filePaths", &FILTER),
]);
static PULL_REQUEST: Shape = Shape::Struct(&[
    optional("events", &list(&PULL_EVENT, 1, 3)),
    optional("branches", &FILTER),
    optional("filePaths", &FILTER),
]);
static PULL_EVENT: Shape = Shape::OneOf(&["OPEN", "UPDATED", "CLOSED"]);
static FILTER: Shape = Shape::Struct(&[
    optional("includes", &PATTERNS),
    optional("excludes", &PATTERNS),
]);
static PATTERNS: Shape = list(&Shape::Text(matching(1, 255, LINE)), 1, 8);
static TAG_FILTER: Shape = Shape::Struct(&[
    optional("includes", &TAG_PATTERNS),
    optional("excludes", &TAG_PATTERNS),
]);
static TAG_PATTERNS: Shape = list(&Shape::Text(text(1, 255)), 1, 8);

/// `PipelineDeclaration`.
pub static PIPELINE: Shape = Shape::Struct(&[
    required("name", &NAME),
    required("roleArn", &ROLE_ARN),
    optional("artifactStore", &STORE),
    optional("artifactStores", &STORES),
    required("stages", &list(&STAGE, 0, MANY)),
    optional("version", &POSITIVE),
    optional(
        "executionMode",
        &Shape::OneOf(&["QUEUED", "SUPERSEDED", "PARALLEL"]),
    ),
    optional("pipelineType", &Shape::OneOf(&["V1", "V2"])),
    optional("variables", &list(&VARIABLE_DECLARATION, 0, 50)),
    optional("triggers", &list(&TRIGGER, 0, 50)),
]);
static VARIABLE_DECLARATION: Shape = Shape::Struct(&[
    required("name", &VARIABLE_NAME),
    optional("defaultValue", &VARIABLE_VALUE),
    optional("description", &Shape::Text(matching(0, 200, LINE))),
]);

/// `CreateCustomActionTypeInput`.
pub(crate) static ACTION_TYPE: Shape = Shape::Struct(ACTION_TYPE_MEMBERS);
/// Its members.
pub static ACTION_TYPE_MEMBERS: &[Member] = &[
    required("category", &CATEGORY),
    required("provider", &PROVIDER),
    required("version", &VERSION),
    optional("settings", &SETTINGS),
    optional("configurationProperties", &list(&PROPERTY, 0, 10)),
    required("inputArtifactDetails", &COUNTS),
    required("outputArtifactDetails", &COUNTS),
    optional("tags", &TAGS),
];
static SETTINGS: Shape = Shape::Struct(&[
    optional("thirdPartyConfigurationUrl", &URL),
    optional("entityUrlTemplate", &URL),
    optional("executionUrlTemplate", &URL),
    optional("revisionUrlTemplate", &URL),
]);
static PROPERTY: Shape = Shape::Struct(&[
    required("name", &KEY),
    required("required", &FLAG),
    required("key", &FLAG),
    required("secret", &FLAG),
    optional("queryable", &FLAG),
    optional("description", &Shape::Text(text(1, 160))),
    optional("type", &Shape::OneOf(&["String", "Number", "Boolean"])),
]);
static COUNTS: Shape = Shape::Struct(&[
    required("minimumCount", &COUNT),
    required("maximumCount", &COUNT),
]);
static COUNT: Shape = Shape::Number { min: 0, max: 5 };

/// Tags of a request.
pub static TAGS: Shape = list(
    &Shape::Struct(&[
        required("key", &TAG_KEY),
        required("value", &Shape::Text(text(0, 256))),
    ]),
    0,
    MANY,
);
/// The key of a tag.
pub static TAG_KEY: Shape = Shape::Text(text(1, 128));
