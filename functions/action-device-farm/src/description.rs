//! What the action is, for `stagewright describe`, its page and its custom action type.

use shared::{
    describe::{Described, Description, Kind, defaulted, optional, required},
    port::{Artifacts, Ledger, Services, Timer},
    provider::Http,
};

use crate::{
    DeviceFarm,
    params::{LONGEST_JOB, LONGEST_PATIENCE, TEST_TYPES},
};

impl<S: Services, H: Http, T: Timer, L: Ledger, A: Artifacts> Described
    for DeviceFarm<S, H, T, L, A>
{
    const DESCRIPTION: Description = Description {
        summary: "Tests an app or a web site on real devices at AWS Device Farm.",
        category: "Test",
        provider: "DeviceFarm",
        inputs: (0, 5),
        outputs: (0, 1),
        parameters: &[
            required("projectArn", Kind::Text, "ARN of the project"),
            optional(
                "devicePoolArn",
                Kind::Text,
                "ARN of the device pool; or give deviceSelection",
            ),
            required(
                "appType",
                Kind::OneOf(&["Android", "iOS", "Web"]),
                "what is tested",
            ),
            optional(
                "app",
                Kind::Text,
                "the app: PATH or ARTIFACT::PATH of an input artifact, or an upload's ARN; not for Web",
            ),
            required("testType", Kind::OneOf(TEST_TYPES), "kind of the tests"),
            optional(
                "testPackage",
                Kind::Text,
                "the tests: PATH, ARTIFACT::PATH or an upload's ARN; not for BUILTIN_FUZZ",
            ),
            optional(
                "testSpec",
                Kind::Text,
                "how they are run: PATH, ARTIFACT::PATH or an upload's ARN",
            ),
            defaulted(
                "timeoutMinutes",
                Kind::Number(1, LONGEST_PATIENCE),
                "180",
                "how long all may take, queues included, from the start of the action; then the run is stopped",
            ),
            optional(
                "jobTimeoutMinutes",
                Kind::Number(1, LONGEST_JOB),
                "how long a device may take; the project's own when not given",
            ),
            optional(
                "deviceSelection",
                Kind::Object,
                "filters and maxDevices as Device Farm takes them, in place of devicePoolArn",
            ),
            optional(
                "extraData",
                Kind::Text,
                "files for the devices: PATH, ARTIFACT::PATH or an upload's ARN",
            ),
            optional("testFilter", Kind::Text, "which of the tests"),
            defaulted(
                "testParameters",
                Kind::Map,
                "{}",
                "parameters of the tests, as of the fuzz test",
            ),
            defaulted(
                "environment",
                Kind::Map,
                "{}",
                "environment variables of the tests, at most 32; no secrets",
            ),
            optional(
                "configuration",
                Kind::Object,
                "configuration as Device Farm takes it: radios, location, locale, billingMethod, customerArtifactPaths",
            ),
            defaulted(
                "recordVideo",
                Kind::Boolean,
                "true",
                "whether videos are taken",
            ),
            defaulted(
                "acceptWarned",
                Kind::Boolean,
                "true",
                "whether a run with warnings is good",
            ),
        ],
        variables: &[
            ("RunArn", "the run"),
            ("Result", "PASSED or WARNED"),
            ("Total", "tests"),
            ("Passed", "of them"),
            ("Failed", "of them"),
            ("Warned", "of them"),
            ("Errored", "of them"),
            ("Stopped", "of them"),
            ("Skipped", "of them"),
            ("Devices", "of the run"),
            ("DeviceMinutes", "of all devices"),
            ("WebUrl", "the run's page in the console"),
        ],
        ledger: true,
        permissions: &[
            (
                "devicefarm:CreateUpload",
                "on the project, in us-west-2 as all of these",
            ),
            ("devicefarm:GetUpload", "on its uploads"),
            (
                "devicefarm:ScheduleRun",
                "on the project, the device pool and the uploads",
            ),
            (
                "devicefarm:ListRuns",
                "on the project, to find a run whose start was cut off",
            ),
            ("devicefarm:GetRun", "on its runs"),
            ("devicefarm:StopRun", "on its runs"),
            ("devicefarm:ListArtifacts", "on its runs"),
        ],
    };
}
