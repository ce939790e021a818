//! Fetches one commit and checks it out; says clearly what is wrong with a repository.

use std::path::Path;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    program::{Git, GitError},
    remote::{Remote, credentials},
};
use crate::provider::{Trouble, chain};

/// Names that a sentence lists.
const SHOWN: usize = 10;

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The branch.
    pub branch: &'a str,
    /// A commit instead of the branch's newest.
    pub commit: Option<&'a str>,
    /// All history of the branch, for a clone.
    pub history: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// 40 (or 64) hex digits.
    pub id: String,
    /// Name of the author.
    pub author: String,
    /// When it was written.
    pub authored: Timestamp,
    /// When it was committed.
    pub committed: Timestamp,
    /// The whole message.
    pub message: String,
    /// What people should know: files that are not what they seem.
    pub notices: Vec<String>,
}

/// Stop, or a sentence about what is wrong.
#[derive(Debug)]
pub enum FetchError {
    /// The action was stopped.
    Stopped,
    /// Anything else.
    Trouble(Trouble),
}

impl From<GitError> for FetchError {
    fn from(error: GitError) -> Self {
        match error {
            GitError::Stopped => Self::Stopped,
            other => Self::Trouble(Trouble::job(chain(&other))),
        }
    }
}

impl From<Trouble> for FetchError {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// Fetches into `repository` and checks out into `tree`; both are made.
///
/// # Errors
/// The repository, the branch or the commit is not there, or `git` failed.
pub async fn check_out(
    remote: &Remote,
    wanted: Wanted<'_>,
    home: &Path,
    repository: &Path,
    tree: &Path,
    stop: &CancellationToken,
) -> Result<Commit, FetchError> {
    check_wanted(wanted)?;
    std::fs::create_dir_all(tree).map_err(GitError::Run)?;
    let url = remote.url.reveal();
    let mut git = Git::new(home.to_owned(), stop)?
        .hiding(url, &remote.shown)
        .hiding(credentials(url).unwrap_or_default(), "…")
        .at(repository, tree);
    if let Some((prefix, header)) = &remote.header {
        git = git.sending(prefix, header.reveal().clone());
    }
    git.run(&["init", "-q"]).await?;
    fetch(&git, remote, wanted).await?;
    let target = wanted.commit.unwrap_or("FETCH_HEAD");
    let checkout = if wanted.history {
        git.run(&["remote", "add", "origin", &remote.shown]).await?;
        ["checkout", "-q", "-B", wanted.branch, target].to_vec()
    } else {
        ["checkout", "-q", "--detach", target].to_vec()
    };
    git.run(&checkout).await.map_err(|error| match error {
        GitError::Failed { message, .. } => {
            let what = wanted.commit.unwrap_or(wanted.branch);
            let shown = &remote.shown;
            Trouble::job(format!(
                "{what} of {shown} cannot be checked out: {message}"
            ))
            .into()
        }
        other => FetchError::from(other),
    })?;
    let format = "--format=%H%x00%an%x00%at%x00%ct%x00%B";
    let text = git.run(&["log", "-1", format, "HEAD"]).await?;
    let mut commit = parse(&text)
        .ok_or_else(|| Trouble::job("git log answered something that is not a commit"))?;
    commit.notices = notices(&git).await?;
    if wanted.history && is_shallow(&git).await? {
        commit.notices.push(format!(
            "{} is a shallow clone: the history ends where it ends there",
            remote.shown
        ));
    }
    Ok(commit)
}

fn check_wanted(wanted: Wanted<'_>) -> Result<(), Trouble> {
    let branch = wanted.branch;
    if branch.starts_with('-') || branch.contains([' ', ':', '~', '^', '\\', '*', '?', '[']) {
        return Err(Trouble::configuration(format!(
            "{branch:?} is not a branch name"
        )));
    }
    if let Some(commit) = wanted.commit {
        let hex = commit.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex || !matches!(commit.len(), 40 | 64) {
            return Err(Trouble::configuration(format!(
                "{commit:?} is not a full commit id"
            )));
        }
    }
    Ok(())
}

async fn fetch(git: &Git<'_>, remote: &Remote, wanted: Wanted<'_>) -> Result<(), FetchError> {
    let url = remote.url.reveal().as_str();
    let branch = format!("refs/heads/{}", wanted.branch);
    // Of a shallow clone its history is taken as far as it goes.
    let common = [
        "fetch",
        "-q",
        "--no-tags",
        "--no-recurse-submodules",
        "--update-shallow",
    ];
    let call = |depth: &[&'static str], what: &str| {
        let mut all: Vec<String> = common
            .iter()
            .chain(depth)
            .map(|s| (*s).to_owned())
            .collect();
        all.extend(["--".to_owned(), url.to_owned(), what.to_owned()]);
        all
    };
    let shallow = ["--depth=1"];
    let first = match (wanted.commit, wanted.history) {
        (Some(commit), false) => git.run(&call(&shallow, commit)).await,
        (None, false) => git.run(&call(&shallow, &branch)).await,
        (_, true) => git.run(&call(&[], &branch)).await,
    };
    let error = match first {
        Ok(_) if wanted.commit.is_none() => return Ok(()),
        Ok(_) => None,
        Err(GitError::Stopped) => return Err(FetchError::Stopped),
        Err(error @ (GitError::NotInstalled | GitError::Run(_))) => return Err(error.into()),
        Err(error) => Some(error),
    };
    if let Some(commit) = wanted.commit {
        // Not every server gives out a commit by its id: then all of the branch is needed.
        let there = format!("{commit}^{{commit}}");
        if error.is_none() && git.run(&["cat-file", "-e", &there]).await.is_ok() {
            return Ok(());
        }
        match git.run(&call(&[], &branch)).await {
            Ok(_) if git.run(&["cat-file", "-e", &there]).await.is_ok() => return Ok(()),
            Ok(_) => return Err(explain(git, remote, wanted, None).await),
            Err(error) => return Err(explain(git, remote, wanted, Some(error)).await),
        }
    }
    Err(explain(git, remote, wanted, error).await)
}

/// Asks what is there, to say what is missing. `error`: the branch could not be fetched.
async fn explain(
    git: &Git<'_>,
    remote: &Remote,
    wanted: Wanted<'_>,
    error: Option<GitError>,
) -> FetchError {
    let shown = &remote.shown;
    let listed = git
        .run(&["ls-remote", "--heads", "--", remote.url.reveal()])
        .await;
    let listed = match listed {
        Ok(listed) => listed,
        Err(GitError::Stopped) => return FetchError::Stopped,
        Err(GitError::Failed { message, .. }) => {
            return Trouble::job(format!(
                "{shown} cannot be read as a git repository: {message}"
            ))
            .into();
        }
        Err(other) => return other.into(),
    };
    let branches: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split_once("refs/heads/").map(|(_, name)| name))
        .collect();
    let message = if branches.is_empty() {
        format!("{shown} has no branches: nothing was committed to it yet")
    } else if !branches.contains(&wanted.branch) {
        let list = some(&branches);
        format!("{shown} has no branch {}; it has {list}", wanted.branch)
    } else {
        match (wanted.commit, error) {
            (Some(commit), None) => {
                let why = match is_shallow(git).await {
                    Ok(true) => "; it is a shallow clone, and older commits are not in it",
                    _ => "",
                };
                format!(
                    "{shown} has no commit {commit} on branch {}{why}",
                    wanted.branch
                )
            }
            (_, error) => {
                let failed = error.map(|error| chain(&error)).unwrap_or_default();
                format!(
                    "{shown} has a branch {}, but it could not be read: the connection broke, or the repository is damaged (git fsck there tells): {failed}",
                    wanted.branch
                )
            }
        }
    };
    Trouble::job(message).into()
}

