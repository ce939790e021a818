//! What the action is, for `stagewright describe`, its page and its custom action type.

use shared::{
    describe::{Described, Description, Kind, Parameter, defaulted, optional},
    port::{Artifacts, Ledger, Services},
};

use crate::{
    RunTask,
    params::{LONGEST_PATIENCE, MOST_LINES},
};

impl<S: Services, L: Ledger, A: Artifacts> Described for RunTask<S, L, A> {
    const DESCRIPTION: Description = Description {
        summary: "Runs a task on ECS and waits for its exit codes: migrations and other errands.",
        category: "Deploy",
        provider: "RunTask",
        inputs: (0, 1),
        outputs: (0, 1),
        parameters: &[
            Parameter {
                required: true,
                ..optional(
                    "taskDefinition",
                    Kind::Text,
                    "family, family:revision or ARN of the task definition",
                )
            },
            defaulted(
                "cluster",
                Kind::Text,
                "\"default\"",
                "name or ARN of the cluster",
            ),
            optional(
                "container",
                Kind::Text,
                "the container that command and environment are for",
            ),
            optional(
                "command",
                Kind::List,
                "command of that container, in place of its own",
            ),
            optional(
                "environment",
                Kind::Map,
                "more environment variables of that container; no secrets",
            ),
            optional(
                "subnets",
                Kind::List,
                "of tasks in awsvpc mode, as on Fargate",
            ),
            optional(
                "securityGroups",
                Kind::List,
                "of such tasks; the network's default group when not given",
            ),
            optional(
                "launchType",
                Kind::OneOf(&["FARGATE", "EC2", "EXTERNAL"]),
                "the cluster's own strategy when not given",
            ),
            defaulted(
                "timeoutMinutes",
                Kind::Number(1, LONGEST_PATIENCE),
                "60",
                "how long the task may take, from the start of the action; then it is stopped",
            ),
            defaulted(
                "assignPublicIp",
                Kind::Boolean,
                "false",
                "of tasks in awsvpc mode",
            ),
            optional("capacityProvider", Kind::Text, "in place of launchType"),
            optional(
                "overrides",
                Kind::Object,
                "overrides as ECS takes them, in place of container, command and environment",
            ),
            optional(
                "exitCodesOf",
                Kind::List,
                "containers whose exit codes must be 0; all when not given",
            ),
            defaulted(
                "logLines",
                Kind::Number(0, MOST_LINES),
                "20",
                "lines of the container's log in CloudWatch that a failure shows",
            ),
        ],
        variables: &[
            ("TaskArn", "the task"),
            ("TaskId", "the last part of its ARN"),
            ("TaskDefinitionArn", "the revision that ran"),
            ("ExitCode", "of its first container"),
            ("StoppedReason", "as ECS says it"),
            (
                "LastLine",
                "last line of the log, up to 1,000 bytes, where it can be read",
            ),
        ],
        ledger: true,
        permissions: &[
            ("ecs:RunTask", "on the task definition"),
            ("iam:PassRole", "on the roles of the task definition"),
            ("ecs:DescribeTasks", "on the cluster's tasks"),
            (
                "ecs:ListTasks",
                "in the cluster, to find a task whose start was cut off",
            ),
            ("ecs:StopTask", "on the cluster's tasks"),
            ("ecs:DescribeTaskDefinition", "to find the log"),
            ("logs:GetLogEvents", "on the log group"),
        ],
    };
}
