//! One action's own binary under the engine, on its three hosts.
//!
//! ```text
//! let vendor = Stage::new(Jenkins::default()).serve();
//! let connector = Connector::of("action-jenkins").secret("ci/token", "planted").start();
//! connector.on_every_host(&json!({"url": vendor.url, …}), |host, ended| assert!(ended.succeeded(), "{host:?} {ended:?}"));
//! ```

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use stagewright_standins::{Served, Stage, secrets::Secrets};

use crate::{
    engine::{self, Engine, zip},
    process::PATIENCE,
    workspace::root,
};

/// What calls the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// A pipeline's Lambda invoke action.
    Invoke,
    /// A job worker of the action's custom type.
    Worker,
    /// A state machine that loops.
    Task,
}

/// What an action needs beside its engine.
#[derive(Debug)]
pub struct Connector {
    action: &'static str,
    secrets: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    files: Vec<(String, String)>,
    output: bool,
    query: Option<(String, String)>,
    url: bool,
    timeout: u32,
}

/// An engine with an action in it.
pub struct Hosted {
    /// The engine.
    pub engine: Engine,
    /// Its secrets.
    pub secrets: Served<Secrets>,
    action: &'static str,
    kind: Value,
    output: bool,
    runs: AtomicU32,
}

/// How an action ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// `Succeeded`, `Failed`, …
    pub status: String,
    /// Output variables.
    pub variables: Value,
    /// What people see.
    pub summary: String,
    /// The vendor's run.
    pub external_id: String,
    /// CodePipeline's failure type; of a task, the error's name.
    pub failure: String,
    /// The failure's sentence.
    pub message: String,
    /// The output artifact's bytes, of an action that succeeded.
    pub artifact: Option<Vec<u8>>,
}

impl Ended {
    /// Whether it succeeded.
    pub fn succeeded(&self) -> bool {
        self.status == "Succeeded"
    }
}

const TABLE: &str = "connectors";
const STAGE: &str = "Work";

impl Connector {
    /// The action of this name, with its type of `infra/custom-action-types.yaml`.
    pub fn of(action: &'static str) -> Self {
        Self {
            action,
            secrets: Vec::new(),
            environment: Vec::new(),
            files: Vec::new(),
            output: false,
            query: None,
            url: false,
            timeout: 60,
        }
    }

    /// The queryable property of the action's type, and its value in all jobs: AWS gives a worker no jobs without it.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query = Some((name.to_owned(), value.to_owned()));
        self
    }

    /// A secret, for `secretsmanager:NAME` and `ssm:NAME`.
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A variable of the function's environment, as `AWS_ENDPOINT_URL_DEVICE_FARM`; in place of what it has otherwise.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file of the input artifact `App`, which every action gets whose type takes one.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// The action has an output artifact, `Out`.
    pub fn output(mut self) -> Self {
        self.output = true;
        self
    }

    /// How long a call of the function may take, in seconds: a claim of it holds for that long and half a minute.
    pub fn timeout(mut self, seconds: u32) -> Self {
        self.timeout = seconds;
        self
    }

    /// The function has a URL, below [`Hosted::path`].
    pub fn with_url(mut self) -> Self {
        self.url = true;
        self
    }

    /// Starts the engine and makes table, source and custom action type.
    pub fn start(self) -> Hosted {
        let pairs: Vec<(&str, &str)> = borrowed(&self.secrets);
        let secrets = Stage::new(Secrets::of(&pairs)).serve();
        let kind = custom_type(self.action);
        let mut variables = vec![
            ("STAGEWRIGHT_TABLE".to_owned(), TABLE.to_owned()),
            ("STAGEWRIGHT_ACTION_TYPE".to_owned(), name(&kind)),
            (
                "AWS_ENDPOINT_URL_SECRETS_MANAGER".to_owned(),
                secrets.url.clone(),
            ),
            ("AWS_ENDPOINT_URL_SSM".to_owned(), secrets.url.clone()),
        ];
        variables.extend(self.query.iter().map(|(name, value)| {
            (
                "STAGEWRIGHT_ACTION_QUERY".to_owned(),
                format!("{name}={value}"),
            )
        }));
        let own = |name: &str| self.environment.iter().any(|(known, _)| known == name);
        variables.retain(|(name, _)| !own(name));
        variables.extend(self.environment);
        let variables = variables
            .iter()
            .map(|(name, value)| format!("{name} = {value:?}"));
        let engine = Engine::start(&format!(
            "[engine]\ncontinuation_seconds = 0\n[bucket.artifacts]\n[bucket.source]\nversioned = true\n\
             [function.{}]\nurl = {}\ntimeout_seconds = {}\nenvironment = {{ {} }}\n",
            self.action,
            self.url,
            self.timeout,
            variables.collect::<Vec<_>>().join(", ")
        ));
        engine.table(TABLE);
        engine.put("/source/app.zip", &zip(&borrowed(&self.files)));
        engine.ask("CreateCustomActionType", &kind);
        Hosted {
            engine,
            secrets,
            action: self.action,
            kind,
            output: self.output,
            runs: AtomicU32::new(0),
        }
    }
}

