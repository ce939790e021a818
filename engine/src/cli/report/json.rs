//! One JSON object per line: every EventBridge event, and last how the execution ended.

use std::io::Write;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Change, Closing, Opening, Report, word};
use crate::cli::say::complain;

/// For programs.
pub struct JsonReport<W> {
    out: W,
    execution: String,
}

impl<W: Write + Send> JsonReport<W> {
    /// Writes to `out`.
    pub const fn new(out: W) -> Self {
        Self {
            out,
            execution: String::new(),
        }
    }

    fn line(&mut self, value: &Value) {
        // A reader that has gone away is no reason to stop the execution.
        let _ = writeln!(self.out, "{value}").and_then(|()| self.out.flush());
    }
}

impl<W: Write + Send> Report for JsonReport<W> {
    fn open(&mut self, opening: &Opening) {
        self.execution.clone_from(&opening.execution);
    }

    fn change(&mut self, _change: &Change, _now: Timestamp) {}

    fn output(&mut self, _action_execution: &str, _line: &str) {}

    fn note(&mut self, text: &str) {
        complain(text);
    }

    fn event(&mut self, event: &Value) {
        self.line(event);
    }

    fn close(&mut self, closing: &Closing) {
        let last = json!({"pipelineExecutionId": self.execution, "status": word(closing.status)});
        self.line(&last);
    }
}

#[cfg(test)]
mod tests {
    use engine_plan::state::ExecutionStatus;

    use super::*;

    #[test]
    fn the_last_line_tells_the_end() {
        let mut out = Vec::new();
        let mut report = JsonReport::new(&mut out);
        report.execution = "e".to_owned();
        report.event(&json!({"source": "aws.codepipeline"}));
        report.close(&Closing {
            status: ExecutionStatus::Failed,
            ended: Timestamp::UNIX_EPOCH,
            places: vec![],
        });
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "{\"source\":\"aws.codepipeline\"}\n{\"pipelineExecutionId\":\"e\",\"status\":\"Failed\"}\n"
        );
    }
}
