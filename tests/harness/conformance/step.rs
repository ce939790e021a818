//! Plays the steps of one case: operations with what they give, and the work of a job worker.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

use super::{
    Templates,
    expect::{differs, fits, refusal},
    request::numbered,
    way::Way,
};

/// Nothing in a case takes longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks: long enough that a clock that jumps finds a quiet time in between.
const PAUSE: Duration = Duration::from_millis(120);
/// Members of a step that say what is expected.
const EXPECTATIONS: [&str; 5] = ["gives", "exactly", "until", "refused", "status"];

/// One case under way.
pub struct Play<'a> {
    pub(super) way: &'a dyn Way,
    fast: bool,
    templates: &'a Templates,
    known: BTreeMap<String, Value>,
    /// Jobs that were polled and not yet taken: id, nonce, data.
    jobs: Vec<Value>,
    /// Calls of functions that were looked at, or happened before.
    calls: usize,
}

impl<'a> Play<'a> {
    /// With what is given as captured; `fast` where time jumps.
    pub fn new(
        way: &'a dyn Way,
        templates: &'a Templates,
        fast: bool,
        given: &Map<String, Value>,
    ) -> Self {
        let given = given
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()));
        Self {
            way,
            fast,
            templates,
            known: given
                .chain([("url".to_owned(), json!(way.url()))])
                .collect(),
            jobs: Vec::new(),
            calls: way.calls().len(),
        }
    }

    /// All steps.
    ///
    /// # Errors
    /// The step that failed, what was expected and what came.
    pub fn all(&mut self, steps: &[Value]) -> Result<(), String> {
        for (number, step) in steps.iter().enumerate() {
            let again = step["times"].as_u64().unwrap_or(1);
            for n in 1..=again {
                let step = if again > 1 { &numbered(step, n) } else { step };
                self.one(step).map_err(|problem| {
                    format!("  step {}: {}\n{problem}", number + 1, shown(step))
                })?;
            }
        }
        Ok(())
    }

    fn one(&mut self, step: &Value) -> Result<(), String> {
        let fields = step.as_object().ok_or("  a step is a map")?;
        let verb = fields
            .keys()
            .find(|name| !EXPECTATIONS.contains(&name.as_str()) && *name != "times")
            .ok_or("  a step names an operation")?;
        let request = self.templates.fill(&fields[verb], &self.known)?;
        match verb.as_str() {
            "raw" => {
                let operation = request["operation"].as_str().unwrap_or_default().to_owned();
                let body = request["body"].as_str().unwrap_or_default().to_owned();
                self.ask(&operation, body.as_bytes(), fields)
            }
            "take" => self.take(&request).map(drop),
            "pass" => {
                let mut result = request["with"].clone();
                let job = self.take(&request)?;
                result["jobId"] = job;
                self.ask(
                    "PutJobSuccessResult",
                    result.to_string().as_bytes(),
                    &Map::new(),
                )
            }
            "fail" => {
                let job = self.take(&request)?;
                let failure = json!({"type": "JobFailed", "message": "it failed"});
                let result = json!({"jobId": job, "failureDetails": failure});
                self.ask(
                    "PutJobFailureResult",
                    result.to_string().as_bytes(),
                    &Map::new(),
                )
            }
            "ends" => self.ends(&request),
            "idle" => self.idle(&request),
            "form" => self.form(&request, fields),
            "s3" => self.s3(&request),
            "page" => self.page(&request, fields),
            "json" => self.json(&request, fields),
            "post" => self.post(&request, fields),
            "invoked" => self.invoked(&request, fields),
            "quiet" => self.quiet(),
            operation => self.ask(operation, request.to_string().as_bytes(), fields),
        }
    }

    fn ask(
        &mut self,
        operation: &str,
        body: &[u8],
        expected: &Map<String, Value>,
    ) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let (status, reply) = self.call(operation, body)?;
            if let Some(problem) = self.templates.model.judge(operation, status, &reply) {
                return Err(format!("  against the model: {problem}"));
            }
            match self.check(status, &reply, expected)? {
                None => return Ok(()),
                Some(_) if expected.contains_key("until") && Instant::now() < until => {
                    let pause = if self.fast {
                        PAUSE
                    } else {
                        Duration::from_millis(5)
                    };
                    std::thread::sleep(pause);
                }
                Some(problem) => return Err(problem),
            }
        }
    }

    fn call(&self, operation: &str, body: &[u8]) -> Result<(u16, Value), String> {
        let answer = self.way.call(operation, body);
        answer.map_err(|error| format!("  no answer: {error}"))
    }

    /// What is wrong with a reply; an error if the expectation itself is.
    pub(super) fn check(
        &mut self,
        status: u16,
        reply: &Value,
        expected: &Map<String, Value>,
    ) -> Result<Option<String>, String> {
        if let Some(written) = expected.get("refused") {
            let written = self.templates.fill(written, &self.known)?;
            let wanted = refusal(written.as_str().unwrap_or_default());
            let got = format!(
                "{}: {}",
                reply["__type"].as_str().unwrap_or("no refusal"),
                reply["message"].as_str().unwrap_or_default()
            );
            let code = expected.get("status").and_then(Value::as_u64);
            let code = code.unwrap_or(match wanted.split(':').next() {
                // botocore models it so from 1.44.5 on
                Some("ConflictException") => 409,
                _ => 400,
            });
            let wanted = if wanted.contains(": ") {
                wanted
            } else {
                wanted + ": …"
            };
            let wrong = u64::from(status) != code || !fits(&wanted, &got);
            return Ok(wrong.then(|| {
                let got = if status == 200 {
                    format!("200 {reply}")
                } else {
                    format!("{status} {got}")
                };
                format!("  expected {code} {wanted}\n  got      {got}")
            }));
        }
        if status != 200 {
            return Ok(Some(format!("  got      {status} {reply}")));
        }
        for (name, whole) in [("gives", false), ("until", false), ("exactly", true)] {
            let Some(wanted) = expected.get(name) else {
                continue;
            };
            let wanted = self.templates.fill(wanted, &self.known)?;
            if let Some(problem) = differs(&wanted, reply, whole, &mut self.known) {
                return Ok(Some(format!("  {problem}\n  in       {reply}")));
            }
        }
        Ok(None)
    }

    /// A job worker's poll and acknowledgement for an action; its id is captured as `job`, or as named by `as`.
    fn take(&mut self, wanted: &Value) -> Result<Value, String> {
        let (action, execution) = match wanted {
            Value::String(action) => (action.as_str(), None),
            other => (
                other["action"].as_str().unwrap_or_default(),
                other["execution"].as_str(),
            ),
        };
        let until = Instant::now() + PATIENCE;
        let job = loop {
            let fits = |job: &Value| {
                let context = &job["data"]["pipelineContext"];
                context["action"]["name"] == action
                    && execution.is_none_or(|id| context["pipelineExecutionId"] == id)
            };
            if let Some(at) = self.jobs.iter().position(fits) {
                break self.jobs.remove(at);
            }
            self.poll()?;
            if !self.jobs.iter().any(fits) {
                if Instant::now() > until {
                    return Err(format!(
                        "  no job of {action} came; there are {:?}",
                        self.jobs
                    ));
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        let nonce = json!({"jobId": job["id"], "nonce": job["nonce"]});
        let (status, reply) = self.call("AcknowledgeJob", nonce.to_string().as_bytes())?;
        if status != 200 {
            return Err(format!("  AcknowledgeJob: {status} {reply}"));
        }
        let name = wanted["as"].as_str().unwrap_or("job").to_owned();
        self.known
            .insert(format!("{name}.data"), job["data"].clone());
        self.known.insert(name, job["id"].clone());
        Ok(job["id"].clone())
    }

    fn poll(&mut self) -> Result<(), String> {
        let (_, listed) = self.call("ListActionTypes", br#"{"actionOwnerFilter":"Custom"}"#)?;
        let types = listed["actionTypes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ids = types.iter().map(|kind| &kind["id"]);
        for id in ids.filter(|id| id["provider"] == "Work") {
            let request = json!({"actionTypeId": id, "maxBatchSize": 100});
            let (status, reply) = self.call("PollForJobs", request.to_string().as_bytes())?;
            let missing = reply["__type"] == "ActionTypeNotFoundException";
            if status != 200 && !missing {
                return Err(format!("  PollForJobs: {status} {reply}"));
            }
            if let Some(problem) = self.templates.model.judge("PollForJobs", status, &reply) {
                return Err(format!("  against the model: {problem}"));
            }
            let jobs = reply["jobs"].as_array().cloned();
            self.jobs.extend(jobs.unwrap_or_default());
        }
        Ok(())
    }

    /// Waits until an execution has this status.
    fn ends(&mut self, request: &Value) -> Result<(), String> {
        let (execution, status) = (&request[0], &request[1]);
        let name = request.get(2).cloned().unwrap_or(json!("p"));
        let body = json!({"pipelineName": name, "pipelineExecutionId": execution});
        let until = json!({"until": {"pipelineExecution": {"status": status}}});
        let until = until.as_object().cloned().unwrap_or_default();
        self.ask("GetPipelineExecution", body.to_string().as_bytes(), &until)
    }

    /// No job waits for this action.
    fn idle(&mut self, action: &Value) -> Result<(), String> {
        self.poll()?;
        let found = self
            .jobs
            .iter()
            .find(|job| job["data"]["pipelineContext"]["action"]["name"] == *action);
        found.map_or(Ok(()), |job| Err(format!("  a job is there: {job}")))
    }

    /// The next call of a function: its job is captured as `job`, or as named.
    fn invoked(&mut self, name: &Value, expected: &Map<String, Value>) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        let event = loop {
            if let Some(event) = self.way.calls().into_iter().nth(self.calls) {
                break event;
            }
            if Instant::now() > until {
                return Err("  no function was called".to_owned());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        self.calls += 1;
        let name = name.as_str().unwrap_or("job").to_owned();
        self.known
            .insert(name, event["CodePipeline.job"]["id"].clone());
        match self.check(200, &event, expected)? {
            None => Ok(()),
            Some(problem) => Err(problem),
        }
    }

    /// No function was called since the last look.
    fn quiet(&mut self) -> Result<(), String> {
        let calls = self.way.calls();
        let more = calls.get(self.calls);
        more.map_or(Ok(()), |event| {
            Err(format!("  a function was called: {event}"))
        })
    }
}

fn shown(step: &Value) -> String {
    let text = step.to_string();
    match text.char_indices().nth(400) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