impl Hosted {
    /// Plays the action to its end on all hosts at the same time, and checks each.
    pub fn on_every_host(&self, parameters: &Value, check: impl Fn(Host, &Ended) + Sync) {
        thread::scope(|scope| {
            for host in [Host::Invoke, Host::Worker, Host::Task] {
                let check = &check;
                scope.spawn(move || check(host, &self.play(host, parameters)));
            }
        });
    }

    /// Where in the engine the function is called over HTTP.
    pub fn path(&self) -> String {
        format!("/_stagewright/function/{}", self.action)
    }

    /// Plays the action to its end.
    pub fn play(&self, host: Host, parameters: &Value) -> Ended {
        let run = self.begin(host, parameters);
        self.end(host, &run, parameters)
    }

    /// Makes a pipeline with the action, which starts; answers its name. A task begins with [`Hosted::end`].
    pub fn begin(&self, host: Host, parameters: &Value) -> String {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let run = format!("{host:?}-{number}");
        let mut action = match host {
            Host::Task => return run,
            Host::Invoke => json!({
                "actionTypeId": {"category": "Invoke", "owner": "AWS", "provider": "Lambda", "version": "1"},
                "configuration": {"FunctionName": self.action, "UserParameters": parameters.to_string()}
            }),
            Host::Worker => {
                let mut kind = json!({"owner": "Custom"});
                for part in ["category", "provider", "version"] {
                    kind[part] = self.kind[part].clone();
                }
                json!({"actionTypeId": kind, "configuration": flat(parameters)})
            }
        };
        action["name"] = json!("Worked");
        if self.takes_input() {
            action["inputArtifacts"] = json!([{"name": "App"}]);
        }
        if self.output {
            action["outputArtifacts"] = json!([{"name": "Out"}]);
        }
        self.engine
            .ask("CreatePipeline", &engine::pipeline(&run, STAGE, &[action]));
        if host == Host::Worker {
            let event = engine::started(&run, STAGE, &name(&self.kind));
            let running = |actions: &[Value]| !actions.is_empty();
            self.engine.actions(&run, STAGE, running);
            self.engine.invoke(self.action, &event);
        }
        run
    }

