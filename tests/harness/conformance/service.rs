//! Steps that ask other services, and pages of the engine itself.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::step::{PATIENCE, Play};
use crate::http;

impl Play<'_> {
    /// A Query call of another service, as `{service: sns, Action: …}`; its XML text is the reply.
    pub(super) fn form(
        &mut self,
        request: &Value,
        expected: &Map<String, Value>,
    ) -> Result<(), String> {
        let service = request["service"].as_str().unwrap_or_default();
        let pairs = request.as_object().into_iter().flatten();
        let pairs = pairs.filter(|(name, _)| *name != "service");
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let body: Vec<String> = pairs
            .map(|(n, v)| format!("{n}={}", percent(&text(v))))
            .collect();
        let answer = http::form(&self.way.url(), service, &body.join("&"));
        let answer = answer.map_err(|error| format!("  no answer: {error}"))?;
        match self.check(answer.status, &json!(answer.text()), expected)? {
            None => Ok(()),
            Some(problem) => Err(problem),
        }
    }

    /// An operation of another service, as `{service: events, target: AWSEvents.PutRule, …}`.
    pub(super) fn json(
        &mut self,
        request: &Value,
        expected: &Map<String, Value>,
    ) -> Result<(), String> {
        let mut input = request.as_object().cloned().unwrap_or_default();
        let mut take = |name: &str| match input.remove(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (service, target) = (take("service"), take("target"));
        let answer = http::json(&self.way.url(), &service, &target, &Value::Object(input));
        let answer = answer.map_err(|error| format!("  no answer: {error}"))?;
        match self.check(answer.status, &answer.json(), expected)? {
            None => Ok(()),
            Some(problem) => Err(problem),
        }
    }

    /// A body for a page of the engine itself: path, body, headers.
    pub(super) fn post(
        &mut self,
        request: &Value,
        expected: &Map<String, Value>,
    ) -> Result<(), String> {
        let path = request[0].as_str().unwrap_or_default();
        let body = request[1].to_string();
        let given = request[2].as_object();
        let headers = given.into_iter().flatten();
        let headers: Vec<_> = headers
            .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
            .collect();
        let answer = http::request(&self.way.url(), "POST", path, &headers, body.as_bytes());
        let answer = answer.map_err(|error| format!("  no answer: {error}"))?;
        match self.check(answer.status, &answer.json(), expected)? {
            None => Ok(()),
            Some(problem) => Err(problem),
        }
    }

    /// A request of S3: method, path, body.
    pub(super) fn s3(&self, request: &Value) -> Result<(), String> {
        let text = |at: usize| request[at].as_str().unwrap_or_default();
        let answer = http::s3_request(&self.way.url(), text(0), text(1), text(2).as_bytes());
        let answer = answer.map_err(|error| format!("  no answer: {error}"))?;
        if answer.status == 200 {
            Ok(())
        } else {
            Err(format!("  got      {} {}", answer.status, answer.text()))
        }
    }

    /// A page of the engine itself, read until it is as expected.
    pub(super) fn page(
        &mut self,
        path: &Value,
        expected: &Map<String, Value>,
    ) -> Result<(), String> {
        let path = path.as_str().unwrap_or_default();
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = http::request(&self.way.url(), "GET", path, &[], b"");
            let answer = answer.map_err(|error| format!("  no answer: {error}"))?;
            match self.check(answer.status, &answer.json(), expected)? {
                None => return Ok(()),
                Some(_) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Some(problem) => return Err(problem),
            }
        }
    }
}

fn percent(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}
