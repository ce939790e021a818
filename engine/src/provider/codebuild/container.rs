//! A build image: one container for the whole build, in which every shell of the build runs.

use std::{
    env, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

/// Programs that speak Docker's command line, as they are looked for.
const PROGRAMS: [&str; 2] = ["docker", "podman"];
/// Of a program's complaint, this much is told.
const SAID: usize = 2_000;

/// The container of one build.
#[derive(Debug, Clone)]
pub struct Container {
    /// Docker's or Podman's program.
    pub program: PathBuf,
    /// What it runs.
    pub image: String,
    /// Its own name; the same when the build is performed again.
    pub name: String,
    /// The folder that it shares with this machine, under the same path.
    pub mount: PathBuf,
}

/// The configured program, else the first that is installed.
pub fn program(named: Option<&str>) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let find = |name: &str| {
        let mut places = env::split_paths(&path).map(|folder| folder.join(name));
        places.find(|place| place.is_file())
    };
    match named {
        Some(name) if name.contains('/') => Some(PathBuf::from(name)).filter(|it| it.is_file()),
        Some(name) => find(name),
        None => PROGRAMS.into_iter().find_map(find),
    }
}

impl Container {
    /// Starts it, in place of one that a killed engine left behind; the image is fetched when it is not there.
    ///
    /// # Errors
    /// With what the program said.
    pub async fn start(&self) -> io::Result<()> {
        self.remove().await;
        let mut run = self.command(&["run", "--detach", "--rm", "--init", "--name", &self.name]);
        run.arg("--volume")
            .arg(format!("{0}:{0}", self.mount.display()))
            .args(["--entrypoint", "/bin/sh", &self.image, "-c"])
            .arg("while :; do sleep 3600; done");
        let output = run.output().await?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(SAID).collect();
        let program = self.program.display();
        Err(io::Error::other(format!(
            "{program} cannot run the image {}: {said}",
            self.image
        )))
    }

    /// A program in it, with these variables of the caller's environment.
    pub fn exec<'a>(&self, folder: &Path, variables: impl Iterator<Item = &'a String>) -> Command {
        let mut exec = self.command(&["exec", "--interactive", "--workdir"]);
        exec.arg(folder);
        // by name alone: values of a command line can be seen by everybody on this machine
        for name in variables {
            exec.args(["--env", name]);
        }
        exec.arg(&self.name);
        exec
    }

    /// Ends it with all that runs in it. What it wrote belongs to the owner of the folder then.
    pub async fn end(&self) {
        if let Ok(about) = std::fs::metadata(&self.mount) {
            let owner = format!("{}:{}", about.uid(), about.gid());
            let mut chown = self.command(&["exec", &self.name, "chown", "-R", &owner]);
            told(
                chown.arg(&self.mount).output().await,
                "the files of a build keep their owner",
            );
        }
        self.remove().await;
    }

    async fn remove(&self) {
        let mut remove = self.command(&["rm", "--force", &self.name]);
        told(remove.output().await, "no container was removed");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

fn told(output: io::Result<std::process::Output>, what: &str) {
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            tracing::debug!(said = said.trim(), "{what}");
        }
        Err(error) => tracing::debug!(%error, "{what}"),
    }
}
