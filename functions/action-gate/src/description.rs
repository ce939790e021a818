//! What the action is, for `stagewright describe`, its page and its custom action type.

use shared::{
    describe::{Described, Description, Kind, defaulted, optional},
    port::{SecretStore, Services, Timer},
    provider::Http,
};

use crate::{Gate, params::LONGEST_PATIENCE};

impl<S: Services, H: Http, T: Timer, K: SecretStore> Described for Gate<S, H, T, K> {
    const DESCRIPTION: Description = Description {
        summary: "Waits until deployments are allowed: calendars, alarms, a parameter, a page, hours. All that are given must say so.",
        category: "Test",
        provider: "Gate",
        inputs: (0, 0),
        outputs: (0, 0),
        parameters: &[
            optional(
                "calendars",
                Kind::List,
                "Change Calendars of Systems Manager, by name or ARN; all must be open",
            ),
            optional(
                "alarms",
                Kind::List,
                "CloudWatch alarms, by name; none may be in alarm",
            ),
            optional(
                "parameter",
                Kind::Text,
                "a parameter of Systems Manager that opens the gate; no SecureString",
            ),
            optional(
                "parameterValue",
                Kind::Text,
                "what it must be, exactly; open when not given",
            ),
            optional(
                "url",
                Kind::Text,
                "a page that opens the gate by its answer",
            ),
            optional(
                "days",
                Kind::List,
                "of Mon, Tue, Wed, Thu, Fri, Sat, Sun; all when not given",
            ),
            optional(
                "opensAt",
                Kind::Text,
                "as 09:00, on each of the days; 00:00 when not given",
            ),
            optional(
                "closesAt",
                Kind::Text,
                "as 17:30; not after opensAt: on the next day; 24:00 when not given",
            ),
            defaulted(
                "timeoutMinutes",
                Kind::Number(0, LONGEST_PATIENCE),
                "60",
                "how long the gate may stay closed, from the start of the action",
            ),
            optional(
                "timeZone",
                Kind::Text,
                "of days and hours, as Europe/Berlin; UTC when not given",
            ),
            optional(
                "closedOn",
                Kind::List,
                "dates like 2026-12-24 on which the gate stays closed",
            ),
            defaulted(
                "whenClosed",
                Kind::OneOf(&["wait", "fail"]),
                "\"wait\"",
                "whether a closed gate is waited for, or fails the action at once",
            ),
            defaulted(
                "insufficientData",
                Kind::OneOf(&["open", "closed"]),
                "\"open\"",
                "what an alarm without enough data means",
            ),
            optional(
                "expectStatus",
                Kind::Number(200, 599),
                "status of the page that opens; 200 when not given",
            ),
            optional("expectText", Kind::Text, "a text that must be in the page"),
            optional(
                "urlToken",
                Kind::Secret,
                "bearer token to ask the page with",
            ),
        ],
        variables: &[
            ("OpenedAt", "when it was seen open"),
            ("WaitedSeconds", "from the start of the action"),
            ("Checks", "how often it was looked at"),
        ],
        ledger: false,
        permissions: &[
            ("ssm:GetCalendarState", "on the calendars"),
            (
                "cloudwatch:DescribeAlarms",
                "for alarms; it cannot be narrowed",
            ),
            ("ssm:GetParameter", "on the parameter"),
        ],
    };
}
