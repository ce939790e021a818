//! What Jenkins' answers mean. Pure.

use shared::fault::{Fault, FaultKind};

use crate::{
    params::Params,
    wire::{About, Action, Build, Item},
};

/// How a job is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// It takes parameters.
    pub parameterised: bool,
    /// It declares the parameter that a build of ours is found by.
    pub marked: bool,
}

/// Whether a job can be started, and how. Jenkins drops parameters that a job does not declare without a word; they are
/// refused here by name.
pub fn way(about: &About, params: &Params) -> Result<Way, Fault> {
    let job = &params.job;
    let refused = |text: String| Err(Fault::new(FaultKind::Configuration, text));
    if about.buildable.is_none() || is_container(&about.class) {
        return refused(format!(
            "{job} is no job but a folder or a multibranch project, which would scan for branches: name one of its jobs, as {job}/main"
        ));
    }
    if about.buildable == Some(false) {
        return refused(disabled(params));
    }
    let declared: Vec<&str> = about
        .property
        .iter()
        .filter_map(|property| property.definitions.as_deref())
        .flatten()
        .map(|named| named.name.as_str())
        .collect();
    let unknown = |name: &&String| !declared.contains(&name.as_str());
    let files = params.files.iter().map(|(name, _)| name);
    if let Some(name) = params.parameters.keys().chain(files).find(unknown) {
        return refused(format!(
            "the job {job} declares no parameter {name:?}, so Jenkins would drop it: declare it in the job, or leave it out"
        ));
    }
    Ok(Way {
        parameterised: !declared.is_empty(),
        marked: declared.contains(&params.run_parameter.as_str()),
    })
}

fn is_container(class: &str) -> bool {
    ["Folder", "MultiBranchProject"]
        .iter()
        .any(|end| class.ends_with(end))
}

/// What is said of a job that takes no builds.
pub fn disabled(params: &Params) -> String {
    format!(
        "the job {} is disabled in Jenkins: enable it there, then retry the stage",
        params.job
    )
}

/// Whether one of these is the marker of our run.
pub fn is_marked(actions: &[Action], params: &Params, key: &str) -> bool {
    let mut all = actions.iter().flat_map(|action| &action.parameters);
    all.any(|parameter| {
        parameter.name.as_deref() == Some(&params.run_parameter)
            && parameter.value.as_ref().and_then(|value| value.as_str()) == Some(key)
    })
}

/// A queue item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Queued {
    /// It waits, for this reason.
    Waits(String),
    /// Somebody cancelled it.
    Cancelled,
    /// It left the queue and its build is being made.
    Leaves,
    /// It is this build.
    Build(u64),
}

/// What an item says. One with a build is a build, whatever else it says.
pub fn queued(item: &Item) -> Queued {
    let number = item.executable.as_ref().and_then(|build| build.number);
    match (number, item.cancelled) {
        (Some(number), _) => Queued::Build(number),
        (None, Some(true)) => Queued::Cancelled,
        (None, Some(false)) => Queued::Leaves,
        (None, None) if item.class.ends_with("LeftItem") => Queued::Leaves,
        (None, None) => {
            let why = item.why.as_deref().unwrap_or("no reason given");
            Queued::Waits(why.chars().take(200).collect())
        }
    }
}

/// A build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It runs; the percentage where Jenkins can estimate one.
    Runs(Option<u8>),
    /// It ended and its result is not there yet.
    Undecided,
    /// It ended.
    Over(Verdict),
}

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// SUCCESS, or UNSTABLE where that is good.
    Good,
    /// The words say why it is not.
    Bad(String),
}

