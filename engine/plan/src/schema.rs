//! The shapes of a pipeline definition with their limits, as data (`codepipeline.md` 1.2, from the service model).

use crate::model::{Kind, Member, Pattern};

const NAME: Pattern = Pattern {
    text: r"[A-Za-z0-9.@\-_]+",
    holds: |text| matches(text, ".@-_"),
};
const PLAIN_NAME: Pattern = Pattern {
    text: r"[A-Za-z0-9@\-_]+",
    holds: |text| matches(text, "@-_"),
};
const ARTIFACT: Pattern = Pattern {
    text: r"[a-zA-Z0-9_\-]+",
    holds: |text| matches(text, "_-"),
};
const WORD: Pattern = Pattern {
    text: "[0-9A-Za-z_-]+",
    holds: |text| matches(text, "_-"),
};
const ENVIRONMENT: Pattern = Pattern {
    text: "[A-Za-z0-9_]+",
    holds: |text| matches(text, "_"),
};
const BUCKET: Pattern = Pattern {
    text: r"[a-zA-Z0-9\-\.]+",
    holds: |text| matches(text, "-."),
};
const ROLE: Pattern = Pattern {
    text: r"arn:aws(-[\w]+)*:iam::[0-9]{12}:role/.*",
    holds: is_role,
};

fn matches(text: &str, extra: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

fn is_role(text: &str) -> bool {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, resource] = parts[..] else {
        return false;
    };
    arn == "arn"
        && (partition == "aws" || partition.starts_with("aws-"))
        && service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && resource.starts_with("role/")
}

const fn text(least: usize, most: usize, pattern: Option<Pattern>) -> Kind {
    Kind::Text {
        least,
        most,
        pattern,
    }
}
const fn must(name: &'static str, kind: &'static Kind) -> Member {
    Member {
        name,
        kind,
        required: true,
    }
}
const fn may(name: &'static str, kind: &'static Kind) -> Member {
    Member {
        name,
        kind,
        required: false,
    }
}
const fn list(of: &'static Kind, least: usize, most: usize) -> Kind {
    Kind::List { of, least, most }
}

static NAME_100: Kind = text(1, 100, Some(NAME));
static NAMESPACE: Kind = text(1, 100, Some(PLAIN_NAME));
static ROLE_ARN: Kind = text(0, 1024, Some(ROLE));
static REGION: Kind = text(4, 30, None);
static WORD_35: Kind = text(1, 35, Some(WORD));
static WORD_9: Kind = text(1, 9, Some(WORD));
static TEXT_128: Kind = text(1, 128, None);
static TEXT_1000: Kind = text(1, 1000, None);
static MINUTES: Kind = Kind::Whole {
    least: 5,
    most: 86_400,
};

static STORE: Kind = Kind::Shape(&[
    must("type", &Kind::Choice(&["S3"])),
    must("location", &text(3, 63, Some(BUCKET))),
    may(
        "encryptionKey",
        &Kind::Shape(&[
            must("id", &text(1, 400, None)),
            must("type", &Kind::Choice(&["KMS"])),
        ]),
    ),
]);

static STORES: Kind = Kind::Map {
    key: &REGION,
    value: &STORE,
    most: usize::MAX,
};

static CONFIGURATION: Kind = Kind::Map {
    key: &text(1, 50, None),
    value: &TEXT_1000,
    most: usize::MAX,
};

static RULE_CONFIGURATION: Kind = Kind::Map {
    key: &text(1, 50, None),
    value: &text(1, 10_000, None),
    most: 200,
};

static INPUTS: Kind = list(
    &Kind::Shape(&[must("name", &text(1, 100, Some(ARTIFACT)))]),
    0,
    usize::MAX,
);

static OUTPUTS: Kind = list(
    &Kind::Shape(&[
        must("name", &text(1, 100, Some(ARTIFACT))),
        may("files", &list(&TEXT_128, 1, 10)),
    ]),
    0,
    usize::MAX,
);

static ACTION: Kind = Kind::Shape(&[
    must("name", &NAME_100),
    must(
        "actionTypeId",
        &Kind::Shape(&[
            must(
                "category",
                &Kind::Choice(&[
                    "Source", "Build", "Deploy", "Test", "Invoke", "Approval", "Compute",
                ]),
            ),
            must("owner", &Kind::Choice(&["AWS", "ThirdParty", "Custom"])),
            must("provider", &WORD_35),
            must("version", &WORD_9),
        ]),
    ),
    may(
        "runOrder",
        &Kind::Whole {
            least: 1,
            most: 999,
        },
    ),
    may("configuration", &CONFIGURATION),
    may("commands", &list(&TEXT_1000, 1, 50)),
    may(
        "environmentVariables",
        &list(
            &Kind::Shape(&[
                must("name", &text(1, 128, Some(ENVIRONMENT))),
                must("value", &text(1, 2000, None)),
                may("type", &Kind::Choice(&["PLAINTEXT", "SECRETS_MANAGER"])),
            ]),
            1,
            10,
        ),
    ),
    may("outputVariables", &list(&TEXT_128, 1, 15)),
    may("outputArtifacts", &OUTPUTS),
    may("inputArtifacts", &INPUTS),
    may("roleArn", &ROLE_ARN),
    may("region", &REGION),
    may("namespace", &NAMESPACE),
    may("timeoutInMinutes", &MINUTES),
]);

