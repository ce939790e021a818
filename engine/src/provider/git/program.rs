//! Calls the `git` program: isolated from the machine's configuration, never asking, ended with the action.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::provider::process::Tree;

/// What `git` may read of the machine: where programs are, keys for ssh, proxies and their certificates.
const INHERITED: [&str; 13] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "GIT_SSL_CAINFO",
];

/// How long output may follow the end of `git`.
const DRAIN: Duration = Duration::from_millis(300);

/// Stands in for the user's configuration.
const CONFIG: &str = "[safe]
\tdirectory = *
[core]
\thooksPath = /dev/null
\tattributesFile = /dev/null
\tautocrlf = false
\tsymlinks = true
\tfsmonitor = false
[http]
\tlowSpeedLimit = 1000
\tlowSpeedTime = 60
[gc]
\tauto = 0
[maintenance]
\tauto = false
[submodule]
\trecurse = false
[advice]
\tdetachedHead = false
[init]
\tdefaultBranch = main
";

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no `git`.
    #[error(
        "the program git was not found: install it (apt install git, dnf install git, brew install git, https://git-scm.com/downloads) or take the source from a folder or zip with --source ACTION=PATH"
    )]
    NotInstalled,
    /// It could not be started or followed.
    #[error("git could not be run")]
    Run(#[source] io::Error),
    /// It ended with a failure.
    #[error("git {verb} failed: {message}")]
    Failed {
        /// Which of its commands.
        verb: String,
        /// What it wrote, without credentials.
        message: String,
    },
    /// The action was stopped meanwhile.
    #[error("git was stopped")]
    Stopped,
}

/// A way to call `git` for one repository.
pub struct Git<'a> {
    /// Folder for the configuration file.
    home: PathBuf,
    /// `GIT_DIR` and `GIT_WORK_TREE`.
    places: Option<(PathBuf, PathBuf)>,
    /// Text that must not be shown, and what is shown instead.
    hidden: Vec<(String, String)>,
    /// Sent with every request to this URL prefix.
    header: Option<(String, String)>,
    stop: &'a CancellationToken,
}

impl<'a> Git<'a> {
    /// With a scratch folder.
    ///
    /// # Errors
    /// The folder or the configuration file cannot be made.
    pub fn new(home: PathBuf, stop: &'a CancellationToken) -> Result<Self, GitError> {
        fs::create_dir_all(&home)
            .and_then(|()| fs::write(home.join("gitconfig"), CONFIG))
            .map_err(GitError::Run)?;
        Ok(Self {
            home,
            places: None,
            hidden: Vec::new(),
            header: None,
            stop,
        })
    }

    /// Works with this repository and this work tree.
    #[must_use]
    pub fn at(mut self, repository: &Path, tree: &Path) -> Self {
        self.places = Some((repository.to_owned(), tree.to_owned()));
        self
    }

    /// Shows something else where this text would appear.
    #[must_use]
    pub fn hiding(mut self, text: &str, shown: &str) -> Self {
        if !text.is_empty() && text != shown {
            self.hidden.push((text.to_owned(), shown.to_owned()));
        }
        self
    }

    /// Sends a header with requests to URLs that begin so. It travels in the environment, not in arguments.
    #[must_use]
    pub fn sending(mut self, url: &str, header: String) -> Self {
        self.header = Some((format!("http.{url}.extraheader"), header));
        self
    }

    /// Runs one command and answers what it wrote.
    ///
    /// # Errors
    /// See [`GitError`].
    pub async fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<String, GitError> {
        let verb = arguments.first().map(|a| a.as_ref().to_string_lossy());
        let verb = verb.unwrap_or_default().into_owned();
        let mut command = self.command();
        let mut child = command.args(arguments).spawn().map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                GitError::NotInstalled
            } else {
                GitError::Run(error)
            }
        })?;
        let mut tree = Tree::new(None);
        tree.add(child.id());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let status = {
            let streams = (child.stdout.take(), child.stderr.take());
            let reading = async {
                tokio::join!(all(streams.0, &mut stdout), all(streams.1, &mut stderr));
            };
            tokio::pin!(reading);
            let mut open = true;
            let status = loop {
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => {
                        tree.kill();
                        return Err(GitError::Stopped);
                    }
                    () = &mut reading, if open => open = false,
                    status = child.wait() => break status.map_err(GitError::Run)?,
                }
            };
            tree.kill();
            // What git started may live on elsewhere, as a kept ssh connection does, and never close them.
            if open && timeout(DRAIN, reading).await.is_err() {
                tracing::debug!(verb, "a process outside git keeps its output open");
            }
            status
        };
        if status.success() {
            return Ok(String::from_utf8_lossy(&stdout).into_owned());
        }
        Err(GitError::Failed {
            verb,
            message: self.shown(&String::from_utf8_lossy(&stderr)),
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command
            .env_clear()
            .envs(
                std::env::vars_os().filter(|(name, _)| {
                    name.to_str().is_some_and(|name| INHERITED.contains(&name))
                }),
            )
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.home.join("gitconfig"))
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "true")
            .env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
            .env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some((repository, tree)) = &self.places {
            command
                .env("GIT_DIR", repository)
                .env("GIT_WORK_TREE", tree)
                .current_dir(tree);
        }
        if let Some((key, value)) = &self.header {
            command
                .env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", key)
                .env("GIT_CONFIG_VALUE_0", value);
        }
        command
    }

    /// The lines that say what is wrong, without what must not be shown.
    fn shown(&self, stderr: &str) -> String {
        let mut text: Vec<&str> = stderr
            .lines()
            .filter_map(|line| {
                line.strip_prefix("fatal: ")
                    .or_else(|| line.strip_prefix("error: "))
            })
            .collect();
        if text.is_empty() {
            text = stderr.lines().take(5).collect();
        }
        let mut text = text.join("; ");
        for (hidden, shown) in &self.hidden {
            text = text.replace(hidden.as_str(), shown);
        }
        text
    }
}

/// Reads to the end, or to the first error.
async fn all(stream: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    if let Some(mut stream) = stream {
        let _ = stream.read_to_end(into).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_that_keeps_the_output_open_does_not_hold_git() {
        let home = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let git = Git::new(home.path().to_owned(), &stop).unwrap();
        // As a kept ssh connection: a session of its own, the same output.
        let alias = format!(
            "alias.linger=!setsid sleep 60 & echo $! >{}/stray; echo said",
            home.path().display()
        );
        let arguments = ["-c", &alias, "linger"];
        let run = git.run(&arguments);
        let said = timeout(Duration::from_secs(20), run).await;
        assert_eq!(said.expect("it ends").expect("it works"), "said\n");
        let stray = fs::read_to_string(home.path().join("stray")).unwrap();
        let stray = nix::unistd::Pid::from_raw(stray.trim().parse().unwrap());
        // `setsid` may have made another process; only this one is ours to end.
        let _ = nix::sys::signal::kill(stray, nix::sys::signal::Signal::SIGKILL);
    }
}
