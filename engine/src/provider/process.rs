//! Ends everything that a build or a `git` call started, also what left its process group.

use std::{fs, thread, time::Duration};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

/// How long processes may clean up after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// How often the end of a group is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Process groups that belong together, ended as one when dropped.
///
/// Processes that started a session of their own are found by `mark`, an environment entry (`NAME=value`)
/// that nothing else on the machine carries; that part works on Linux only.
#[derive(Debug)]
pub struct Tree {
    groups: Vec<Pid>,
    mark: Option<String>,
}

impl Tree {
    /// An empty tree.
    pub const fn new(mark: Option<String>) -> Self {
        Self {
            groups: Vec::new(),
            mark,
        }
    }

    /// Adds the group that a child started with `process_group(0)` leads.
    pub fn add(&mut self, leader: Option<u32>) {
        if let Some(id) = leader.and_then(|id| i32::try_from(id).ok()) {
            self.groups.push(Pid::from_raw(id));
        }
    }

    /// Asks with SIGTERM, waits a little, then kills.
    pub async fn end(&mut self) {
        let mut waited = Duration::ZERO;
        self.signal(Signal::SIGTERM);
        while waited < GRACE && self.alive() {
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
        }
        self.kill();
    }

    /// Kills at once.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.groups.clear();
        if let Some(mark) = &self.mark {
            kill_marked(mark);
        }
    }

    fn alive(&self) -> bool {
        self.groups.iter().any(|group| killpg(*group, None).is_ok())
    }

    fn signal(&self, signal: Signal) {
        for group in &self.groups {
            match killpg(*group, signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => tracing::debug!(%group, %error, "a process group could not be ended"),
            }
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if !self.groups.is_empty() {
            self.kill();
        }
    }
}

/// Kills every process of this user whose environment has this entry; again until none is left,
/// because they may be starting others and take a moment to go. Blocks for a tenth of a second at most.
pub fn kill_marked(mark: &str) {
    for _ in 0..50 {
        let found = marked(mark);
        if found.is_empty() {
            return;
        }
        for process in found {
            // Gone meanwhile is as good as killed.
            let _ = kill(process, Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Processes whose environment has this entry; none where there is no `/proc`.
pub fn marked(mark: &str) -> Vec<Pid> {
    let own = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|id| *id != own)
        .filter(|id| {
            fs::read(format!("/proc/{id}/environ"))
                .is_ok_and(|all| all.split(|b| *b == 0).any(|one| one == mark.as_bytes()))
        })
        .filter_map(|id| i32::try_from(id).ok().map(Pid::from_raw))
        .collect()
}
