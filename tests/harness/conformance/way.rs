//! Two ways to an engine: its face in this process, and a `stagewright serve` over HTTP.

use std::path::Path;

use bytes::Bytes;
use engine::{
    assemble::{self, Engine, Options},
    config::Config,
    face::{self, Call, Caller},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::recorder::Recorder;
use crate::{http, process::Server};

/// What is asked and how it is answered.
pub trait Way {
    /// Sends a body as it is; status and reply.
    ///
    /// # Errors
    /// There is no reply.
    fn call(&self, operation: &str, body: &[u8]) -> std::io::Result<(u16, Value)>;
    /// `http://…` of its listener, for what is no call of CodePipeline.
    fn url(&self) -> String;
    /// What its functions were called with.
    fn calls(&self) -> Vec<Value>;
    /// Inputs the engine has accepted, where that can be seen.
    fn accepted(&self) -> Option<u64> {
        None
    }
}

/// An engine in this process.
pub struct InProcess {
    runtime: Runtime,
    engine: Option<Engine>,
    recorder: Recorder,
    _folder: TempDir,
}

impl InProcess {
    /// A new one with an empty state.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(fast_clock: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = Runtime::new().expect("a runtime");
        let recorder = Recorder::new();
        let config = recorder.config();
        let options = Options {
            fast_clock,
            ..Options::new(
                Config::load(Some(&config), folder.path()).expect("the cases' configuration"),
                folder.path(),
            )
        };
        let engine = runtime.block_on(async {
            let Ok((engine, _)) = assemble::start(options).await else {
                panic!("an engine starts");
            };
            engine.perform();
            engine
        });
        Self {
            runtime,
            engine: Some(engine),
            recorder,
            _folder: folder,
        }
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("it is there until the drop")
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.runtime.block_on(engine.shut_down());
        }
    }
}

impl Way for InProcess {
    fn call(&self, operation: &str, body: &[u8]) -> std::io::Result<(u16, Value)> {
        let call = Call {
            service: "codepipeline".to_owned(),
            operation: operation.to_owned(),
            caller: Caller {
                access_key: "any".to_owned(),
                arn: "arn:aws:iam::123456789012:user/any".to_owned(),
            },
            method: ::http::Method::POST,
            uri: ::http::Uri::from_static("/"),
            headers: ::http::HeaderMap::new(),
            body: Bytes::copy_from_slice(body),
            request_id: String::new(),
        };
        let answer = self
            .runtime
            .block_on(face::codepipeline::call(&self.engine().app, &call));
        Ok(match answer {
            Ok(reply) => (200, reply),
            Err(fault) => (
                fault.status,
                json!({"__type": fault.code, "message": fault.message}),
            ),
        })
    }

    fn url(&self) -> String {
        format!("http://{}", self.engine().address)
    }

    fn calls(&self) -> Vec<Value> {
        self.recorder.calls()
    }

    fn accepted(&self) -> Option<u64> {
        Some(self.engine().app.desk.applied())
    }
}

/// A process of its own, asked in raw JSON 1.1.
pub struct Wire {
    server: Server,
    recorder: Recorder,
}

impl Wire {
    /// Starts one with this state folder.
    pub fn start(state: &Path, fast_clock: bool) -> Self {
        let recorder = Recorder::new();
        let config = recorder.config().display().to_string();
        let mut arguments = vec!["--config", &config];
        if fast_clock {
            arguments.push("--fast-clock");
        }
        Self {
            server: Server::start(state, &arguments),
            recorder,
        }
    }
}

impl Way for Wire {
    fn call(&self, operation: &str, body: &[u8]) -> std::io::Result<(u16, Value)> {
        let answer = http::codepipeline_raw(&self.server.url, operation, body)?;
        Ok((answer.status, answer.json()))
    }

    fn url(&self) -> String {
        self.server.url.clone()
    }

    fn calls(&self) -> Vec<Value> {
        self.recorder.calls()
    }
}
