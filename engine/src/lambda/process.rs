//! One process of a function: started, watched, killed with its group.

use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Instant,
};

use nix::{
    sys::{
        prctl,
        signal::{Signal, killpg},
    },
    unistd::{Pid, getppid},
};
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::{oneshot, watch},
};

use super::{
    environment::{Surroundings, environment},
    lookup::Recipe,
    output::{self, Flush, Speaker},
    runtime::{self, Door},
};

/// A running (or ended) process.
pub(super) struct Process {
    pub recipe: Recipe,
    pub door: Door,
    pub speaker: Speaker,
    pub started: Instant,
    /// How it ended, in Lambda's words: `exit status 1`, `signal: killed`.
    pub exit: watch::Receiver<Option<String>>,
    /// `None` once it has been waited for: the number may belong to another process then.
    group: Arc<Mutex<Option<Pid>>>,
    id: u32,
    flush: Flush,
}

/// A thread that starts processes. The parent-death signal is tied to the starting thread, so it must be one that
/// lives as long as the host; a runtime's worker may not.
#[derive(Clone)]
pub(super) struct Spawner {
    jobs: mpsc::Sender<Box<dyn FnOnce() + Send>>,
}

impl Spawner {
    /// Starts the thread.
    pub(super) fn new() -> Self {
        let (jobs, queue) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let run = move || queue.into_iter().for_each(|job| job());
        if let Err(error) = thread::Builder::new()
            .name("functions".to_owned())
            .spawn(run)
        {
            tracing::error!(%error, "no thread to start functions from");
        }
        Self { jobs }
    }

    async fn spawn(&self, command: std::process::Command) -> io::Result<Child> {
        let gone = || io::Error::other("the engine is ending");
        let handle = Handle::current();
        let (done, child) = oneshot::channel();
        let job = move || {
            let _inside = handle.enter();
            // Dropped here with the write end of the pipe, or the reader would never see its end.
            let child = Command::from(command).kill_on_drop(true).spawn();
            let _ = done.send(child);
        };
        self.jobs.send(Box::new(job)).map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}

/// Starts the function; it has not said anything yet.
pub(super) async fn start(
    spawner: &Spawner,
    recipe: Recipe,
    speaker: Speaker,
    region: &str,
    endpoint: &str,
    log_stream: &str,
) -> io::Result<Process> {
    let door = runtime::open().await?;
    let runtime_api = door.address.to_string();
    let around = Surroundings {
        region,
        endpoint,
        runtime_api: &runtime_api,
        log_stream,
    };
    let (reader, writer) = io::pipe()?;
    let mut command = std::process::Command::new(&recipe.program);
    command
        .args(&recipe.arguments)
        .current_dir(&recipe.folder)
        .env_clear()
        .envs(environment(&recipe, around))
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    die_with_engine(&mut command);
    let started = Instant::now();
    let child = spawner.spawn(command).await?;
    let flush = output::read(OwnedFd::from(reader), speaker.clone())?;
    let id = child.id().unwrap_or_default();
    let group = Arc::new(Mutex::new(i32::try_from(id).ok().map(Pid::from_raw)));
    let exit = watch_end(child, Arc::clone(&group));
    Ok(Process {
        recipe,
        door,
        speaker,
        started,
        exit,
        group,
        id,
        flush,
    })
}

impl Process {
    /// Kills it with everything it started.
    pub(super) fn kill(&self) {
        let group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = *group {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }

    /// Whether it has ended.
    pub(super) fn ended(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// Waits for its end.
    pub(super) async fn exited(&self) -> String {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(text) => text.clone().unwrap_or_default(),
            Err(_) => "lost".to_owned(),
        }
    }

    /// Returns once everything written so far is in the log.
    pub(super) async fn flush(&self) {
        let (done, told) = oneshot::channel();
        if self.flush.send(done).await.is_ok() {
            let _ = told.await;
        }
    }

    /// Peak resident memory in MB; 0 when it is not known.
    pub(super) fn peak_memory_mb(&self) -> u64 {
        fs::read_to_string(format!("/proc/{}/status", self.id))
            .ok()
            .and_then(|status| peak_kb(&status))
            .map_or(0, |kb| kb.div_ceil(1024))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn peak_kb(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn watch_end(mut child: Child, group: Arc<Mutex<Option<Pid>>>) -> watch::Receiver<Option<String>> {
    let (ended, exit) = watch::channel(None);
    tokio::spawn(async move {
        let text = match child.wait().await {
            Ok(status) => describe(status),
            Err(error) => error.to_string(),
        };
        let group = group.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(group) = group {
            // What it left behind goes with it; mostly there is nothing.
            let _ = killpg(group, Signal::SIGKILL);
        }
        ended.send_replace(Some(text));
    });
    exit
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => {
            let name = match Signal::try_from(signal) {
                Ok(Signal::SIGKILL) => "killed",
                Ok(Signal::SIGSEGV) => "segmentation fault",
                Ok(Signal::SIGABRT) => "aborted",
                Ok(Signal::SIGTERM) => "terminated",
                Ok(other) => other.as_str(),
                Err(_) => "unknown",
            };
            format!("signal: {name}")
        }
        (None, None) => status.to_string(),
    }
}

/// A function must not outlive a killed engine. Linux ends the process when the thread that started it ends.
#[expect(
    unsafe_code,
    reason = "the kernel's parent-death signal can only be set between fork and exec"
)]
fn die_with_engine(command: &mut std::process::Command) {
    let engine = Pid::this();
    // SAFETY: prctl and getppid are async-signal-safe, and the closure neither allocates nor takes locks.
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            if getppid() != engine {
                return Err(io::ErrorKind::Interrupted.into());
            }
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_read() {
        assert_eq!(peak_kb("Name:\tx\nVmHWM:\t    2048 kB\n"), Some(2048));
        assert_eq!(peak_kb("Name:\tx\n"), None);
    }

    #[test]
    fn ends_are_told_in_lambdas_words() {
        assert_eq!(describe(ExitStatus::from_raw(1 << 8)), "exit status 1");
        assert_eq!(describe(ExitStatus::from_raw(9)), "signal: killed");
    }
}
