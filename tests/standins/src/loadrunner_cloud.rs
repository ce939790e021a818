//! LoadRunner Cloud: two logins whose tokens end, runs by the clock, reports that take time.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{Asked, Reply, StandIn};

/// The vendor: tenant `652`, project 1, load test 17. The client `oauth2-a@microfocus.com` has the secret
/// `planted-secret`, the user `old@example.com` the password `planted-password`.
#[derive(Debug, Clone)]
pub struct LoadRunnerCloud {
    /// How runs end.
    pub end: &'static str,
    /// A status that runs never leave.
    pub sticks: Option<&'static str>,
    /// From the start to the final status; results take [`COLLECTING`] longer.
    pub takes: SignedDuration,
    /// How long a report takes.
    pub report_takes: SignedDuration,
    /// How long a token lives.
    pub token_lives: SignedDuration,
    /// Whether an expired token is answered with 200 and a sign-in page in place of 401.
    pub polite: bool,
    /// Transactions that failed, of 100.
    pub failed: u32,
    /// All runs, in order.
    pub runs: Vec<Run>,
    /// Logins so far.
    pub logins: u32,
    tokens: Vec<(String, Timestamp)>,
    reports: Vec<(u64, String, Timestamp)>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: u64,
    /// Its load test.
    pub test: u64,
    /// When it began.
    pub began: Timestamp,
    /// When it was told to stop.
    pub stopped: Option<Timestamp>,
    /// The query of its start.
    pub query: Vec<(String, String)>,
}

/// Between a final status and `isTerminated`.
pub const COLLECTING: SignedDuration = SignedDuration::from_secs(20);
/// A stopped run is STOPPING for so long.
const STOPPING: SignedDuration = SignedDuration::from_secs(15);

impl Default for LoadRunnerCloud {
    fn default() -> Self {
        Self {
            end: "PASSED",
            sticks: None,
            takes: SignedDuration::from_secs(120),
            report_takes: SignedDuration::from_secs(40),
            token_lives: SignedDuration::from_hours(1),
            polite: false,
            failed: 2,
            runs: Vec::new(),
            logins: 0,
            tokens: Vec::new(),
            reports: Vec::new(),
        }
    }
}

impl StandIn for LoadRunnerCloud {
    fn handle(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        if asked.param("TENANTID") != Some("652") {
            return error(403, "Tenant is unknown");
        }
        let parts = asked.segments();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        if let ("POST", ["v1", way @ ("auth-client" | "auth")]) =
            (asked.method.as_str(), &parts[..])
        {
            return self.login(way, &asked.json(), now);
        }
        if !self.knows(asked, now) {
            return match self.polite {
                false => error(401, "Unauthorized"),
                true => Reply::html(
                    200,
                    "Sign in with corporate credentials: Submit your email address",
                ),
            };
        }
        match (asked.method.as_str(), &parts[..]) {
            ("GET", ["v1", "projects"]) => Reply::json(200, &json!([{"id": 1, "name": "Shop"}])),
            ("POST", ["v1", "projects", project, "load-tests", test, "runs"]) => {
                self.start(project, test, asked, now)
            }
            ("GET", ["v1", "test-runs", "active"]) => self.active(asked, now),
            ("GET", ["v1", "test-runs", "reports", id]) => self.report(id, now),
            (method, ["v1", "test-runs", id, rest @ ..]) => self.run(method, id, rest, asked, now),
            _ => error(404, "Not found"),
        }
    }
}

impl LoadRunnerCloud {
    fn login(&mut self, way: &str, body: &Value, now: Timestamp) -> Reply {
        let pair = match way {
            "auth" => [&body["user"], &body["password"]],
            _ => [&body["client_id"], &body["client_secret"]],
        };
        let good = match way {
            "auth" => ["old@example.com", "planted-password"],
            _ => ["oauth2-a@microfocus.com", "planted-secret"],
        };
        if pair != good {
            return error(401, &format!("Invalid credentials {}", pair[1]));
        }
        self.logins += 1;
        let token = format!("planted-token-{}", self.logins);
        self.tokens.push((token.clone(), now + self.token_lives));
        Reply::json(200, &json!({"token": token}))
    }

    fn knows(&self, asked: &Asked, now: Timestamp) -> bool {
        let cookie = asked
            .header("cookie")
            .and_then(|text| text.strip_prefix("LWSSO_COOKIE_KEY="));
        let token = asked.bearer().or(cookie);
        self.tokens
            .iter()
            .any(|(known, until)| Some(known.as_str()) == token && now < *until)
    }

    fn start(&mut self, project: &str, test: &str, asked: &Asked, now: Timestamp) -> Reply {
        let ("1", Ok(test @ (17 | 18))) = (project, test.parse()) else {
            return error(404, "Load test not found");
        };
        let id = 900 + self.runs.len() as u64;
        self.runs.push(Run {
            id,
            test,
            began: now,
            stopped: None,
            query: asked.query.clone(),
        });
        Reply::json(200, &json!({"runId": id, "planted": {"new": true}}))
    }

