//! Connectors of third-party vendors.

use serde_json::{Value, json};
use shared::job::FailureKind;
use shared_testkit::{Failing, VirtualTime, World, events, memory};
use stagewright_standins::{
    InMemory, Reply, Stage, Trick, alexa, blazemeter_monitoring::BlazeMeterMonitoring, code_host,
    ghost_inspector, jenkins, loadrunner_cloud::LoadRunnerCloud,
};

use super::{Cast, Cell, Play, unknown_parameter};

type Http<V> = Failing<InMemory<V, VirtualTime>>;
type Secrets = Failing<memory::MemorySecrets>;
type Ledger = Failing<memory::MemoryLedger>;
type Artifacts = Failing<memory::MemoryArtifacts>;

/// Declares a connector's ports, its secrets and its one constructor.
macro_rules! over_http {
    ($cast:ident, $action:path, $vendor:ty, [$(($name:literal, $value:literal)),*]) => {
        pub struct $cast;
        impl $cast {
            fn over(world: &World, stage: &Stage<$vendor>) -> <Self as Cast>::Played {
                for (name, value) in [$(($name, $value)),*] {
                    world.secrets.inner.set(name, value);
                }
                <$action>::new(
                    Failing::new(stage.http(world.time), &world.plan),
                    world.time,
                    world.secrets.clone(),
                    world.ledger.clone(),
                    world.artifacts.clone(),
                )
            }
        }
    };
}

fn fails(kind: FailureKind, text: &'static str) -> Cell {
    Cell::Fails(json!({}), kind, text)
}

fn late(text: &'static str) -> Cell {
    Cell::Fails(json!({"timeoutMinutes": 5}), FailureKind::JobFailed, text)
}

over_http!(Jenkins, action_jenkins::Jenkins<_, _, _, _, _>, jenkins::Jenkins, [
    ("ssm:/ci", "planted-token"), ("ssm:/wrong", "planted-wrong")
]);

impl Cast for Jenkins {
    type Vendor = jenkins::Jenkins;
    type Played =
        action_jenkins::Jenkins<Http<Self::Vendor>, VirtualTime, Secrets, Ledger, Artifacts>;
    const START: &'static str = "the start of the build";

    fn vendor() -> Self::Vendor {
        jenkins::Jenkins::default().with_job("team/app", Some(&["REF", "PIPELINE_RUN"]))
    }
    fn action(world: &World, stage: &Stage<Self::Vendor>) -> Self::Played {
        Self::over(world, stage)
    }
    fn event() -> Value {
        events::job(&json!({
            "url": "https://ci.example.com/jenkins", "user": "pipeline", "token": "ssm:/ci", "job": "team/app",
            "parameters": {"REF": "main"}
        }))
    }
    fn cell(play: Play, stage: &Stage<Self::Vendor>) -> Cell {
        let endless =
            || stage.with(|vendor| vendor.build_time = jiff::SignedDuration::from_hours(9000));
        match play {
            Play::Happy | Play::LostAnswer | Play::Crash => Cell::Succeeds,
            Play::Throttled | Play::Truncated | Play::Slow => Cell::Succeeds,
            Play::Failed => {
                stage.with(|vendor| vendor.outcomes.push_back(jenkins::Outcome::of("FAILURE")));
                fails(FailureKind::JobFailed, "team/app #1 ended with FAILURE")
            }
            Play::TimedOut => {
                endless();
                late("did not end within 5 minutes and was stopped")
            }
            Play::Stopped => {
                endless();
                Cell::Stops
            }
            Play::BadCredentials => Cell::Fails(
                json!({"token": "ssm:/wrong"}),
                FailureKind::PermissionError,
                "Jenkins did not accept the credentials",
            ),
            Play::BadParameters => unknown_parameter(),
        }
    }
    fn started(vendor: &mut Self::Vendor) -> usize {
        vendor.starts()
    }
    fn going(vendor: &mut Self::Vendor) -> usize {
        vendor.alive(jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1))
    }
}

over_http!(Ghost, action_ghost_inspector::GhostInspector<_, _, _, _, _>, ghost_inspector::GhostInspector, [
    ("ssm:/gi", "planted-key"), ("ssm:/wrong", "planted-wrong")
]);

