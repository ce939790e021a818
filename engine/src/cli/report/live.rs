//! A terminal: finished actions stay as lines, running ones move below them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Write, stdout},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::{
    Change, Closing, Opening, Paint, Report,
    plain::{closing, ended, gate_row, row},
};
use crate::cli::view::{ActionView, RULE, elapsed, one_line};

/// How often running lines are redrawn.
const TICK: Duration = Duration::from_millis(120);

/// For people at a terminal.
pub struct LiveReport {
    paint: Paint,
    screen: MultiProgress,
    total: Option<ProgressBar>,
    running: BTreeMap<String, ProgressBar>,
    /// Approvals that a person may be answering right now: what they type must not be drawn over.
    asking: BTreeSet<String>,
    started: Timestamp,
    widths: (usize, usize),
}

impl LiveReport {
    /// Draws on the terminal.
    pub fn new(paint: Paint) -> Self {
        Self {
            paint,
            // Where the choice of this report looked, and where people expect it: not on standard error.
            screen: MultiProgress::with_draw_target(ProgressDrawTarget::stdout()),
            total: None,
            running: BTreeMap::new(),
            asking: BTreeSet::new(),
            started: Timestamp::UNIX_EPOCH,
            widths: (0, 0),
        }
    }

    fn line(&self, text: &str) {
        // A terminal that has gone away is no reason to stop the execution.
        let _ = if self.asking.is_empty() {
            self.screen.println(text)
        } else {
            writeln!(stdout(), "{text}")
        };
    }

    /// Moving lines rest while somebody is asked, and come back afterwards.
    fn rest(&mut self, action: &ActionView, asked: bool) {
        if action.category != "Approval" {
            return;
        }
        if asked {
            if self.asking.is_empty() {
                // Nothing is left on the screen where the person types.
                let _ = self.screen.clear();
                self.screen.set_draw_target(ProgressDrawTarget::hidden());
            }
            self.asking.insert(action.id.clone());
        } else if self.asking.remove(&action.id) && self.asking.is_empty() {
            self.screen.set_draw_target(ProgressDrawTarget::stdout());
        }
    }

    fn message(&self, action: &ActionView) -> String {
        let text = match (&action.text, action.category.as_str()) {
            (Some(text), _) => one_line(text, 90),
            (None, "Approval") => self.paint.asking("waiting for an answer"),
            (None, _) => String::new(),
        };
        let (stage, name) = self.widths;
        format!(
            "{:<stage$}  {:<name$}  {:<20} {text}",
            action.stage,
            action.shown(),
            action.provider
        )
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

impl Report for LiveReport {
    fn open(&mut self, opening: &Opening) {
        self.started = opening.started;
        self.widths = opening.widths;
        self.line(&format!(
            "{}  {}",
            self.paint.strong(&opening.pipeline),
            self.paint
                .faint(&format!("execution {}", opening.execution))
        ));
        self.line(&format!(
            "console  {}",
            self.paint
                .link(&format!("{}/_stagewright/", opening.base_url))
        ));
        for note in &opening.notes {
            self.line(&self.paint.faint(note));
        }
        self.line("");
        let total = self.screen.add(ProgressBar::new(opening.actions as u64));
        total.set_style(style("{elapsed:>8}  {bar:40} {pos}/{len} actions"));
        total.enable_steady_tick(TICK);
        self.total = Some(total);
    }

    fn change(&mut self, change: &Change, now: Timestamp) {
        match change {
            Change::Started(action) => {
                let bar = match &self.total {
                    Some(total) => self.screen.insert_before(total, ProgressBar::new_spinner()),
                    None => self.screen.add(ProgressBar::new_spinner()),
                };
                bar.set_style(style("{elapsed:>8}  {spinner} {wide_msg}"));
                bar.set_message(self.message(action));
                bar.enable_steady_tick(TICK);
                self.running.insert(action.id.clone(), bar);
                self.rest(action, true);
                if self.asking.contains(&action.id) {
                    let at = elapsed(self.started, now);
                    let text = self.message(action);
                    self.line(&format!("{at:>8}  {} {text}", self.paint.asking("?")));
                }
            }
            Change::Progressed(action) => {
                if let Some(bar) = self.running.get(&action.id) {
                    bar.set_message(self.message(action));
                }
            }
            Change::Ended(action) => {
                if let Some(bar) = self.running.remove(&action.id) {
                    bar.finish_and_clear();
                    self.screen.remove(&bar);
                }
                self.rest(action, false);
                let (mark, text) = ended(self.paint, action);
                self.line(&row(
                    &mark,
                    &elapsed(self.started, now),
                    action,
                    &text,
                    self.widths,
                ));
                if let Some(total) = self.total.as_ref().filter(|_| action.category != RULE) {
                    total.inc(1);
                }
            }
            Change::Gate(gate) => {
                let at = elapsed(self.started, now);
                self.line(&gate_row(self.paint, &at, gate, self.widths));
            }
        }
    }

    fn output(&mut self, _action_execution: &str, line: &str) {
        self.line(&format!(
            "{:>8}  {}",
            "",
            self.paint.faint(&format!("│ {line}"))
        ));
    }

    fn note(&mut self, text: &str) {
        self.line(&format!("{:>8}  {} {text}", "", self.paint.asking(">")));
    }

    fn event(&mut self, _event: &serde_json::Value) {}

    fn close(&mut self, end: &Closing) {
        for bar in self.running.values().chain(&self.total) {
            bar.finish_and_clear();
        }
        for line in closing(self.paint, self.started, end) {
            self.line(&line);
        }
    }
}
