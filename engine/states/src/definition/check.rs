//! Checks over a whole flow.

use super::{Kind, Next, State, branch::Names, read::Reader};
use crate::diagnostic::{Diagnostic, TARGET};

impl Reader {
    /// A finding for each state that nothing leads to.
    pub fn reachable(&mut self, start: u32, states: &[State], names: &Names<'_>, place: &str) {
        let mut seen = vec![false; states.len()];
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut seen[at as usize], true) {
                continue;
            }
            let state = &states[at as usize];
            if let Next::To(next) = state.next {
                open.push(next);
            }
            open.extend(state.catch.iter().map(|c| c.next));
            if let Kind::Choice(choice) = &state.kind {
                open.extend(choice.rules.iter().map(|r| r.next));
                open.extend(choice.default);
            }
        }
        for (name, _) in names.names.iter().zip(seen).filter(|(_, seen)| !seen) {
            self.findings.push(Diagnostic::error(
                TARGET,
                format!("State \"{name}\" is not reachable."),
                format!("{place}/{name}"),
            ));
        }
    }
}