/// What a build says at a time in milliseconds. A result counts only once the build has ended.
pub fn progress(build: &Build, unstable_is_good: bool, now: i64) -> Progress {
    if build.building.unwrap_or(false) || build.in_progress.unwrap_or(false) {
        return Progress::Runs(percent(build, now));
    }
    let bad = |text: &str| Progress::Over(Verdict::Bad(text.to_owned()));
    match build.result.as_deref() {
        None => Progress::Undecided,
        Some("SUCCESS") => Progress::Over(Verdict::Good),
        Some("UNSTABLE") if unstable_is_good => Progress::Over(Verdict::Good),
        Some("UNSTABLE") => bad("is UNSTABLE"),
        Some("FAILURE") => bad("ended with FAILURE"),
        Some("NOT_BUILT") => bad("was NOT_BUILT: an earlier part of it stopped it"),
        Some("ABORTED") => bad("was ABORTED in Jenkins"),
        Some(other) => {
            let other: String = other.chars().take(40).collect();
            bad(&format!(
                "ended with {other:?}, a result that this action does not know"
            ))
        }
    }
}

fn percent(build: &Build, now: i64) -> Option<u8> {
    let estimated = build.estimated_duration.filter(|time| *time > 0)?;
    let elapsed = now.saturating_sub(build.timestamp?).max(0);
    let percent = elapsed.saturating_mul(100) / estimated;
    u8::try_from(percent.min(99)).ok()
}

/// Failed, skipped and all tests, when the build published any.
pub fn tests(build: &Build) -> Option<(u64, u64, u64)> {
    build.actions.iter().find_map(|action| {
        Some((
            action.fail_count?,
            action.skip_count.unwrap_or_default(),
            action.total_count?,
        ))
    })
}

