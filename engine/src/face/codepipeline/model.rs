//! What each operation's request may hold (botocore's model `codepipeline/2015-07-09`).

use crate::face::constraint::{Member, Pattern, Shape, Text, matching, optional, required, text};

const MANY: usize = usize::MAX;
const NAME: Text = matching(1, 100, Pattern::Chars(r"[A-Za-z0-9.@\-_]+", ".@-_"));
const WORD: &str = r"[0-9A-Za-z_-]+";

static ANY: Shape = Shape::Any;
static NAMED: Shape = Shape::Text(NAME);
static FLAG: Shape = Shape::Flag;
static UUID: Shape = Shape::Text(matching(0, MANY, Pattern::Uuid));
static TOKEN: Shape = Shape::Text(matching(0, MANY, Pattern::Uuid).secret());
static ARN: Shape = Shape::Text(matching(0, MANY, Pattern::Arn));
static NEXT: Shape = Shape::Text(text(1, 2048));
static HUNDRED: Shape = Shape::Number { min: 1, max: 100 };
static THOUSAND: Shape = Shape::Number { min: 1, max: 1000 };
static POSITIVE: Shape = Shape::Number {
    min: 1,
    max: i32::MAX as i64,
};
static SHORT: Shape = Shape::Text(text(1, 100));
static LONG: Shape = Shape::Text(text(1, 2048));
static EXTERNAL: Shape = Shape::Text(text(1, 1500));
static REGION: Shape = Shape::Text(text(4, 30));

static TAGS: Shape = Shape::List {
    min: 0,
    max: 200,
    of: &TAG,
};
static TAG: Shape = Shape::Struct(&[required("key", &TAG_KEY), required("value", &TAG_VALUE)]);
static TAG_KEY: Shape = Shape::Text(text(1, 128));
static TAG_VALUE: Shape = Shape::Text(text(0, 256));
static TAG_KEYS: Shape = Shape::List {
    min: 0,
    max: 200,
    of: &TAG_KEY,
};

static VARIABLES: Shape = Shape::List {
    min: 1,
    max: 50,
    of: &VARIABLE,
};
static VARIABLE: Shape = Shape::Struct(&[
    required("name", &VARIABLE_NAME),
    required("value", &VARIABLE_VALUE),
]);
static VARIABLE_NAME: Shape =
    Shape::Text(matching(1, 128, Pattern::Chars(r"[A-Za-z0-9@\-_]+", "@-_")));
static VARIABLE_VALUE: Shape = Shape::Text(text(1, 1000));
static CLIENT_TOKEN: Shape = Shape::Text(matching(1, 128, Pattern::Chars("^[a-zA-Z0-9-]+$", "-")));
static REVISIONS: Shape = Shape::List {
    min: 0,
    max: 50,
    of: &REVISION,
};
static REVISION: Shape = Shape::Struct(&[
    required("actionName", &NAMED),
    required("revisionType", &REVISION_TYPE),
    required("revisionValue", &EXTERNAL),
]);
static REVISION_TYPE: Shape = Shape::OneOf(&[
    "COMMIT_ID",
    "IMAGE_DIGEST",
    "S3_OBJECT_VERSION_ID",
    "S3_OBJECT_KEY",
]);

