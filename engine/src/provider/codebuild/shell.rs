//! One shell that runs all commands of a build, so that variables and the working folder carry over.

use std::{
    collections::BTreeMap,
    fs, io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::pipe,
    process::{Child, ChildStdin, Command},
    time::timeout,
};

use super::{buildspec::Shell, container::Container};
use crate::provider::process::Tree;

/// Longer lines of output are cut into pieces of this size.
const LINE: usize = 16 * 1024;
/// How long output may follow the end of the shell that has not said goodbye.
const DRAIN: Duration = Duration::from_millis(300);
/// Record separator: what precedes a report in the stream of output.
const SEPARATOR: u8 = 0x1e;

const DRIVER: &str = include_str!("driver.sh");

/// What a session runs in.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Which shell.
    pub shell: Shell,
    /// The whole environment of the shell.
    pub environment: BTreeMap<String, String>,
    /// Where it starts.
    pub folder: PathBuf,
    /// A folder of its own for command files.
    pub control: PathBuf,
    /// Environment entry (`NAME=value`) by which strays are found.
    pub mark: Option<String>,
    /// Where it runs; on this machine when absent.
    pub container: Option<Container>,
}

/// A running session. A command that ends the shell (`exit`, `exec`) ends only itself: the next one gets a new shell
/// with the exported variables and the working folder of the old one.
pub struct Session {
    setup: Setup,
    separator: String,
    shell: Option<(Child, ChildStdin)>,
    tree: Tree,
    writer: OwnedFd,
    reader: pipe::Receiver,
    pending: Vec<u8>,
    count: usize,
    contained: bool,
}

enum Report {
    Done(i32),
    Exit(i32),
}

impl Session {
    /// Prepares a session; the shell starts with the first command.
    ///
    /// # Errors
    /// The control folder or the pipe cannot be made.
    pub fn new(setup: Setup) -> io::Result<Self> {
        fs::create_dir_all(&setup.control)?;
        fs::write(setup.control.join("driver.sh"), DRIVER)?;
        let (reader, writer) = io::pipe()?;
        Ok(Self {
            separator: uuid::Uuid::new_v4().simple().to_string(),
            shell: None,
            tree: Tree::new(setup.mark.clone()),
            writer: writer.into(),
            reader: pipe::Receiver::from_owned_fd(reader.into())?,
            pending: Vec::new(),
            count: 0,
            contained: false,
            setup,
        })
    }

    /// Runs one command to its end and answers its exit status; output goes line by line to `line`.
    ///
    /// # Errors
    /// The shell could not be started or talked to.
    pub async fn run(
        &mut self,
        command: &str,
        line: &(dyn Fn(&str) + Send + Sync),
    ) -> io::Result<i32> {
        self.count += 1;
        let name = format!("command-{}.sh", self.count);
        fs::write(self.setup.control.join(&name), format!("{command}\n"))?;
        let (mut child, mut input) = match self.shell.take() {
            Some(shell) => shell,
            None => self.start().await?,
        };
        input.write_all(format!("{name}\n").as_bytes()).await?;
        match self.follow(&mut child, line).await? {
            Report::Done(code) => {
                self.shell = Some((child, input));
                Ok(code)
            }
            Report::Exit(code) => {
                drop(input);
                child.wait().await?;
                Ok(code)
            }
        }
    }

