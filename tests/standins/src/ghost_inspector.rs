//! Ghost Inspector: suites and tests, results by the clock, errors under HTTP 200, the key in the query.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{Asked, Reply, StandIn};

/// The vendor. Its key is `planted-key`; there are the suite `5f1` with three tests and the test `6a1`.
#[derive(Debug, Clone)]
pub struct GhostInspector {
    /// The only key that is accepted.
    pub key: String,
    /// Tests of the suite: name, and whether it passes.
    pub tests: Vec<(String, bool)>,
    /// How many browsers everything runs in: more than one make answers arrays.
    pub browsers: usize,
    /// What becomes of runs.
    pub fate: Fate,
    /// From start to end.
    pub takes: SignedDuration,
    /// All runs, in order.
    pub runs: Vec<Run>,
    /// Starts that did not ask for an immediate answer, and would have blocked.
    pub blocked: usize,
}

/// What becomes of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// As their tests say.
    ByTests,
    /// They never end.
    Never,
    /// Somebody cancels them half-way.
    Cancelled,
    /// Tests pass, screenshots differ.
    Screenshots,
    /// Passing with failing tests.
    Contradiction,
}

/// One run.
#[derive(Debug, Clone)]
pub struct Run {
    /// 24 hexadecimal digits.
    pub id: String,
    /// `suites` or `tests`.
    pub kind: String,
    /// Of the suite or test.
    pub of: String,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it was cancelled.
    pub cancelled: Option<Timestamp>,
    /// What came with the start beside the vendor's own names.
    pub variables: BTreeMap<String, String>,
    /// All that came with the start.
    pub fields: BTreeMap<String, String>,
}

impl Default for GhostInspector {
    fn default() -> Self {
        let tests = [("Log in", true), ("Pay", true), ("Log out", true)];
        Self {
            key: "planted-key".to_owned(),
            tests: tests.map(|(name, passes)| (name.to_owned(), passes)).into(),
            browsers: 1,
            fate: Fate::ByTests,
            takes: SignedDuration::from_secs(45),
            runs: Vec::new(),
            blocked: 0,
        }
    }
}

/// Names that are no variables of the tests.
const KNOWN: [&str; 13] = [
    "apiKey",
    "immediate",
    "startUrl",
    "browser",
    "region",
    "viewport",
    "userAgent",
    "httpAuthUsername",
    "httpAuthPassword",
    "disableNotifications",
    "disableVisuals",
    "webhook",
    "slackChannel",
];
/// `passing` is set this long before the times are.
const EARLY: SignedDuration = SignedDuration::from_secs(1);

impl StandIn for GhostInspector {
    fn handle(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        let parts = asked.segments();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let Some(("v1", parts)) = parts.split_first().map(|(first, rest)| (*first, rest)) else {
            return Reply::html(404, "Not Found");
        };
        let fields = fields(asked);
        if fields.get("apiKey") != Some(&self.key) {
            let given = fields.get("apiKey").cloned().unwrap_or_default();
            return error(
                "AUTHENTICATION_ERROR",
                &format!("API key is not valid: {given}"),
            );
        }
        match (asked.method.as_str(), parts) {
            // GET starts as well.
            (_, [kind @ ("suites" | "tests"), id, "execute"]) => self.start(kind, id, fields, now),
            ("GET", [kind @ ("suites" | "tests"), id, "results"]) => {
                let runs = self.runs.iter().rev();
                let of = runs.filter(|run| run.kind == *kind && run.of == *id);
                let all: Vec<Value> = of.map(|run| self.result(run, now)).collect();
                page(&all, asked)
            }
            ("GET", [kind @ ("suite-results" | "results"), id]) => match self.run(id) {
                Some(run) => data(self.result(run, now)),
                None if *kind == "results" => error("VALIDATION_ERROR", "Result not found"),
                None => error("VALIDATION_ERROR", "Suite result not found"),
            },
            ("GET", ["suite-results", id, "results"]) => match self.run(id) {
                Some(run) => page(&self.tests_of(run, now), asked),
                None => error("VALIDATION_ERROR", "Suite result not found"),
            },
            ("GET", ["suite-results", id, "xunit"]) => match self.run(id) {
                Some(run) => Reply::of_type(200, "application/xml", self.xunit(run)),
                None => error("VALIDATION_ERROR", "Suite result not found"),
            },
            ("POST", ["suite-results" | "results", id, "cancel"]) => self.cancel(id, now),
            _ => Reply::html(404, "Not Found"),
        }
    }
}

