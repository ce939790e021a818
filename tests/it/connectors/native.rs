//! Vendors' own action types, as pipeline definitions have them, under `stagewright run`, against stand-ins over HTTP.

use std::{fs, path::Path, process::Command, time::Duration};

use harness::{
    engine::{Engine, pipeline, zip},
    process::{finish, shown, wait},
    workspace::stagewright,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use stagewright_standins::{
    Served, Stage,
    alexa::{Alexa, CLIENT, SKILL},
    aws::{DeviceFarm, PROJECT},
    blazemeter_monitoring::BlazeMeterMonitoring,
    ghost_inspector::GhostInspector,
    jenkins::{Jenkins, Outcome},
    loadrunner_cloud::LoadRunnerCloud,
    secrets::Secrets,
};

/// One run of a pipeline with one action of a vendor.
struct Play {
    kind: [&'static str; 3],
    configuration: Value,
    /// TOML of `[connector.PROVIDER]`.
    settings: String,
    function: &'static str,
    /// More variables of the function.
    variables: Vec<(&'static str, String)>,
    secrets: &'static [(&'static str, &'static str)],
    files: &'static [(&'static str, &'static str)],
}

impl Play {
    fn write(&self, folder: &Path, secrets: &Served<Secrets>) {
        let [category, owner, provider] = self.kind;
        let pipeline = json!({"pipeline": {
            "name": "release", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2",
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": [
                {"name": "Source", "actions": [{"name": "Source",
                    "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"},
                    "configuration": {"RepositoryName": "app", "BranchName": "main"},
                    "outputArtifacts": [{"name": "App"}]}]},
                {"name": "Work", "actions": [{"name": "Vendor", "namespace": "Vendor",
                    "actionTypeId": {"category": category, "owner": owner, "provider": provider, "version": "1"},
                    "configuration": self.configuration, "inputArtifacts": [{"name": "App"}]}]}]
        }});
        fs::write(folder.join("pipeline.json"), pipeline.to_string()).expect("written");
        let variables = [
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets.url.clone()),
            ("AWS_ENDPOINT_URL_SSM", secrets.url.clone()),
        ];
        let variables: Vec<String> = variables
            .iter()
            .chain(&self.variables)
            .map(|(name, value)| format!("{name} = {value:?}"))
            .collect();
        let settings = format!(
            "[connector.{provider}]\n{}\n[function.{}]\ntimeout_seconds = 60\nenvironment = {{ {} }}\n",
            self.settings,
            self.function,
            variables.join(", ")
        );
        fs::write(folder.join("stagewright.toml"), settings).expect("written");
        for (name, text) in self.files.iter().chain(&[("app.txt", "app")]) {
            let path = folder.join("source").join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("written");
        }
    }

    /// What a person sees, and whether it succeeded.
    fn run(&self) -> (bool, String) {
        let secrets = Stage::new(Secrets::of(self.secrets)).serve();
        let folder = tempfile::tempdir().expect("a folder");
        self.write(folder.path(), &secrets);
        let output = finish(
            Command::new(stagewright())
                .args(["run", "pipeline.json", "--source", "Source=source"])
                .arg("--fast-clock")
                .current_dir(folder.path()),
        );
        let told = shown(&output);
        assert!(!told.contains("planted"), "{told}");
        (output.status.success(), told)
    }

    fn succeeds(&self, summary: &str) {
        let (good, told) = self.run();
        assert!(good && told.contains(summary), "{told}");
    }
}

#[test]
fn jenkins_as_its_plugin_names_it() {
    let mut vendor = Jenkins::default()
        .quick()
        .with_job("team/app", Some(&["PIPELINE_RUN"]));
    vendor.outcomes.push_back(Outcome::of("SUCCESS"));
    let vendor = Stage::new(vendor).serve();
    let play = Play {
        kind: ["Build", "Custom", "Jenkins"],
        configuration: json!({"ProjectName": "shop"}),
        settings: format!(
            "parameters = {{ url = \"{}/jenkins\", user = \"pipeline\", token = \"ssm:ci\", projects = {{ shop = \"team/app\" }} }}",
            vendor.url
        ),
        function: "action-jenkins",
        variables: Vec::new(),
        secrets: &[("ci", "planted-token")],
        files: &[],
    };
    play.succeeds("SUCCESS");
    assert_eq!(vendor.stage.with(|vendor| vendor.starts()), 1);
}

