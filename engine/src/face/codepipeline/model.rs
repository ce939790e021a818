//! What each operation's request may hold (botocore's model `codepipeline/2015-07-09`).

use engine_plan::{
    model::arn,
    schema::{
        self, ACTION_TYPE_ID, CATEGORY, FLAG, KEY_TEXT, NAME, OWNER, PIPELINE, POSITIVE, PROVIDER,
        REGION, RETRY_MODE, RULE_OWNER, TAG_KEY, TAGS, VARIABLE_NAME, VARIABLE_VALUE, VERSION,
    },
};

use crate::face::constraint::{Member, Pattern, Shape, list, matching, optional, required, text};

mod declared;

use declared::{DECLARED_TYPE, TYPE_OWNER};

const MANY: usize = usize::MAX;

static UUID: Shape = Shape::Text(matching(0, MANY, Pattern::Uuid));
static TOKEN: Shape = Shape::Text(matching(0, MANY, Pattern::Uuid).secret());
static ARN: Shape = Shape::Text(matching(
    0,
    MANY,
    Pattern::Other(r"arn:aws(-[\w]+)*:codepipeline:.+:[0-9]{12}:.+", |text| {
        arn(text, "codepipeline")
            .is_some_and(|(region, _, name)| !region.is_empty() && !name.is_empty())
    }),
));
static NEXT: Shape = Shape::Text(text(1, 2048));
static HUNDRED: Shape = Shape::Number { min: 1, max: 100 };
static THOUSAND: Shape = Shape::Number { min: 1, max: 1000 };
static SHORT: Shape = Shape::Text(text(1, 100));
static LONG: Shape = Shape::Text(text(1, 2048));
static EXTERNAL: Shape = Shape::Text(text(1, 1500));
static TAG_KEYS: Shape = list(&TAG_KEY, 0, MANY);

