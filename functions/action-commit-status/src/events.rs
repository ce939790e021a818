//! A pipeline's executions as statuses of the commits they were started with.

use serde::Deserialize;
use shared::{
    event::{self, StateChange, Subject},
    provider::pairs,
};

use crate::params::{State, is_commit, is_repository};

/// Whether the event is a reason to look: the execution's own, and that of a source, for its commit is known then.
pub fn concerns(change: &StateChange) -> bool {
    match &change.subject {
        Subject::Execution { .. } => true,
        Subject::Action(action) => {
            action.kind.category == "Source" && change.state == event::State::Succeeded
        }
        Subject::Stage { .. } => false,
    }
}

/// What is said of the commits, and words for it. Told by the execution as it is now, for events come in any order.
pub fn state(status: &str) -> Option<(State, &'static str)> {
    Some(match status {
        "InProgress" | "Stopping" => (State::Pending, "is in progress"),
        "Succeeded" => (State::Success, "succeeded"),
        "Failed" => (State::Failure, "failed"),
        "Stopped" => (State::Stopped, "was stopped"),
        "Superseded" => (State::Stopped, "was superseded by a newer execution"),
        "Cancelled" => (State::Stopped, "was cancelled"),
        _ => return None,
    })
}

/// The execution in CodePipeline's console.
pub fn link(change: &StateChange) -> String {
    let region = &change.region;
    format!(
        "https://{region}.console.aws.amazon.com/codesuite/codepipeline/pipelines/{}/executions/{}/timeline?region={region}",
        change.pipeline, change.execution
    )
}

/// `GetPipelineExecution`, as far as it is looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The execution.
    pub pipeline_execution: Option<Execution>,
}

/// An execution.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// What it was started with; empty until its sources are read.
    pub artifact_revisions: Option<Vec<Revision>>,
    /// As `InProgress`.
    pub status: Option<String>,
}

/// One source's revision.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// Of a repository: the commit.
    pub revision_id: Option<String>,
    /// Where the commit is seen.
    pub revision_url: Option<String>,
}

/// Repositories and commits among the revisions. A repository that a revision does not name is `fallback`.
pub fn commits(revisions: &[Revision], fallback: Option<&str>) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for revision in revisions {
        let commit = revision.revision_id.as_deref().unwrap_or_default();
        let url = revision.revision_url.as_deref().unwrap_or_default();
        let repository = repository(url).or_else(|| fallback.map(str::to_owned));
        if let (true, Some(repository)) = (is_commit(commit), repository) {
            let pair = (repository, commit.to_ascii_lowercase());
            if !found.contains(&pair) {
                found.push(pair);
            }
        }
    }
    found
}

/// The repository in a revision's address: a connection's redirect names it in its query, a code host in its path.
fn repository(url: &str) -> Option<String> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let named = pairs(query).into_iter();
    let mut named = named.filter(|(name, _)| name.eq_ignore_ascii_case("FullRepositoryId"));
    let by_path = || {
        let rest = path.split_once("://")?.1;
        let mut parts = rest.split('/').skip(1);
        let (owner, name, kind) = (parts.next()?, parts.next()?, parts.next()?);
        let code = ["commit", "commits"].contains(&kind);
        code.then(|| format!("{owner}/{}", name.trim_end_matches(".git")))
    };
    let found = named.next().map(|(_, value)| value).or_else(by_path);
    found.filter(|found| is_repository(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_read_from_the_revisions_address() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        for (url, expected) in [
            (
                "https://eu-west-1.console.aws.amazon.com/codesuite/settings/connections/redirect?connectionArn=arn:x&referenceType=COMMIT&FullRepositoryId=shop%2Fsite&Commit=1",
                Some("shop/site"),
            ),
            ("https://github.com/shop/site/commit/1", Some("shop/site")),
            (
                "https://bitbucket.org/shop/site/commits/1",
                Some("shop/site"),
            ),
            ("https://example.com/", None),
            (
                "https://eu-west-1.console.aws.amazon.com/s3/object/b/k",
                None,
            ),
            ("", None),
        ] {
            let revision = Revision {
                revision_id: Some(sha.to_owned()),
                revision_url: Some(url.to_owned()),
            };
            let all = [revision];
            let found = commits(&all, None);
            let expected: Vec<_> = expected
                .map(|name| (name.to_owned(), sha.to_owned()))
                .into_iter()
                .collect();
            assert_eq!(found, expected, "{url}");
            assert_eq!(commits(&all, Some("a/b")).len(), 1);
        }
        let object = Revision {
            revision_id: Some("an-s3-version".to_owned()),
            revision_url: None,
        };
        assert!(commits(&[object], Some("a/b")).is_empty());
    }
}
