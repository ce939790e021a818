//! What the action is, for `stagewright describe`, its page and its custom action type.

use shared::{
    describe::{Described, Description, Kind, Parameter, optional, required},
    port::{Artifacts, Ledger, SecretStore, Timer},
    provider::Http,
};

use crate::{BlazeMeterMonitoring, params::LONGEST_MINUTES};

impl<H: Http, T: Timer, S: SecretStore, L: Ledger, A: Artifacts> Described
    for BlazeMeterMonitoring<H, T, S, L, A>
{
    const DESCRIPTION: Description = Description {
        summary: "Triggers API tests of BlazeMeter API Monitoring (Runscope) and waits for all of their runs.",
        category: "Test",
        provider: "BlazeMeterMonitoring",
        inputs: (0, 1),
        outputs: (0, 1),
        parameters: &[
            required(
                "trigger",
                Kind::Secret,
                "the test's or bucket's trigger URL, or a test's trigger id",
            ),
            required(
                "token",
                Kind::Secret,
                "an access token that reads the results",
            ),
            optional(
                "environment",
                Kind::Text,
                "the id of the environment; otherwise the test's own",
            ),
            optional("variables", Kind::Map, "initial variables of the tests"),
            Parameter {
                default: Some("60"),
                ..optional(
                    "timeoutMinutes",
                    Kind::Number(1, LONGEST_MINUTES),
                    "how long the runs may take, counted from the start of the action",
                )
            },
            optional(
                "bucket",
                Kind::Text,
                "the test's bucket key, to find its runs again after a lost answer",
            ),
            optional("test", Kind::Text, "the test's id, for the same"),
            optional(
                "notificationUrl",
                Kind::Secret,
                "an address that BlazeMeter calls when a run ends",
            ),
            Parameter {
                default: Some("\"https://api.runscope.com\""),
                ..optional("baseUrl", Kind::Text, "the address of the API")
            },
        ],
        variables: &[
            ("RunIds", "with commas between them"),
            ("Runs", "how many"),
            ("AssertionsPassed", "of all runs together"),
            ("RequestsExecuted", "of all runs together"),
            ("LongestMs", "the time of the longest run"),
        ],
        ledger: true,
        permissions: &[],
    };
}
