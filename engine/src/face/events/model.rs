//! What each request may hold (botocore's model `events/2015-10-07`).

use crate::face::constraint::{
    Member, Pattern, Shape, Text, list, matching, optional, required, text,
};

const MANY: usize = usize::MAX;

const NAME: Text = matching(1, 64, Pattern::Chars(r"[\.\-_A-Za-z0-9]+", ".-_"));
const BUS: Text = matching(1, 256, Pattern::Chars(r"[/\.\-_A-Za-z0-9]+", "/.-_"));
const BUS_OR_ARN: Text = matching(
    1,
    1600,
    Pattern::Chars(
        r"(arn:aws[\w-]*:events:[a-z]+-[a-z]+-[\w-]+:[0-9]{12}:event-bus\/)?[/\.\-_A-Za-z0-9]+",
        ":/.-_",
    ),
);
const PATH: Text = text(0, 256);

static RULE_NAME: Shape = Shape::Text(NAME);
static TARGET_ID: Shape = Shape::Text(NAME);
static BUS_NAME: Shape = Shape::Text(BUS);
static BUS_NAME_OR_ARN: Shape = Shape::Text(BUS_OR_ARN);
static ARN: Shape = Shape::Text(text(1, 1600));
static SOME_TEXT: Shape = Shape::Text(text(0, MANY));
static EVENT_PATTERN: Shape = Shape::Text(text(0, 4096));
static SCHEDULE: Shape = Shape::Text(text(0, 256));
static DESCRIPTION: Shape = Shape::Text(text(0, 512));
static STATE: Shape = Shape::OneOf(&[
    "ENABLED",
    "DISABLED",
    "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
]);
static LIMIT: Shape = Shape::Number { min: 1, max: 100 };
static NEXT: Shape = Shape::Text(text(1, 2048));
static FLAG: Shape = Shape::Flag;
static ANY: Shape = Shape::Any;

static TAGS: Shape = list(&TAG, 0, MANY);
static TAG: Shape = Shape::Struct(&[required("Key", &TAG_KEY), required("Value", &TAG_VALUE)]);
static TAG_KEY: Shape = Shape::Text(text(1, 128));
static TAG_VALUE: Shape = Shape::Text(text(0, 256));
static TAG_KEYS: Shape = list(&TAG_KEY, 0, MANY);

static TARGETS: Shape = list(&TARGET, 1, 100);
static TARGET: Shape = Shape::Struct(&[
    required("Id", &TARGET_ID),
    required("Arn", &ARN),
    optional("RoleArn", &ARN),
    optional("Input", &INPUT),
    optional("InputPath", &INPUT_PATH),
    optional("InputTransformer", &TRANSFORMER),
    optional("RetryPolicy", &RETRY),
    optional("DeadLetterConfig", &ANY),
]);
static TARGET_IDS: Shape = list(&TARGET_ID, 1, 100);
static INPUT: Shape = Shape::Text(text(0, 8192));
static INPUT_PATH: Shape = Shape::Text(PATH);
static TRANSFORMER: Shape = Shape::Struct(&[
    optional("InputPathsMap", &PATHS),
    required("InputTemplate", &TEMPLATE),
]);
static PATHS: Shape = Shape::Map {
    max: 100,
    key: matching(1, 256, Pattern::Chars(r"[A-Za-z0-9\_\-]+", "_-")),
    value: PATH,
};
static TEMPLATE: Shape = Shape::Text(text(1, 8192));
static RETRY: Shape = Shape::Struct(&[
    optional("MaximumRetryAttempts", &ATTEMPTS),
    optional("MaximumEventAgeInSeconds", &AGE),
]);
static ATTEMPTS: Shape = Shape::Number { min: 0, max: 185 };
static AGE: Shape = Shape::Number {
    min: 60,
    max: 86400,
};

static ENTRIES: Shape = list(&ENTRY, 1, 10);
static ENTRY: Shape = Shape::Struct(&[
    optional("Time", &Shape::Time),
    optional("Source", &SOME_TEXT),
    optional("Resources", &RESOURCES),
    optional("DetailType", &SOME_TEXT),
    optional("Detail", &SOME_TEXT),
    optional("EventBusName", &BUS_NAME_OR_ARN),
    optional("TraceHeader", &TRACE),
]);
static RESOURCES: Shape = list(&RESOURCE, 0, MANY);
static RESOURCE: Shape = Shape::Text(text(0, 2048));
static TRACE: Shape = Shape::Text(text(1, 500));