    /// `uiStatus` and `isTerminated`.
    fn state(&self, run: &Run, now: Timestamp) -> (&'static str, bool) {
        let age = now.duration_since(run.began);
        if let Some(stopped) = run.stopped {
            return match now.duration_since(stopped) {
                since if since < STOPPING => ("STOPPING", false),
                since => ("STOPPED", since >= STOPPING + COLLECTING),
            };
        }
        if let Some(status) = self.sticks {
            return (status, false);
        }
        match age {
            age if age < self.takes / 10 => ("CHECKING_STATUS", false),
            age if age < self.takes / 4 => ("INITIALIZING", false),
            age if age < self.takes => ("RUNNING", false),
            age => (self.end, age >= self.takes + COLLECTING),
        }
    }

    fn active(&self, asked: &Asked, now: Timestamp) -> Reply {
        let going = [
            "CHECKING_STATUS",
            "INITIALIZING",
            "RUNNING",
            "PAUSED",
            "STOPPING",
        ];
        let runs = self.runs.iter().map(|run| (run, self.state(run, now).0));
        let active = runs
            .filter(|(_, status)| going.contains(status) && asked.param("projectIds") == Some("1"));
        let all: Vec<Value> = active
            .map(|(run, status)| {
                json!({
                    "runId": run.id, "testId": run.test, "projectId": 1, "testName": "Shop", "status": status,
                    "startTime": run.began.as_millisecond(), "triggeredBy": "somebody"
                })
            })
            .collect();
        Reply::json(200, &json!(all))
    }

    fn run(
        &mut self,
        method: &str,
        id: &str,
        rest: &[&str],
        asked: &Asked,
        now: Timestamp,
    ) -> Reply {
        let Some(at) = self.runs.iter().position(|run| run.id.to_string() == id) else {
            return error(404, "Test run not found");
        };
        let (status, over) = self.state(&self.runs[at], now);
        let run = &self.runs[at];
        match (method, rest) {
            ("GET", []) => Reply::json(
                200,
                &json!({
                    "testId": run.test, "status": if over { "finished" } else { "in-progress" }, "uiStatus": status,
                    "isTerminated": over, "hasReport": over && !["ABORTED", "SYSTEM_ERROR"].contains(&status),
                    "startTime": run.began.as_millisecond().to_string(), "endTime": "-1", "planted": []
                }),
            ),
            ("GET", ["status"]) => Reply::json(
                200,
                &json!({"status": "in-progress", "detailedStatus": status, "runningVusers": 12, "passedTrx": 340,
                        "failedTrx": "2", "trxPerSec": null, "hitsPerSec": 1.5}),
            ),
            ("PUT", []) if asked.param("action") == Some("STOP") => {
                if over {
                    return error(409, "Test run is not running");
                }
                self.runs[at].stopped.get_or_insert(now);
                Reply::empty(200)
            }
            ("GET", ["results"]) => Reply::json(200, &self.results(status)),
            ("GET", ["transactions"]) => Reply::json(
                200,
                &json!([
                    {"name": "Log in", "loadTestScriptId": 4403, "slaStatus": "N/A", "slaThreshold": null, "percentileTRT": 0.25},
                    {"name": "Pay", "loadTestScriptId": 4403, "slaStatus": "N/A", "slaThreshold": null, "percentileTRT": 1.5}
                ]),
            ),
            ("POST", ["reports"]) => {
                let kind = asked.json()["reportType"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                if !["pdf", "csv", "docx", "error-csv", "raw-transactions"].contains(&kind.as_str())
                    || !over
                {
                    return error(400, "No such report");
                }
                let id = 7_000 + self.reports.len() as u64;
                self.reports.push((id, kind, now + self.report_takes));
                Reply::json(200, &json!({"reportId": id}))
            }
            _ => error(404, "Not found"),
        }
    }

    fn results(&self, status: &str) -> Value {
        json!({
            "dateTime": "06/22/2022 12:54 GMT", "status": status, "duration": "00:02:00", "delayDuration": null,
            "percentileValue": 90, "totalVusers": 12, "averageThroughput": "N/A/s", "totalHits": null,
            "totalTransactionsPassed": 100 - self.failed, "totalTransactionsFailed": self.failed, "scriptErrors": 0
        })
    }

    fn report(&self, id: &str, now: Timestamp) -> Reply {
        match self
            .reports
            .iter()
            .find(|(known, ..)| known.to_string() == id)
        {
            None => error(404, "Report not found"),
            Some((_, _, ready)) if now < *ready => {
                Reply::json(200, &json!({"message": "In progress"}))
            }
            Some((_, kind, _)) => {
                Reply::of_type(200, "application/octet-stream", format!("a {kind} report"))
            }
        }
    }
}

fn error(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"message": message}))
}