static CONDITIONS: Kind = list(
    &Kind::Shape(&[
        may("result", &RESULT),
        may(
            "rules",
            &list(
                &Kind::Shape(&[
                    must("name", &NAME_100),
                    must(
                        "ruleTypeId",
                        &Kind::Shape(&[
                            must("category", &Kind::Choice(&["Rule"])),
                            may("owner", &Kind::Choice(&["AWS"])),
                            must("provider", &WORD_35),
                            may("version", &WORD_9),
                        ]),
                    ),
                    may("configuration", &RULE_CONFIGURATION),
                    may("commands", &list(&TEXT_1000, 1, 50)),
                    may("inputArtifacts", &INPUTS),
                    may("roleArn", &ROLE_ARN),
                    may("region", &REGION),
                    may("timeoutInMinutes", &MINUTES),
                ]),
                1,
                5,
            ),
        ),
    ]),
    1,
    1,
);

static RESULT: Kind = Kind::Choice(&["ROLLBACK", "FAIL", "RETRY", "SKIP"]);
static GATE: Kind = Kind::Shape(&[must("conditions", &CONDITIONS)]);

static STAGE: Kind = Kind::Shape(&[
    must("name", &NAME_100),
    may(
        "blockers",
        &list(
            &Kind::Shape(&[
                must("name", &text(1, 100, None)),
                must("type", &Kind::Choice(&["Schedule"])),
            ]),
            0,
            usize::MAX,
        ),
    ),
    must("actions", &list(&ACTION, 0, usize::MAX)),
    may(
        "onFailure",
        &Kind::Shape(&[
            may("result", &RESULT),
            may(
                "retryConfiguration",
                &Kind::Shape(&[may(
                    "retryMode",
                    &Kind::Choice(&["FAILED_ACTIONS", "ALL_ACTIONS"]),
                )]),
            ),
            may("conditions", &CONDITIONS),
        ]),
    ),
    may("onSuccess", &GATE),
    may("beforeEntry", &GATE),
]);

static PATTERNS: Kind = list(&text(1, 255, None), 1, 8);
static FILTER: Kind = Kind::Shape(&[may("includes", &PATTERNS), may("excludes", &PATTERNS)]);

static TRIGGER: Kind = Kind::Shape(&[
    must("providerType", &Kind::Choice(&["CodeStarSourceConnection"])),
    must(
        "gitConfiguration",
        &Kind::Shape(&[
            must("sourceActionName", &NAME_100),
            may(
                "push",
                &list(
                    &Kind::Shape(&[
                        may("tags", &FILTER),
                        may("branches", &FILTER),
                        may("filePaths", &FILTER),
                    ]),
                    1,
                    3,
                ),
            ),
            may(
                "pullRequest",
                &list(
                    &Kind::Shape(&[
                        may(
                            "events",
                            &list(&Kind::Choice(&["OPEN", "UPDATED", "CLOSED"]), 1, 3),
                        ),
                        may("branches", &FILTER),
                        may("filePaths", &FILTER),
                    ]),
                    1,
                    3,
                ),
            ),
        ]),
    ),
]);

/// `PipelineDeclaration`.
pub(crate) static PIPELINE: Kind = Kind::Shape(&[
    must("name", &NAME_100),
    must("roleArn", &ROLE_ARN),
    may("artifactStore", &STORE),
    may("artifactStores", &STORES),
    must("stages", &list(&STAGE, 0, usize::MAX)),
    may(
        "version",
        &Kind::Whole {
            least: 1,
            most: i64::MAX,
        },
    ),
    may(
        "executionMode",
        &Kind::Choice(&["QUEUED", "SUPERSEDED", "PARALLEL"]),
    ),
    may("pipelineType", &Kind::Choice(&["V1", "V2"])),
    may(
        "variables",
        &list(
            &Kind::Shape(&[
                must("name", &text(1, 128, Some(PLAIN_NAME))),
                may("defaultValue", &TEXT_1000),
                may("description", &text(0, 200, None)),
            ]),
            0,
            50,
        ),
    ),
    may("triggers", &list(&TRIGGER, 0, 50)),
]);

static COUNT: Kind = Kind::Shape(&[
    must("minimumCount", &Kind::Whole { least: 0, most: 5 }),
    must("maximumCount", &Kind::Whole { least: 0, most: 5 }),
]);
static URL: Kind = text(1, 2048, None);

/// `CreateCustomActionTypeInput` without tags.
pub(crate) static ACTION_TYPE: Kind = Kind::Shape(&[
    must(
        "category",
        &Kind::Choice(&[
            "Source", "Build", "Deploy", "Test", "Invoke", "Approval", "Compute",
        ]),
    ),
    must("provider", &WORD_35),
    must("version", &WORD_9),
    may(
        "settings",
        &Kind::Shape(&[
            may("thirdPartyConfigurationUrl", &URL),
            may("entityUrlTemplate", &URL),
            may("executionUrlTemplate", &URL),
            may("revisionUrlTemplate", &URL),
        ]),
    ),
    may(
        "configurationProperties",
        &list(
            &Kind::Shape(&[
                must("name", &text(1, 50, None)),
                must("required", &Kind::Flag),
                must("key", &Kind::Flag),
                must("secret", &Kind::Flag),
                may("queryable", &Kind::Flag),
                may("description", &text(1, 160, None)),
                may("type", &Kind::Choice(&["String", "Number", "Boolean"])),
            ]),
            0,
            10,
        ),
    ),
    must("inputArtifactDetails", &COUNT),
    must("outputArtifactDetails", &COUNT),
]);
