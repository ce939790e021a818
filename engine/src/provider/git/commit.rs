//! Fetches one commit and checks it out; says clearly what is wrong with a repository.

use std::path::Path;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    program::{Git, GitError},
    remote::{Remote, credentials},
};
use crate::provider::{Trouble, chain};

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
    if wanted.history {
        git.run(&["remote", "add", "origin", &remote.shown]).await?;
        git.run(&["checkout", "-q", "-B", wanted.branch, target])
            .await?;
    } else {
        git.run(&["checkout", "-q", "--detach", target]).await?;
    }
    let format = "--format=%H%x00%an%x00%at%x00%ct%x00%B";
    let text = git.run(&["log", "-1", format, "HEAD"]).await?;
    let mut commit = parse(&text)
        .ok_or_else(|| Trouble::job("git log answered something that is not a commit"))?;
    commit.notices = notices(&git).await?;
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
    let common = ["fetch", "-q", "--no-tags", "--no-recurse-submodules"];
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
        if git.run(&call(&[], &branch)).await.is_ok()
            && git.run(&["cat-file", "-e", &there]).await.is_ok()
        {
            return Ok(());
        }
    }
    Err(explain(git, remote, wanted, error).await)
}

/// Asks what is there, to say what is missing.
async fn explain(
    git: &Git<'_>,
    remote: &Remote,
    wanted: Wanted<'_>,
    error: Option<GitError>,
) -> FetchError {
    const SHOWN: usize = 10;
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
    let mut branches: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split_once("refs/heads/").map(|(_, name)| name))
        .collect();
    let message = if branches.is_empty() {
        format!("{shown} has no branches: nothing was committed to it yet")
    } else if !branches.contains(&wanted.branch) {
        let more = branches.len().saturating_sub(SHOWN);
        branches.truncate(SHOWN);
        let list = branches.join(", ");
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!(
            "{shown} has no branch {}; it has {list}{more}",
            wanted.branch
        )
    } else if let Some(commit) = wanted.commit {
        format!("{shown} has no commit {commit} on branch {}", wanted.branch)
    } else {
        error.map_or_else(
            || format!("{shown} could not be fetched"),
            |error| chain(&error),
        )
    };
    Trouble::job(message).into()
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
            modules.join(", ")
        ));
    }
    let large = git
        .run(&["ls-files", "-z", "--", ":(attr:filter=lfs)"])
        .await?;
    let count = large.split('\0').filter(|path| !path.is_empty()).count();
    if count > 0 {
        notices.push(format!(
            "{count} files are kept with Git LFS: the artifact has their pointers, not their content"
        ));
    }
    Ok(notices)
}
