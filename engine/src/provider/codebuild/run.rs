//! The phases of one build, in CodeBuild's order and with its transitions.

use std::{collections::BTreeMap, future::Future, io, time::Duration};

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    buildspec::{Buildspec, Command, OnFailure, Phase, PhaseSpec},
    shell::{Session, Setup},
};

/// Who follows a build.
pub trait Watch: Send + Sync {
    /// A line that the build wrote.
    fn line(&self, text: &str);
    /// A line about the build, CodeBuild's `[Container]` lines.
    fn note(&self, text: &str);
    /// A phase begins.
    fn entering(&self, phase: Phase) -> impl Future<Output = ()> + Send;
}

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Every phase that counts succeeded: the exported variables.
    Succeeded(BTreeMap<String, String>),
    /// A command failed.
    Failed(Failure),
    /// The build timeout passed in this phase.
    TimedOut(Phase),
    /// It was told to stop.
    Stopped,
}

/// The command that failed first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In which phase.
    pub phase: Phase,
    /// Its exit status.
    pub code: i32,
    /// The command.
    pub command: Command,
}

/// What follows a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The following phase, if there is one.
    Go,
    /// No further phase.
    End,
}

/// Runs all phases; no process of the build is left when it answers.
///
/// # Errors
/// The shell could not be started or talked to.
pub async fn run(
    spec: &Buildspec,
    setup: Setup,
    limit: Duration,
    stop: &CancellationToken,
    watch: &impl Watch,
) -> io::Result<Ended> {
    let mut session = Session::new(setup)?;
    let mut current = Phase::Install;
    let deadline = Instant::now() + limit;
    let ended = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(None),
        ended = timeout_at(deadline, phases(spec, &mut session, &mut current, watch)) => match ended {
            Ok(ended) => ended.map(Some),
            Err(_) => Ok(Some(Ended::TimedOut(current))),
        },
    };
    session.end(&|text| watch.line(text)).await;
    Ok(ended?.unwrap_or(Ended::Stopped))
}

async fn phases(
    spec: &Buildspec,
    session: &mut Session,
    current: &mut Phase,
    watch: &impl Watch,
) -> io::Result<Ended> {
    let mut failed: Option<Failure> = None;
    let mut succeeding = true;
    for phase in Phase::ALL {
        let Some(phase_spec) = spec.phases.iter().find(|one| one.phase == phase) else {
            continue;
        };
        *current = phase;
        watch.entering(phase).await;
        watch.note(&format!("Entering phase {}", phase.name()));
        let failure = commands(phase_spec, session, watch).await?;
        let state = if failure.is_some() {
            "FAILED"
        } else {
            "SUCCEEDED"
        };
        watch.note(&format!("Phase complete: {} State: {state}", phase.name()));
        let (code, message) = failure.as_ref().map_or_else(Default::default, |f| {
            (
                "COMMAND_EXECUTION_ERROR",
                format!(
                    "Error while executing command: {}. Reason: exit status {}",
                    f.command.text.trim_end(),
                    f.code
                ),
            )
        });
        watch.note(&format!(
            "Phase context status code: {code} Message: {message}"
        ));
        let next = after(phase, failure.is_some(), phase_spec.on_failure);
        if let Some(failure) = failure {
            if succeeding {
                session
                    .run("export CODEBUILD_BUILD_SUCCEEDING=0", &|_| {})
                    .await?;
                succeeding = false;
            }
            if phase_spec.on_failure != Some(OnFailure::Continue) {
                failed.get_or_insert(failure);
            }
        }
        if next == Next::End {
            break;
        }
    }
    match failed {
        Some(failure) => Ok(Ended::Failed(failure)),
        None => Ok(Ended::Succeeded(session.values(&spec.exported).await?)),
    }
}

/// CodeBuild's transitions: a failed INSTALL or PRE_BUILD ends the build, a failed BUILD goes on to POST_BUILD.
fn after(phase: Phase, failed: bool, on_failure: Option<OnFailure>) -> Next {
    match (failed, on_failure) {
        (false, _) | (true, Some(OnFailure::Continue)) => Next::Go,
        (true, Some(OnFailure::Abort)) => Next::End,
        (true, None) if phase == Phase::Build => Next::Go,
        (true, None) => Next::End,
    }
}

