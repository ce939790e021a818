//! What Jenkins says about items, jobs and builds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Build, CLASS, Item, Jenkins, Stop};
use crate::{Asked, Reply};

const FOLDER: &str = "com.cloudbees.hudson.plugins.folder.Folder";

impl Jenkins {
    pub(super) fn url_of(&self, names: &[String]) -> String {
        let parts = names
            .iter()
            .map(|name| format!("/job/{}", shared::provider::segment(name)));
        format!("{}{}/", self.own_url, parts.collect::<String>())
    }

    /// What lies directly in a folder: its jobs and folders.
    pub(super) fn below(&self, folder: &[String]) -> Vec<Value> {
        let depth = folder.len() + 1;
        let inside = self
            .jobs
            .keys()
            .filter(|names| names.len() >= depth && names.starts_with(folder));
        let entries: BTreeMap<&[String], bool> = inside
            .map(|names| (&names[..depth], names.len() == depth))
            .collect();
        let one = |(names, is_job): (&[String], bool)| {
            let class = if is_job { CLASS } else { FOLDER };
            json!({"_class": class, "name": names.last(), "url": self.url_of(names)})
        };
        entries.into_iter().map(one).collect()
    }

    pub(super) fn folder(&self, names: &[String], below: &[Value]) -> Value {
        json!({
            "_class": FOLDER, "name": names.last(), "fullName": names.join("/"), "url": self.url_of(names), "jobs": below,
            "description": null, "views": [], "primaryView": null
        })
    }

    pub(super) fn item(&self, item: &Item, now: Timestamp) -> Value {
        let left = now >= item.created + self.queue_time || item.cancelled.is_some();
        let name = item.job.last().map(String::as_str).unwrap_or_default();
        let mut value = json!({
            "_class": if left { "hudson.model.Queue$LeftItem" } else { "hudson.model.Queue$WaitingItem" },
            "actions": parameters(&item.parameters), "blocked": false, "buildable": false, "id": item.id,
            "inQueueSince": item.created.as_millisecond(), "params": "", "stuck": false,
            "task": {"_class": CLASS, "name": name, "url": self.url_of(&item.job), "color": "blue"},
            "url": format!("queue/item/{}/", item.id), "why": null
        });
        if left {
            value["cancelled"] = json!(item.cancelled.is_some());
            value["executable"] = match item.build {
                Some(number) => json!({
                    "_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun", "number": number,
                    "url": format!("{}{number}/", self.url_of(&item.job))
                }),
                None => Value::Null,
            };
        } else {
            value["why"] = json!("In the quiet period. Expires in 4.9 sec");
            value["timestamp"] = json!((item.created + self.queue_time).as_millisecond());
        }
        value
    }

    pub(super) fn about_job(&self, names: &[String], asked: &Asked, now: Timestamp) -> Reply {
        let job = &self.jobs[names];
        let definitions = job.parameters.as_ref().map(|all| {
            let one = |name: &String| json!({
                "_class": "hudson.model.StringParameterDefinition", "name": name, "type": "StringParameterDefinition",
                "defaultParameterValue": {"_class": "hudson.model.StringParameterValue", "value": ""}
            });
            json!({
                "_class": "hudson.model.ParametersDefinitionProperty",
                "parameterDefinitions": all.iter().map(one).collect::<Vec<_>>()
            })
        });
        let mut property = vec![json!({"_class": "jenkins.model.BuildDiscarderProperty"})];
        property.extend(definitions);
        let class = if job.multibranch {
            "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"
        } else {
            CLASS
        };
        // Without `tree`, a job's builds have number and address only.
        let whole = asked
            .param("tree")
            .is_some_and(|tree| tree.contains("builds["));
        let builds = job.builds.iter().rev().take(50).map(|build| match whole {
            true => self.build(names, build, now),
            false => json!({"_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun", "number": build.number, "displayName": format!("#{}", build.number), "url": format!("{}{}/", self.url_of(names), build.number)}),
        });
        let mut value = json!({
            "_class": class, "name": names.last(), "fullName": names.join("/"), "url": self.url_of(names), "color": "blue",
            "property": property, "inQueue": false, "nextBuildNumber": job.builds.len() + 1,
            "builds": builds.collect::<Vec<_>>()
        });
        if job.multibranch {
            value["jobs"] = json!([]);
        } else {
            value["buildable"] = json!(!job.disabled);
        }
        Reply::json(200, &value)
    }

    fn build(&self, names: &[String], build: &Build, now: Timestamp) -> Value {
        let running = now < build.ends;
        let decided = now >= build.ends + build.outcome.undecided;
        let mut actions = parameters(&build.parameters);
        actions.push(json!({}));
        if let (Some((failed, skipped, total)), false) = (build.outcome.tests, running) {
            actions.push(json!({
                "_class": "hudson.tasks.junit.TestResultAction", "failCount": failed, "skipCount": skipped,
                "totalCount": total, "urlName": "testReport"
            }));
        }
        let artifacts = build
            .outcome
            .artifacts
            .iter()
            .filter(|_| !running)
            .map(|(path, _)| {
                let name = path.rsplit('/').next();
                json!({"displayPath": name, "fileName": name, "relativePath": path})
            });
        let took = build.ends.duration_since(build.started).as_millis();
        json!({
            "_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun", "number": build.number,
            "url": format!("{}{}/", self.url_of(names), build.number), "id": build.number.to_string(),
            "queueId": build.queue_id, "building": running, "inProgress": running,
            "result": decided.then(|| build.outcome.result.clone()).filter(|_| !running),
            "duration": if running { 0 } else { took }, "estimatedDuration": self.build_time.as_millis(),
            "timestamp": build.started.as_millisecond(), "artifacts": artifacts.collect::<Vec<_>>(),
            "actions": actions, "keepLog": false, "displayName": format!("#{}", build.number)
        })
    }