impl GhostInspector {
    fn start(
        &mut self,
        kind: &str,
        id: &str,
        fields: BTreeMap<String, String>,
        now: Timestamp,
    ) -> Reply {
        if !matches!((kind, id), ("suites", "5f1") | ("tests", "6a1")) {
            return error("VALIDATION_ERROR", "Suite or test not found");
        }
        if !fields
            .get("immediate")
            .is_some_and(|value| value == "1" || value == "true")
        {
            self.blocked += 1;
            return error("TIMEOUT", "Timed out after 20 minutes; the tests continue");
        }
        if self.tests.is_empty() {
            return data(json!([]));
        }
        let first = self.runs.len();
        for browser in 0..self.browsers {
            let own = fields
                .iter()
                .filter(|(name, _)| !KNOWN.contains(&name.as_str()));
            self.runs.push(Run {
                id: format!("{:024x}", 0x5f00_0000_u64 + (first + browser) as u64),
                kind: kind.to_owned(),
                of: id.to_owned(),
                created: now,
                cancelled: None,
                variables: own
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
                fields: fields.clone(),
            });
        }
        let started: Vec<Value> = self.runs[first..]
            .iter()
            .map(|run| self.result(run, now))
            .collect();
        match <[Value; 1]>::try_from(started) {
            Ok([one]) => data(one),
            Err(all) => data(json!(all)),
        }
    }

    fn cancel(&mut self, id: &str, now: Timestamp) -> Reply {
        let Some(run) = self.run(id) else {
            return error("VALIDATION_ERROR", "Result not found");
        };
        if self.is_over(run, now) {
            return error("VALIDATION_ERROR", "Result is not running");
        }
        let id = run.id.clone();
        for run in self.runs.iter_mut().filter(|run| run.id == id) {
            run.cancelled = Some(now);
        }
        let run = self.run(&id).map(|run| self.result(run, now));
        data(run.unwrap_or_default())
    }

