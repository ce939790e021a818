//! Bitbucket's webhook payloads `repo:push` and `pullrequest:…`, as far as connections look at them. They list no files.

use engine_plan::trigger::{Change, ChangeKind, PullRequestEvent};
use serde::Deserialize;

use super::PayloadError;

#[derive(Deserialize)]
struct Push {
    repository: Repository,
    push: Changes,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct Changes {
    changes: Vec<Moved>,
}

/// One branch or tag; without `new` it was deleted.
#[derive(Deserialize)]
struct Moved {
    new: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    target: Commit,
}

#[derive(Deserialize)]
struct Commit {
    hash: String,
}

#[derive(Deserialize)]
struct PullRequestPayload {
    repository: Repository,
    pullrequest: PullRequest,
}

#[derive(Deserialize)]
struct PullRequest {
    source: Side,
    destination: Side,
}

#[derive(Deserialize)]
struct Side {
    branch: Branch,
    commit: Commit,
}

#[derive(Deserialize)]
struct Branch {
    name: String,
}

/// The repository's full name and each thing that happened. Commits of pull requests may be abbreviated.
///
/// # Errors
/// [`PayloadError`].
pub fn read(event: &str, body: &[u8]) -> Result<Vec<(String, Change)>, PayloadError> {
    let broken = |error: serde_json::Error| PayloadError {
        event: event.to_owned(),
        problem: error.to_string(),
    };
    let event = match event {
        "repo:push" => return Ok(pushed(serde_json::from_slice(body).map_err(broken)?)),
        "pullrequest:created" => PullRequestEvent::Open,
        "pullrequest:updated" => PullRequestEvent::Updated,
        "pullrequest:fulfilled" => PullRequestEvent::Closed { merged: true },
        "pullrequest:rejected" => PullRequestEvent::Closed { merged: false },
        _ => return Ok(Vec::new()),
    };
    let payload: PullRequestPayload = serde_json::from_slice(body).map_err(broken)?;
    let PullRequest {
        source,
        destination,
    } = payload.pullrequest;
    let change = Change {
        kind: ChangeKind::PullRequest {
            event,
            destination: destination.branch.name,
            source: source.branch.name,
        },
        commit: source.commit.hash,
        files: None,
    };
    Ok(vec![(payload.repository.full_name, change)])
}

fn pushed(push: Push) -> Vec<(String, Change)> {
    let moved = push.push.changes.into_iter().filter_map(|moved| moved.new);
    let change = |Reference { kind, name, target }| Change {
        kind: match kind.as_str() {
            "tag" | "annotated_tag" => ChangeKind::Tag(name),
            _ => ChangeKind::Branch(name),
        },
        commit: target.hash,
        files: None,
    };
    moved
        .map(|reference| (push.repository.full_name.clone(), change(reference)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(event: &str, payload: &Value) -> Vec<Change> {
        let all = read(event, payload.to_string().as_bytes()).unwrap();
        let change = |(id, change): (String, Change)| {
            assert_eq!(id, "shop/app");
            change
        };
        all.into_iter().map(change).collect()
    }

    #[test]
    fn each_branch_and_tag_of_a_push_is_read() {
        let new = |kind: &str, name: &str| json!({"new": {"type": kind, "name": name, "target": {"hash": "abc"}}});
        let payload = json!({"repository": {"full_name": "shop/app"}, "push": {"changes": [
            new("branch", "main"), new("tag", "v1"), {"new": null, "closed": true}]}});
        let change = |kind| Change {
            kind,
            commit: "abc".to_owned(),
            files: None,
        };
        let expected = [
            change(ChangeKind::Branch("main".to_owned())),
            change(ChangeKind::Tag("v1".to_owned())),
        ];
        assert_eq!(told("repo:push", &payload), expected);
        assert_eq!(told("repo:fork", &json!({})), []);
        assert!(read("repo:push", b"{}").is_err());
    }

    #[test]
    fn pull_requests_are_read() {
        let side = |branch: &str, hash: &str| json!({"branch": {"name": branch}, "commit": {"hash": hash}});
        let payload = json!({"repository": {"full_name": "shop/app"},
            "pullrequest": {"source": side("topic", "abc"), "destination": side("main", "def")}});
        for (event, expected) in [
            ("pullrequest:created", PullRequestEvent::Open),
            ("pullrequest:updated", PullRequestEvent::Updated),
            (
                "pullrequest:fulfilled",
                PullRequestEvent::Closed { merged: true },
            ),
            (
                "pullrequest:rejected",
                PullRequestEvent::Closed { merged: false },
            ),
        ] {
            let change = Change {
                kind: ChangeKind::PullRequest {
                    event: expected,
                    destination: "main".to_owned(),
                    source: "topic".to_owned(),
                },
                commit: "abc".to_owned(),
                files: None,
            };
            assert_eq!(told(event, &payload), [change], "{event}");
        }
        assert_eq!(told("pullrequest:approved", &payload), []);
    }
}
