//! BlazeMeter API Monitoring, once Runscope: triggers that start many runs, 10 in 10 s, results by the clock.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{Asked, Reply, StandIn};

/// The vendor: bucket `bkt1` with the test `7e57-1`, whose trigger is `planted-trigger`; the bucket's is `planted-bucket`.
#[derive(Debug, Clone)]
pub struct BlazeMeterMonitoring {
    /// How many runs a trigger starts.
    pub spread: usize,
    /// Of these, how many cannot be started.
    pub broken: usize,
    /// The word that each run ends with, in their order; `pass` for those without one.
    pub ends: Vec<&'static str>,
    /// Whether runs never end.
    pub endless: bool,
    /// From trigger to end; every further run of a trigger takes 10 s more.
    pub takes: SignedDuration,
    /// Whether results show the initial variables: `list`, `detail` or nowhere.
    pub shows: &'static str,
    /// All runs, in order.
    pub runs: Vec<Run>,
    /// When triggers were called.
    pub triggered: Vec<Timestamp>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// When it began.
    pub began: Timestamp,
    /// Its place among those of its trigger.
    pub number: usize,
    /// What came with the trigger beside the vendor's own names.
    pub variables: BTreeMap<String, String>,
    /// All that came with the trigger.
    pub fields: BTreeMap<String, String>,
}

impl Default for BlazeMeterMonitoring {
    fn default() -> Self {
        Self {
            spread: 1,
            broken: 0,
            ends: Vec::new(),
            endless: false,
            takes: SignedDuration::from_secs(40),
            shows: "list",
            runs: Vec::new(),
            triggered: Vec::new(),
        }
    }
}

const WINDOW: SignedDuration = SignedDuration::from_secs(10);
const MOST: usize = 10;

impl StandIn for BlazeMeterMonitoring {
    fn handle(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        let parts = asked.segments();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        if let ["radar", id @ .., "trigger"] = &parts[..] {
            // GET starts as well.
            return match id {
                ["planted-trigger"] | ["bucket", "planted-bucket"] => self.trigger(asked, now),
                _ => error(404, &format!("No trigger {}", id.join("/"))),
            };
        }
        if asked.bearer() != Some("planted-token") {
            return error(403, "Access denied");
        }
        match (asked.method.as_str(), &parts[..]) {
            ("GET", ["buckets", "bkt1", "tests", "7e57-1", "results"]) => self.list(asked, now),
            ("GET", ["buckets", "bkt1", "tests", "7e57-1", "results", id]) => {
                let found = self.runs.iter().find(|run| run.id == *id);
                found.map_or_else(
                    || error(404, "No such result"),
                    |run| data(200, &self.result(run, now, "detail")),
                )
            }
            _ => error(404, "Not found"),
        }
    }
}

impl BlazeMeterMonitoring {
    fn trigger(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        let recent = |time: &&Timestamp| now.duration_since(**time) < WINDOW;
        if self.triggered.iter().filter(recent).count() >= MOST {
            return error(429, "Rate limit exceeded");
        }
        self.triggered.push(now);
        let mut fields: BTreeMap<String, String> = asked.query.iter().cloned().collect();
        fields.extend(asked.form());
        let own = fields
            .iter()
            .filter(|(name, _)| !name.starts_with("runscope_"));
        let variables: BTreeMap<String, String> = own
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let first = self.runs.len();
        for number in 0..self.spread - self.broken {
            self.runs.push(Run {
                id: format!("4u2-{:04}", first + number),
                began: now,
                number,
                variables: variables.clone(),
                fields: fields.clone(),
            });
        }
        let runs: Vec<Value> = self.runs[first..]
            .iter()
            .map(|run| {
                json!({
                    "agent": null, "bucket_key": "bkt1", "region": "us1", "status": "init", "test_id": "7e57-1",
                    "test_name": "Shop", "environment_id": "ab234cdf", "environment_name": "Production",
                    "test_run_id": run.id, "test_url": "https://www.runscope.com/radar/bkt1/7e57-1",
                    "test_run_url": url(run), "variables": {"accessToken": "planted-variable"}, "planted": 1
                })
            })
            .collect();
        let (started, failed) = (runs.len(), self.broken);
        let told = json!({"runs": runs, "runs_started": started, "runs_failed": failed, "runs_total": started + failed});
        data(201, &told)
    }

    fn list(&self, asked: &Asked, now: Timestamp) -> Reply {
        let number = |name: &str| asked.param(name).and_then(|text| text.parse::<i64>().ok());
        let since = number("since").unwrap_or_default();
        let count = number("count").unwrap_or(10).clamp(1, 50);
        let newest = self
            .runs
            .iter()
            .rev()
            .filter(|run| run.began.as_second() >= since);
        let count = usize::try_from(count).unwrap_or(10);
        let all: Vec<Value> = newest
            .take(count)
            .map(|run| self.result(run, now, "list"))
            .collect();
        data(200, &json!(all))
    }

    fn result(&self, run: &Run, now: Timestamp, place: &str) -> Value {
        let takes =
            self.takes + SignedDuration::from_secs(10) * i32::try_from(run.number).unwrap_or(0);
        let age = now.duration_since(run.began);
        let over = !self.endless && age >= takes;
        let end = self.ends.get(run.number).copied().unwrap_or("pass");
        let word = match over {
            true => end,
            false if age < takes / 4 => "queued",
            false => "working",
        };
        let failed = u32::from(over && end != "pass" && end != "canceled");
        let seconds = |time: Timestamp| time.as_millisecond() as f64 / 1_000.0;
        let mut result = json!({
            "result": word, "test_run_id": run.id, "test_id": "7e57-1", "bucket_key": "bkt1", "test_run_url": url(run),
            "started_at": seconds(run.began), "finished_at": over.then(|| seconds(run.began + takes)),
            "assertions_defined": 5, "assertions_failed": failed, "assertions_passed": if over { 5 - failed } else { 0 },
            "scripts_defined": 0, "variables_defined": 1, "requests_executed": 2, "requests": [], "region": "us1",
            "agent": null, "environment_id": "ab234cdf", "planted": {}
        });
        if self.shows == place || self.shows == "list" {
            result["initial_variables"] = json!(run.variables);
        }
        result
    }
}

fn url(run: &Run) -> String {
    format!(
        "https://www.runscope.com/radar/bkt1/7e57-1/results/{}",
        run.id
    )
}

fn data(status: u16, data: &Value) -> Reply {
    Reply::json(
        status,
        &json!({"data": data, "error": null, "meta": {"status": "success"}}),
    )
}

fn error(status: u16, message: &str) -> Reply {
    let error = json!({"status": status, "message": message});
    Reply::json(
        status,
        &json!({"data": {}, "error": error, "meta": {"status": "error"}}),
    )
}