/// One phase: commands until the first failure, then `finally` the same way. Answers the first failure.
async fn commands(
    spec: &PhaseSpec,
    session: &mut Session,
    watch: &impl Watch,
) -> io::Result<Option<Failure>> {
    let mut first = None;
    for list in [&spec.commands, &spec.finally] {
        for command in list {
            watch.note(&format!("Running command {}", command.text.trim_end()));
            let code = session.run(&command.text, &|text| watch.line(text)).await?;
            if code != 0 {
                watch.note(&format!(
                    "Command did not exit successfully {} exit status {code}",
                    command.text.trim_end()
                ));
                first.get_or_insert(Failure {
                    phase: spec.phase,
                    code,
                    command: command.clone(),
                });
                break;
            }
        }
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::provider::{codebuild::buildspec, process};

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl Watch for Lines {
        fn line(&self, text: &str) {
            self.0.lock().expect("no panic").push(text.to_owned());
        }
        fn note(&self, _: &str) {}
        async fn entering(&self, phase: Phase) {
            self.line(&format!("--{}", phase.name()));
        }
    }

    struct Ran {
        ended: Ended,
        lines: Vec<String>,
        _folder: tempfile::TempDir,
    }

    async fn build(text: &str, shell: &str) -> Ran {
        let text = format!(
            "version: 0.2\nenv:\n  shell: {shell}\n  exported-variables: [OUT, NEVER]\n{text}"
        );
        let spec = buildspec::parse("buildspec.yml", &text).expect(&text);
        let folder = tempfile::tempdir().expect("a folder");
        let watch = Lines::default();
        let ended = run(
            &spec,
            setup(&spec, folder.path(), None),
            Duration::from_secs(60),
            &CancellationToken::new(),
            &watch,
        )
        .await
        .expect("it runs");
        Ran {
            ended,
            lines: watch.0.into_inner().expect("no panic"),
            _folder: folder,
        }
    }

    fn setup(spec: &Buildspec, folder: &std::path::Path, mark: Option<&str>) -> Setup {
        let path = std::env::var("PATH").expect("a PATH");
        let mut environment = BTreeMap::from([
            ("PATH".to_owned(), path),
            ("CODEBUILD_BUILD_SUCCEEDING".to_owned(), "1".to_owned()),
        ]);
        if let Some((name, value)) = mark.and_then(|m| m.split_once('=')) {
            environment.insert(name.to_owned(), value.to_owned());
        }
        Setup {
            shell: spec.shell,
            environment,
            folder: folder.to_owned(),
            control: folder.join("control it's"),
            mark: mark.map(ToOwned::to_owned),
            container: None,
        }
    }

    #[tokio::test]
    async fn one_shell_runs_every_command() {
        for shell in ["bash", "/bin/sh"] {
            let ran = build(
                r#"phases:
  pre_build:
    commands:
      - OUT=one
      - mkdir sub && cd sub
      - greet() { echo "hello $1"; }
  build:
    commands:
      - greet "$OUT"; basename "$PWD"
      - |
        OUT="$OUT
        two"
      - echo to stderr >&2; cat; printf 'no line end'
      - echo "succeeding $CODEBUILD_BUILD_SUCCEEDING $HOME"
"#,
                shell,
            )
            .await;
            let exported = BTreeMap::from([("OUT".to_owned(), "one\ntwo".to_owned())]);
            assert_eq!(
                ran.ended,
                Ended::Succeeded(exported),
                "{shell} {:?}",
                ran.lines
            );
            assert_eq!(
                ran.lines,
                [
                    "--PRE_BUILD",
                    "--BUILD",
                    "hello one",
                    "sub",
                    "to stderr",
                    "no line end",
                    "succeeding 1 "
                ],
                "{shell}"
            );
        }
    }

    #[tokio::test]
    async fn failures_follow_codebuilds_transitions() {
        let post = "  post_build:\n    commands: ['echo post $CODEBUILD_BUILD_SUCCEEDING $KEPT']\n";
        type Case = (
            &'static str,
            &'static str,
            Option<(Phase, i32)>,
            &'static [&'static str],
        );
        let cases: [Case; 6] = [
            (
                "install",
                "",
                Some((Phase::Install, 3)),
                &["--INSTALL", "bye"],
            ),
            (
                "pre_build",
                "",
                Some((Phase::PreBuild, 3)),
                &["--PRE_BUILD", "bye"],
            ),
            (
                "build",
                "",
                Some((Phase::Build, 3)),
                &["--BUILD", "bye", "--POST_BUILD", "post 0 yes"],
            ),
            (
                "build",
                "    on-failure: ABORT\n",
                Some((Phase::Build, 3)),
                &["--BUILD", "bye"],
            ),
            (
                "build",
                "    on-failure: CONTINUE\n",
                None,
                &["--BUILD", "bye", "--POST_BUILD", "post 0 yes"],
            ),
            (
                "install",
                "    on-failure: CONTINUE\n",
                None,
                &["--INSTALL", "bye", "--POST_BUILD", "post 0 yes"],
            ),
        ];
        for (phase, extra, failure, lines) in cases {
            for fail in ["exit 3", "(exit 3)", "set -e; sh -c 'exit 3'; echo no"] {
                let ran = build(
                    &format!("phases:\n  {phase}:\n{extra}    commands: [export KEPT=yes, \"{fail}\", echo never]\n    finally: [echo bye]\n{post}"),
                    "bash",
                )
                .await;
                let found = match &ran.ended {
                    Ended::Failed(failure) => Some((failure.phase, failure.code)),
                    _ => None,
                };
                assert_eq!(found, failure, "{phase} {extra} {fail}: {:?}", ran.ended);
                assert_eq!(ran.lines, lines, "{phase} {extra} {fail}");
            }
        }
    }

    #[tokio::test]
    async fn commands_that_end_the_shell_end_only_themselves() {
        let ran = build(
            "phases:\n  build:\n    commands: ['export A=1; cd /; exit 0', 'echo \"$A $PWD\"', 'exec echo gone', 'echo back', 'kill -9 $$']\n",
            "/bin/sh",
        )
        .await;
        assert!(
            matches!(&ran.ended, Ended::Failed(f) if f.code == 137),
            "{:?}",
            ran.ended
        );
        assert_eq!(ran.lines, ["--BUILD", "1 /", "gone", "back"]);
        let ran = build(
            "phases: {build: {commands: [set -x, echo a, 'echo b; set +x', echo c]}}\n",
            "bash",
        )
        .await;
        assert_eq!(
            ran.lines,
            [
                "--BUILD",
                "++ echo a",
                "a",
                "++ echo b",
                "b",
                "++ set +x",
                "c"
            ]
        );
        let ran = build(
            "phases:\n  build:\n    commands: ['if then', echo never]\n",
            "/bin/sh",
        )
        .await;
        assert!(
            matches!(&ran.ended, Ended::Failed(f) if f.code == 2),
            "{:?}",
            ran.ended
        );
    }

    #[tokio::test]
    async fn a_process_that_never_stops_talking_does_not_hide_the_end_of_the_shell() {
        let text = "phases:\n  build:\n    commands: ['yes & kill -9 $$']\n";
        let ran = tokio::time::timeout(Duration::from_secs(20), build(text, "/bin/sh")).await;
        let ended = ran.expect("it ends").ended;
        assert!(
            matches!(&ended, Ended::Failed(f) if f.code == 137),
            "{ended:?}"
        );
    }

    #[tokio::test]
    async fn nothing_is_left_after_stop_timeout_or_end() {
        let hang = "phases: {build: {commands: ['sleep 1000 & setsid sleep 1000 & trap \"\" TERM; sleep 1000']}}\n";
        let stray = "phases: {build: {commands: ['setsid sleep 1000 & sleep 1000 &']}}\n";
        for (number, (text, stopped, limit)) in [
            (hang, true, 60_000),
            (hang, false, 300),
            (stray, false, 60_000),
        ]
        .into_iter()
        .enumerate()
        {
            let mark = format!("STAGEWRIGHT_TEST={}-{number}", uuid::Uuid::new_v4());
            let spec = buildspec::parse("b", &format!("version: 0.2\n{text}")).expect("good");
            let folder = tempfile::tempdir().expect("a folder");
            let stop = CancellationToken::new();
            let watch = Lines::default();
            let setup = setup(&spec, folder.path(), Some(&mark));
            let building = run(&spec, setup, Duration::from_millis(limit), &stop, &watch);
            let stopping = async {
                while stopped && process::marked(&mark).len() < 4 {
                    tokio::task::yield_now().await;
                }
                if stopped {
                    stop.cancel();
                }
            };
            let (ended, ()) = tokio::join!(building, stopping);
            let expected = match (stopped, limit) {
                (true, _) => Ended::Stopped,
                (_, 300) => Ended::TimedOut(Phase::Build),
                _ => Ended::Succeeded(BTreeMap::new()),
            };
            assert_eq!(ended.expect("it runs"), expected);
            assert_eq!(process::marked(&mark), [], "case {number}");
        }
    }
}
