//! Actions against moto, services of AWS by other people, where it is installed: a second opinion of requests and answers.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use harness::{
    connector::{Connector, Host},
    http::json,
    process::client,
};
use serde_json::{Value, json};

/// A server; ends with the value.
pub(super) struct Moto {
    pub(super) url: String,
    child: Child,
}

impl Moto {
    pub(super) fn start() -> Option<Self> {
        let program = client("moto_server")?;
        let mut child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("moto starts");
        let stderr = child.stderr.take().expect("it is piped");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let url = lines.find_map(|line| {
            let (_, rest) = line.split_once("Running on ")?;
            Some(rest.trim().to_owned())
        });
        let url = url.expect("moto says where it listens");
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { url, child })
    }

    pub(super) fn ask(&self, service: &str, target: &str, input: &Value) -> Value {
        let answer = json(&self.url, service, target, input).expect("an answer");
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_gate_reads_a_parameter_and_an_alarm_of_moto() {
    let Some(moto) = Moto::start() else {
        return;
    };
    let put = |value: &str| {
        let input = json!({"Name": "/gate", "Value": value, "Type": "String", "Overwrite": true});
        moto.ask("ssm", "AmazonSSM.PutParameter", &input);
    };
    put("open");
    let alarm = json!({
        "AlarmName": "Errors", "MetricName": "Errors", "Namespace": "Site", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"
    });
    let target = "GraniteServiceVersion20100801";
    moto.ask("monitoring", &format!("{target}.PutMetricAlarm"), &alarm);
    let state = json!({"AlarmName": "Errors", "StateValue": "OK", "StateReason": "by hand"});
    moto.ask("monitoring", &format!("{target}.SetAlarmState"), &state);
    let gate = Connector::of("action-gate")
        .variable("AWS_ENDPOINT_URL_SSM", &moto.url)
        .variable("AWS_ENDPOINT_URL_CLOUDWATCH", &moto.url)
        .start();
    let open = json!({"alarms": ["Errors"], "parameter": "/gate", "timeoutMinutes": 0});
    let ended = gate.play(Host::Invoke, &open);
    assert!(ended.succeeded(), "{ended:?}");
    put("closed");
    let ended = gate.play(Host::Worker, &open);
    assert!(ended.message.contains("/gate is not \"open\""), "{ended:?}");
    let gone = gate.play(Host::Task, &json!({"parameter": "/gone"}));
    assert!(gone.message.contains("/gone was not found"), "{gone:?}");
}

#[test]
fn an_execution_of_moto_is_followed_until_somebody_stops_it() {
    let Some(moto) = Moto::start() else {
        return;
    };
    let machine = json!({
        "name": "release", "roleArn": "arn:aws:iam::123456789012:role/r",
        "definition": r#"{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":900,"End":true}}}"#
    });
    let made = moto.ask("states", "AWSStepFunctions.CreateStateMachine", &machine);
    let runner = Connector::of("action-run-state-machine")
        .variable("AWS_ENDPOINT_URL_SFN", &moto.url)
        .start();
    let parameters =
        json!({"stateMachineArn": made["stateMachineArn"], "input": {"stage": "live"}});
    let run = runner.begin(Host::Invoke, &parameters);
    let list = json!({"stateMachineArn": made["stateMachineArn"]});
    let executions = || moto.ask("states", "AWSStepFunctions.ListExecutions", &list);
    let started = |actions: &[Value]| {
        let result = actions
            .first()
            .map(|action| &action["output"]["executionResult"]);
        result.is_some_and(|result| result["externalExecutionId"].is_string())
    };
    runner.engine.actions(&run, "Work", started);
    let all = executions();
    assert_eq!(all["executions"].as_array().map(Vec::len), Some(1), "{all}");
    let stop = json!({
        "executionArn": all["executions"][0]["executionArn"], "error": "Enough", "cause": "by hand"
    });
    moto.ask("states", "AWSStepFunctions.StopExecution", &stop);
    let ended = runner.end(Host::Invoke, &run, &parameters);
    assert_eq!(ended.failure, "JobFailed", "{ended:?}");
    assert!(ended.message.contains("was aborted"), "{ended:?}");
}
