//! Output of a function's process: lines, told to the log of the call being served.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    net::unix::pipe,
    sync::{mpsc, oneshot},
};

use super::LogTarget;
use crate::logs::Logs;

/// A line is cut here, as CloudWatch cuts an event.
const LINE_LIMIT: usize = 256 * 1024;
/// `X-Amz-Log-Result` holds this much.
const TAIL: usize = 4 * 1024;

/// Where the lines of one process go.
#[derive(Clone)]
pub(super) struct Speaker {
    logs: Logs,
    function: String,
    now: Arc<Mutex<Now>>,
}

#[derive(Default)]
struct Now {
    target: Option<LogTarget>,
    tail: Vec<u8>,
}

impl Speaker {
    pub(super) fn new(logs: Logs, function: String) -> Self {
        Self {
            logs,
            function,
            now: Arc::default(),
        }
    }

    /// From now on lines belong to this call.
    pub(super) fn turn(&self, target: Option<LogTarget>) {
        *lock(&self.now) = Now {
            target,
            tail: Vec::new(),
        };
    }

    /// One line.
    pub(super) fn say(&self, line: &str) {
        let mut now = lock(&self.now);
        now.tail.extend_from_slice(line.as_bytes());
        now.tail.push(b'\n');
        let surplus = now.tail.len().saturating_sub(TAIL);
        now.tail.drain(..surplus);
        match &now.target {
            Some(target) => self
                .logs
                .append(&target.execution, &target.action_execution, line),
            None => self.logs.append_function(&self.function, line),
        }
    }

    /// The last 4 KB said for this call.
    pub(super) fn tail(&self) -> Vec<u8> {
        lock(&self.now).tail.clone()
    }
}

/// Asks the reader to tell everything that was written so far.
pub(super) type Flush = mpsc::Sender<oneshot::Sender<()>>;

/// Reads until the last writer has closed; ends with the returned sender too.
pub(super) fn read(pipe: OwnedFd, speaker: Speaker) -> io::Result<Flush> {
    // The same open file: reading it directly sees what was written before now without waiting for the reactor.
    let mut direct = File::from(pipe.try_clone()?);
    let readiness = pipe::Receiver::from_owned_fd(pipe)?;
    let (flush, mut asked) = mpsc::channel::<oneshot::Sender<()>>(4);
    tokio::spawn(async move {
        let mut lines = Lines::default();
        let mut open = true;
        loop {
            let asker = tokio::select! {
                ready = readiness.readable(), if open => {
                    if ready.is_err() {
                        open = false;
                    }
                    // Clears the readiness when there is nothing more.
                    let mut buffer = [0; 8192];
                    match readiness.try_read(&mut buffer) {
                        Ok(0) => open = false,
                        Ok(n) => lines.push(&buffer[..n], &speaker),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(_) => open = false,
                    }
                    None
                }
                asker = asked.recv() => match asker {
                    Some(asker) => Some(asker),
                    None => break,
                },
            };
            if let Some(asker) = asker {
                drain(&mut direct, &mut lines, &speaker);
                let _ = asker.send(());
            }
        }
        drain(&mut direct, &mut lines, &speaker);
        lines.end(&speaker);
    });
    Ok(flush)
}

fn drain(direct: &mut File, lines: &mut Lines, speaker: &Speaker) {
    let mut buffer = [0; 8192];
    while let Ok(n @ 1..) = direct.read(&mut buffer) {
        lines.push(&buffer[..n], speaker);
    }
}

#[derive(Default)]
struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    fn push(&mut self, mut bytes: &[u8], speaker: &Speaker) {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            self.pending.extend_from_slice(&bytes[..end]);
            self.end(speaker);
            bytes = &bytes[end + 1..];
        }
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= LINE_LIMIT {
            self.end(speaker);
        }
    }

    fn end(&mut self, speaker: &Speaker) {
        if self.pending.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&self.pending).into_owned();
        speaker.say(line.trim_end_matches('\r'));
        self.pending.clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
