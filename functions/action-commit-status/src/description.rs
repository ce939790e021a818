//! What the action is, for `stagewright describe`, its page and its custom action type.

use shared::{
    describe::{Described, Description, Kind, Parameter},
    port::{Ledger, SecretStore, Services, Timer},
    provider::Http,
};

use crate::CommitStatus;

const fn optional(name: &'static str, meaning: &'static str) -> Parameter {
    Parameter {
        name,
        kind: Kind::Text,
        required: false,
        default: None,
        meaning,
    }
}

const fn required(name: &'static str, kind: Kind, meaning: &'static str) -> Parameter {
    Parameter {
        kind,
        required: true,
        ..optional(name, meaning)
    }
}

impl<H: Http, T: Timer, S: SecretStore, L: Ledger, A: Services> Described
    for CommitStatus<H, T, S, L, A>
{
    const DESCRIPTION: Description = Description {
        summary: "Tells GitHub or Bitbucket what a pipeline thinks of a commit.",
        category: "Invoke",
        provider: "CommitStatus",
        inputs: (0, 1),
        outputs: (0, 0),
        parameters: &[
            required(
                "provider",
                Kind::OneOf(&["github", "github-check", "bitbucket"]),
                "a commit status or check run of GitHub, or a build status of Bitbucket Cloud",
            ),
            required("repository", Kind::Text, "the repository, as owner/name"),
            required(
                "commit",
                Kind::Text,
                "the whole commit id, as #{SourceVariables.CommitId}",
            ),
            required(
                "state",
                Kind::OneOf(&["pending", "success", "failure", "error", "stopped"]),
                "what is said of the commit",
            ),
            required(
                "token",
                Kind::Secret,
                "access token; with appId the App's private key in PEM form",
            ),
            Parameter {
                default: Some("\"codepipeline\""),
                ..optional(
                    "context",
                    "what tells this status from others of the commit",
                )
            },
            Parameter {
                default: Some("\"\""),
                ..optional("description", "for people; cut to 140 characters")
            },
            optional("targetUrl", "where people see more; Bitbucket wants one"),
            optional(
                "baseUrl",
                "the API, where it is not the provider's own (GitHub Enterprise Server)",
            ),
            optional(
                "user",
                "of an API token of Bitbucket: the account's mail address",
            ),
            optional(
                "appId",
                "id of the GitHub App that speaks; it must be installed at the repository. Check runs need one",
            ),
        ],
        variables: &[
            ("Repository", "the repository"),
            ("Commit", "the commit"),
            ("State", "the state in the provider's own words"),
            ("Context", "what tells it from others"),
            ("CheckRunId", "of a check run: its id"),
        ],
        ledger: true,
        permissions: &[(
            "codepipeline:GetPipelineExecution",
            "the commits of an execution, where the function listens to events",
        )],
    };
}
