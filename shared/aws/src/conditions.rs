//! What machines say that an approval's rule asks beside its people: Change Calendars, pages, functions, alarms.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::{
    approval::{
        audit::tell,
        port::Conditions,
        request::Record,
        rules::{
            evaluate::{CalendarState, GateState},
            gate::{Gate, Source},
        },
        words,
    },
    port::{PageFetcher, PortError, Service, ServiceCall, Services},
};

use crate::{error::unavailable, invoke::Functions, page::Web, rpc::JsonServices, sdk::Aws};

const SSM: Service = Service::json11("SSM", "ssm", "AmazonSSM");
/// CloudWatch speaks JSON 1.0 beside its older ways.
const CLOUDWATCH: Service = Service {
    version: "1.0",
    ..Service::json11("CLOUDWATCH", "monitoring", "GraniteServiceVersion20100801")
};
/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of a function's reason.
const LONGEST_REASON: usize = 200;

/// `ssm:GetCalendarState`, `cloudwatch:DescribeAlarms`, `lambda:InvokeFunction`, and pages.
#[derive(Debug)]
pub struct AwsConditions {
    services: JsonServices,
    functions: Functions,
    web: Web,
}

impl AwsConditions {
    /// Connects to nothing yet.
    pub fn new(aws: &Aws) -> Self {
        Self {
            services: JsonServices::new(aws),
            functions: Functions::new(aws),
            web: Web::new(aws),
        }
    }

    async fn alarm(&self, name: &str) -> Result<GateState, PortError> {
        let what = format!("the alarm {name}");
        let body = json!({
            "AlarmNames": [name], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
        });
        let call = ServiceCall::new(CLOUDWATCH, "DescribeAlarms", &what, body);
        let answer = self.services.call(&call).await?;
        let alarms = ["MetricAlarms", "CompositeAlarms"].map(|kind| answer[kind].as_array());
        let found = alarms.into_iter().flatten().flatten();
        let mut found = found.filter(|alarm| alarm["AlarmName"] == name);
        Ok(
            match found.next().map(|alarm| alarm["StateValue"].as_str()) {
                Some(Some("OK")) => GateState::Passed,
                Some(state) => failed(format!("the alarm is {}", state.unwrap_or("unknown"))),
                None => failed("there is no such alarm"),
            },
        )
    }
}

fn failed(why: impl Into<String>) -> GateState {
    GateState::Failed { why: why.into() }
}

/// What a function said.
fn passed(answer: &Value) -> GateState {
    if answer["passed"] == true {
        return GateState::Passed;
    }
    let why = answer["why"]
        .as_str()
        .or_else(|| answer["errorMessage"].as_str());
    failed(words::one_line(
        why.unwrap_or("it gave no reason"),
        LONGEST_REASON,
    ))
}

impl Conditions for AwsConditions {
    async fn calendar(&self, name: &str) -> Result<CalendarState, PortError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            state: String,
            next_transition_time: Option<String>,
        }
        let what = format!("the change calendar {name}");
        let body = json!({ "CalendarNames": [name] });
        let call = ServiceCall::new(SSM, "GetCalendarState", &what, body);
        let answer = self.services.call(&call).await?;
        let answer: Answer =
            serde_json::from_value(answer).map_err(|e| unavailable(&what, e.to_string()))?;
        let until = answer.next_transition_time;
        match answer.state.as_str() {
            "OPEN" => Ok(CalendarState::Open),
            "CLOSED" => Ok(CalendarState::Closed {
                until: until.and_then(|text| text.parse::<Timestamp>().ok()),
            }),
            _ => Err(unavailable(&what, "its state is neither OPEN nor CLOSED")),
        }
    }

    async fn gate(&self, gate: &Gate, record: &Record) -> Result<GateState, PortError> {
        match &gate.source {
            Source::Alarm(name) => self.alarm(name).await,
            Source::Function(name) => {
                let mut event: Map<String, Value> = tell::place(record);
                event.insert("gate".to_owned(), gate.name.as_str().into());
                event.insert("approval".to_owned(), record.request.id.as_str().into());
                let answer = self.functions.ask(name, &Value::Object(event)).await?;
                Ok(passed(&answer))
            }
            Source::Page(url) => match self.web.get(url, PATIENCE, 0).await?.status {
                200..=299 => Ok(GateState::Passed),
                status => Ok(failed(format!("its page answered {status}"))),
            },
        }
    }
}
