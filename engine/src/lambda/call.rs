//! One invocation: a warm or new process, the call, its end, and Lambda's START, END and REPORT lines.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use serde_json::json;
use tokio::{sync::oneshot, time::timeout};

use super::{
    CallContext, InvokeError, InvokeResult, LambdaHost,
    lookup::Recipe,
    process::Process,
    runtime::{Answer, Call},
};

/// Lambda's limit of the init phase.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// After its answer a process normally asks for the next call at once; one that takes longer is given back later.
const TURN_LIMIT: Duration = Duration::from_millis(20);

/// How one attempt to use a process went.
enum End {
    Answer(Answer),
    /// The error object is ours.
    Failure {
        kind: &'static str,
        message: String,
    },
    /// `init/error`.
    InitError(Bytes),
    /// A warm process had died unnoticed; nothing was lost.
    NotTaken,
    Stopped,
}

/// Calls the function once and waits for the end.
pub(super) async fn once(
    host: &LambdaHost,
    recipe: Recipe,
    request_id: &str,
    payload: Bytes,
    context: &CallContext,
) -> Result<InvokeResult, InvokeError> {
    let settings = &host.inner.settings;
    let _busy = settings.clock.busy();
    let name = recipe.name.clone();
    loop {
        if context.stop.is_cancelled() || host.is_ending() {
            return Err(InvokeError::Stopped(name));
        }
        let warm = host.take_idle(&recipe);
        let is_warm = warm.is_some();
        let process = match warm {
            Some(process) => process,
            None => host.start(recipe.clone()).await?,
        };
        let turn = Turn {
            host,
            process: &process,
            request_id,
            context,
        };
        process.speaker.turn(context.log.clone());
        let asked = process.door.phase.borrow().asked;
        let end = turn.run(payload.clone(), is_warm).await;
        process.flush().await;
        let end = if host.is_ending() && !matches!(end, End::Answer(_)) {
            End::Stopped
        } else {
            end
        };
        let (payload, failed) = match end {
            End::NotTaken => continue,
            End::Stopped => {
                process.speaker.say("Stopped");
                return Err(InvokeError::Stopped(name));
            }
            End::Answer(Answer::Response(payload)) => (payload, false),
            End::Answer(Answer::Error(payload)) | End::InitError(payload) => (payload, true),
            End::Answer(Answer::TooLarge) => {
                let message =
                    "Response payload size exceeded maximum allowed payload size (6291556 bytes).";
                (error("Function.ResponseSizeTooLarge", message), true)
            }
            End::Failure { kind, message } => (error(kind, &message), true),
        };
        let log_tail = process.speaker.tail();
        give_back(host, process, asked).await;
        return Ok(InvokeResult {
            request_id: request_id.to_owned(),
            payload,
            failed,
            log_tail,
        });
    }
}

struct Turn<'a> {
    host: &'a LambdaHost,
    process: &'a Arc<Process>,
    request_id: &'a str,
    context: &'a CallContext,
}