static REASON: Shape = Shape::Text(text(0, 200));
static DISABLED: Shape = Shape::Text(matching(
    1,
    300,
    Pattern::Chars(r"[a-zA-Z0-9!@ \(\)\.\*\?\-]+", "!@ ().*?-"),
));
static RETRY_MODE: Shape = Shape::OneOf(&["FAILED_ACTIONS", "ALL_ACTIONS"]);
static ACTION_REVISION: Shape = Shape::Struct(&[
    required("revisionId", &EXTERNAL),
    required("revisionChangeId", &SHORT),
    required("created", &TIME),
]);
static ANY_TEXT: Shape = Shape::Text(text(0, MANY));
static TARGET_FILTERS: Shape = Shape::List {
    min: 0,
    max: MANY,
    of: &TARGET_FILTER,
};
static TARGET_FILTER: Shape = Shape::Struct(&[
    optional("name", &TARGET_STATUS),
    optional("values", &TARGET_VALUES),
]);
static TARGET_STATUS: Shape = Shape::OneOf(&["TARGET_STATUS"]);
static TARGET_VALUES: Shape = Shape::List {
    min: 0,
    max: MANY,
    of: &ANY_TEXT,
};
static TYPE_OWNER: Shape = Shape::OneOf(&["AWS", "ThirdParty"]);
static DECLARED_TYPE: Shape = Shape::Struct(&[
    required("executor", &ANY),
    required("id", &DECLARED_ID),
    required("inputArtifactDetails", &ANY),
    required("outputArtifactDetails", &ANY),
]);
static DECLARED_ID: Shape = Shape::Struct(&[
    required("category", &CATEGORY),
    required("owner", &TYPE_OWNER),
    required("provider", &PROVIDER),
    required("version", &VERSION),
]);
static CONDITION_TYPE: Shape = Shape::OneOf(&["BEFORE_ENTRY", "ON_SUCCESS"]);
static RULE_OWNER: Shape = Shape::OneOf(&["AWS"]);
static TRANSITION: Shape = Shape::OneOf(&["Inbound", "Outbound"]);

static EXECUTION_FILTER: Shape = Shape::Struct(&[optional("succeededInStage", &SUCCEEDED_IN)]);
static SUCCEEDED_IN: Shape = Shape::Struct(&[optional("stageName", &NAMED)]);
static ACTION_FILTER: Shape = Shape::Struct(&[
    optional("pipelineExecutionId", &UUID),
    optional("latestInPipelineExecution", &LATEST_IN),
]);
static LATEST_IN: Shape = Shape::Struct(&[
    required("pipelineExecutionId", &UUID),
    required("startTimeRange", &RANGE),
]);
static RANGE: Shape = Shape::OneOf(&["Latest", "All"]);

static RESULT: Shape =
    Shape::Struct(&[required("summary", &SUMMARY), required("status", &DECISION)]);
static SUMMARY: Shape = Shape::Text(text(0, 512));
static DECISION: Shape = Shape::OneOf(&["Approved", "Rejected"]);

static CURRENT: Shape = Shape::Struct(&[
    required("revision", &EXTERNAL),
    required("changeIdentifier", &SHORT),
    optional("created", &TIME),
    optional("revisionSummary", &LONG),
]);
static TIME: Shape = Shape::Time;
static DETAILS: Shape = Shape::Struct(&[
    optional("summary", &LONG),
    optional("externalExecutionId", &EXTERNAL),
    optional("percentComplete", &PERCENT),
]);
static PERCENT: Shape = Shape::Number { min: 0, max: 100 };
static OUTPUT: Shape = Shape::Map {
    max: MANY,
    key: matching(0, MANY, Pattern::Chars(r"[A-Za-z0-9@\-_]+", "@-_")),
    value: text(0, MANY),
};
static FAILURE: Shape = Shape::Struct(&[
    required("type", &FAILURE_TYPE),
    required("message", &MESSAGE),
    optional("externalExecutionId", &EXTERNAL),
]);
static FAILURE_TYPE: Shape = Shape::OneOf(&[
    "JobFailed",
    "ConfigurationError",
    "PermissionError",
    "RevisionOutOfSync",
    "RevisionUnavailable",
    "SystemUnavailable",
]);
static MESSAGE: Shape = Shape::Text(text(1, 5000));
static NONCE: Shape = Shape::Text(text(1, 50).secret());