impl Cast for Ghost {
    type Vendor = ghost_inspector::GhostInspector;
    type Played = action_ghost_inspector::GhostInspector<
        Http<Self::Vendor>,
        VirtualTime,
        Secrets,
        Ledger,
        Artifacts,
    >;
    const START: &'static str = "the start";

    fn vendor() -> Self::Vendor {
        Self::Vendor::default()
    }
    fn action(world: &World, stage: &Stage<Self::Vendor>) -> Self::Played {
        Self::over(world, stage)
    }
    fn event() -> Value {
        events::job(&json!({"suite": "5f1", "apiKey": "ssm:/gi"}))
    }
    fn cell(play: Play, stage: &Stage<Self::Vendor>) -> Cell {
        let endless = || stage.with(|vendor| vendor.fate = ghost_inspector::Fate::Never);
        match play {
            Play::Happy | Play::LostAnswer | Play::Crash => Cell::Succeeds,
            Play::Throttled | Play::Truncated | Play::Slow => Cell::Succeeds,
            Play::Failed => {
                stage.with(|vendor| vendor.tests[1].1 = false);
                fails(FailureKind::JobFailed, "1 of 3 tests: Pay")
            }
            Play::TimedOut => {
                endless();
                late("did not end within 5 minutes and was stopped")
            }
            Play::Stopped => {
                endless();
                Cell::Stops
            }
            Play::BadCredentials => Cell::Fails(
                json!({"apiKey": "ssm:/wrong"}),
                FailureKind::PermissionError,
                "renew the secret",
            ),
            Play::BadParameters => unknown_parameter(),
        }
    }
    fn started(vendor: &mut Self::Vendor) -> usize {
        vendor.runs.len()
    }
    fn going(vendor: &mut Self::Vendor) -> usize {
        let runs = vendor.runs.iter();
        runs.filter(|run| run.cancelled.is_none()).count()
    }
}

over_http!(LoadRunner, action_loadrunner_cloud::LoadRunnerCloud<_, _, _, _, _>, LoadRunnerCloud, [
    ("ssm:/lrc", "planted-secret"), ("ssm:/wrong", "planted-wrong")
]);

impl Cast for LoadRunner {
    type Vendor = LoadRunnerCloud;
    type Played = action_loadrunner_cloud::LoadRunnerCloud<
        Http<LoadRunnerCloud>,
        VirtualTime,
        Secrets,
        Ledger,
        Artifacts,
    >;
    const START: &'static str = "the start";

    fn vendor() -> LoadRunnerCloud {
        LoadRunnerCloud::default()
    }
    fn action(world: &World, stage: &Stage<LoadRunnerCloud>) -> Self::Played {
        Self::over(world, stage)
    }
    fn event() -> Value {
        events::job(&json!({
            "tenant": "652", "project": 1, "test": 17, "clientId": "oauth2-a@microfocus.com", "clientSecret": "ssm:/lrc"
        }))
    }
    fn cell(play: Play, stage: &Stage<LoadRunnerCloud>) -> Cell {
        let endless = || stage.with(|vendor| vendor.sticks = Some("RUNNING"));
        match play {
            // A run is found again as long as it is active: ended ones are not listed.
            Play::LostAnswer | Play::Crash => {
                stage.with(|vendor| vendor.takes = jiff::SignedDuration::from_mins(10));
                Cell::Succeeds
            }
            Play::Happy => Cell::Succeeds,
            Play::Throttled | Play::Truncated | Play::Slow => Cell::Succeeds,
            Play::Failed => {
                stage.with(|vendor| vendor.end = "FAILED");
                fails(FailureKind::JobFailed, "its goals were not met (FAILED)")
            }
            Play::TimedOut => {
                endless();
                late("did not end within 5 minutes and was stopped")
            }
            Play::Stopped => {
                endless();
                Cell::Stops
            }
            Play::BadCredentials => Cell::Fails(
                json!({"clientSecret": "ssm:/wrong"}),
                FailureKind::PermissionError,
                "renew the secret",
            ),
            Play::BadParameters => unknown_parameter(),
        }
    }
    fn started(vendor: &mut LoadRunnerCloud) -> usize {
        vendor.runs.len()
    }
    fn going(vendor: &mut LoadRunnerCloud) -> usize {
        let runs = vendor.runs.iter();
        runs.filter(|run| run.stopped.is_none()).count()
    }
}

