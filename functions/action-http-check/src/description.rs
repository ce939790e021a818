//! What the action is, for `stagewright describe`, its page and its custom action type.

use shared::{
    describe::{Described, Description, Kind, Parameter},
    port::{ArtifactFiles, PageFetcher},
};

use crate::{
    HttpCheck,
    params::{LONGEST_ATTEMPT, LONGEST_PATIENCE},
};

impl<P: PageFetcher, F: ArtifactFiles> Described for HttpCheck<P, F> {
    const DESCRIPTION: Description = Description {
        summary: "Asks one page until it answers as expected.",
        category: "Test",
        provider: "HttpCheck",
        inputs: (0, 1),
        outputs: (0, 0),
        parameters: &[
            Parameter {
                name: "url",
                kind: Kind::Text,
                required: true,
                default: None,
                meaning: "the page: http or https, without user name and password",
            },
            Parameter {
                name: "expectStatus",
                kind: Kind::Number(100, 599),
                required: false,
                default: Some("200"),
                meaning: "the status that counts as good",
            },
            Parameter {
                name: "expectText",
                kind: Kind::Text,
                required: false,
                default: None,
                meaning: "a text the page must hold",
            },
            Parameter {
                name: "matchArtifactFile",
                kind: Kind::Text,
                required: false,
                default: None,
                meaning: "a file of the first input artifact that the page must equal, byte for byte",
            },
            Parameter {
                name: "timeoutSeconds",
                kind: Kind::Number(0, LONGEST_PATIENCE),
                required: false,
                default: Some("600"),
                meaning: "how long the site may take to come up, counted from the start of the action",
            },
            Parameter {
                name: "attemptTimeoutSeconds",
                kind: Kind::Number(1, LONGEST_ATTEMPT),
                required: false,
                default: Some("10"),
                meaning: "how long one answer may take",
            },
        ],
        variables: &[
            ("Url", "the page, without query"),
            ("StatusCode", "of the last answer"),
            ("ResponseTimeMs", "of the last answer"),
            ("Checks", "how often the page was asked"),
            ("BodyBytes", "size of the page, at most 4 MiB"),
            ("BodySha256", "of pages up to 4 MiB"),
        ],
        ledger: false,
        permissions: &[],
    };
}