static CATEGORY: Shape = Shape::OneOf(&[
    "Source", "Build", "Deploy", "Test", "Invoke", "Approval", "Compute",
]);
static OWNER: Shape = Shape::OneOf(&["AWS", "ThirdParty", "Custom"]);
static PROVIDER: Shape = Shape::Text(matching(1, 35, Pattern::Chars(WORD, "_-")));
static VERSION: Shape = Shape::Text(matching(1, 9, Pattern::Chars(WORD, "_-")));
static ACTION_TYPE: Shape = Shape::Struct(&[
    required("category", &CATEGORY),
    required("owner", &OWNER),
    required("provider", &PROVIDER),
    required("version", &VERSION),
]);
static QUERY: Shape = Shape::Map {
    max: 1,
    key: text(1, 50),
    value: matching(1, 50, Pattern::Chars("[a-zA-Z0-9_-]+", "_-")),
};
static SETTINGS: Shape = Shape::Struct(&[
    optional("thirdPartyConfigurationUrl", &LONG),
    optional("entityUrlTemplate", &LONG),
    optional("executionUrlTemplate", &LONG),
    optional("revisionUrlTemplate", &LONG),
]);
static PROPERTIES: Shape = Shape::List {
    min: 0,
    max: 10,
    of: &PROPERTY,
};
static PROPERTY: Shape = Shape::Struct(&[
    required("name", &KEY),
    required("required", &FLAG),
    required("key", &FLAG),
    required("secret", &FLAG),
    optional("queryable", &FLAG),
    optional("description", &DESCRIPTION),
    optional("type", &PROPERTY_TYPE),
]);
static KEY: Shape = Shape::Text(text(1, 50));
static DESCRIPTION: Shape = Shape::Text(text(1, 160));
static PROPERTY_TYPE: Shape = Shape::OneOf(&["String", "Number", "Boolean"]);
static COUNTS: Shape = Shape::Struct(&[
    required("minimumCount", &COUNT),
    required("maximumCount", &COUNT),
]);
static COUNT: Shape = Shape::Number { min: 0, max: 5 };

pub(super) static CREATE_PIPELINE: &[Member] =
    &[required("pipeline", &ANY), optional("tags", &TAGS)];
pub(super) static UPDATE_PIPELINE: &[Member] = &[required("pipeline", &ANY)];
pub(super) static GET_PIPELINE: &[Member] =
    &[required("name", &NAMED), optional("version", &POSITIVE)];