over_http!(BlazeMeter, action_blazemeter_monitoring::BlazeMeterMonitoring<_, _, _, _, _>, BlazeMeterMonitoring, [
    ("ssm:/trigger", "https://api.runscope.com/radar/planted-trigger/trigger"),
    ("ssm:/token", "planted-token"), ("ssm:/wrong", "planted-wrong")
]);

impl Cast for BlazeMeter {
    type Vendor = BlazeMeterMonitoring;
    type Played = action_blazemeter_monitoring::BlazeMeterMonitoring<
        Http<BlazeMeterMonitoring>,
        VirtualTime,
        Secrets,
        Ledger,
        Artifacts,
    >;
    const START: &'static str = "the trigger";

    fn vendor() -> BlazeMeterMonitoring {
        BlazeMeterMonitoring::default()
    }
    fn action(world: &World, stage: &Stage<BlazeMeterMonitoring>) -> Self::Played {
        Self::over(world, stage)
    }
    fn event() -> Value {
        events::job(
            &json!({"trigger": "ssm:/trigger", "token": "ssm:/token", "bucket": "bkt1", "test": "7e57-1"}),
        )
    }
    fn cell(play: Play, stage: &Stage<BlazeMeterMonitoring>) -> Cell {
        let endless = || stage.with(|vendor| vendor.endless = true);
        match play {
            Play::Happy | Play::LostAnswer | Play::Crash => Cell::Succeeds,
            Play::Throttled | Play::Truncated | Play::Slow => Cell::Succeeds,
            Play::Failed => {
                stage.with(|vendor| vendor.ends = vec!["fail"]);
                fails(FailureKind::JobFailed, "1 of 5 assertions failed")
            }
            Play::TimedOut => {
                endless();
                late("could not be stopped: BlazeMeter API Monitoring has no call that ends a run")
            }
            // The vendor's reference has none: performance tests have one (`/masters/ID/stop`), monitoring has not.
            Play::Stopped => {
                endless();
                Cell::CannotStop(
                    "BlazeMeter API Monitoring has no call that ends a run: it goes on to its own end",
                )
            }
            Play::BadCredentials => Cell::Fails(
                json!({"token": "ssm:/wrong"}),
                FailureKind::PermissionError,
                "give that user the permission",
            ),
            Play::BadParameters => unknown_parameter(),
        }
    }
    fn started(vendor: &mut BlazeMeterMonitoring) -> usize {
        vendor.triggered.len()
    }
    fn going(vendor: &mut BlazeMeterMonitoring) -> usize {
        vendor.runs.len()
    }
}

over_http!(Alexa, action_alexa_skill::AlexaSkill<_, _, _, _, _>, alexa::Alexa, [
    ("ssm:/client", "planted-client"), ("ssm:/refresh", "planted-refresh"), ("ssm:/wrong", "planted-wrong")
]);

impl Cast for Alexa {
    type Vendor = alexa::Alexa;
    type Played =
        action_alexa_skill::AlexaSkill<Http<alexa::Alexa>, VirtualTime, Secrets, Ledger, Artifacts>;
    const START: &'static str = "the import";
    /// Imports have no name to be found by: a lost one is made again once the first is over, of the same package.
    const MOST: usize = 2;