    /// Lets schedules come, or makes the machine's calls, until the run is over.
    pub fn end(&self, host: Host, run: &str, parameters: &Value) -> Ended {
        let until = Instant::now() + PATIENCE;
        let mut input = self.input(run, parameters);
        loop {
            if host == Host::Task {
                let answer = self.engine.invoke(self.action, &input);
                if answer["status"] != "RUNNING" {
                    return self.of_answer(run, &answer);
                }
                input["progress"] = answer["progress"].clone();
                input["startedAt"] = answer["startedAt"].clone();
            } else {
                let actions = self.engine.actions(run, STAGE, |all| !all.is_empty());
                if actions[0]["status"] != "InProgress" {
                    return self.of_action(&actions[0]);
                }
                if host == Host::Worker {
                    self.engine.invoke(self.action, &engine::schedule());
                }
            }
            assert!(Instant::now() < until, "{run} does not end");
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn takes_input(&self) -> bool {
        self.kind["inputArtifactDetails"]["maximumCount"] != 0
    }

    fn input(&self, run: &str, parameters: &Value) -> Value {
        let artifact = |name: &str, bucket: &str, key: &str| json!([{"name": name, "bucket": bucket, "key": key}]);
        let mut input = json!({"params": parameters, "progress": null, "run": run});
        if self.takes_input() {
            input["inputs"] = artifact("App", "source", "app.zip");
        }
        if self.output {
            input["outputs"] = artifact("Out", "artifacts", &format!("{run}/out"));
        }
        input
    }

    fn of_answer(&self, run: &str, answer: &Value) -> Ended {
        let details = &answer["details"];
        let failure = text(&answer["errorType"]);
        let status = if failure.is_empty() {
            "Succeeded"
        } else {
            "Failed"
        };
        Ended {
            status: status.to_owned(),
            variables: answer["variables"].clone(),
            summary: text(&details["summary"]),
            external_id: text(&details["externalId"]),
            message: text(&answer["errorMessage"]),
            artifact: (self.output && failure.is_empty())
                .then(|| self.object(&format!("/artifacts/{run}/out"))),
            failure,
        }
    }

    fn of_action(&self, action: &Value) -> Ended {
        let output = &action["output"];
        let result = &output["executionResult"];
        let place = &output["outputArtifacts"][0]["s3location"];
        let place = [&place["bucket"], &place["key"]].map(text);
        Ended {
            status: text(&action["status"]),
            variables: output["outputVariables"].clone(),
            summary: text(&result["externalExecutionSummary"]),
            external_id: text(&result["externalExecutionId"]),
            failure: text(&result["errorDetails"]["code"]),
            message: text(&result["errorDetails"]["message"]),
            // A failed action's artifact has a place, and nobody takes it.
            artifact: (!place[0].is_empty() && action["status"] == "Succeeded")
                .then(|| self.object(&format!("/{}/{}", place[0], place[1]))),
        }
    }

    fn object(&self, path: &str) -> Vec<u8> {
        self.engine.signed("s3", "GET", path, &[], b"").body
    }
}

/// Input of CreateCustomActionType, from the generated template.
fn custom_type(action: &str) -> Value {
    let file = root().join("infra/custom-action-types.yaml");
    let text = fs::read_to_string(file).expect("the generated types");
    let template: Value = yaml_serde::from_str(&text).expect("YAML");
    let id: String = action.split('-').map(capital).collect();
    let properties = &template["Resources"][format!("{id}Type")]["Properties"];
    assert!(
        properties.is_object(),
        "{action} has no type: UPDATE=1 cargo test … descriptions"
    );
    camel(properties)
}

/// CloudFormation's names as the API spells them.
fn camel(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| {
                let mut chars = name.chars();
                let first = chars.next().map(|c| c.to_ascii_lowercase());
                (first.into_iter().chain(chars).collect(), camel(value))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(all) => all.iter().map(camel).collect(),
        value => value.clone(),
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}

fn name(kind: &Value) -> String {
    ["category", "provider", "version"]
        .map(|part| text(&kind[part]))
        .join("/")
}

/// A configuration: every value a text.
fn flat(parameters: &Value) -> Value {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let pairs = parameters.as_object().into_iter().flatten();
    let pairs = pairs.map(|(name, value)| (name.clone(), Value::from(text(value))));
    pairs.collect::<serde_json::Map<_, _>>().into()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