impl Turn<'_> {
    async fn run(&self, payload: Bytes, warm: bool) -> End {
        let mut init = None;
        if !warm {
            match self.init().await {
                Ok(duration) => {
                    // What init wrote stands before START.
                    self.process.flush().await;
                    init = Some(duration);
                }
                Err(end) => {
                    self.process.kill();
                    self.process.flush().await;
                    self.start_line();
                    self.end_lines(Duration::ZERO, Some(self.process.started.elapsed()), &end);
                    return end;
                }
            }
        }
        let started = Instant::now();
        let taken = Arc::new(AtomicBool::new(false));
        let end = self.serve(payload, &taken, warm).await;
        if matches!(end, End::NotTaken) {
            return end;
        }
        let duration = started.elapsed();
        self.process.flush().await;
        self.end_lines(duration, init, &end);
        end
    }

    /// Waits for the first request for a call.
    async fn init(&self) -> Result<Duration, End> {
        let mut phase = self.process.door.phase.clone();
        let ready = phase.wait_for(|p| p.asked > 0 || p.init_error.is_some());
        tokio::select! {
            biased;
            ready = ready => match ready {
                Ok(phase) => match &phase.init_error {
                    Some(error) => Err(End::InitError(error.clone())),
                    None => Ok(self.process.started.elapsed()),
                },
                Err(_) => Err(self.exit_error("lost")),
            },
            exit = self.process.exited() => {
                let told = self.process.door.phase.borrow().init_error.clone();
                Err(told.map_or_else(|| self.exit_error(&exit), End::InitError))
            }
            () = tokio::time::sleep(INIT_LIMIT) => Err(End::Failure {
                kind: "Sandbox.Timedout",
                message: format!(
                    "RequestId: {} Error: Initialization timed out after {:.2} seconds: the program did not ask the Runtime API for a call",
                    self.request_id,
                    INIT_LIMIT.as_secs_f64(),
                ),
            }),
            () = self.context.stop.cancelled() => Err(End::Stopped),
        }
    }

    async fn serve(&self, payload: Bytes, taken: &Arc<AtomicBool>, warm: bool) -> End {
        let limit = self.process.recipe.timeout;
        let (answer, mut answered) = oneshot::channel();
        self.start_line();
        let call = Call {
            request_id: self.request_id.to_owned(),
            payload,
            deadline_ms: deadline(limit),
            function_arn: self.arn(),
            trace_id: trace_id(self.request_id),
            taken: Arc::clone(taken),
            answer,
        };
        if self.process.door.calls.try_send(call).is_err() {
            return End::NotTaken;
        }
        tokio::select! {
            biased;
            answer = &mut answered => match answer {
                Ok(answer) => End::Answer(answer),
                Err(_) => self.ended(&self.process.exited().await, taken, warm),
            },
            exit = self.process.exited() => match answered.try_recv() {
                Ok(answer) => End::Answer(answer),
                Err(_) => self.ended(&exit, taken, warm),
            },
            () = tokio::time::sleep(limit) => {
                self.process.kill();
                End::Failure {
                    kind: "Sandbox.Timedout",
                    message: format!(
                        "RequestId: {} Error: Task timed out after {:.2} seconds",
                        self.request_id,
                        limit.as_secs_f64(),
                    ),
                }
            }
            () = self.context.stop.cancelled() => {
                self.process.kill();
                End::Stopped
            }
        }
    }

    fn ended(&self, exit: &str, taken: &AtomicBool, warm: bool) -> End {
        if warm && !taken.load(Ordering::Acquire) {
            return End::NotTaken;
        }
        self.exit_error(exit)
    }

    fn exit_error(&self, exit: &str) -> End {
        let id = self.request_id;
        let message = match exit {
            "exit status 0" => {
                format!("RequestId: {id} Error: Runtime exited without providing a reason")
            }
            other => format!("RequestId: {id} Error: Runtime exited with error: {other}"),
        };
        End::Failure {
            kind: "Runtime.ExitError",
            message,
        }
    }

    fn arn(&self) -> String {
        let engine = &self.host.inner.settings.config.engine;
        let name = &self.process.recipe.name;
        format!(
            "arn:aws:lambda:{}:{}:function:{name}",
            engine.region, engine.account
        )
    }

    fn start_line(&self) {
        let id = self.request_id;
        self.process
            .speaker
            .say(&format!("START RequestId: {id} Version: $LATEST"));
    }

    fn end_lines(&self, duration: Duration, init: Option<Duration>, end: &End) {
        let id = self.request_id;
        let speaker = &self.process.speaker;
        let ms = |d: Duration| d.as_secs_f64() * 1000.0;
        let status = match end {
            End::Failure {
                kind: "Sandbox.Timedout",
                message,
            } => {
                let text = message
                    .split_once("Error: ")
                    .map_or(&**message, |(_, text)| text);
                let now = self.host.inner.settings.clock.now();
                speaker.say(&format!("{now:.3} {id} {text}"));
                "\tStatus: timeout"
            }
            End::Failure { message, .. } => {
                speaker.say(message);
                "\tStatus: error"
            }
            _ => "",
        };
        speaker.say(&format!("END RequestId: {id}"));
        let billed = ms(duration + init.unwrap_or_default()).ceil();
        let init = init.map_or_else(String::new, |init| {
            format!("\tInit Duration: {:.2} ms", ms(init))
        });
        // Of a process that has ended it is not known any more.
        let memory = match self.process.peak_memory_mb() {
            0 => String::new(),
            used => format!("\tMax Memory Used: {used} MB"),
        };
        speaker.say(&format!(
            "REPORT RequestId: {id}\tDuration: {:.2} ms\tBilled Duration: {billed:.0} ms\tMemory Size: {} MB{memory}{init}{status}",
            ms(duration),
            self.process.recipe.memory_mb,
        ));
    }
}

/// Gives the process back once it asks for its next call; one that does not for a while is waited for elsewhere.
async fn give_back(host: &LambdaHost, process: Arc<Process>, asked_before: u64) {
    let asked = asked_before.max(1);
    match timeout(TURN_LIMIT, turned(&process, asked)).await {
        Ok(true) => host.give_back(process),
        Ok(false) => {}
        Err(_) => {
            let host = host.clone();
            tokio::spawn(async move {
                if turned(&process, asked).await {
                    host.give_back(process);
                }
            });
        }
    }
}

/// Whether it asked once more before it ended.
async fn turned(process: &Process, asked: u64) -> bool {
    let mut phase = process.door.phase.clone();
    tokio::select! {
        turned = phase.wait_for(|p| p.asked > asked) => turned.is_ok(),
        _ = process.exited() => false,
    }
}

fn error(kind: &str, message: &str) -> Bytes {
    Bytes::from(json!({"errorType": kind, "errorMessage": message}).to_string())
}

/// The function compares it with its own clock, which is the machine's, whatever the engine's clock says.
fn deadline(limit: Duration) -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from((now + limit).as_millis()).unwrap_or(i64::MAX)
}

/// `Root=1-TIME-ID;Sampled=0`, ids taken from the request id: nothing is traced.
fn trace_id(request_id: &str) -> String {
    let hex: String = request_id.chars().filter(char::is_ascii_hexdigit).collect();
    let hex = format!("{hex:0>32}");
    format!(
        "Root=1-{}-{};Parent={};Sampled=0",
        &hex[..8],
        &hex[8..32],
        &hex[..16]
    )
}
