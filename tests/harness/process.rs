//! Engine processes: started, watched, killed.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    http,
    workspace::{root, stagewright},
};

/// Nothing in a test takes longer than this.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Looks until something is found.
///
/// # Panics
/// When that takes longer than [`PATIENCE`].
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A running `stagewright serve`; ends with the value.
pub struct Server {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    child: Child,
}

impl Server {
    /// An operation of CodePipeline that it takes.
    ///
    /// # Panics
    /// When it refuses.
    pub fn codepipeline(&self, operation: &str, input: &Value) -> Value {
        let answer = http::codepipeline(&self.url, operation, input).expect("an answer");
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
        answer.json()
    }

    /// An operation of EventBridge that it takes.
    ///
    /// # Panics
    /// When it refuses.
    pub fn events(&self, operation: &str, input: &Value) -> Value {
        let target = format!("AWSEvents.{operation}");
        let answer = http::json(&self.url, "events", &target, input).expect("an answer");
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
        answer.json()
    }

    /// Starts `serve` on a free port and waits until it listens.
    pub fn start(state: &Path, arguments: &[&str]) -> Self {
        Self::spawn(&mut Self::command(state, arguments))
    }

    /// The same with every log on, added to a file.
    pub fn start_logged(state: &Path, arguments: &[&str], log: &Path) -> Self {
        let mut options = File::options();
        let log = options.create(true).append(true).open(log);
        let log = log.expect("the log can be written");
        let mut command = Self::command(state, arguments);
        Self::spawn(command.env("STAGEWRIGHT_LOG", "trace").stderr(log))
    }

    fn command(state: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(stagewright());
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--state"])
            .arg(state)
            .args(arguments)
            .current_dir(root());
        command
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("stagewright is built before the tests run: `make build`");
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        let url = first
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("unexpected first line {first:?}"));
        let url = url.to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self { url, child }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Holds that these functions are built: without one its caller waits, and nothing says what for.
///
/// # Panics
/// When one is not, with what to build.
pub fn built(functions: &[&str]) {
    let missing = missing(&stagewright(), functions);
    assert!(
        missing.is_empty(),
        "not built: {0}. Build it with `make build`, or `cargo build --bins -p {1}`",
        missing.join(", "),
        missing.join(" -p ")
    );
}

fn missing<'a>(beside: &Path, functions: &[&'a str]) -> Vec<&'a str> {
    let there = |name: &&&str| !beside.with_file_name(name).is_file();
    functions.iter().filter(there).copied().collect()
}

/// Runs `stagewright` to its end in a folder.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    finish(
        Command::new(stagewright())
            .args(arguments)
            .current_dir(folder),
    )
}

/// Runs a command to its end, but not for ever.
pub fn finish(command: &mut Command) -> Output {
    finish_within(command, PATIENCE)
}

/// [`finish`] for a command that takes its time.
pub fn finish_within(command: &mut Command, patience: Duration) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?} cannot be started: {e}; `make build` builds ours"));
    let read = |stream: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut stream) = stream {
                let _ = stream.read_to_end(&mut bytes);
            }
            bytes
        })
    };
    let stdout = read(child.stdout.take().map(|s| Box::new(s) as _));
    let stderr = read(child.stderr.take().map(|s| Box::new(s) as _));
    let until = Instant::now() + patience;
    let status = loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            break status;
        }
        if Instant::now() > until {
            let _ = child.kill();
            panic!("{command:?} did not end within {patience:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    Output {
        status,
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    }
}

/// A program of the clients' virtual environment, if it could be installed. In CI it must be there.
pub fn client(name: &str) -> Option<PathBuf> {
    installed(&format!("bin/{name}"))
}

/// A file or folder that `make test` installs under `target/clients`, if it could. In CI it must be there.
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = root().join("target/clients").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{name} is not installed under target/clients: run `make test`"
    );
    eprintln!(
        "SKIPPED: {name} is not installed under target/clients (`make test` says what it needs)"
    );
    None
}

/// Both streams as text, for a failing assertion.
pub fn shown(output: &Output) -> String {
    format!(
        "status {:?}\n--- stdout\n{}\n--- stderr\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
