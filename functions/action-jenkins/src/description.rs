//! What the action is, for `stagewright describe`, its page and its custom action type.

use shared::{
    describe::{Described, Description, Kind, Parameter},
    port::{Artifacts, Ledger, SecretStore, Timer},
    provider::Http,
};

use crate::{Jenkins, params::LONGEST_PATIENCE};

const fn optional(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    meaning: &'static str,
) -> Parameter {
    Parameter {
        name,
        kind,
        required: false,
        default,
        meaning,
    }
}

impl<H: Http, T: Timer, S: SecretStore, L: Ledger, A: Artifacts> Described
    for Jenkins<H, T, S, L, A>
{
    const DESCRIPTION: Description = Description {
        summary: "Builds one job of Jenkins and waits for it.",
        category: "Build",
        provider: "Jenkins",
        inputs: (0, 5),
        outputs: (0, 1),
        parameters: &[
            optional(
                "ProjectName",
                Kind::Route,
                None,
                "the job, where job is not given: its name at Jenkins' top level, or a name in projects",
            ),
            optional(
                "url",
                Kind::Text,
                None,
                "address of Jenkins with its context path; required, here or in STAGEWRIGHT_PARAMETERS, as are user and token",
            ),
            optional(
                "user",
                Kind::Text,
                None,
                "who builds; needs Job/Read, Job/Build and Job/Cancel",
            ),
            optional(
                "token",
                Kind::Secret,
                None,
                "the user's API token, or the password",
            ),
            optional(
                "job",
                Kind::Text,
                None,
                "path of the job, as team/app/main; a slash in a branch's name is written %2F",
            ),
            optional(
                "parameters",
                Kind::Map,
                None,
                "the build's parameters; only those that the job declares",
            ),
            optional(
                "unstable",
                Kind::OneOf(&["fails", "succeeds"]),
                Some("\"fails\""),
                "what an UNSTABLE build does to the action",
            ),
            optional(
                "timeoutMinutes",
                Kind::Number(1, LONGEST_PATIENCE),
                Some("60"),
                "how long queue and build may take, from the action's start; then the build is stopped",
            ),
            optional(
                "runParameter",
                Kind::Text,
                Some("\"PIPELINE_RUN\""),
                "text parameter of the job that is given the run's key, so that a build is found again",
            ),
            optional(
                "projects",
                Kind::Map,
                None,
                "paths of jobs by ProjectName, for one worker of many jobs",
            ),
            optional(
                "artifacts",
                Kind::List,
                None,
                "beginnings of paths of archived files that go into the output artifact; all when left out",
            ),
            optional(
                "files",
                Kind::Map,
                None,
                "the build's file parameters: PATH or ARTIFACT::PATH of a file in an input artifact, by name",
            ),
        ],
        variables: &[
            ("BuildNumber", "number of the build"),
            ("BuildUrl", "its page"),
            ("Result", "SUCCESS or UNSTABLE"),
            ("DurationSeconds", "how long it ran"),
            (
                "TestsTotal",
                "published tests, as are TestsFailed and TestsSkipped",
            ),
            ("TestsFailed", "failed ones"),
            ("TestsSkipped", "skipped ones"),
        ],
        ledger: true,
        permissions: &[(
            "s3:PutObject",
            "the output artifact as a task: as a job the job's own credentials do",
        )],
    };
}
