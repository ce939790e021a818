//! Source actions whose source is a git repository: CodeCommit, connections, GitHub (version 1).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use engine_plan::{
    effect::{ActionTask, ArtifactLocation},
    event::{ExecutionDetails, Outcome, Revision},
};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{
    Context, Provider, Trouble, artifact, chain, failed,
    local::{self, Local},
    required,
    workshop::Workshop,
};
pub use commit::FetchError;
use commit::{Commit, Wanted};
pub use head::{head_of, newest};
use remote::{Remote, Repository};

mod commit;
mod head;
mod program;
mod remote;

/// A clone reference is a few hundred bytes.
const REFERENCE_BYTES: u64 = 64 * 1024;
/// AWS's bound of CommitMessage.
const MESSAGE_BYTES: usize = 100 * 1024;

/// The provider of all git sources.
#[derive(Debug, Clone, Copy, Default)]
pub struct GitSource;

/// The artifact of `OutputArtifactFormat` CODEBUILD_CLONE_REF: names the repository, opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CloneReference {
    /// Always `CODEBUILD_CLONE_REF`.
    format: String,
    repository: Repository,
    /// The source action, for `--source`.
    action: String,
    branch: String,
    commit: String,
}

impl Provider for GitSource {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let workshop = match Workshop::open(&task, &context) {
                Ok(workshop) => workshop,
                Err(error) => return Some(failed("JobFailed", error.to_string())),
            };
            Some(perform(&task, &workshop, &context.stop).await)
        })
    }
}

async fn perform(task: &ActionTask, workshop: &Workshop, stop: &CancellationToken) -> Outcome {
    match source(task, workshop, stop).await {
        Ok(outcome) => outcome,
        Err(FetchError::Stopped) => Outcome::Stopped,
        Err(FetchError::Trouble(trouble)) => {
            workshop.log(&trouble.message);
            trouble.outcome(ExecutionDetails::default())
        }
    }
}

async fn source(
    task: &ActionTask,
    workshop: &Workshop,
    stop: &CancellationToken,
) -> Result<Outcome, FetchError> {
    let repository = Repository::of(task)?;
    let branch_setting = match repository {
        Repository::GitHub { .. } => "Branch",
        _ => "BranchName",
    };
    let branch = required(task, branch_setting)?;
    let reference = wants_reference(task)?;
    let commit = wanted_commit(task)?;
    let [output] = task.outputs.as_slice() else {
        return Err(
            Trouble::configuration("a source action has exactly one output artifact").into(),
        );
    };
    let token = task.configuration.get("OAuthToken").map(String::as_str);
    let remote = match find(&workshop.config, &task.action, &repository, token)? {
        Place::Remote(remote) => remote,
        Place::Files(_) if reference => {
            return Err(Trouble::configuration(format!(
                "action {}: CODEBUILD_CLONE_REF needs a git repository, --source names a folder or a zip",
                task.action
            ))
            .into());
        }
        Place::Files(files) => {
            return Ok(local_source(task, workshop, &repository, &branch, &files, output).await?);
        }
    };
    workshop.log(&format!("Fetching {branch} of {}", remote.shown));
    let wanted = Wanted {
        branch: &branch,
        commit,
        history: false,
    };
    let (home, repo, tree) = (
        workshop.scratch("git"),
        workshop.scratch("repository"),
        workshop.scratch("tree"),
    );
    let commit = commit::check_out(&remote, wanted, &home, &repo, &tree, stop).await?;
    for notice in &commit.notices {
        workshop.log(notice);
    }
    let key = task.encryption_key.as_ref();
    if reference {
        let reference = CloneReference {
            format: "CODEBUILD_CLONE_REF".to_owned(),
            repository: repository.clone(),
            action: task.action.clone(),
            branch: branch.clone(),
            commit: commit.id.clone(),
        };
        let file = workshop.scratch("reference.json");
        let text =
            serde_json::to_vec_pretty(&reference).map_err(|e| Trouble::job(e.to_string()))?;
        fs::write(&file, text).map_err(|e| Trouble::job(e.to_string()))?;
        artifact::store(&workshop.objects, output, key, &file)
            .await
            .map_err(Trouble::from)?;
    } else {
        let zip = workshop.scratch("artifact.zip");
        let packed = artifact::pack(&workshop.objects, output, key, &tree, &zip).await;
        let packed = packed.map_err(|error| match error {
            artifact::ArtifactError::Pack { .. } => Trouble::job(format!(
                "{} at commit {}: {}",
                remote.shown,
                commit.id,
                chain(&error)
            )),
            other => other.into(),
        })?;
        workshop.log(&format!(
            "Artifact {}: {} files, {} bytes",
            output.name, packed.files, packed.bytes
        ));
    }
    let page = remote.commit_page(&commit.id);
    workshop.log(&format!("Commit {} by {}", commit.id, commit.author));
    Ok(succeeded(&repository, &branch, &commit, page, task))
}

/// Where a source action takes its files from.
enum Place {
    Remote(Remote),
    Files(Local),
}

fn find(
    config: &crate::config::Config,
    action: &str,
    repository: &Repository,
    token: Option<&str>,
) -> Result<Place, Trouble> {
    match config.sources.get(action) {
        None => Ok(Place::Remote(repository.remote(config, token)?)),
        Some(path) => match local::look(action, path)? {
            Local::Repository(path) => Ok(Place::Remote(Remote::local(path))),
            files => Ok(Place::Files(files)),
        },
    }
}