/// PutRule.
pub(super) static PUT_RULE: &[Member] = &[
    required("Name", &RULE_NAME),
    optional("ScheduleExpression", &SCHEDULE),
    optional("EventPattern", &EVENT_PATTERN),
    optional("State", &STATE),
    optional("Description", &DESCRIPTION),
    optional("RoleArn", &ARN),
    optional("Tags", &TAGS),
    optional("EventBusName", &BUS_NAME_OR_ARN),
];
/// DescribeRule, EnableRule, DisableRule, DeleteRule.
pub(super) static RULE: &[Member] = &[
    required("Name", &RULE_NAME),
    optional("EventBusName", &BUS_NAME_OR_ARN),
    optional("Force", &FLAG),
];
/// ListRules.
pub(super) static LIST_RULES: &[Member] = &[
    optional("NamePrefix", &RULE_NAME),
    optional("EventBusName", &BUS_NAME_OR_ARN),
    optional("NextToken", &NEXT),
    optional("Limit", &LIMIT),
];
/// ListRuleNamesByTarget.
pub(super) static RULES_BY_TARGET: &[Member] = &[
    required("TargetArn", &ARN),
    optional("EventBusName", &BUS_NAME_OR_ARN),
    optional("NextToken", &NEXT),
    optional("Limit", &LIMIT),
];
/// PutTargets.
pub(super) static PUT_TARGETS: &[Member] = &[
    required("Rule", &RULE_NAME),
    optional("EventBusName", &BUS_NAME_OR_ARN),
    required("Targets", &TARGETS),
];
/// RemoveTargets.
pub(super) static REMOVE_TARGETS: &[Member] = &[
    required("Rule", &RULE_NAME),
    optional("EventBusName", &BUS_NAME_OR_ARN),
    required("Ids", &TARGET_IDS),
    optional("Force", &FLAG),
];
/// ListTargetsByRule.
pub(super) static LIST_TARGETS: &[Member] = &[
    required("Rule", &RULE_NAME),
    optional("EventBusName", &BUS_NAME_OR_ARN),
    optional("NextToken", &NEXT),
    optional("Limit", &LIMIT),
];
/// PutEvents.
pub(super) static PUT_EVENTS: &[Member] = &[
    required("Entries", &ENTRIES),
    optional("EndpointId", &SOME_TEXT),
];
/// TestEventPattern.
pub(super) static TEST_PATTERN: &[Member] = &[
    required("EventPattern", &EVENT_PATTERN),
    required("Event", &SOME_TEXT),
];
/// CreateEventBus.
pub(super) static CREATE_BUS: &[Member] = &[
    required("Name", &BUS_NAME),
    optional("EventSourceName", &SOME_TEXT),
    optional("Description", &DESCRIPTION),
    optional("KmsKeyIdentifier", &SOME_TEXT),
    optional("DeadLetterConfig", &ANY),
    optional("LogConfig", &ANY),
    optional("Tags", &TAGS),
];
/// DescribeEventBus.
pub(super) static DESCRIBE_BUS: &[Member] = &[optional("Name", &BUS_NAME_OR_ARN)];
/// DeleteEventBus.
pub(super) static DELETE_BUS: &[Member] = &[required("Name", &BUS_NAME)];
/// ListEventBuses.
pub(super) static LIST_BUSES: &[Member] = &[
    optional("NamePrefix", &BUS_NAME),
    optional("NextToken", &NEXT),
    optional("Limit", &LIMIT),
];
/// TagResource.
pub(super) static TAG_RESOURCE: &[Member] =
    &[required("ResourceARN", &ARN), required("Tags", &TAGS)];
/// UntagResource.
pub(super) static UNTAG_RESOURCE: &[Member] = &[
    required("ResourceARN", &ARN),
    required("TagKeys", &TAG_KEYS),
];
/// ListTagsForResource.
pub(super) static LIST_TAGS: &[Member] = &[required("ResourceARN", &ARN)];