    fn run(&self, id: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == id)
    }

    fn end(&self, run: &Run) -> Option<Timestamp> {
        let half = run.created + self.takes / 2;
        match (run.cancelled, self.fate) {
            (Some(time), _) => Some(time),
            (None, Fate::Never) => None,
            (None, Fate::Cancelled) => Some(half),
            (None, _) => Some(run.created + self.takes),
        }
    }

    fn is_over(&self, run: &Run, now: Timestamp) -> bool {
        self.end(run).is_some_and(|end| end <= now)
    }

    /// As `passing`: null while it goes on and when it was cancelled.
    fn passing(&self, run: &Run, now: Timestamp) -> Option<bool> {
        let cancelled = run.cancelled.is_some() || self.fate == Fate::Cancelled;
        if cancelled || !self.is_over(run, now) {
            return None;
        }
        let all = self.tests.iter().all(|(_, passes)| *passes);
        Some(all || self.fate == Fate::Contradiction)
    }

    fn result(&self, run: &Run, now: Timestamp) -> Value {
        let over = self.is_over(run, now);
        let shown = |end: &Timestamp| over && (run.cancelled.is_some() || *end + EARLY <= now);
        let end = self.end(run).filter(shown);
        let failing = self.tests.iter().filter(|(_, passes)| !passes).count();
        let (failing, passing, unknown) = match over {
            true => (failing, self.tests.len() - failing, 0),
            false => (0, 0, self.tests.len()),
        };
        let screenshots = over.then_some(self.fate != Fate::Screenshots);
        let mut result = json!({
            "_id": run.id, "name": format!("Shop {}", run.of), "passing": self.passing(run, now),
            "screenshotComparePassing": screenshots, "dateCreated": run.created.to_string(),
            "dateExecutionStarted": run.created.to_string(),
            "dateExecutionFinished": end.map_or("1970-01-01T00:00:00.000Z".to_owned(), |end| end.to_string()),
            "executionTime": end.map(|end| end.duration_since(run.created).as_millis()),
            "startUrl": run.fields.get("startUrl"), "organization": "52f", "endUrl": null, "planted": {"new": [1]}
        });
        if run.kind == "suites" {
            result["countPassing"] = json!(passing);
            result["countFailing"] = json!(failing);
            result["countUnknown"] = json!(unknown);
            result["suite"] = json!({"_id": run.of, "name": "Shop"});
        } else {
            result["variables"] = json!(run.variables);
            result["test"] = json!({"_id": run.of, "name": "Buy"});
            result["steps"] = json!([]);
        }
        result
    }

    fn tests_of(&self, run: &Run, now: Timestamp) -> Vec<Value> {
        let over = self.is_over(run, now);
        let tests = self.tests.iter().enumerate();
        tests
            .map(|(number, (name, passes))| {
                json!({
                    "_id": format!("{}{number:04x}", &run.id[..20]), "testName": name,
                    "passing": over.then_some(*passes), "variables": run.variables,
                    "screenshotComparePassing": over.then_some(self.fate != Fate::Screenshots)
                })
            })
            .collect()
    }

    fn xunit(&self, run: &Run) -> String {
        let cases: String = self
            .tests
            .iter()
            .map(|(name, passes)| match passes {
                true => format!("<testcase name=\"{name}\"/>"),
                false => {
                    format!("<testcase name=\"{name}\"><failure message=\"planned\"/></testcase>")
                }
            })
            .collect();
        let (count, id) = (self.tests.len(), &run.id);
        format!(
            "<?xml version=\"1.0\"?><testsuites id=\"{id}\"><testsuite tests=\"{count}\">{cases}</testsuite></testsuites>"
        )
    }
}

fn data(data: Value) -> Reply {
    Reply::json(200, &json!({"code": "SUCCESS", "data": data}))
}

fn error(kind: &str, message: &str) -> Reply {
    Reply::json(
        200,
        &json!({"code": "ERROR", "errorType": kind, "message": message}),
    )
}

/// 10 by default, 50 at most.
fn page(all: &[Value], asked: &Asked) -> Reply {
    let number = |name: &str| {
        asked
            .param(name)
            .and_then(|text| text.parse::<usize>().ok())
    };
    let count = number("count").unwrap_or(10).min(50);
    let offset = number("offset").unwrap_or_default();
    let part: Vec<&Value> = all.iter().skip(offset).take(count).collect();
    data(json!(part))
}

/// What came in the query, or in a body of any of the three types that the vendor takes.
fn fields(asked: &Asked) -> BTreeMap<String, String> {
    let kind = asked.header("content-type").unwrap_or_default();
    let mut all: BTreeMap<String, String> = asked.query.iter().cloned().collect();
    if kind.starts_with("application/json") {
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let body = asked.json();
        all.extend(
            body.as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), text(value))),
        );
    } else if let Some((_, boundary)) = kind.split_once("boundary=") {
        all.extend(multipart(&String::from_utf8_lossy(&asked.body), boundary));
    } else {
        all.extend(asked.form());
    }
    all
}

fn multipart(body: &str, boundary: &str) -> Vec<(String, String)> {
    let boundary = format!("--{}", boundary.trim_matches('"'));
    let parts = body.split(&boundary);
    let field = |part: &str| {
        let (head, value) = part.split_once("\r\n\r\n")?;
        let (_, name) = head.split_once("name=\"")?;
        let (name, _) = name.split_once('"')?;
        Some((name.to_owned(), value.trim_end_matches("\r\n").to_owned()))
    };
    parts.filter_map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipart_is_read() {
        let body = "--xy\r\nContent-Disposition: form-data; name=\"apiKey\"\r\n\r\nk\r\n--xy\r\n\
                    Content-Disposition: form-data; name=\"a\"\r\n\r\nb\r\nc\r\n--xy--\r\n";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            multipart(body, "xy"),
            [pair("apiKey", "k"), pair("a", "b\r\nc")]
        );
    }
}
