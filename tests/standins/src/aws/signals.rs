//! What a gate looks at: Change Calendars and parameters of Systems Manager, alarms of CloudWatch, and a page.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Refusal, operation, reply, seconds, text, texts};
use crate::{Asked, Reply, StandIn};

/// A Change Calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Whether changes are allowed.
    pub open: bool,
    /// When that changes.
    pub until: Option<Timestamp>,
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: String,
    /// Whether it is a composite alarm.
    pub composite: bool,
}

/// All of them. GET requests are the page's.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    /// By name or ARN.
    pub calendars: BTreeMap<String, Calendar>,
    /// By name.
    pub alarms: BTreeMap<String, Alarm>,
    /// Type and value by name.
    pub parameters: BTreeMap<String, (String, String)>,
    /// Status and body of the page.
    pub page: Option<(u16, String)>,
}

impl StandIn for Signals {
    fn handle(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        if asked.method == "GET" {
            return match &self.page {
                Some((status, body)) => Reply::text(*status, body),
                None => Reply::html(404, "Not Found"),
            };
        }
        reply(operation(asked).and_then(|(service, operation, body)| {
            match (service.as_str(), operation.as_str()) {
                ("AmazonSSM", "GetCalendarState") => self.calendars(&body, now),
                ("AmazonSSM", "GetParameter") => self.parameter(&body, now),
                ("GraniteServiceVersion20100801", "DescribeAlarms") => Ok(self.alarms(&body, now)),
                _ => Err(Refusal::new("UnknownOperationException", operation)),
            }
        }))
    }
}

impl Signals {
    /// Sets a calendar.
    pub fn calendar(&mut self, name: &str, open: bool, until: Option<Timestamp>) {
        let calendar = Calendar { open, until };
        self.calendars.insert(name.to_owned(), calendar);
    }

    /// Sets an alarm.
    pub fn alarm(&mut self, name: &str, state: &str, composite: bool) {
        let state = state.to_owned();
        self.alarms
            .insert(name.to_owned(), Alarm { state, composite });
    }

    /// Open when all of them are; the next change is that of the first that is closed.
    fn calendars(&self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let names = texts(body, "CalendarNames");
        let mut found = Vec::new();
        for name in &names {
            let calendar = self.calendars.get(name);
            found.push(calendar.ok_or_else(|| {
                let message = format!("Document with name {name} does not exist.");
                Refusal::new("InvalidDocument", message)
            })?);
        }
        let is_open = |calendar: &&&Calendar| {
            calendar.open != calendar.until.is_some_and(|until| until <= now)
        };
        let closed = found.iter().find(|calendar| !is_open(calendar));
        let mut answer = json!({
            "State": if closed.is_some() { "CLOSED" } else { "OPEN" }, "AtTime": now.to_string()
        });
        let until = closed.or(found.first()).and_then(|one| one.until);
        if let Some(until) = until.filter(|until| *until > now) {
            answer["NextTransitionTime"] = until.to_string().into();
        }
        Ok(answer)
    }

    fn parameter(&self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let name = text(body, "Name");
        let (kind, value) = self
            .parameters
            .get(name)
            .ok_or_else(|| Refusal::new("ParameterNotFound", ""))?;
        Ok(json!({"Parameter": {
            "Name": name, "Type": kind, "Value": value, "Version": 3, "DataType": "text",
            "LastModifiedDate": seconds(now), "ARN": format!("arn:aws:ssm:eu-west-1:123456789012:parameter/{name}")
        }}))
    }

    fn alarms(&self, body: &Value, now: Timestamp) -> Value {
        let (mut metric, mut composite) = (Vec::new(), Vec::new());
        let kinds = texts(body, "AlarmTypes");
        for name in texts(body, "AlarmNames") {
            let Some(alarm) = self.alarms.get(&name) else {
                continue;
            };
            let arn = format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}");
            let mut answer = json!({
                "AlarmName": name, "AlarmArn": arn, "StateValue": alarm.state, "ActionsEnabled": true,
                "StateReason": "a reason", "StateUpdatedTimestamp": seconds(now), "AlarmActions": []
            });
            // Without AlarmTypes only metric alarms are answered.
            if !alarm.composite {
                answer["MetricName"] = "Errors".into();
                metric.push(answer);
            } else if kinds.iter().any(|kind| kind == "CompositeAlarm") {
                answer["AlarmRule"] = "ALARM(a)".into();
                composite.push(answer);
            }
        }
        json!({"MetricAlarms": metric, "CompositeAlarms": composite})
    }
}
