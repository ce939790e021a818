//! One deployment to one server: a folder of this machine that stands for its file system.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio_util::sync::CancellationToken;

use super::{
    appspec::{AppSpec, Hook, LIMIT, NAMES, Script, below},
    install,
};
use crate::provider::{chain, process::Tree, workshop::Workshop};

/// The files that a deployment has put on the server, one path a line.
const INSTALLED: &str = "installed";
/// The last revision that the deployment group succeeded with.
pub(super) const LAST: &str = "last";

/// What a script finds in its environment.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) application: String,
    pub(super) group: String,
    pub(super) deployment: String,
}

/// One server.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// As the configuration names it.
    pub(super) name: String,
    /// Its file system.
    pub(super) root: PathBuf,
    /// What the engine remembers of it.
    pub(super) memory: PathBuf,
}

/// Why a server does not run the revision.
#[derive(Debug)]
pub(super) enum Ended {
    /// In this event, for this reason.
    Failed(&'static str, String),
    /// It was told to stop.
    Stopped,
}

impl Server {
    /// All events of a deployment, in order.
    pub(super) async fn deploy(
        &self,
        bundle: &Path,
        names: &Names,
        workshop: &Workshop,
        stop: &CancellationToken,
    ) -> Result<(), Ended> {
        fs::create_dir_all(&self.root).map_err(|error| {
            let text = format!("{}: {error}", self.root.display());
            Ended::Failed("DownloadBundle", text)
        })?;
        let last = self.memory.join(LAST);
        if last.is_dir() {
            let spec = read(&last).map_err(|text| Ended::Failed("ApplicationStop", text))?;
            self.hook(Hook::ApplicationStop, &spec, &last, names, workshop, stop)
                .await?;
        }
        let spec = read(bundle).map_err(|text| Ended::Failed("DownloadBundle", text))?;
        self.hook(Hook::BeforeInstall, &spec, bundle, names, workshop, stop)
            .await?;
        let notices = self
            .install(&spec, bundle)
            .map_err(|text| Ended::Failed("Install", text))?;
        for notice in notices {
            workshop.log(&format!("[{}] Install: {notice}", self.name));
        }
        for hook in [
            Hook::AfterInstall,
            Hook::ApplicationStart,
            Hook::ValidateService,
        ] {
            self.hook(hook, &spec, bundle, names, workshop, stop)
                .await?;
        }
        Ok(())
    }

    fn install(&self, spec: &AppSpec, bundle: &Path) -> Result<Vec<String>, String> {
        let told = |error: install::InstallError| chain(&error);
        let io = |error: io::Error| format!("{}: {error}", self.memory.display());
        fs::create_dir_all(&self.memory).map_err(io)?;
        let list = self.memory.join(INSTALLED);
        let own: BTreeSet<PathBuf> = match fs::read_to_string(&list) {
            Ok(text) => text.lines().map(PathBuf::from).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(io(error)),
        };
        let places = install::plan(spec, bundle, &self.root).map_err(told)?;
        let kept = install::kept(&places, &own).map_err(told)?;
        // What is about to be written is ours from now on, so that a deployment that was cut off can be repeated.
        let new = places.keys().filter(|it| !kept.contains(*it));
        let all: BTreeSet<&PathBuf> = own.iter().chain(new.clone()).collect();
        write_list(&list, all.into_iter()).map_err(io)?;
        install::clean(&own, &self.root).map_err(told)?;
        let count = install::copy(&places, &kept).map_err(told)?;
        write_list(&list, new).map_err(io)?;
        let mut notices = install::permit(spec, &self.root).map_err(told)?;
        notices.push(format!("{count} files installed, {} kept", kept.len()));
        Ok(notices)
    }

    async fn hook(
        &self,
        hook: Hook,
        spec: &AppSpec,
        bundle: &Path,
        names: &Names,
        workshop: &Workshop,
        stop: &CancellationToken,
    ) -> Result<(), Ended> {
        for script in spec.hooks.get(&hook).into_iter().flatten() {
            if stop.is_cancelled() {
                return Err(Ended::Stopped);
            }
            workshop.log(&format!(
                "[{}] {}: {}",
                self.name,
                hook.name(),
                script.location.0.display()
            ));
            if let Some(user) = &script.runas {
                workshop.log(&format!(
                    "[{}] runas {user}: it runs as the engine's user",
                    self.name
                ));
            }
            let ended = self
                .script(hook, script, bundle, names, workshop, stop)
                .await;
            let problem = match ended {
                Ok(None) => return Err(Ended::Stopped),
                Ok(Some(0)) => continue,
                Ok(Some(code)) => format!("failed with exit code {code}"),
                Err(error) => error.to_string(),
            };
            let text = format!("script {}: {problem}", script.location.0.display());
            return Err(Ended::Failed(hook.name(), text));
        }
        Ok(())
    }