#[test]
fn a_stopped_pipeline_stops_the_build_at_jenkins() {
    let mut vendor = Jenkins::default().quick().with_job("team/app", None);
    vendor.build_time = SignedDuration::from_hours(1);
    let vendor = Stage::new(vendor).serve();
    let secrets = Stage::new(Secrets::of(&[("ci", "planted-token")])).serve();
    let engine = Engine::start(&format!(
        "[bucket.artifacts]\n[bucket.source]\nversioned = true\n[connector.Jenkins]\n\
         parameters = {{ url = \"{}/jenkins\", user = \"pipeline\", token = \"ssm:ci\", projects = {{ shop = \"team/app\" }} }}\n\
         [function.action-jenkins]\ntimeout_seconds = 60\nenvironment = {{ AWS_ENDPOINT_URL_SSM = {:?} }}\n",
        vendor.url, secrets.url
    ));
    engine.put("/source/app.zip", &zip(&[("a.txt", "a")]));
    let action = json!({"name": "Vendor", "configuration": {"ProjectName": "shop"}, "inputArtifacts": [{"name": "App"}],
        "actionTypeId": {"category": "Build", "owner": "Custom", "provider": "Jenkins", "version": "1"}});
    engine.ask("CreatePipeline", &pipeline("release", "Work", &[action]));
    let builds = |actions: &[Value]| {
        let result = |action: &Value| action["output"]["executionResult"].clone();
        let first = actions.first().map(result).unwrap_or_default();
        let url = first["externalExecutionUrl"].as_str().unwrap_or_default();
        url.contains("/job/app/1")
    };
    let actions = engine.actions("release", "Work", builds);
    let stops = || vendor.stage.count("POST", "/job/app/1/stop");
    assert_eq!(stops(), 0);
    let stop = json!({"pipelineName": "release", "abandon": true,
        "pipelineExecutionId": actions[0]["pipelineExecutionId"]});
    engine.ask("StopPipelineExecution", &stop);
    wait("Jenkins to be told to stop the build", || {
        (stops() == 1).then_some(())
    });
    let over = |actions: &[Value]| actions[0]["status"] == "Abandoned";
    engine.actions("release", "Work", over);
    assert_eq!(vendor.stage.with(|vendor| vendor.starts()), 1);
}

fn ghost_inspector(vendor: &Served<GhostInspector>, configuration: Value) -> Play {
    Play {
        kind: ["Test", "ThirdParty", "GhostInspector"],
        configuration,
        settings: format!(
            "parameters = {{ apiKey = \"secretsmanager:gi\", baseUrl = \"{}/v1\" }}",
            vendor.url
        ),
        function: "action-ghost-inspector",
        variables: Vec::new(),
        secrets: &[("gi", "planted-key")],
        files: &[],
    }
}

fn ghost() -> Served<GhostInspector> {
    let vendor = Stage::<GhostInspector>::default().serve();
    let takes = SignedDuration::from_millis(300);
    vendor.stage.with(|vendor| vendor.takes = takes);
    vendor
}

#[test]
fn ghost_inspector_as_a_third_partys_action() {
    let vendor = ghost();
    let configuration = json!({"Suite": "5f1", "ApiKey": "****"});
    ghost_inspector(&vendor, configuration).succeeds("Shop 5f1 passed: 3 tests");
    assert_eq!(vendor.stage.with(|vendor| vendor.runs.len()), 1);
}

#[test]
fn a_vendors_failure_and_an_unknown_key_are_told() {
    let vendor = ghost();
    vendor.stage.with(|vendor| vendor.tests[1].1 = false);
    let (good, told) = ghost_inspector(&vendor, json!({"Suite": "5f1"})).run();
    assert!(!good && told.contains("1 of 3 tests: Pay"), "{told}");
    let (good, told) = ghost_inspector(&vendor, json!({"Suite": "5f1", "Colour": "red"})).run();
    assert!(!good && told.contains("Colour"), "{told}");
    assert_eq!(vendor.stage.with(|vendor| vendor.runs.len()), 1);
}

#[test]
fn stormrunner_load_as_a_third_partys_action() {
    let vendor = Stage::<LoadRunnerCloud>::default().serve();
    vendor.stage.with(|vendor| {
        vendor.takes = SignedDuration::from_secs(-20);
        vendor.report_takes = SignedDuration::from_millis(300);
    });
    let play = Play {
        kind: ["Test", "ThirdParty", "StormRunnerLoad"],
        configuration: json!({"Tenant": "652", "Project": "1", "Test": "17"}),
        settings: format!(
            "parameters = {{ clientId = \"oauth2-a@microfocus.com\", clientSecret = \"ssm:lrc\", maxFailedPercent = 2, baseUrl = \"{}\" }}",
            vendor.url
        ),
        function: "action-loadrunner-cloud",
        variables: Vec::new(),
        secrets: &[("lrc", "planted-secret")],
        files: &[],
    };
    play.succeeds("Succeeded in");
    assert_eq!(vendor.stage.with(|vendor| vendor.runs.len()), 1);
}

