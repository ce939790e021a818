//! What an execution's actions have made by the time of an approval, and the how-manyeth time it is asked. Plain data to
//! plain data.

use std::collections::BTreeMap;

use crate::{
    approval::{
        history::{Past, Run, RunStatus},
        request::{Artifact, Target},
        words,
    },
    id::ExecutionId,
};

/// Most artifacts that are kept of a request.
const MOST: usize = 30;
/// Longest digest and location that are kept, in characters.
const LONGEST: usize = 300;
/// Ends of the names of output variables that hold a digest: `ImageDigest` of ECR sources, `ETag` of S3 sources, and what
/// builds export.
const DIGESTS: [&str; 3] = ["digest", "sha256", "etag"];

/// The how-manyeth run of the action in its execution the latest is; `None` where the past holds none.
pub fn attempt(target: &Target, execution: &ExecutionId, past: &Past) -> Option<u32> {
    let own = past.runs.iter().filter(|run| {
        run.execution == *execution
            && run.stage == target.stage.as_str()
            && run.action == target.action.as_str()
    });
    u32::try_from(own.count()).ok().filter(|count| *count > 0)
}

/// What actions of the execution made, in the order they were made; of an action that ran twice what it made last.
pub fn artifacts(execution: &ExecutionId, past: &Past) -> Vec<Artifact> {
    let succeeded = |run: &&Run| run.execution == *execution && run.status == RunStatus::Succeeded;
    let mut runs: Vec<&Run> = past.runs.iter().filter(succeeded).collect();
    runs.sort_by_key(|run| run.updated);
    let mut made: Vec<Artifact> = Vec::new();
    for artifact in runs.iter().flat_map(|run| &run.artifacts) {
        made.retain(|before| before.name != artifact.name);
        made.push(artifact.clone());
    }
    made.truncate(MOST);
    made
}

/// The artifacts of one run, by name and location, with the digest that its variables tell. Of several artifacts it is
/// not known which one a digest is of.
pub fn of_run(
    outputs: impl IntoIterator<Item = (String, Option<String>)>,
    variables: &BTreeMap<String, String>,
) -> Vec<Artifact> {
    let clean = |text: &str| words::one_line(text, LONGEST);
    let is_digest = |name: &str| {
        let name = name.to_ascii_lowercase();
        DIGESTS.iter().any(|end| name.ends_with(end))
    };
    let mut digests = variables
        .iter()
        .filter(|(name, value)| is_digest(name) && !value.is_empty());
    let digest = digests.next().filter(|_| digests.next().is_none());
    let mut artifacts: Vec<Artifact> = outputs
        .into_iter()
        .map(|(name, location)| Artifact {
            name: clean(&name),
            location: location.as_deref().map(clean),
            digest: None,
        })
        .collect();
    if let ([only], Some((_, digest))) = (&mut artifacts[..], digest) {
        only.digest = Some(clean(digest));
    }
    artifacts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::history::Work;

    fn run(execution: &str, action: &str, at: i64, status: RunStatus, digest: &str) -> Run {
        let at = jiff::Timestamp::from_second(at).unwrap();
        let variables = [("ImageDigest".to_owned(), digest.to_owned())].into();
        Run {
            execution: execution.parse().unwrap(),
            stage: "Prod".to_owned(),
            action: action.to_owned(),
            work: Work::Other,
            artifacts: of_run([(format!("{action}Output"), None)], &variables),
            status,
            started: at,
            updated: at,
        }
    }

    #[test]
    fn a_retried_action_asks_for_the_second_time_and_its_builds_count_as_last_made() {
        let past = Past {
            runs: vec![
                run("e1", "Build", 1, RunStatus::Succeeded, "sha256:one"),
                run("e1", "Build", 3, RunStatus::Succeeded, "sha256:two"),
                run("e1", "Test", 4, RunStatus::Failed, "sha256:three"),
                run("e0", "Build", 9, RunStatus::Succeeded, "sha256:four"),
                run("e1", "Approve", 2, RunStatus::Failed, ""),
                run("e1", "Approve", 5, RunStatus::InProgress, ""),
            ],
            ..Past::default()
        };
        let target = Target {
            pipeline: "p".parse().unwrap(),
            stage: "Prod".parse().unwrap(),
            action: "Approve".parse().unwrap(),
        };
        let (ours, other) = ("e1".parse().unwrap(), "e2".parse().unwrap());
        assert_eq!(attempt(&target, &ours, &past), Some(2));
        assert_eq!(attempt(&target, &other, &past), None);
        let made = artifacts(&ours, &past);
        let digests: Vec<_> = made.iter().map(|a| a.digest.as_deref()).collect();
        assert_eq!(digests, [Some("sha256:two")]);
    }

    #[test]
    fn a_digest_is_told_where_it_is_known_whose_it_is() {
        let digest = |outputs: &[&str], variables: &[(&str, &str)]| {
            let outputs = outputs.iter().map(|name| ((*name).to_owned(), None));
            let variables = variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let mut made = of_run(outputs, &variables);
            made.pop().and_then(|artifact| artifact.digest)
        };
        let told = |name| digest(&["A"], &[("BranchName", "main"), (name, "x\ny")]);
        for name in ["ImageDigest", "ETag", "SITE_SHA256"] {
            assert_eq!(told(name).as_deref(), Some("x y"), "{name}");
        }
        assert_eq!(told("CommitId"), None);
        assert_eq!(digest(&["A", "B"], &[("ImageDigest", "x")]), None);
        assert_eq!(digest(&["A"], &[("ImageDigest", "x"), ("ETag", "y")]), None);
    }
}
