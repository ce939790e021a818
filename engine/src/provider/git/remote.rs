//! Which repository a source action means, told from its configuration and from `stagewright.toml`.

use std::path::PathBuf;

use base64::Engine as _;
use engine_plan::effect::ActionTask;
use serde::{Deserialize, Serialize};
use shared::secret::Secret;

use crate::{
    config::Config,
    provider::{Trouble, required},
};

/// A repository as the action names it; what a clone reference carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Repository {
    /// CodeCommit.
    CodeCommit {
        /// `RepositoryName`
        name: String,
    },
    /// A connection to GitHub, Bitbucket, GitLab.
    Connection {
        /// `ConnectionArn`
        arn: String,
        /// `FullRepositoryId`
        full_id: String,
    },
    /// GitHub (version 1).
    GitHub {
        /// `Owner`
        owner: String,
        /// `Repo`
        repo: String,
    },
}

/// Where it really is.
#[derive(Debug, Clone)]
pub struct Remote {
    /// A URL, or an absolute path.
    pub url: Secret,
    /// The URL without credentials.
    pub shown: String,
    /// URL prefix and header that open it.
    pub header: Option<(String, Secret)>,
}

impl Repository {
    /// Reads the configuration of a source action.
    ///
    /// # Errors
    /// A setting is missing.
    pub fn of(task: &ActionTask) -> Result<Self, Trouble> {
        match task.action_type.provider.as_str() {
            "CodeCommit" => Ok(Self::CodeCommit {
                name: required(task, "RepositoryName")?,
            }),
            "GitHub" => Ok(Self::GitHub {
                owner: required(task, "Owner")?,
                repo: required(task, "Repo")?,
            }),
            _ => Ok(Self::Connection {
                arn: required(task, "ConnectionArn")?,
                full_id: required(task, "FullRepositoryId")?,
            }),
        }
    }

    /// As people call it.
    pub fn name(&self) -> String {
        match self {
            Self::CodeCommit { name } => name.clone(),
            Self::Connection { full_id, .. } => full_id.clone(),
            Self::GitHub { owner, repo } => format!("{owner}/{repo}"),
        }
    }

    /// Finds it in the configuration. `token` is GitHub's OAuth token, when the action has one.
    ///
    /// # Errors
    /// It is not there, or not something that `git` may be given.
    pub fn remote(&self, config: &Config, token: Option<&str>) -> Result<Remote, Trouble> {
        let (configured, table) = match self {
            Self::CodeCommit { name } => {
                (config.codecommit.get(name), format!("[codecommit.{name}]"))
            }
            Self::Connection { arn, .. } => (
                config.connection.get(arn),
                format!("[connection.\"{arn}\"]"),
            ),
            Self::GitHub { .. } => (
                config.connection.get("GitHub"),
                "[connection.GitHub]".to_owned(),
            ),
        };
        let text = match (configured, self) {
            (Some(remote), _) => remote.git.replace("{FullRepositoryId}", &self.name()),
            (None, Self::GitHub { .. }) => format!("https://github.com/{}.git", self.name()),
            (None, _) => {
                return Err(Trouble::configuration(format!(
                    "no git repository is known for {}: add {table} git = \"URL or path\" to stagewright.toml, or pass --source ACTION=PATH",
                    self.name()
                )));
            }
        };
        if text.starts_with('-') || text.is_empty() {
            return Err(Trouble::configuration(format!(
                "git of {table} is not a URL or a path"
            )));
        }
        let url = if is_url(&text) {
            text
        } else {
            absolute(config, &text)
        };
        let shown = without_credentials(&url);
        let basic = |token: &str| {
            base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"))
        };
        let header = token
            .filter(|token| !token.is_empty() && !token.chars().all(|c| c == '*'))
            .filter(|_| url.starts_with("https://github.com/"))
            .map(|token| {
                let header = format!("Authorization: Basic {}", basic(token));
                ("https://github.com/".to_owned(), Secret::new(header))
            });
        Ok(Remote {
            url: Secret::new(url),
            shown,
            header,
        })
    }
}