    /// Runs a script to its end; `None` when it was told to stop.
    async fn script(
        &self,
        hook: Hook,
        script: &Script,
        bundle: &Path,
        names: &Names,
        workshop: &Workshop,
        stop: &CancellationToken,
    ) -> io::Result<Option<i32>> {
        let path = below(bundle, &script.location.0);
        if !path.is_file() {
            return Err(io::Error::other("the bundle has no such file"));
        }
        let mut mode = fs::metadata(&path)?.permissions();
        mode.set_mode(mode.mode() | 0o100);
        fs::set_permissions(&path, mode)?;
        let kept =
            ["PATH", "HOME", "LANG"].map(|name| (name, std::env::var(name).unwrap_or_default()));
        let mut child = tokio::process::Command::new(&path)
            .current_dir(bundle)
            .env_clear()
            .envs(kept)
            .env("LIFECYCLE_EVENT", hook.name())
            .env("DEPLOYMENT_ID", &names.deployment)
            .env("APPLICATION_NAME", &names.application)
            .env("DEPLOYMENT_GROUP_NAME", &names.group)
            .env("DEPLOYMENT_GROUP_ID", &names.group)
            .env("STAGEWRIGHT_SERVER", &self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let mut tree = Tree::new(None);
        tree.add(child.id());
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let follow = async {
            tokio::join!(self.lines(out, workshop), self.lines(err, workshop));
            child.wait().await
        };
        let limit = Duration::from_secs(script.timeout.0);
        let ended = tokio::select! {
            ended = tokio::time::timeout(limit, follow) => Some(ended),
            () = stop.cancelled() => None,
        };
        // who is waited for is seen to be gone
        let (_, status) = tokio::join!(tree.end(), child.wait());
        drop(status);
        let Some(ended) = ended else {
            return Ok(None);
        };
        match ended {
            Ok(status) => Ok(Some(status?.code().unwrap_or(-1))),
            Err(_) => Err(io::Error::other(format!(
                "did not end within {} s",
                script.timeout.0
            ))),
        }
    }

    async fn lines(&self, output: Option<impl AsyncRead + Unpin>, workshop: &Workshop) {
        let Some(output) = output else {
            return;
        };
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            workshop.log(&format!("[{}] {line}", self.name));
        }
    }
}

fn write_list<'a>(list: &Path, paths: impl Iterator<Item = &'a PathBuf>) -> io::Result<()> {
    let text: String = paths.map(|path| format!("{}\n", path.display())).collect();
    fs::write(list, text)
}

/// The AppSpec of a bundle.
pub(super) fn read(bundle: &Path) -> Result<AppSpec, String> {
    let found = NAMES.iter().find(|name| bundle.join(name).is_file());
    let Some(name) = found else {
        return Err(format!(
            "The revision has no AppSpec file: it must be named {} and stand at the top of the artifact",
            NAMES[0]
        ));
    };
    let path = bundle.join(name);
    let size = fs::metadata(&path).map_or(0, |it| it.len());
    if size > LIMIT {
        return Err(format!("{name} is larger than {LIMIT} bytes"));
    }
    let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
    let spec = AppSpec::parse(name, &text).map_err(|error| error.to_string())?;
    Ok(spec)
}

/// Notes the revision as the last one that succeeded here.
pub(super) fn remember(server: &Server, bundle: &Path) -> io::Result<()> {
    let (last, next) = (server.memory.join(LAST), server.memory.join("next"));
    remove(&next)?;
    copy_tree(bundle, &next)?;
    remove(&last)?;
    fs::rename(&next, &last)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copies a tree of files and folders.
pub(super) fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if entry.path().is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Where the engine remembers a server of a deployment group, below its state folder. The group's name may hold anything.
pub(super) fn memory(state: &Path, group: &str, number: usize) -> PathBuf {
    let folder = hex::encode(&Sha256::digest(group)[..8]);
    state
        .join("codedeploy")
        .join(folder)
        .join(number.to_string())
}