/// Whether what was fetched lacks history because it was not there to fetch.
async fn is_shallow(git: &Git<'_>) -> Result<bool, GitError> {
    let told = git.run(&["rev-parse", "--is-shallow-repository"]).await?;
    Ok(told.trim() == "true")
}

fn parse(text: &str) -> Option<Commit> {
    let mut parts = text.splitn(5, '\0');
    let mut next = || parts.next();
    let (id, author, authored, committed, message) = (next()?, next()?, next()?, next()?, next()?);
    let time = |text: &str| Timestamp::from_second(text.parse().ok()?).ok();
    Some(Commit {
        id: id.to_owned(),
        author: author.to_owned(),
        authored: time(authored)?,
        committed: time(committed)?,
        message: message.trim_end().to_owned(),
        notices: Vec::new(),
    })
}

async fn notices(git: &Git<'_>) -> Result<Vec<String>, FetchError> {
    let mut notices = Vec::new();
    let files = git.run(&["ls-files", "--stage", "-z"]).await?;
    let modules: Vec<&str> = files
        .split('\0')
        .filter(|entry| entry.starts_with("160000 "))
        .filter_map(|entry| entry.split_once('\t').map(|(_, path)| path))
        .collect();
    if !modules.is_empty() {
        notices.push(format!(
            "submodules are left out, as AWS does: {}",
            some(&modules)
        ));
    }
    let large = git
        .run(&["ls-files", "-z", "--", ":(attr:filter=lfs)"])
        .await?;
    let large: Vec<&str> = large.split('\0').filter(|path| !path.is_empty()).collect();
    if !large.is_empty() {
        notices.push(format!(
            "{} files are kept with Git LFS: the artifact has their pointers, not their content: {}",
            large.len(),
            some(&large)
        ));
    }
    Ok(notices)
}

/// Names for a sentence, the first of them when there are many.
fn some(names: &[&str]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let list = names[..names.len() - more]
        .join(", ")
        .escape_debug()
        .to_string();
    match more {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}
