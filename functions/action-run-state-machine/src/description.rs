//! What the action is, for `stagewright describe`, its page and its custom action type.

use shared::{
    describe::{Described, Description, Kind, Parameter},
    port::{ArtifactFiles, Artifacts, Ledger, StateMachines},
};

use crate::{RunStateMachine, params::LONGEST_PATIENCE};

impl<M: StateMachines, L: Ledger, A: Artifacts, F: ArtifactFiles> Described
    for RunStateMachine<M, L, A, F>
{
    const DESCRIPTION: Description = Description {
        summary: "Runs a standard state machine of Step Functions and waits for its end.",
        category: "Deploy",
        provider: "RunStateMachine",
        inputs: (0, 1),
        outputs: (0, 1),
        parameters: &[
            Parameter {
                name: "stateMachineArn",
                kind: Kind::Text,
                required: true,
                default: None,
                meaning: "ARN of the state machine, or of a version or alias of it; not an Express one",
            },
            Parameter {
                name: "input",
                kind: Kind::Object,
                required: false,
                default: Some("{}"),
                meaning: "what the execution gets",
            },
            Parameter {
                name: "inputFile",
                kind: Kind::Text,
                required: false,
                default: None,
                meaning: "in place of input: PATH or ARTIFACT::PATH of a JSON file in an input artifact",
            },
            Parameter {
                name: "executionNamePrefix",
                kind: Kind::Text,
                required: false,
                default: None,
                meaning: "stands before the run's id in the execution's name, at most 43 characters",
            },
            Parameter {
                name: "timeoutMinutes",
                kind: Kind::Number(1, LONGEST_PATIENCE),
                required: false,
                default: Some("60"),
                meaning: "how long the execution may take, from the start of the action; then it is stopped",
            },
        ],
        variables: &[
            ("StateMachineArn", "as given"),
            ("ExecutionArn", "the execution"),
            ("ExecutionName", "its name"),
            (
                "(members of the output)",
                "texts, numbers and booleans of an output that is an object, by their own names; the three above win",
            ),
        ],
        ledger: true,
        permissions: &[
            ("states:DescribeStateMachine", "on the state machine"),
            ("states:StartExecution", "on the state machine"),
            ("states:DescribeExecution", "on its executions"),
            ("states:StopExecution", "on its executions"),
        ],
    };
}
