//! GitHub's webhook payloads `push` and `pull_request`, as far as connections look at them.

use engine_plan::trigger::{Change, ChangeKind, PullRequestEvent};
use serde::Deserialize;

use super::PayloadError;

/// GitHub lists at most so many commits of a push.
const COMMITS_LISTED: usize = 2_048;

#[derive(Deserialize)]
struct Push {
    #[serde(rename = "ref")]
    reference: String,
    after: String,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    created: bool,
    repository: Repository,
    head_commit: Option<Head>,
    #[serde(default)]
    commits: Vec<Commit>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct Head {
    id: String,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Commit {
    added: Vec<String>,
    modified: Vec<String>,
    removed: Vec<String>,
}

#[derive(Deserialize)]
struct PullRequestPayload {
    action: String,
    repository: Repository,
    pull_request: PullRequest,
    /// Not GitHub's: whoever passes the payload on may add the names of the changed files.
    files: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct PullRequest {
    head: Side,
    base: Side,
    #[serde(default)]
    merged: bool,
}

#[derive(Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    branch: String,
    sha: String,
}

/// The repository's full name and what happened; `None` for what no pipeline can ask for.
///
/// # Errors
/// [`PayloadError`].
pub fn read(event: &str, body: &[u8]) -> Result<Option<(String, Change)>, PayloadError> {
    let broken = |error: serde_json::Error| PayloadError {
        event: event.to_owned(),
        problem: error.to_string(),
    };
    match event {
        "push" => Ok(push(serde_json::from_slice(body).map_err(broken)?)),
        "pull_request" => Ok(pull_request(serde_json::from_slice(body).map_err(broken)?)),
        _ => Ok(None),
    }
}

fn push(push: Push) -> Option<(String, Change)> {
    if push.deleted {
        return None;
    }
    let kind = if let Some(branch) = push.reference.strip_prefix("refs/heads/") {
        ChangeKind::Branch(branch.to_owned())
    } else {
        ChangeKind::Tag(push.reference.strip_prefix("refs/tags/")?.to_owned())
    };
    // A new branch without commits of its own lists nothing: that is not "no file".
    let listed = push.commits.len() < COMMITS_LISTED && !(push.created && push.commits.is_empty());
    let files = push.commits.into_iter().flat_map(|commit| {
        let lists = [commit.added, commit.modified, commit.removed];
        lists.into_iter().flatten()
    });
    let change = Change {
        kind,
        files: listed.then(|| files.collect()),
        // Of an annotated tag `after` is the tag.
        commit: push.head_commit.map_or(push.after, |head| head.id),
    };
    Some((push.repository.full_name, change))
}

fn pull_request(payload: PullRequestPayload) -> Option<(String, Change)> {
    let PullRequest { head, base, merged } = payload.pull_request;
    let event = match payload.action.as_str() {
        "opened" | "reopened" => PullRequestEvent::Open,
        "synchronize" => PullRequestEvent::Updated,
        "closed" => PullRequestEvent::Closed { merged },
        _ => return None,
    };
    let change = Change {
        kind: ChangeKind::PullRequest {
            event,
            destination: base.branch,
            source: head.branch,
        },
        commit: head.sha,
        files: payload.files,
    };
    Some((payload.repository.full_name, change))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(event: &str, payload: &Value) -> Option<Change> {
        let (id, change) = read(event, payload.to_string().as_bytes()).unwrap()?;
        assert_eq!(id, "shop/app");
        Some(change)
    }

    fn pushed(more: Value) -> Value {
        let mut payload = json!({
            "ref": "refs/heads/main", "after": "abc", "repository": {"full_name": "shop/app"},
            "head_commit": {"id": "abc"}, "commits": [{"added": ["a"], "modified": ["b"], "removed": []}, {"removed": ["c"]}],
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            payload[name] = value.clone();
        }
        payload
    }

    #[test]
    fn pushes_are_read() {
        let change = |kind, commit: &str, files: Option<&[&str]>| Change {
            kind,
            commit: commit.to_owned(),
            files: files.map(|files| files.iter().map(|f| (*f).to_owned()).collect()),
        };
        let main = || ChangeKind::Branch("main".to_owned());
        let all: &[&str] = &["a", "b", "c"];
        for (more, expected) in [
            (json!({}), Some(change(main(), "abc", Some(all)))),
            (
                json!({"ref": "refs/tags/v1", "after": "tag", "commits": []}),
                Some(change(ChangeKind::Tag("v1".to_owned()), "abc", Some(&[]))),
            ),
            (
                json!({"created": true, "commits": []}),
                Some(change(main(), "abc", None)),
            ),
            (json!({"deleted": true}), None),
            (json!({"ref": "refs/notes/x"}), None),
        ] {
            assert_eq!(told("push", &pushed(more.clone())), expected, "{more}");
        }
        assert_eq!(told("ping", &json!({})), None);
        let mut with_files = json!({"action": "opened", "repository": {"full_name": "shop/app"}, "files": ["a"],
            "pull_request": {"head": {"ref": "t", "sha": "1"}, "base": {"ref": "m", "sha": "2"}}});
        let files = told("pull_request", &with_files).unwrap().files;
        assert_eq!(files, Some(vec!["a".to_owned()]));
        with_files["files"] = Value::Null;
        assert_eq!(told("pull_request", &with_files).unwrap().files, None);
        assert!(read("push", b"{}").is_err());
    }

    #[test]
    fn pull_requests_are_read() {
        let payload = |action: &str, merged: bool| {
            json!({"action": action, "repository": {"full_name": "shop/app"}, "pull_request": {
                "merged": merged, "head": {"ref": "topic", "sha": "abc"}, "base": {"ref": "main", "sha": "def"}}})
        };
        for (action, merged, expected) in [
            ("opened", false, Some(PullRequestEvent::Open)),
            ("reopened", false, Some(PullRequestEvent::Open)),
            ("synchronize", false, Some(PullRequestEvent::Updated)),
            (
                "closed",
                false,
                Some(PullRequestEvent::Closed { merged: false }),
            ),
            (
                "closed",
                true,
                Some(PullRequestEvent::Closed { merged: true }),
            ),
            ("labeled", false, None),
        ] {
            let expected = expected.map(|event| Change {
                kind: ChangeKind::PullRequest {
                    event,
                    destination: "main".to_owned(),
                    source: "topic".to_owned(),
                },
                commit: "abc".to_owned(),
                files: None,
            });
            assert_eq!(
                told("pull_request", &payload(action, merged)),
                expected,
                "{action}"
            );
        }
    }
}
