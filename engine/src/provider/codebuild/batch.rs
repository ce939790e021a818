//! A batch build: builds of one buildspec side by side, or after those that they depend on.

use std::{collections::BTreeMap, sync::Mutex};

use engine_plan::event::Outcome;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio_util::sync::CancellationToken;

use super::{
    build::{Build, Built},
    buildspec::{Batch, Member},
    work::Work,
};
use crate::provider::Trouble;

/// Builds of a batch that run at the same time.
const TOGETHER: usize = 4;

/// How far a build of a batch is.
#[derive(Debug)]
enum State<T> {
    /// It may begin when the builds that it depends on have ended well.
    Waiting,
    /// It has begun.
    Running,
    /// It ended well.
    Succeeded(T),
    /// It failed, with this text.
    Failed(String),
    /// It did not begin, or was stopped, because of others.
    GivenUp,
}

/// Which builds begin next and which never will; until nothing changes any more.
fn next<'a, T>(
    batch: &'a Batch,
    states: &mut BTreeMap<&'a str, State<T>>,
    halted: bool,
) -> Vec<usize> {
    let mut begin = Vec::new();
    loop {
        let mut changed = false;
        for (index, member) in batch.members.iter().enumerate() {
            let name = member.identifier.as_str();
            if !matches!(states[name], State::Waiting) {
                continue;
            }
            let well = |it: &String| matches!(states[it.as_str()], State::Succeeded(_));
            let forgiven = |it: &String| {
                let failed = matches!(states[it.as_str()], State::Failed(_));
                failed
                    && batch
                        .members
                        .iter()
                        .any(|one| one.identifier == *it && one.ignore_failure)
            };
            let lost = |it: &String| {
                let gone = matches!(states[it.as_str()], State::Failed(_) | State::GivenUp);
                gone && !forgiven(it)
            };
            if halted || member.depends_on.iter().any(lost) {
                states.insert(name, State::GivenUp);
                changed = true;
            } else if member.depends_on.iter().all(|it| well(it) || forgiven(it)) {
                states.insert(name, State::Running);
                begin.push(index);
            }
        }
        if !changed {
            return begin;
        }
    }
}

/// Runs the batch that the primary source's buildspec describes.
pub(super) async fn run(
    parent: &Build<'_>,
    work: &Work,
    stop: &CancellationToken,
) -> Result<Outcome, Trouble> {
    let Some((source, _)) = parent.sources(stop).await? else {
        return Ok(Outcome::Stopped);
    };
    let (file, spec) = parent.buildspec(&work.project, &source)?;
    let Some(batch) = spec.batch else {
        let text = format!("YAML_FILE_ERROR: {file}: BatchEnabled needs batch in the buildspec");
        return Err(parent.ended("DOWNLOAD_BATCHSPEC", &text));
    };
    let names: Vec<&str> = batch
        .members
        .iter()
        .map(|it| it.identifier.as_str())
        .collect();
    parent.say(&format!(
        "Batch of {} builds: {}",
        names.len(),
        names.join(", ")
    ));
    let halt = stop.child_token();
    let mut states: BTreeMap<&str, State<Built>> =
        names.iter().map(|name| (*name, State::Waiting)).collect();
    let mut begin = next(&batch, &mut states, false);
    let mut running = FuturesUnordered::new();
    loop {
        let free = TOGETHER.saturating_sub(running.len()).min(begin.len());
        for index in begin.drain(..free) {
            running.push(one(parent, work, &batch.members, index, &halt));
        }
        let Some((index, ended)) = running.next().await else {
            break;
        };
        let member = &batch.members[index];
        let name = member.identifier.as_str();
        let state = match ended {
            Ok(Some(built)) => State::Succeeded(built),
            Ok(None) => State::GivenUp,
            Err(trouble) => {
                if batch.fast_fail && !member.ignore_failure {
                    halt.cancel();
                }
                State::Failed(trouble.message)
            }
        };
        let told = match &state {
            State::Succeeded(_) => "SUCCEEDED",
            State::Failed(_) => "FAILED",
            _ => "STOPPED",
        };
        parent.say(&format!("Build {name} of the batch: {told}"));
        states.insert(name, state);
        begin.extend(next(&batch, &mut states, halt.is_cancelled()));
        if halt.is_cancelled() {
            for index in begin.drain(..) {
                states.insert(batch.members[index].identifier.as_str(), State::GivenUp);
            }
        }
    }
    if stop.is_cancelled() {
        return Ok(Outcome::Stopped);
    }
    finish(parent, &batch, &states).await
}