static VARIABLES: Shape = Shape::List {
    min: 1,
    max: 50,
    of: &VARIABLE,
};
static VARIABLE: Shape = Shape::Struct(&[
    required("name", &VARIABLE_NAME),
    required("value", &VARIABLE_VALUE),
]);
static CLIENT_TOKEN: Shape = Shape::Text(matching(1, 128, Pattern::Chars("^[a-zA-Z0-9-]+$", "-")));
static REVISIONS: Shape = Shape::List {
    min: 0,
    max: 50,
    of: &REVISION,
};
static REVISION: Shape = Shape::Struct(&[
    required("actionName", &NAME),
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
static TARGET_VALUES: Shape = list(&Shape::Text(text(1, MANY)), 0, MANY);
static CONDITION_TYPE: Shape = Shape::OneOf(&["BEFORE_ENTRY", "ON_SUCCESS"]);
static TRANSITION: Shape = Shape::OneOf(&["Inbound", "Outbound"]);

static EXECUTION_FILTER: Shape = Shape::Struct(&[optional("succeededInStage", &SUCCEEDED_IN)]);
static SUCCEEDED_IN: Shape = Shape::Struct(&[optional("stageName", &NAME)]);
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
    key: matching(0, MANY, schema::VARIABLE),
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
static PARTNER_JOB: Shape = Shape::Text(text(1, 512));
static PARTNER_TOKEN: Shape = Shape::Text(text(1, 256).secret());

static WEBHOOK: Shape = Shape::Struct(&[
    required("name", &NAME),
    required("targetPipeline", &NAME),
    required("targetAction", &NAME),
    required("filters", &FILTERS),
    required("authentication", &AUTHENTICATION),
    required("authenticationConfiguration", &AUTHENTICATED_BY),
]);
static FILTERS: Shape = Shape::List {
    min: 0,
    max: 5,
    of: &FILTER,
};
static FILTER: Shape = Shape::Struct(&[
    required("jsonPath", &FILTER_TEXT),
    optional("matchEquals", &FILTER_TEXT),
]);
static FILTER_TEXT: Shape = Shape::Text(text(1, 150));
static AUTHENTICATION: Shape = Shape::OneOf(&["GITHUB_HMAC", "IP", "UNAUTHENTICATED"]);
static AUTHENTICATED_BY: Shape = Shape::Struct(&[
    optional("AllowedIPRange", &SHORT),
    optional("SecretToken", &SECRET_TOKEN),
]);
static SECRET_TOKEN: Shape = Shape::Text(text(1, 100).secret());

static QUERY: Shape = Shape::Map {
    max: 1,
    key: KEY_TEXT,
    value: matching(1, 50, Pattern::Chars("[a-zA-Z0-9_-]+", "_-")),
};
pub(super) static CREATE_PIPELINE: &[Member] =
    &[required("pipeline", &PIPELINE), optional("tags", &TAGS)];
pub(super) static UPDATE_PIPELINE: &[Member] = &[required("pipeline", &PIPELINE)];
pub(super) static GET_PIPELINE: &[Member] =
    &[required("name", &NAME), optional("version", &POSITIVE)];
pub(super) static BY_NAME: &[Member] = &[required("name", &NAME)];
pub(super) static LIST_PIPELINES: &[Member] = &[
    optional("nextToken", &NEXT),
    optional("maxResults", &THOUSAND),
];
pub(super) static START: &[Member] = &[
    required("name", &NAME),
    optional("variables", &VARIABLES),
    optional("clientRequestToken", &CLIENT_TOKEN),
    optional("sourceRevisions", &REVISIONS),
];
pub(super) static STOP: &[Member] = &[
    required("pipelineName", &NAME),
    required("pipelineExecutionId", &UUID),
    optional("abandon", &FLAG),
    optional("reason", &REASON),
];
pub(super) static RETRY: &[Member] = &[
    required("pipelineName", &NAME),
    required("stageName", &NAME),
    required("pipelineExecutionId", &UUID),
    required("retryMode", &RETRY_MODE),
];
pub(super) static ROLLBACK: &[Member] = &[
    required("pipelineName", &NAME),
    required("stageName", &NAME),
    required("targetPipelineExecutionId", &UUID),
];
pub(super) static OVERRIDE: &[Member] = &[
    required("pipelineName", &NAME),
    required("stageName", &NAME),
    required("pipelineExecutionId", &UUID),
    required("conditionType", &CONDITION_TYPE),
];
pub(super) static LIST_RULE_TYPES: &[Member] = &[
    optional("ruleOwnerFilter", &RULE_OWNER),
    optional("regionFilter", &REGION),
];
pub(super) static PUT_REVISION: &[Member] = &[
    required("pipelineName", &NAME),
    required("stageName", &NAME),
    required("actionName", &NAME),
    required("actionRevision", &ACTION_REVISION),
];
pub(super) static LIST_TARGETS: &[Member] = &[
    optional("pipelineName", &NAME),
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
    required("pipelineName", &NAME),
    required("pipelineExecutionId", &UUID),
];
pub(super) static LIST_EXECUTIONS: &[Member] = &[
    required("pipelineName", &NAME),
    optional("maxResults", &HUNDRED),
    optional("filter", &EXECUTION_FILTER),
    optional("nextToken", &NEXT),
];
pub(super) static LIST_ACTIONS: &[Member] = &[
    required("pipelineName", &NAME),
    optional("filter", &ACTION_FILTER),
    optional("maxResults", &HUNDRED),
    optional("nextToken", &NEXT),
];
pub(super) static ENABLE: &[Member] = &[
    required("pipelineName", &NAME),
    required("stageName", &NAME),
    required("transitionType", &TRANSITION),
];
pub(super) static DISABLE: &[Member] = &[
    required("pipelineName", &NAME),
    required("stageName", &NAME),
    required("transitionType", &TRANSITION),
    required("reason", &DISABLED),
];
pub(super) static APPROVAL: &[Member] = &[
    required("pipelineName", &NAME),
    required("stageName", &NAME),
    required("actionName", &NAME),
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
    required("actionTypeId", &ACTION_TYPE_ID),
    optional("maxBatchSize", &POSITIVE),
    optional("queryParam", &QUERY),
];
pub(super) static ACKNOWLEDGE: &[Member] = &[required("jobId", &UUID), required("nonce", &NONCE)];
pub(super) static POLL_THIRD_PARTY: &[Member] = &[
    required("actionTypeId", &ACTION_TYPE_ID),
    optional("maxBatchSize", &POSITIVE),
];
pub(super) static THIRD_PARTY_JOB: &[Member] = &[
    required("jobId", &PARTNER_JOB),
    required("clientToken", &PARTNER_TOKEN),
];
pub(super) static ACKNOWLEDGE_THIRD_PARTY: &[Member] = &[
    required("jobId", &PARTNER_JOB),
    required("nonce", &NONCE),
    required("clientToken", &PARTNER_TOKEN),
];
pub(super) static THIRD_PARTY_SUCCESS: &[Member] = &[
    required("jobId", &PARTNER_JOB),
    required("clientToken", &PARTNER_TOKEN),
    optional("currentRevision", &CURRENT),
    optional("continuationToken", &LONG),
    optional("executionDetails", &DETAILS),
];
pub(super) static THIRD_PARTY_FAILURE: &[Member] = &[
    required("jobId", &PARTNER_JOB),
    required("clientToken", &PARTNER_TOKEN),
    required("failureDetails", &FAILURE),
];
pub(super) static PUT_WEBHOOK: &[Member] =
    &[required("webhook", &WEBHOOK), optional("tags", &TAGS)];
pub(super) static LIST_WEBHOOKS: &[Member] = &[
    optional("NextToken", &NEXT),
    optional("MaxResults", &HUNDRED),
];
pub(super) static REGISTER_WEBHOOK: &[Member] = &[optional("webhookName", &NAME)];
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
pub(super) static CREATE_ACTION_TYPE: &[Member] = schema::ACTION_TYPE_MEMBERS;
pub(super) static DELETE_ACTION_TYPE: &[Member] = &[
    required("category", &CATEGORY),
    required("provider", &PROVIDER),
    required("version", &VERSION),
];