    pub(super) fn about_build(
        &mut self,
        names: &[String],
        number: u64,
        rest: &[&str],
        asked: &Asked,
        now: Timestamp,
    ) -> Reply {
        let ends_at = self.ends_at;
        let may_build = self.may_build;
        let asks = self.asks.clone();
        let job = self.jobs.get_mut(names);
        let found = job.and_then(|job| job.builds.iter_mut().find(|build| build.number == number));
        let Some(build) = found else {
            return Reply::html(404, "Not Found");
        };
        let over = now >= build.ends;
        match rest {
            ["api", "json"] => {
                let build = build.clone();
                Reply::json(200, &self.build(names, &build, now))
            }
            [how @ ("stop" | "term" | "kill")] if asked.method == "POST" => {
                if !may_build {
                    return Reply::html(403, "pipeline is missing the Job/Cancel permission");
                }
                let how = match *how {
                    "stop" => Stop::Stop,
                    "term" => Stop::Term,
                    _ => Stop::Kill,
                };
                if !over && how >= ends_at {
                    build.ends = now;
                    "ABORTED".clone_into(&mut build.outcome.result);
                }
                Reply::empty(302).header("Location", &self.url_of(names))
            }
            ["wfapi", "pendingInputActions"] => match asks {
                Some(asks) if !over => {
                    let asks = asks.iter().map(|ask| question(&asked.path, ask)).collect();
                    Reply::json(200, &Value::Array(asks))
                }
                Some(_) => Reply::json(200, &json!([])),
                None => Reply::html(404, "Not Found"),
            },
            ["consoleText"] => Reply::text(200, &build.outcome.console),
            ["logText", "progressiveText"] => {
                let log = build.outcome.console.as_bytes();
                let start = asked.param("start").and_then(|start| start.parse().ok());
                // A start beyond the end begins anew.
                let from = start
                    .filter(|start| *start <= log.len())
                    .unwrap_or_default();
                let reply = Reply::of_type(200, "text/plain;charset=utf-8", &log[from..]);
                let reply = reply.header("X-Text-Size", &log.len().to_string());
                if over {
                    reply
                } else {
                    reply.header("X-More-Data", "true")
                }
            }
            ["testReport", "api", "json"] => report(build, over),
            ["artifact", path @ ..] => {
                let path = path.join("/");
                let found = build
                    .outcome
                    .artifacts
                    .iter()
                    .find(|(name, _)| *name == path);
                match found {
                    Some((_, text)) => {
                        Reply::of_type(200, "application/octet-stream", text.as_bytes())
                    }
                    None => Reply::html(404, "Not Found"),
                }
            }
            _ => Reply::html(404, "Not Found"),
        }
    }
}

/// As the Pipeline REST API plugin writes it.
fn question(path: &str, (message, proceed, names): &(String, String, Vec<String>)) -> Value {
    let build = path.trim_end_matches("/wfapi/pendingInputActions");
    let id = "3eaa25d43fac6e39a12c3936942b72c8";
    let inputs: Vec<Value> = names
        .iter()
        .map(|name| json!({"type": "StringParameterDefinition", "name": name, "description": "", "definition": {"defaultVal": ""}}))
        .collect();
    json!({
        "id": id, "message": message, "proceedText": proceed, "inputs": inputs,
        "proceedUrl": format!("{build}/wfapi/inputSubmit?inputId={id}"), "abortUrl": format!("{build}/input/{id}/abort"),
        "redirectApprovalUrl": format!("{build}/input/")
    })
}

fn report(build: &Build, over: bool) -> Reply {
    let (Some((failed, skipped, total)), true) = (build.outcome.tests, over) else {
        return Reply::html(404, "Not Found");
    };
    let case = |number: u64| {
        let status = match number {
            n if n < failed => "FAILED",
            n if n < failed + skipped => "SKIPPED",
            _ => "PASSED",
        };
        json!({"className": "shop.CartTest", "name": format!("case{number}"), "status": status, "age": 0,
               "duration": 0.01, "errorDetails": null, "skipped": status == "SKIPPED"})
    };
    let cases: Vec<Value> = (0..total).map(case).collect();
    Reply::json(
        200,
        &json!({
            "_class": "hudson.tasks.junit.TestResult", "duration": 1.5, "empty": false, "failCount": failed,
            "passCount": total - failed - skipped, "skipCount": skipped,
            "suites": [{"name": "shop", "duration": 1.5, "cases": cases, "id": null, "stdout": null}]
        }),
    )
}

fn parameters(all: &[(String, String)]) -> Vec<Value> {
    if all.is_empty() {
        return vec![
            json!({"_class": "hudson.model.CauseAction", "causes": [{"_class": "hudson.model.Cause$UserIdCause"}]}),
        ];
    }
    let one = |(name, value): &(String, String)| json!({"_class": "hudson.model.StringParameterValue", "name": name, "value": value});
    vec![
        json!({"_class": "hudson.model.ParametersAction", "parameters": all.iter().map(one).collect::<Vec<_>>()}),
    ]
}
