//! What the pipeline says about a commit's status, parsed and checked.

use serde::Deserialize;
use shared::{base_url::BaseUrl, secret::SecretRef};

/// Checked parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Params {
    /// Where the commit is.
    pub host: CodeHost,
    /// `owner/name`, or `workspace/name`.
    pub repository: String,
    /// The commit's whole id.
    pub commit: String,
    /// What is said of it.
    pub state: State,
    /// How the function is let in.
    pub token: SecretRef,
    /// The GitHub App whose private key `token` refers to; otherwise it refers to a token.
    pub app: Option<String>,
    /// Of Bitbucket's API tokens: the account's mail address.
    pub user: Option<String>,
    /// What tells this status from others of the commit.
    pub context: String,
    /// For people.
    pub description: String,
    /// Where people see more.
    pub link: Option<String>,
    /// The API.
    pub base: BaseUrl,
}

/// Who keeps the repository, and which kind of word is said there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeHost {
    /// A commit status of GitHub.
    Github,
    /// A check run of GitHub; the token must be a GitHub App's.
    GithubCheck,
    /// A build status of Bitbucket Cloud.
    Bitbucket,
}

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Under way.
    Pending,
    /// Good.
    Success,
    /// Bad.
    Failure,
    /// Could not be found out.
    Error,
    /// Ended before it was good or bad.
    Stopped,
}

/// As written by the pipeline.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    provider: CodeHost,
    repository: String,
    commit: String,
    state: State,
    token: SecretRef,
    app_id: Option<String>,
    user: Option<String>,
    #[serde(default = "default_context")]
    context: String,
    #[serde(default)]
    description: String,
    target_url: Option<String>,
    base_url: Option<BaseUrl>,
}

fn default_context() -> String {
    "codepipeline".to_owned()
}

const LONGEST: usize = 255;
const LONGEST_LINK: usize = 2_000;

/// Why parameters were refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// Not a repository.
    #[error("repository must be written as owner/name")]
    Repository,
    /// Not a commit: a branch's name would move.
    #[error(
        "commit must be a whole commit id, 40 or 64 hexadecimal digits, as #{{SourceVariables.CommitId}} gives"
    )]
    Commit,
    /// Empty or long.
    #[error("{0} must have 1 to 255 characters")]
    Text(&'static str),
    /// Not an address.
    #[error("targetUrl must start with http:// or https:// and have at most 2000 characters")]
    Link,
    /// Bitbucket wants one.
    #[error("targetUrl must be given: Bitbucket takes no build status without an address")]
    NoLink,
    /// Only Bitbucket's API tokens have a user.
    #[error("user is for provider bitbucket only")]
    User,
    /// Only GitHub has Apps.
    #[error("appId must be a GitHub App's id or client id, for provider github or github-check")]
    App,
}

impl TryFrom<Raw> for Params {
    type Error = ParamsError;

    fn try_from(raw: Raw) -> Result<Self, ParamsError> {
        if !is_repository(&raw.repository) {
            return Err(ParamsError::Repository);
        }
        if !is_commit(&raw.commit) {
            return Err(ParamsError::Commit);
        }
        let fits = |text: &str| (1..=LONGEST).contains(&text.chars().count());
        if !fits(&raw.context) {
            return Err(ParamsError::Text("context"));
        }
        if raw.user.as_deref().is_some_and(|user| !fits(user)) {
            return Err(ParamsError::Text("user"));
        }
        let bitbucket = raw.provider == CodeHost::Bitbucket;
        if raw.user.is_some() && !bitbucket {
            return Err(ParamsError::User);
        }
        let is_app = |id: &String| {
            (1..=40).contains(&id.len())
                && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
        };
        if raw
            .app_id
            .as_ref()
            .is_some_and(|id| bitbucket || !is_app(id))
        {
            return Err(ParamsError::App);
        }
        let link = raw.target_url.filter(|link| !link.is_empty());
        match &link {
            Some(link) if !is_link(link) => return Err(ParamsError::Link),
            None if bitbucket => return Err(ParamsError::NoLink),
            _ => {}
        }
        let base = match raw.base_url {
            Some(base) => base,
            None => default_base(bitbucket),
        };
        Ok(Self {
            host: raw.provider,
            repository: raw.repository,
            commit: raw.commit.to_ascii_lowercase(),
            state: raw.state,
            token: raw.token,
            app: raw.app_id,
            user: raw.user,
            context: raw.context,
            description: raw.description,
            link,
            base,
        })
    }
}

fn default_base(bitbucket: bool) -> BaseUrl {
    let url = match bitbucket {
        true => "https://api.bitbucket.org/2.0",
        false => "https://api.github.com",
    };
    url.parse().expect("a constant address")
}

/// Whether it is `owner/name`.
pub fn is_repository(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let word = |text: &str| {
        !matches!(text, "" | "." | "..") && text.len() <= 100 && text.chars().all(allowed)
    };
    text.split_once('/')
        .is_some_and(|(owner, name)| word(owner) && word(name))
}

/// Whether it is a whole commit id, SHA-1 or SHA-256.
pub fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.chars().all(|c| c.is_ascii_hexdigit())
}

fn is_link(text: &str) -> bool {
    let web = text.starts_with("https://") || text.starts_with("http://");
    web && text.len() <= LONGEST_LINK && text.chars().all(|c| c.is_ascii_graphic())
}
