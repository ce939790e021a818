//! `StartAt` and `States`: the machine, a branch, an item processor.

use serde_json::Value;

use super::{Flow, fields::Fields, read::Reader};
use crate::{
    diagnostic::{DUPLICATE, Diagnostic, SCHEMA, TARGET},
    limit,
};

/// Names of one flow's states, in order: what targets are looked up in.
pub struct Names<'a> {
    pub names: Vec<&'a str>,
}

impl Names<'_> {
    pub fn find(&self, name: &str) -> Option<u32> {
        let at = self.names.iter().position(|n| *n == name)?;
        u32::try_from(at).ok()
    }
}

impl Reader {
    /// Reads a flow; its number.
    pub fn flow(&mut self, mut fields: Fields<'_>) -> u32 {
        let number = u32::try_from(self.flows.len()).unwrap_or(u32::MAX);
        self.flows.push(None);
        self.depth += 1;
        let complete = fields.require(&["States", "StartAt"], &mut self.findings);
        let start = fields.text("StartAt", &mut self.findings);
        let states = fields.take("States");
        let place = fields.place("States");
        let start_place = fields.place("StartAt");
        fields.finish(&mut self.findings);
        let states = states.and_then(|s| Fields::new(s, place.clone(), &mut self.findings));
        if let (true, Some(start), Some(states)) = (complete, start, states) {
            let names = Names {
                names: states.map.keys().map(String::as_str).collect(),
            };
            self.check_names(&names, &place);
            let mut read = Vec::with_capacity(names.names.len());
            for (name, value) in states.map {
                read.extend(self.state(name, value, states.place(name), &names));
            }
            if names.names.is_empty() {
                self.findings.push(Diagnostic::error(
                    SCHEMA,
                    "States must not be empty",
                    &place,
                ));
            }
            match names.find(start) {
                None if names.names.is_empty() => {}
                None => self.findings.push(Diagnostic::error(
                    TARGET,
                    format!("Missing 'StartAt' target: {start}"),
                    start_place,
                )),
                Some(start) if read.len() == names.names.len() => {
                    self.reachable(start, &read, &names, &place);
                    self.flows[number as usize] = Some(Flow {
                        start,
                        states: read,
                    });
                }
                Some(_) => {}
            }
        }
        self.depth -= 1;
        number
    }

    fn check_names(&mut self, names: &Names<'_>, place: &str) {
        for name in &names.names {
            if name.chars().count() > limit::STATE_NAME {
                self.findings.push(Diagnostic::error(
                    SCHEMA,
                    format!(
                        "State name must not exceed {} characters",
                        limit::STATE_NAME
                    ),
                    format!("{place}/{name}"),
                ));
            }
            let taken = self
                .flows
                .iter()
                .flatten()
                .flat_map(|f| &f.states)
                .any(|s| &*s.name == *name);
            if taken {
                self.findings.push(Diagnostic::error(
                    DUPLICATE,
                    format!("State name is used more than once: {name}"),
                    format!("{place}/{name}"),
                ));
            }
        }
    }

    /// A target's number; a finding when there is no such state.
    pub fn target(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
        names: &Names<'_>,
    ) -> Option<u32> {
        let target = fields.text(name, &mut self.findings)?;
        let found = names.find(target);
        if found.is_none() {
            self.findings.push(Diagnostic::error(
                TARGET,
                format!("Missing '{name}' target: {target}"),
                fields.place(name),
            ));
        }
        found
    }

    /// A flow inside a state: a branch, an item processor.
    pub fn inner(&mut self, value: &Value, at: String) -> Option<u32> {
        let mut fields = Fields::new(value, at, &mut self.findings)?;
        fields.text("Comment", &mut self.findings);
        fields.take("ProcessorConfig");
        Some(self.flow(fields))
    }
}