impl Remote {
    /// A repository on this machine.
    pub fn local(path: PathBuf) -> Self {
        let text = path.display().to_string();
        Self {
            shown: text.clone(),
            url: Secret::new(text),
            header: None,
        }
    }

    /// The page of a commit, where the host is known for having one.
    pub fn commit_page(&self, commit: &str) -> Option<String> {
        let base = self.shown.strip_prefix("https://")?;
        let base = base.trim_end_matches('/').trim_end_matches(".git");
        let part = match base.split('/').next()? {
            "github.com" => "commit",
            "bitbucket.org" => "commits",
            "gitlab.com" => "-/commit",
            _ => return None,
        };
        Some(format!("https://{base}/{part}/{commit}"))
    }
}

/// The user and password of a URL, as written in it.
pub fn credentials(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
}

fn without_credentials(url: &str) -> String {
    match credentials(url) {
        Some(user) => url.replacen(&format!("{user}@"), "", 1),
        None => url.to_owned(),
    }
}

/// `scheme://…`, or `host:path` as ssh takes it.
fn is_url(text: &str) -> bool {
    let before_slash = text.split('/').next().unwrap_or_default();
    before_slash.contains(':')
}

fn absolute(config: &Config, path: &str) -> String {
    let path = config.path(std::path::Path::new(path));
    std::path::absolute(&path)
        .unwrap_or(path)
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GitRemote;

    fn config(arn: &str, git: &str) -> Config {
        let mut config = Config {
            folder: PathBuf::from("/home/dana/shop"),
            ..Config::default()
        };
        let remote = GitRemote {
            git: git.to_owned(),
            secret: None,
        };
        config.connection.insert(arn.to_owned(), remote);
        config
    }

    #[test]
    fn remotes_are_found_and_credentials_not_shown() {
        let cases = [
            (
                "../repos/{FullRepositoryId}",
                "/home/dana/shop/../repos/o/r",
                None,
            ),
            ("/srv/r.git", "/srv/r.git", None),
            (
                "git@bitbucket.org:{FullRepositoryId}.git",
                "git@bitbucket.org:o/r.git",
                None,
            ),
            (
                "https://dana:planted@github.com/{FullRepositoryId}.git",
                "https://github.com/o/r.git",
                Some("https://github.com/o/r/commit/abc"),
            ),
            (
                "https://git.example.com/r",
                "https://git.example.com/r",
                None,
            ),
        ];
        let repository = Repository::Connection {
            arn: "arn:c".to_owned(),
            full_id: "o/r".to_owned(),
        };
        for (git, shown, page) in cases {
            let remote = repository.remote(&config("arn:c", git), None).expect(git);
            assert_eq!(remote.shown, shown);
            assert_eq!(remote.commit_page("abc").as_deref(), page);
            assert!(!format!("{remote:?}").contains("planted"));
        }
    }

    #[test]
    fn what_is_missing_or_unsafe_is_refused() {
        let repository = Repository::CodeCommit {
            name: "shop".to_owned(),
        };
        let error = repository
            .remote(&Config::default(), None)
            .expect_err("unknown");
        assert!(
            error.message.contains("add [codecommit.shop] git = "),
            "{error:?}"
        );
        let repository = Repository::Connection {
            arn: "arn:c".to_owned(),
            full_id: "o/r".to_owned(),
        };
        let remote = repository.remote(&config("arn:c", "--upload-pack=evil"), None);
        assert!(remote.is_err());
    }

    #[test]
    fn githubs_token_goes_to_github_only() {
        let repository = Repository::GitHub {
            owner: "o".to_owned(),
            repo: "r".to_owned(),
        };
        let header = |config: &Config, token| {
            repository
                .remote(config, Some(token))
                .expect("a remote")
                .header
        };
        assert!(header(&Config::default(), "planted").is_some());
        assert!(header(&Config::default(), "****").is_none());
        assert!(
            header(
                &config("GitHub", "https://git.example.com/{FullRepositoryId}"),
                "planted"
            )
            .is_none()
        );
    }
}
