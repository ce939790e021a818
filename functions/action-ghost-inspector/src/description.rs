//! What the action is, for `stagewright describe`, its page and its custom action type.

use shared::{
    describe::{Described, Description, Kind, Parameter, optional},
    port::{Artifacts, Ledger, SecretStore, Timer},
    provider::Http,
};

use crate::{GhostInspector, params::LONGEST_MINUTES};

impl<H: Http, T: Timer, S: SecretStore, L: Ledger, A: Artifacts> Described
    for GhostInspector<H, T, S, L, A>
{
    const DESCRIPTION: Description = Description {
        summary: "Runs a suite or test of Ghost Inspector and waits for its result.",
        category: "Test",
        provider: "GhostInspector",
        inputs: (0, 1),
        outputs: (0, 1),
        parameters: &[
            Parameter {
                required: true,
                ..optional("apiKey", Kind::Secret, "the organisation's API key")
            },
            optional("suite", Kind::Text, "the suite's id; either this or test"),
            optional("test", Kind::Text, "one test's id; either this or suite"),
            optional(
                "startUrl",
                Kind::Text,
                "where the tests begin, in place of their own start",
            ),
            Parameter {
                default: Some("30"),
                ..optional(
                    "timeoutMinutes",
                    Kind::Number(1, LONGEST_MINUTES),
                    "how long the run may take, counted from the start of the action; then it is cancelled",
                )
            },
            Parameter {
                default: Some("false"),
                ..optional(
                    "failOnScreenshots",
                    Kind::Boolean,
                    "whether a screenshot that differs from the approved one fails the action",
                )
            },
            optional(
                "browser",
                Kind::Text,
                "as chrome or firefox; otherwise what the suite or test says",
            ),
            optional(
                "settings",
                Kind::Map,
                "more settings of the execution by the vendor's names; any other name is a variable of the tests",
            ),
            Parameter {
                default: Some("\"https://api.ghostinspector.com/v1\""),
                ..optional("baseUrl", Kind::Text, "the address of the API")
            },
            optional(
                "region",
                Kind::Text,
                "where the tests run, as eu-west-1; otherwise what the suite or test says",
            ),
            optional("viewport", Kind::Text, "the browser's size, as 1024x768"),
            optional(
                "webhook",
                Kind::Secret,
                "an address that Ghost Inspector calls when the test ends; with test only",
            ),
        ],
        variables: &[
            (
                "ResultIds",
                "of the run; several with several browsers or rows of data",
            ),
            ("Passed", "tests"),
            ("Failed", "tests"),
            ("Total", "tests"),
            ("DurationMs", "as the vendor counts it"),
        ],
        ledger: true,
        permissions: &[],
    };
}