pub(super) static BY_NAME: &[Member] = &[required("name", &NAMED)];
pub(super) static LIST_PIPELINES: &[Member] = &[
    optional("nextToken", &NEXT),
    optional("maxResults", &THOUSAND),
];
pub(super) static START: &[Member] = &[
    required("name", &NAMED),
    optional("variables", &VARIABLES),
    optional("clientRequestToken", &CLIENT_TOKEN),
    optional("sourceRevisions", &REVISIONS),
];
pub(super) static STOP: &[Member] = &[
    required("pipelineName", &NAMED),
    required("pipelineExecutionId", &UUID),
    optional("abandon", &FLAG),
    optional("reason", &REASON),
];
pub(super) static RETRY: &[Member] = &[
    required("pipelineName", &NAMED),
    required("stageName", &NAMED),
    required("pipelineExecutionId", &UUID),
    required("retryMode", &RETRY_MODE),
];
pub(super) static ROLLBACK: &[Member] = &[
    required("pipelineName", &NAMED),
    required("stageName", &NAMED),
    required("targetPipelineExecutionId", &UUID),
];
pub(super) static OVERRIDE: &[Member] = &[
    required("pipelineName", &NAMED),
    required("stageName", &NAMED),
    required("pipelineExecutionId", &UUID),
    required("conditionType", &CONDITION_TYPE),
];
pub(super) static LIST_RULE_TYPES: &[Member] = &[
    optional("ruleOwnerFilter", &RULE_OWNER),
    optional("regionFilter", &REGION),
];
pub(super) static PUT_REVISION: &[Member] = &[
    required("pipelineName", &NAMED),
    required("stageName", &NAMED),
    required("actionName", &NAMED),
    required("actionRevision", &ACTION_REVISION),
];
pub(super) static LIST_TARGETS: &[Member] = &[
    optional("pipelineName", &NAMED),
    required("actionExecutionId", &ANY_TEXT),
    optional("filters", &TARGET_FILTERS),
    optional("maxResults", &HUNDRED),
    optional("nextToken", &NEXT),
];
pub(super) static GET_ACTION_TYPE: &[Member] = &[
    required("category", &CATEGORY),
    required("owner", &TYPE_OWNER),
    required("provider", &PROVIDER),
    required("version", &VERSION),
];
pub(super) static UPDATE_ACTION_TYPE: &[Member] = &[required("actionType", &DECLARED_TYPE)];
pub(super) static GET_EXECUTION: &[Member] = &[
    required("pipelineName", &NAMED),
    required("pipelineExecutionId", &UUID),
];
pub(super) static LIST_EXECUTIONS: &[Member] = &[
    required("pipelineName", &NAMED),
    optional("maxResults", &HUNDRED),
    optional("filter", &EXECUTION_FILTER),
    optional("nextToken", &NEXT),
];
pub(super) static LIST_ACTIONS: &[Member] = &[
    required("pipelineName", &NAMED),
    optional("filter", &ACTION_FILTER),
    optional("maxResults", &HUNDRED),
    optional("nextToken", &NEXT),
];
pub(super) static ENABLE: &[Member] = &[
    required("pipelineName", &NAMED),
    required("stageName", &NAMED),
    required("transitionType", &TRANSITION),
];
pub(super) static DISABLE: &[Member] = &[
    required("pipelineName", &NAMED),
    required("stageName", &NAMED),
    required("transitionType", &TRANSITION),
    required("reason", &DISABLED),
];
pub(super) static APPROVAL: &[Member] = &[
    required("pipelineName", &NAMED),
    required("stageName", &NAMED),
    required("actionName", &NAMED),
    required("result", &RESULT),
    required("token", &TOKEN),
];
pub(super) static JOB: &[Member] = &[required("jobId", &UUID)];
pub(super) static JOB_SUCCESS: &[Member] = &[
    required("jobId", &UUID),
    optional("currentRevision", &CURRENT),
    optional("continuationToken", &LONG),
    optional("executionDetails", &DETAILS),
    optional("outputVariables", &OUTPUT),
];
pub(super) static JOB_FAILURE: &[Member] = &[
    required("jobId", &UUID),
    required("failureDetails", &FAILURE),
];
pub(super) static POLL: &[Member] = &[
    required("actionTypeId", &ACTION_TYPE),
    optional("maxBatchSize", &POSITIVE),
    optional("queryParam", &QUERY),
];
pub(super) static ACKNOWLEDGE: &[Member] = &[required("jobId", &UUID), required("nonce", &NONCE)];
pub(super) static TAG_RESOURCE: &[Member] =
    &[required("resourceArn", &ARN), required("tags", &TAGS)];
pub(super) static UNTAG_RESOURCE: &[Member] = &[
    required("resourceArn", &ARN),
    required("tagKeys", &TAG_KEYS),
];
pub(super) static LIST_TAGS: &[Member] = &[
    required("resourceArn", &ARN),
    optional("nextToken", &NEXT),
    optional("maxResults", &HUNDRED),
];
pub(super) static LIST_ACTION_TYPES: &[Member] = &[
    optional("actionOwnerFilter", &OWNER),
    optional("regionFilter", &REGION),
    optional("nextToken", &NEXT),
];
pub(super) static CREATE_ACTION_TYPE: &[Member] = &[
    required("category", &CATEGORY),
    required("provider", &PROVIDER),
    required("version", &VERSION),
    optional("settings", &SETTINGS),
    optional("configurationProperties", &PROPERTIES),
    required("inputArtifactDetails", &COUNTS),
    required("outputArtifactDetails", &COUNTS),
    optional("tags", &TAGS),
];
pub(super) static DELETE_ACTION_TYPE: &[Member] = &[
    required("category", &CATEGORY),
    required("provider", &PROVIDER),
    required("version", &VERSION),
];
