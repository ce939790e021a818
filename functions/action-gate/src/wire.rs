//! Requests to Systems Manager and CloudWatch, and what is read of their answers.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    port::{PortError, Service, ServiceCall, Services},
    wire::from_value,
};

use crate::judge::Sight;

/// Systems Manager.
pub const SSM: Service = Service::json11("SSM", "ssm", "AmazonSSM");
/// CloudWatch, which speaks JSON 1.0 beside its older ways.
pub const CLOUDWATCH: Service = Service {
    version: "1.0",
    ..Service::json11("CLOUDWATCH", "monitoring", "GraniteServiceVersion20100801")
};

/// An alarm's name and state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AlarmState {
    /// Its name.
    pub alarm_name: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state_value: String,
}

/// A parameter.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ParameterValue {
    /// `String`, `StringList` or `SecureString`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The value; encrypted of a `SecureString`.
    pub value: String,
}

/// Whether all these calendars are open.
pub async fn calendars(services: &impl Services, names: &[String]) -> Result<Sight, PortError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        state: String,
        next_transition_time: Option<String>,
    }
    let what = match names {
        [name] => format!("the change calendar {name}"),
        names => format!("one of the change calendars {}", names.join(", ")),
    };
    let body = json!({ "CalendarNames": names });
    let call = ServiceCall::new(SSM, "GetCalendarState", &what, body);
    let answer: Answer = read(&what, services.call(&call).await?)?;
    let until = answer.next_transition_time;
    let until = until.and_then(|text| text.parse::<Timestamp>().ok());
    match answer.state.as_str() {
        "OPEN" => Ok(Sight::Open),
        "CLOSED" => Ok(Sight::Closed {
            why: format!("{what} is closed"),
            until,
        }),
        _ => Err(garbled(&what, "a state that is neither OPEN nor CLOSED")),
    }
}

/// States of those of these alarms that exist.
pub async fn alarms(
    services: &impl Services,
    names: &[String],
) -> Result<Vec<AlarmState>, PortError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default)]
        metric_alarms: Vec<AlarmState>,
        #[serde(default)]
        composite_alarms: Vec<AlarmState>,
    }
    let what = "the alarms' states";
    let body = json!({
        "AlarmNames": names, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "MaxRecords": 100
    });
    let call = ServiceCall::new(CLOUDWATCH, "DescribeAlarms", what, body);
    let answer: Answer = read(what, services.call(&call).await?)?;
    let all = answer.metric_alarms.into_iter();
    Ok(all.chain(answer.composite_alarms).collect())
}

/// A parameter, not decrypted.
pub async fn parameter(services: &impl Services, name: &str) -> Result<ParameterValue, PortError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        parameter: ParameterValue,
    }
    let what = format!("the parameter {name}");
    let call = ServiceCall::new(SSM, "GetParameter", &what, json!({ "Name": name }));
    let answer: Answer = read(&what, services.call(&call).await?)?;
    Ok(answer.parameter)
}

/// An answer of an unexpected shape may be a proxy's or a passing fault: it is asked for again.
fn read<A: for<'a> Deserialize<'a>>(what: &str, answer: Value) -> Result<A, PortError> {
    from_value(answer).map_err(|error| garbled(what, &error.to_string()))
}

fn garbled(what: &str, why: &str) -> PortError {
    PortError::Unavailable {
        what: what.to_owned(),
        source: Some(format!("the answer has an unexpected shape: {why}").into()),
    }
}