async fn one(
    parent: &Build<'_>,
    work: &Work,
    members: &[Member],
    index: usize,
    halt: &CancellationToken,
) -> (usize, Result<Option<Built>, Trouble>) {
    let member = &members[index];
    let mut work = work.clone();
    work.project.environment.extend(member.variables.clone());
    work.project.image = member.image.clone().or(work.project.image);
    let build = Build {
        task: parent.task,
        workshop: parent.workshop,
        stores: parent.stores,
        caches: None,
        number: parent.number,
        revision: parent.revision.clone(),
        progress: None,
        member: Some(member),
        masks: Mutex::default(),
    };
    (index, build.run(&work, halt).await)
}

async fn finish(
    parent: &Build<'_>,
    batch: &Batch,
    states: &BTreeMap<&str, State<Built>>,
) -> Result<Outcome, Trouble> {
    let (mut built, mut problems) = (Vec::new(), Vec::new());
    for member in &batch.members {
        let name = member.identifier.as_str();
        match &states[name] {
            State::Succeeded(one) => built.push((name, one)),
            State::Failed(text) if !member.ignore_failure => {
                problems.push(format!("{name}: {text}"))
            }
            State::Failed(_) => parent.say(&format!(
                "The failure of {name} is ignored, as the batch says"
            )),
            _ => {}
        }
    }
    if !problems.is_empty() {
        return Err(Trouble::job(problems.join("; ")));
    }
    match parent.setting("CombineArtifacts") {
        Some("true") => parent.upload_combined(&built).await?,
        _ => parent.upload_batch(&built).await?,
    }
    let mut variables = BTreeMap::new();
    for (_, one) in &built {
        variables.extend(one.variables.clone());
    }
    let all = batch.members.len();
    let summary = format!("Batch build succeeded: {} of {all} builds", built.len());
    Ok(Outcome::Succeeded {
        details: parent.details(Some(summary), Some(100)),
        variables,
        revision: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(members: &[(&str, &[&str], bool)]) -> Batch {
        let member = |(name, on, ignore): &(&str, &[&str], bool)| Member {
            identifier: (*name).to_owned(),
            buildspec: None,
            image: None,
            variables: BTreeMap::new(),
            depends_on: on.iter().map(|it| (*it).to_owned()).collect(),
            ignore_failure: *ignore,
        };
        Batch {
            fast_fail: false,
            members: members.iter().map(member).collect(),
        }
    }

    #[test]
    fn builds_begin_after_those_they_depend_on() {
        let graph = batch(&[
            ("c", &["a", "b"], false),
            ("a", &[], true),
            ("b", &[], false),
            ("d", &["c"], false),
        ]);
        let failed = || State::Failed(String::new());
        type Ends = [(&'static str, fn() -> State<()>); 2];
        let good: fn() -> State<()> = || State::Succeeded(());
        let bad: fn() -> State<()> = || State::Failed(String::new());
        let cases: [(Ends, &[usize], bool); 3] = [
            ([("a", good), ("b", good)], &[0], false),
            // a failure that the batch forgives holds nobody up
            ([("a", bad), ("b", good)], &[0], false),
            ([("a", good), ("b", bad)], &[], true),
        ];
        for (ends, expected, lost) in cases {
            let mut states: BTreeMap<&str, State<()>> = ["a", "b", "c", "d"]
                .map(|name| (name, State::Waiting))
                .into();
            assert_eq!(next(&graph, &mut states, false), [1, 2]);
            assert_eq!(
                next(&graph, &mut states, false),
                [0; 0],
                "nobody begins twice"
            );
            for (name, end) in ends {
                states.insert(name, end());
            }
            assert_eq!(next(&graph, &mut states, false), expected);
            assert_eq!(matches!(states["d"], State::GivenUp), lost, "{ends:?}");
        }
        let mut states: BTreeMap<&str, State<()>> = ["a", "b", "c", "d"]
            .map(|name| (name, State::Waiting))
            .into();
        states.insert("a", failed());
        assert_eq!(
            next(&graph, &mut states, true),
            [0; 0],
            "a halted batch begins nothing"
        );
    }
}
