//! The newest commit of a branch, without fetching it: what polling looks at.

use std::path::Path;

use engine_plan::definition::ActionDeclaration;
use tokio_util::sync::CancellationToken;

use super::{
    program::Git,
    remote::{Remote, Repository, credentials},
};
use crate::{
    config::Config,
    provider::{Trouble, chain},
};

/// The commit that the branch of a CodeCommit or GitHub source is at; `None` when there is no such branch.
///
/// # Errors
/// The repository is not known or cannot be asked.
pub async fn newest(
    config: &Config,
    action: &ActionDeclaration,
    scratch: &Path,
) -> Result<Option<String>, Trouble> {
    let setting = |name: &str| {
        let value = action.configuration.get(name).cloned();
        value.ok_or_else(|| Trouble::configuration(format!("{name} is missing")))
    };
    let (repository, branch) = if action.action_type_id.provider == "GitHub" {
        let (owner, repo) = (setting("Owner")?, setting("Repo")?);
        (Repository::GitHub { owner, repo }, setting("Branch")?)
    } else {
        let name = setting("RepositoryName")?;
        (Repository::CodeCommit { name }, setting("BranchName")?)
    };
    let token = action.configuration.get("OAuthToken").map(String::as_str);
    let remote = repository.remote(config, token)?;
    head(&remote, &branch, scratch).await
}

/// The commit that a branch of a connection's repository is at; `None` when there is no such branch.
///
/// # Errors
/// The repository is not known or cannot be asked.
pub async fn head_of(
    config: &Config,
    arn: &str,
    full_id: &str,
    branch: &str,
    scratch: &Path,
) -> Result<Option<String>, Trouble> {
    let repository = Repository::Connection {
        arn: arn.to_owned(),
        full_id: full_id.to_owned(),
    };
    head(&repository.remote(config, None)?, branch, scratch).await
}

async fn head(remote: &Remote, branch: &str, scratch: &Path) -> Result<Option<String>, Trouble> {
    let url = remote.url.reveal();
    let stop = CancellationToken::new();
    let failed = |error| Trouble::job(chain(&error));
    let mut git = Git::new(scratch.to_owned(), &stop)
        .map_err(failed)?
        .hiding(url, &remote.shown)
        .hiding(credentials(url).unwrap_or_default(), "…");
    if let Some((prefix, header)) = &remote.header {
        git = git.sending(prefix, header.reveal().clone());
    }
    let reference = format!("refs/heads/{branch}");
    let listed = git.run(&["ls-remote", "--", url, &reference]).await;
    let listed = listed.map_err(failed)?;
    let mut lines = listed.lines().filter_map(|line| line.split_once('\t'));
    let found = lines.find(|(_, name)| *name == reference);
    Ok(found.map(|(commit, _)| commit.to_owned()))
}