#[test]
fn runscope_as_a_third_partys_action() {
    let vendor = Stage::<BlazeMeterMonitoring>::default().serve();
    let takes = SignedDuration::from_millis(300);
    vendor.stage.with(|vendor| vendor.takes = takes);
    let trigger = format!("{}/radar/planted-trigger/trigger", vendor.url);
    let leaked: &'static str = Box::leak(trigger.into_boxed_str());
    let secrets = vec![("trigger", leaked), ("token", "planted-token")];
    let play = Play {
        kind: ["Test", "ThirdParty", "Runscope"],
        configuration: json!({"TriggerUrl": "ssm:trigger", "Bucket": "bkt1", "TestId": "7e57-1",
            "Variables": r#"{"greeting": "hello"}"#}),
        settings: format!(
            "parameters = {{ token = \"secretsmanager:token\", baseUrl = \"{}\" }}",
            vendor.url
        ),
        function: "action-blazemeter-monitoring",
        variables: Vec::new(),
        secrets: secrets.leak(),
        files: &[],
    };
    play.succeeds("Succeeded in");
    let runs = vendor.stage.with(|vendor| vendor.runs.clone());
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].variables["greeting"], "hello");
}

#[test]
fn device_farm_as_aws_names_it() {
    let farm = DeviceFarm {
        checks: Duration::from_millis(100),
        times: (Duration::from_millis(100), Duration::from_millis(300)),
        ..DeviceFarm::default()
    };
    let served = Stage::new(farm).serve();
    served.stage.with(|farm| farm.storage = served.url.clone());
    let project = PROJECT.rsplit(':').next().expect("an id");
    let play = Play {
        kind: ["Test", "AWS", "DeviceFarm"],
        configuration: json!({
            "ProjectId": project, "AppType": "Android", "App": "out/app.apk", "TestType": "APPIUM_PYTHON",
            "DevicePoolArn": "arn:aws:devicefarm:us-west-2::devicepool:082d10e5-d7d7-48a5-ba5c-b33d66efa1f5",
            "Test": "tests.zip", "AppiumVersion": "1.7.2", "RadioWifiEnabled": "true", "JobTimeoutMinutes": "20"
        }),
        settings: String::new(),
        function: "action-device-farm",
        variables: vec![("AWS_ENDPOINT_URL_DEVICE_FARM", served.url.clone())],
        secrets: &[],
        files: &[("out/app.apk", "an app"), ("tests.zip", "tests")],
    };
    play.succeeds("Succeeded in");
    let records = served.stage.records();
    let scheduled = records.iter().find(|record| {
        let target = record.asked.header("x-amz-target").unwrap_or_default();
        target.ends_with("ScheduleRun")
    });
    let input = scheduled.expect("a run").asked.json();
    assert_eq!(input["projectArn"], PROJECT);
    assert_eq!(input["configuration"]["radios"]["wifi"], true);
    assert_eq!(input["executionConfiguration"]["jobTimeoutMinutes"], 20);
}

#[test]
fn alexa_skills_kit_as_aws_names_it() {
    let vendor = Stage::<Alexa>::default().serve();
    let takes = SignedDuration::from_millis(300);
    vendor.stage.with(|vendor| vendor.takes = takes);
    let play = Play {
        kind: ["Deploy", "ThirdParty", "AlexaSkillsKit"],
        configuration: json!({"ClientId": CLIENT, "SkillId": SKILL, "ClientSecret": "****",
            "RefreshToken": "{{resolve:secretsmanager:alexa:SecretString:refresh}}"}),
        settings: format!(
            "parameters = {{ clientSecret = \"ssm:client\", overwrite = true, baseUrl = \"{0}\", tokenUrl = \"{0}/auth/o2/token\" }}",
            vendor.url
        ),
        function: "action-alexa-skill",
        variables: Vec::new(),
        secrets: &[
            ("client", "planted-client"),
            ("alexa", r#"{"refresh": "planted-refresh"}"#),
        ],
        files: &[
            ("skill.json", "{}"),
            ("interactionModels/custom/en-US.json", "{}"),
        ],
    };
    play.succeeds("Succeeded in");
    let imports = vendor.stage.with(|vendor| vendor.imports.clone());
    assert_eq!(imports.len(), 1);
    assert!(imports[0].package.starts_with(b"PK"));
}