fn wants_reference(task: &ActionTask) -> Result<bool, Trouble> {
    match task
        .configuration
        .get("OutputArtifactFormat")
        .map(String::as_str)
    {
        None | Some("" | "CODE_ZIP") => Ok(false),
        Some("CODEBUILD_CLONE_REF") => Ok(true),
        Some(other) => Err(Trouble::configuration(format!(
            "action {}: OutputArtifactFormat {other} is not CODE_ZIP or CODEBUILD_CLONE_REF",
            task.action
        ))),
    }
}

fn wanted_commit(task: &ActionTask) -> Result<Option<&str>, Trouble> {
    match &task.source_revision {
        None => Ok(None),
        Some(one) if one.revision_type == "COMMIT_ID" => Ok(Some(&one.revision_value)),
        Some(one) => Err(Trouble::configuration(format!(
            "action {}: a git source takes a revision of type COMMIT_ID, not {}",
            task.action, one.revision_type
        ))),
    }
}

/// A folder or zip in place of the repository: its content is its revision.
async fn local_source(
    task: &ActionTask,
    workshop: &Workshop,
    repository: &Repository,
    branch: &str,
    files: &Local,
    output: &ArtifactLocation,
) -> Result<Outcome, Trouble> {
    let stored = local::store(files, task, workshop, output).await?;
    let now = workshop.clock.now();
    let commit = Commit {
        id: stored.hash.chars().take(40).collect(),
        author: "local".to_owned(),
        authored: now,
        committed: now,
        message: stored.summary,
        notices: Vec::new(),
    };
    Ok(succeeded(repository, branch, &commit, None, task))
}

fn succeeded(
    repository: &Repository,
    branch: &str,
    commit: &Commit,
    page: Option<String>,
    task: &ActionTask,
) -> Outcome {
    let subject = commit.message.lines().next().unwrap_or_default();
    Outcome::Succeeded {
        details: ExecutionDetails {
            summary: None,
            external_execution_id: Some(commit.id.clone()),
            external_execution_url: page.clone(),
            percent_complete: None,
        },
        variables: variables(repository, branch, commit, page.as_deref()),
        revision: Some(Revision {
            revision_id: commit.id.clone(),
            change_identifier: task
                .source_revision
                .as_ref()
                .map(|one| one.revision_value.clone()),
            summary: Some(format!("{subject} ({})", commit.author)),
            url: page,
            created: Some(commit.committed),
        }),
    }
}

/// AWS's output variables of each kind of source, and `AuthorName`, which AWS does not have.
fn variables(
    repository: &Repository,
    branch: &str,
    commit: &Commit,
    page: Option<&str>,
) -> BTreeMap<String, String> {
    let mut end = commit.message.len().min(MESSAGE_BYTES);
    while !commit.message.is_char_boundary(end) {
        end -= 1;
    }
    let (committed, authored) = (commit.committed.to_string(), commit.authored.to_string());
    let mut all = vec![
        ("CommitId", commit.id.as_str()),
        ("CommitMessage", &commit.message[..end]),
        ("BranchName", branch),
        ("AuthorDate", &authored),
        ("AuthorName", &commit.author),
    ];
    match repository {
        Repository::CodeCommit { name } => {
            all.extend([
                ("RepositoryName", name.as_str()),
                ("CommitterDate", &committed),
            ]);
        }
        Repository::Connection { arn, full_id } => {
            all.extend([
                ("ConnectionArn", arn.as_str()),
                ("FullRepositoryName", full_id),
            ]);
        }
        Repository::GitHub { repo, .. } => {
            all.extend([
                ("RepositoryName", repo.as_str()),
                ("CommitterDate", &committed),
                ("CommitUrl", page.unwrap_or_default()),
            ]);
        }
    }
    all.into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Whether an artifact's file is a clone reference: then it is cloned, with history, into `tree`.
///
/// # Errors
/// The repository cannot be cloned.
pub async fn clone_reference(
    workshop: &Workshop,
    file: &Path,
    tree: &Path,
    stop: &CancellationToken,
) -> Result<bool, FetchError> {
    let Some(reference) = read_reference(file) else {
        return Ok(false);
    };
    let CloneReference {
        repository,
        action,
        branch,
        commit,
        ..
    } = reference;
    let remote = match find(&workshop.config, &action, &repository, None)? {
        Place::Remote(remote) => remote,
        Place::Files(_) => {
            return Err(Trouble::configuration(format!(
                "the source of action {action} is no git repository any more"
            ))
            .into());
        }
    };
    let wanted = Wanted {
        branch: &branch,
        commit: Some(&commit),
        history: true,
    };
    let repo: PathBuf = tree.join(".git");
    let home = workshop.scratch("git");
    let commit = commit::check_out(&remote, wanted, &home, &repo, tree, stop).await?;
    for notice in &commit.notices {
        workshop.log(notice);
    }
    Ok(true)
}

fn read_reference(file: &Path) -> Option<CloneReference> {
    let small = fs::metadata(file).is_ok_and(|about| about.len() <= REFERENCE_BYTES);
    let bytes = small.then(|| fs::read(file).ok()).flatten()?;
    let reference: CloneReference = serde_json::from_slice(&bytes).ok()?;
    (reference.format == "CODEBUILD_CLONE_REF").then_some(reference)
}

#[cfg(test)]
mod tests;
