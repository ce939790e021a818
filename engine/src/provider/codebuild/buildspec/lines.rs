//! Where things stand in a buildspec: YAML values carry no lines, so the text is searched.

use super::{Command, Phase};

/// Gives each command its line: YAML values carry none, so the text is searched in order from the phase's key on.
pub(super) fn located(text: &str, phase: Phase, list: &str, commands: Vec<String>) -> Vec<Command> {
    let lines: Vec<&str> = text.lines().collect();
    let key_after = |start: usize, key: &str| {
        lines
            .iter()
            .skip(start)
            .position(|line| {
                line.trim_start()
                    .strip_prefix(key)
                    .is_some_and(|rest| rest.trim_start().starts_with(':'))
            })
            .map(|at| start + at)
    };
    let mut cursor = key_after(0, "phases")
        .and_then(|at| key_after(at, phase.key()))
        .and_then(|at| key_after(at, list));
    commands
        .into_iter()
        .map(|text| {
            let first = text
                .lines()
                .map(str::trim)
                .find(|line| !line.is_empty())
                .unwrap_or_default();
            let found = cursor.filter(|_| !first.is_empty()).and_then(|start| {
                lines
                    .iter()
                    .skip(start)
                    .position(|line| {
                        let bare = line
                            .trim()
                            .trim_start_matches("- ")
                            .trim_matches(['"', '\'']);
                        line.contains(first) || (bare.len() > 2 && first.starts_with(bare))
                    })
                    .map(|at| start + at)
            });
            if let Some(at) = found {
                cursor = Some(at + 1);
            }
            Command {
                line: found.map(|at| at + 1),
                text,
            }
        })
        .collect()
}