    fn vendor() -> alexa::Alexa {
        alexa::Alexa::default()
    }
    fn action(world: &World, stage: &Stage<alexa::Alexa>) -> Self::Played {
        let skill = [
            ("skill.json", "{}"),
            ("interactionModels/custom/en_US.json", "{}"),
        ];
        let artifacts = &world.artifacts.inner;
        if artifacts.get("store", "skill.zip").is_none() {
            artifacts.set("store", "skill.zip", events::zip_of(&skill));
        }
        Self::over(world, stage)
    }
    fn event() -> Value {
        let event = events::job(&json!({
            "skillId": alexa::SKILL, "clientId": alexa::CLIENT, "clientSecret": "ssm:/client", "refreshToken": "ssm:/refresh"
        }));
        events::with_input(event, "Skill", "store", "skill.zip")
    }
    fn cell(play: Play, stage: &Stage<alexa::Alexa>) -> Cell {
        let fate = |fate: alexa::Fate| stage.with(|vendor| vendor.fate = fate);
        match play {
            Play::Happy | Play::LostAnswer | Play::Crash => Cell::Succeeds,
            Play::Throttled | Play::Truncated | Play::Slow => Cell::Succeeds,
            Play::Failed => {
                fate(alexa::Fate::Ends("FAILED"));
                fails(FailureKind::JobFailed, "failed")
            }
            Play::TimedOut => {
                fate(alexa::Fate::Never);
                late("could not be stopped: Alexa has no call for that, the import goes on")
            }
            // What a person is told of it, the play before tells.
            Play::Stopped => {
                Cell::None("Alexa has no call that ends an import: it goes on to its own end")
            }
            Play::BadCredentials => Cell::Fails(
                json!({"refreshToken": "ssm:/wrong"}),
                FailureKind::PermissionError,
                "Login with Amazon gave no access token",
            ),
            Play::BadParameters => unknown_parameter(),
        }
    }
    fn started(vendor: &mut alexa::Alexa) -> usize {
        vendor.imports.len()
    }
    fn going(vendor: &mut alexa::Alexa) -> usize {
        vendor.imports.len()
    }
}

/// No events are listened to here.
pub struct NoServices;

impl shared::port::Services for NoServices {
    async fn call(
        &self,
        call: &shared::port::ServiceCall<'_>,
    ) -> Result<Value, shared::port::PortError> {
        unreachable!("{} is not called", call.operation)
    }
}

pub struct Status;

impl Cast for Status {
    type Vendor = code_host::CodeHost;
    type Played = action_commit_status::CommitStatus<
        Http<Self::Vendor>,
        VirtualTime,
        Secrets,
        Ledger,
        NoServices,
    >;
    const START: &'static str = "the check run";

    fn vendor() -> Self::Vendor {
        code_host::CodeHost::with(code_host::COMMIT)
    }
    fn action(world: &World, stage: &Stage<Self::Vendor>) -> Self::Played {
        world.secrets.inner.set("ssm:/token", "planted-token");
        world.secrets.inner.set("ssm:/wrong", "planted-wrong");
        action_commit_status::CommitStatus::new(
            Failing::new(stage.http(world.time), &world.plan),
            world.time,
            world.secrets.clone(),
            world.ledger.clone(),
            NoServices,
            None,
            |_, _| None,
        )
    }
    fn event() -> Value {
        events::job(&json!({
            "provider": "github-check", "repository": "shop/site", "commit": code_host::COMMIT, "state": "success",
            "token": "ssm:/token"
        }))
    }
    fn cell(play: Play, stage: &Stage<Self::Vendor>) -> Cell {
        match play {
            Play::Happy | Play::LostAnswer | Play::Crash => Cell::Succeeds,
            Play::Throttled | Play::Truncated | Play::Slow => Cell::Succeeds,
            Play::Failed => {
                let refusal = Reply::json(422, &json!({"message": "No commit found for SHA"}));
                stage.always("POST", "check-runs", Trick::Reply(refusal));
                fails(FailureKind::ConfigurationError, "No commit found for SHA")
            }
            Play::TimedOut => {
                stage.always("", "", Trick::status(503));
                Cell::Fails(
                    json!({"provider": "github"}),
                    FailureKind::SystemUnavailable,
                    "status 503",
                )
            }
            Play::Stopped => {
                Cell::None("a status is said in one call: nothing goes on that could be stopped")
            }
            Play::BadCredentials => Cell::Fails(
                json!({"token": "ssm:/wrong"}),
                FailureKind::PermissionError,
                "renew the secret",
            ),
            Play::BadParameters => unknown_parameter(),
        }
    }
    fn started(vendor: &mut Self::Vendor) -> usize {
        vendor.checks.len()
    }
    fn going(_: &mut Self::Vendor) -> usize {
        0
    }
}
