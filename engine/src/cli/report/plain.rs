//! A plain log: one line per change, no moving parts.

use std::{collections::BTreeMap, io::Write};

use engine_plan::state::{ActionStatus, ExecutionStatus};
use jiff::Timestamp;

use super::{Change, Closing, Opening, Paint, Report, word};
use crate::cli::view::{ActionView, GateView, elapsed, one_line};

/// Longest text of one line.
const TEXT_WIDTH: usize = 160;

/// For people who read a log.
pub struct PlainReport<W> {
    out: W,
    paint: Paint,
    started: Timestamp,
    widths: (usize, usize),
    names: BTreeMap<String, String>,
}

impl<W: Write + Send> PlainReport<W> {
    /// Writes to `out`.
    pub fn new(out: W, paint: Paint) -> Self {
        Self {
            out,
            paint,
            started: Timestamp::UNIX_EPOCH,
            widths: (0, 0),
            names: BTreeMap::new(),
        }
    }

    fn line(&mut self, text: &str) {
        // A log nobody reads any more is no reason to stop the execution.
        let _ = writeln!(self.out, "{}", text.trim_end()).and_then(|()| self.out.flush());
    }

    fn action(&mut self, mark: &str, action: &ActionView, text: &str, now: Timestamp) {
        let at = elapsed(self.started, now);
        let line = row(mark, &at, action, text, self.widths);
        self.line(&line);
    }
}

/// `    6.4s  ✓ Check   Answers  action-http-check  2.1s  200 in 3 ms`.
pub(super) fn row(
    mark: &str,
    at: &str,
    action: &ActionView,
    text: &str,
    widths: (usize, usize),
) -> String {
    let (stage, name) = widths;
    format!(
        "{at:>8}  {mark} {:<stage$}  {:<name$}  {text}",
        action.stage,
        action.shown()
    )
}

/// `    6.4s  ◆ Check   beforeEntry condition failed: the stage is skipped`.
pub(super) fn gate_row(paint: Paint, at: &str, gate: &GateView, widths: (usize, usize)) -> String {
    let (stage, _) = widths;
    let (mark, text) = if gate.good {
        (paint.good("◆"), paint.faint(&gate.text))
    } else {
        (paint.asking("◆"), paint.strong(&gate.text))
    };
    format!("{at:>8}  {mark} {:<stage$}  {text}", gate.stage)
}

pub(super) fn ended(paint: Paint, action: &ActionView) -> (String, String) {
    let took = elapsed(action.started, action.updated);
    let text = one_line(action.text.as_deref().unwrap_or_default(), TEXT_WIDTH);
    let mark = match action.status {
        ActionStatus::Succeeded => paint.good("✓"),
        ActionStatus::Failed => paint.bad("✗"),
        ActionStatus::Abandoned | ActionStatus::InProgress => paint.faint("–"),
    };
    (mark, format!("{:<20} {took:>7}  {text}", action.provider))
}

pub(super) fn closing(paint: Paint, started: Timestamp, closing: &Closing) -> Vec<String> {
    let word = word(closing.status);
    let word = if closing.status == ExecutionStatus::Succeeded {
        paint.good(word)
    } else {
        paint.bad(word)
    };
    let mut lines = vec![
        String::new(),
        format!(
            "{} in {}",
            paint.strong(&word),
            elapsed(started, closing.ended)
        ),
    ];
    let width = closing
        .places
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    lines.extend(
        closing
            .places
            .iter()
            .map(|(name, place)| format!("  {name:<width$}  {}", paint.link(place))),
    );
    lines
}

impl<W: Write + Send> Report for PlainReport<W> {
    fn open(&mut self, opening: &Opening) {
        self.started = opening.started;
        self.widths = opening.widths;
        self.line(&format!(
            "{}  execution {}",
            opening.pipeline, opening.execution
        ));
        self.line(&format!("console  {}/_stagewright/", opening.base_url));
        for note in &opening.notes {
            self.line(note);
        }
        self.line("");
    }

    fn change(&mut self, change: &Change, now: Timestamp) {
        match change {
            Change::Started(action) => {
                self.names.insert(action.id.clone(), action.name.clone());
                let text = format!("{:<20} {:>7}  started", action.provider, "");
                self.action("·", action, &text, now);
            }
            Change::Progressed(action) => {
                // Phases are told by their commands already.
                if let Some(text) = action.text.as_ref().filter(|t| !t.starts_with("Phase ")) {
                    let took = elapsed(action.started, now);
                    let text = one_line(text, TEXT_WIDTH);
                    let text = format!("{:<20} {took:>7}  {text}", action.provider);
                    self.action("·", action, &text, now);
                }
            }
            Change::Ended(action) => {
                let (mark, text) = ended(self.paint, action);
                self.action(&mark, action, &text, now);
            }
            Change::Gate(gate) => {
                let at = elapsed(self.started, now);
                let line = gate_row(self.paint, &at, gate, self.widths);
                self.line(&line);
            }
        }
    }

    fn output(&mut self, action_execution: &str, line: &str) {
        // The first lines of a quick action can come before its start is told.
        let line = match self.names.get(action_execution) {
            Some(name) => format!("{:>8}  | {name}: {line}", ""),
            None => format!("{:>8}  | {line}", ""),
        };
        self.line(&line);
    }

    fn note(&mut self, text: &str) {
        let line = format!("{:>8}  > {text}", "");
        self.line(&line);
    }

    fn event(&mut self, _event: &serde_json::Value) {}

    fn close(&mut self, end: &Closing) {
        for line in closing(self.paint, self.started, end) {
            self.line(&line);
        }
    }
}
