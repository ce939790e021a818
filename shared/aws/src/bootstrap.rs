//! From `main` to the first event and through every one after it: environment, log, runtime, host.

use std::{
    any::Any,
    error::Error,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    process::ExitCode,
    task::Poll,
    time::Duration,
};

use jiff::Timestamp;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::Value;

use crate::{environment::Environment, error::chain, log, sdk::Aws};

/// Threads for files, archives and name look-ups. Each keeps memory of its own: without a bound, the largest artifacts
/// took half as much memory again.
const BLOCKING_THREADS: usize = 4;

/// What a handler knows of its invocation besides the event.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's id of this invocation; the same when Lambda repeats it.
    pub request_id: String,
    /// When Lambda ends the function.
    pub deadline: Timestamp,
}

impl Invocation {
    /// Time until the deadline.
    pub fn left(&self, now: Timestamp) -> Duration {
        Duration::try_from(self.deadline.duration_since(now)).unwrap_or_default()
    }
}

/// What a handler's failure tells Lambda, which repeats asynchronous events that failed. The text goes to Lambda's
/// own records: no secrets.
#[derive(Debug)]
pub struct HandlerError {
    name: &'static str,
    text: String,
}

/// The name of errors that nobody tells apart.
const UNNAMED: &str = "HandlerError";

impl HandlerError {
    /// An error from one sentence.
    pub fn new(text: impl Into<String>) -> Self {
        Self::named(UNNAMED, text)
    }

    /// The same with a name of its own, for callers that tell errors apart by it.
    pub fn named(name: &'static str, text: impl Into<String>) -> Self {
        Self {
            name,
            text: text.into(),
        }
    }

    /// The same of an error and what is behind it.
    pub fn of(name: &'static str, error: &dyn Error) -> Self {
        Self::named(name, chain(error))
    }
}

impl<E: Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::new(chain(&error))
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Runs a function whose events are given to `handler` one after the other, until Lambda ends the process.
///
/// `build` reads the function's settings and makes its ports; an error there is one sentence on standard error and
/// exit code 1, which Lambda shows as an init error. A handler that panics fails its event, not the process.
///
/// ```no_run
/// use shared_aws::bootstrap::{HandlerError, Invocation, run_events};
///
/// fn main() -> std::process::ExitCode {
///     run_events("approval-notify", |_aws| {
///         Ok::<_, std::convert::Infallible>(async |event: serde_json::Value, _: Invocation| {
///             Ok::<_, HandlerError>(event)
///         })
///     })
/// }
/// ```
pub fn run_events<H, B, X>(function: &'static str, build: B) -> ExitCode
where
    B: FnOnce(&Aws) -> Result<H, X>,
    H: AsyncFn(Value, Invocation) -> Result<Value, HandlerError>,
    X: fmt::Display,
{
    match serve(function, build) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{function} cannot start: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn serve<H, B, X>(function: &'static str, build: B) -> Result<(), String>
where
    B: FnOnce(&Aws) -> Result<H, X>,
    H: AsyncFn(Value, Invocation) -> Result<Value, HandlerError>,
    X: fmt::Display,
{
    let environment = Environment::of_process().map_err(|error| chain(&error))?;
    log::start(
        function,
        environment.variable("AWS_LAMBDA_LOG_FORMAT"),
        environment.variable("AWS_LAMBDA_LOG_LEVEL"),
    );
    needs_lambda(&environment)?;
    let aws = Aws::new(environment).map_err(|error| chain(&error))?;
    let handler = build(&aws).map_err(|error| error.to_string())?;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(|error| format!("the async runtime failed: {error}"))?;
    let (aws, handler) = (&aws, &handler);
    let service = service_fn(
        async move |event: LambdaEvent<Value>| -> Result<Value, Told> {
            let invocation = begin(aws, &event.context);
            // Boxed: the type of a whole action's future is too deep to be one type.
            let work: Pin<Box<dyn Future<Output = _>>> =
                Box::pin(handler(event.payload, invocation));
            match caught(work).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => {
                    tracing::error!(error = %error, "the event failed");
                    Err(Told(error))
                }
                Err(_) => Err(Told(HandlerError::new(
                    "the function panicked; its log says where",
                ))),
            }
        },
    );
    tokio
        .block_on(Runtime::new(service).run())
        .map_err(|error| chain(error.as_ref()))
}

/// `lambda_runtime` panics where these are missing.
fn needs_lambda(environment: &Environment) -> Result<(), String> {
    let memory = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
    for name in [
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        memory,
    ] {
        if environment.variable(name).is_none() {
            return Err(format!(
                "the environment variable {name} is not set: this program is started by Lambda or by `stagewright`"
            ));
        }
    }
    match environment.variable(memory).map(str::parse::<i32>) {
        Some(Ok(_)) => Ok(()),
        _ => Err(format!("the environment variable {memory} is not a number")),
    }
}

fn begin(aws: &Aws, context: &Context) -> Invocation {
    log::set_request(&context.request_id);
    let deadline = i64::try_from(context.deadline)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX);
    aws.deadline().set(deadline);
    Invocation {
        request_id: context.request_id.clone(),
        deadline,
    }
}

/// Catches a panic in a future. `lambda_runtime` does too, but puts the panic's text into Lambda's records.
async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// The error as `lambda_runtime` sends it; its `Debug` text is logged there, so it is the sentence itself.
struct Told(HandlerError);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl From<Told> for Diagnostic {
    fn from(told: Told) -> Self {
        Self {
            error_type: told.0.name.to_owned(),
            error_message: told.0.text,
        }
    }
}