    /// Values of shell variables, exported or not; unset ones are left out.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn values(&mut self, names: &[String]) -> io::Result<BTreeMap<String, String>> {
        let folder = self.setup.control.join("values");
        fs::create_dir_all(&folder)?;
        let mut script = "set +eu\n".to_owned();
        for name in names {
            let file = folder.join(name);
            // Names were checked to be plain variable names.
            script += &format!(
                "if [ \"${{{name}+set}}\" ]; then printf '%s' \"${name}\" >{}; fi\n",
                quoted(&file)
            );
        }
        self.run(&script, &|_| {}).await?;
        let mut values = BTreeMap::new();
        for name in names {
            match fs::read(folder.join(name)) {
                Ok(bytes) => {
                    values.insert(name.clone(), String::from_utf8_lossy(&bytes).into_owned());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(values)
    }

    /// Ends every process of the session and hands out what they still had to say.
    pub async fn end(mut self, line: &(dyn Fn(&str) + Send + Sync)) {
        if let Some((mut child, input)) = self.shell.take() {
            drop(input);
            // With its input closed an idle shell ends by itself.
            if timeout(DRAIN, child.wait()).await.is_err() {
                let (_, waited) = tokio::join!(self.tree.end(), child.wait());
                if let Err(error) = waited {
                    tracing::debug!(%error, "the end of a shell was not seen");
                }
            }
        }
        self.tree.end().await;
        if let Some(container) = &self.setup.container {
            container.end().await;
        }
        let Self {
            writer,
            mut reader,
            mut pending,
            ..
        } = self;
        drop(writer);
        let rest = timeout(DRAIN, async {
            while reader.read_buf(&mut pending).await.is_ok_and(|n| n > 0) {}
        });
        if rest.await.is_err() {
            tracing::debug!("a process outside the build keeps its output open");
        }
        emit(&pending, line);
    }

    async fn start(&mut self) -> io::Result<(Child, ChildStdin)> {
        let shell: &[&str] = match self.setup.shell {
            Shell::Sh => &["/bin/sh"],
            Shell::Bash => &["bash", "--noprofile", "--norc"],
        };
        let mut command = match &self.setup.container {
            Some(container) => {
                if !self.contained {
                    container.start().await?;
                    self.contained = true;
                }
                let mut exec = container.exec(&self.setup.folder, self.setup.environment.keys());
                exec.args(shell);
                exec
            }
            None => {
                let mut here = Command::new(shell[0]);
                here.args(&shell[1..]).env_clear();
                here
            }
        };
        command
            .arg(self.setup.control.join("driver.sh"))
            .arg(&self.setup.control)
            .arg(&self.separator)
            .envs(&self.setup.environment)
            .current_dir(&self.setup.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::from(self.writer.try_clone()?))
            .stderr(Stdio::from(self.writer.try_clone()?))
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| {
            let program = command.as_std().get_program().to_string_lossy();
            io::Error::new(
                error.kind(),
                format!("{program} cannot be started: {error}"),
            )
        })?;
        self.tree.add(child.id());
        let input = child
            .stdin
            .take()
            .ok_or_else(|| io::Error::other("the shell has no standard input"))?;
        Ok((child, input))
    }

    /// Hands out lines until the report of the running command, or until the shell is gone.
    async fn follow(
        &mut self,
        child: &mut Child,
        line: &(dyn Fn(&str) + Send + Sync),
    ) -> io::Result<Report> {
        loop {
            if let Some(report) = self.take_lines(line) {
                return Ok(report);
            }
            // Not biased: a process that never stops talking must not hide the end of the shell.
            tokio::select! {
                read = self.reader.read_buf(&mut self.pending) => { read?; }
                status = child.wait() => {
                    let status = status?;
                    return Ok(self.farewell(line).await.unwrap_or_else(|| Report::Exit(code_of(status))));
                }
            }
        }
    }

    /// The shell is gone: its own report may still be on the way, with the last output.
    async fn farewell(&mut self, line: &(dyn Fn(&str) + Send + Sync)) -> Option<Report> {
        let reading = timeout(DRAIN, async {
            loop {
                if let Some(report) = self.take_lines(line) {
                    return Some(report);
                }
                match self.reader.read_buf(&mut self.pending).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        });
        let report = reading.await.ok().flatten();
        if report.is_none() {
            emit(&std::mem::take(&mut self.pending), line);
        }
        report
    }

    /// Hands out whole lines; stops at a report.
    fn take_lines(&mut self, line: &(dyn Fn(&str) + Send + Sync)) -> Option<Report> {
        loop {
            let end = match self.pending.iter().position(|b| *b == b'\n') {
                Some(end) => end,
                None if self.pending.len() > LINE => LINE,
                None => return None,
            };
            let rest = self.pending.split_off((end + 1).min(self.pending.len()));
            let whole = std::mem::replace(&mut self.pending, rest);
            if let Some((before, report)) = self.report_in(&whole) {
                emit(before, line);
                return Some(report);
            }
            if !is_driver(&whole) {
                emit_line(&whole, line);
            }
        }
    }

    fn report_in<'a>(&self, whole: &'a [u8]) -> Option<(&'a [u8], Report)> {
        let at = whole.iter().position(|b| *b == SEPARATOR)?;
        let text = std::str::from_utf8(&whole[at + 1..]).ok()?;
        let mut words = text.split_whitespace();
        if words.next() != Some(&self.separator) {
            return None;
        }
        let kind = words.next()?;
        let code = words.next()?.parse().ok()?;
        let report = match kind {
            "done" => Report::Done(code),
            _ => Report::Exit(code),
        };
        Some((&whole[..at], report))
    }
}

/// What `set -x` of a build shows of the driver.
fn is_driver(line: &[u8]) -> bool {
    line.starts_with(b"+")
        && [b"__sw_".as_slice(), br"\036%s", b"/command-"]
            .iter()
            .any(|own| line.windows(own.len()).any(|part| part == *own))
}

fn emit(bytes: &[u8], line: &(dyn Fn(&str) + Send + Sync)) {
    if !bytes.is_empty() {
        for one in bytes.split_inclusive(|b| *b == b'\n') {
            emit_line(one, line);
        }
    }
}

fn emit_line(bytes: &[u8], line: &(dyn Fn(&str) + Send + Sync)) {
    let text = String::from_utf8_lossy(bytes);
    line(text.trim_end_matches(['\n', '\r']));
}

fn code_of(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(-1)
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