/// Tests in words.
pub fn tests_in_words((failed, skipped, all): (u64, u64, u64)) -> String {
    match (failed, skipped) {
        (0, 0) => format!("{all} tests passed"),
        (0, skipped) => format!("{all} tests, {skipped} skipped, none failed"),
        (failed, 0) => format!("{failed} of {all} tests failed"),
        (failed, skipped) => format!("{failed} of {all} tests failed, {skipped} were skipped"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn params(parameters: &Value) -> Params {
        let all = json!({"url": "https://ci", "user": "u", "token": "ssm:a", "job": "team/app", "parameters": parameters});
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_job_says_how_it_is_started() {
        let job = |more: Value| {
            let mut all = json!({"_class": "hudson.model.FreeStyleProject", "buildable": true, "property": [{}]});
            for (name, value) in more.as_object().unwrap() {
                all[name] = value.clone();
            }
            serde_json::from_value::<About>(all).unwrap()
        };
        let declares = |names: &[&str]| {
            let all: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
            json!({"property": [{}, {"parameterDefinitions": all}]})
        };
        let plain = params(&json!({}));
        for (about, parameterised, marked) in [
            (job(json!({})), false, false),
            (job(json!({"property": null})), false, false),
            (job(declares(&["A"])), true, false),
            (job(declares(&["A", "PIPELINE_RUN"])), true, true),
        ] {
            assert_eq!(
                way(&about, &plain).unwrap(),
                Way {
                    parameterised,
                    marked
                }
            );
        }
        for (about, params, want) in [
            (
                job(json!({"buildable": false})),
                &plain,
                "the job team/app is disabled in Jenkins",
            ),
            (
                job(json!({"buildable": null})),
                &plain,
                "team/app is no job but a folder or a multibranch project",
            ),
            (
                job(
                    json!({"_class": "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"}),
                ),
                &plain,
                "name one of its jobs, as team/app/main",
            ),
            (
                job(declares(&["A"])),
                &params(&json!({"B": "1"})),
                "the job team/app declares no parameter \"B\"",
            ),
        ] {
            let fault = way(&about, params).unwrap_err();
            assert!(fault.public.contains(want), "{}", fault.public);
            assert_eq!(fault.kind, FaultKind::Configuration);
        }
    }

    #[test]
    fn items_say_where_they_are() {
        for (item, want) in [
            (
                json!({"id": 1, "why": "Waiting for next available executor"}),
                Queued::Waits("Waiting for next available executor".into()),
            ),
            (json!({"id": 1}), Queued::Waits("no reason given".into())),
            (
                json!({"id": 1, "cancelled": true, "executable": null}),
                Queued::Cancelled,
            ),
            (
                json!({"id": 1, "cancelled": false, "executable": null}),
                Queued::Leaves,
            ),
            (
                json!({"id": 1, "_class": "hudson.model.Queue$LeftItem", "why": null}),
                Queued::Leaves,
            ),
            (
                json!({"id": 1, "cancelled": false, "executable": {"number": 7, "url": "x"}}),
                Queued::Build(7),
            ),
            // Contradicting: a cancelled item with a build has a build.
            (
                json!({"id": 1, "cancelled": true, "executable": {"number": 7}}),
                Queued::Build(7),
            ),
        ] {
            assert_eq!(
                queued(&serde_json::from_value(item.clone()).unwrap()),
                want,
                "{item}"
            );
        }
    }

    #[test]
    fn builds_say_how_they_are() {
        let bad = |text: &str| Progress::Over(Verdict::Bad(text.to_owned()));
        let good = Progress::Over(Verdict::Good);
        for (build, unstable, want) in [
            (
                json!({"building": true, "result": null, "timestamp": 1000, "estimatedDuration": 8000}),
                false,
                Progress::Runs(Some(50)),
            ),
            (
                json!({"building": true, "timestamp": 1000, "estimatedDuration": -1}),
                false,
                Progress::Runs(None),
            ),
            (
                json!({"building": true, "timestamp": 1000, "estimatedDuration": 10}),
                false,
                Progress::Runs(Some(99)),
            ),
            (
                json!({"building": true, "timestamp": 9000, "estimatedDuration": 10}),
                false,
                Progress::Runs(Some(0)),
            ),
            // The result may be there before the end.
            (
                json!({"building": true, "result": "FAILURE"}),
                false,
                Progress::Runs(None),
            ),
            (
                json!({"building": false, "inProgress": true, "result": "SUCCESS"}),
                false,
                Progress::Runs(None),
            ),
            (
                json!({"building": false, "result": null}),
                false,
                Progress::Undecided,
            ),
            (json!({}), false, Progress::Undecided),
            (
                json!({"building": false, "result": "SUCCESS"}),
                false,
                good.clone(),
            ),
            (json!({"building": false, "result": "UNSTABLE"}), true, good),
            (
                json!({"building": false, "result": "UNSTABLE"}),
                false,
                bad("is UNSTABLE"),
            ),
            (
                json!({"building": false, "result": "FAILURE"}),
                true,
                bad("ended with FAILURE"),
            ),
            (
                json!({"building": false, "result": "NOT_BUILT"}),
                true,
                bad("was NOT_BUILT: an earlier part of it stopped it"),
            ),
            (
                json!({"building": false, "result": "ABORTED"}),
                true,
                bad("was ABORTED in Jenkins"),
            ),
            (
                json!({"building": false, "result": "SPLENDID"}),
                true,
                bad("ended with \"SPLENDID\", a result that this action does not know"),
            ),
        ] {
            let mut build = build;
            build["number"] = json!(12);
            let read: Build = serde_json::from_value(build.clone()).unwrap();
            assert_eq!(progress(&read, unstable, 5000), want, "{build}");
        }
    }

    #[test]
    fn tests_are_counted() {
        let build = json!({"number": 1, "actions": [{}, {"parameters": null}, {"failCount": 2, "skipCount": 1, "totalCount": 9}]});
        let build: Build = serde_json::from_value(build).unwrap();
        assert_eq!(
            tests_in_words(tests(&build).unwrap()),
            "2 of 9 tests failed, 1 were skipped"
        );
        assert_eq!(tests_in_words((0, 0, 9)), "9 tests passed");
        assert_eq!(tests(&Build::default()), None);
    }
}
