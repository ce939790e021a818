//! What the action is, for `stagewright describe`, its page and its custom action type.

use shared::{
    describe::{Described, Description, Kind, Parameter, optional, required},
    port::{Artifacts, Ledger, SecretStore, Timer},
    provider::Http,
};

use crate::{
    LoadRunnerCloud,
    params::{LARGEST_ID, LONGEST_MINUTES, LONGEST_PERCENTILE},
};

impl<H: Http, T: Timer, S: SecretStore, L: Ledger, A: Artifacts> Described
    for LoadRunnerCloud<H, T, S, L, A>
{
    const DESCRIPTION: Description = Description {
        summary: "Runs a load test of LoadRunner Cloud and waits for its results.",
        category: "Test",
        provider: "LoadRunnerCloud",
        inputs: (0, 1),
        outputs: (0, 1),
        parameters: &[
            required(
                "tenant",
                Kind::Text,
                "the tenant's id, TENANTID in addresses",
            ),
            required(
                "project",
                Kind::Number(1, LARGEST_ID),
                "the project's number",
            ),
            required(
                "test",
                Kind::Number(1, LARGEST_ID),
                "the load test's number",
            ),
            required(
                "clientId",
                Kind::Text,
                "an API client's id, oauth2-…; in tenants older than 24.3 also a user's name",
            ),
            required(
                "clientSecret",
                Kind::Secret,
                "that client's secret, or that user's password",
            ),
            optional(
                "maxFailedPercent",
                Kind::Number(0, 100),
                "the action fails when more of the transactions failed, whatever the test's own goals say",
            ),
            optional(
                "maxPercentileMs",
                Kind::Number(1, LONGEST_PERCENTILE),
                "the action fails when a transaction's percentile is slower, whatever the test's own goals say",
            ),
            Parameter {
                default: Some("240"),
                ..optional(
                    "timeoutMinutes",
                    Kind::Number(1, LONGEST_MINUTES),
                    "how long the run may take, counted from the start of the action; then it is stopped",
                )
            },
            Parameter {
                default: Some("\"https://loadrunner-cloud.saas.microfocus.com\""),
                ..optional(
                    "baseUrl",
                    Kind::Text,
                    "the address of the service; data centres differ",
                )
            },
            Parameter {
                default: Some("[\"csv\"]"),
                ..optional(
                    "reports",
                    Kind::List,
                    "reports in the output artifact, if there is one: csv, pdf, docx, error-csv, raw-transactions",
                )
            },
            Parameter {
                default: Some("false"),
                ..optional(
                    "sendEmail",
                    Kind::Boolean,
                    "whether LoadRunner Cloud mails its own report",
                )
            },
        ],
        variables: &[
            ("RunId", "the run"),
            ("Duration", "HH:MM:SS"),
            ("TransactionsPassed", "how many"),
            ("TransactionsFailed", "how many"),
            ("FailedPercent", "of all transactions"),
            ("ScriptErrors", "how many"),
            ("Vusers", "virtual users"),
            ("Percentile", "which one SlowestMs is of, as 90"),
            (
                "SlowestTransaction",
                "the one that is slowest at the percentile",
            ),
            ("SlowestMs", "its response time there"),
        ],
        ledger: true,
        permissions: &[],
    };
}
