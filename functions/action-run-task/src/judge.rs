//! What a task that stopped, and what a refused start, means.

use shared::fault::{Fault, FaultKind};

use crate::wire::{Container, Failure, Task};

/// What a stopped task means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All exit codes that count are 0.
    Good,
    /// Something is wrong.
    Bad {
        /// For people.
        why: String,
        /// The container whose log tells more.
        container: Option<String>,
    },
}

/// Judges a task that has stopped. `counting` are the containers whose exit codes count; all when empty.
pub fn judge(task: &Task, counting: &[String]) -> Verdict {
    let counts = |one: &&Container| counting.is_empty() || counting.contains(&one.name);
    let containers: Vec<&Container> = task.containers.iter().filter(counts).collect();
    let reason = task.stopped_reason.as_deref().unwrap_or("no reason given");
    let bad = |why: String, container: Option<&Container>| Verdict::Bad {
        why,
        container: container.map(|one| one.name.clone()),
    };
    let missing = counting
        .iter()
        .find(|name| !task.containers.iter().any(|one| one.name == **name));
    if let Some(name) = missing {
        return bad(
            format!("the task has no container {name}, whose exit code counts"),
            None,
        );
    }
    let failed = containers.iter().find(|one| one.exit_code != Some(0));
    match task.stop_code.as_deref() {
        Some("TaskFailedToStart") => {
            let why = containers.iter().find_map(|one| one.reason.as_deref());
            let why = why.map_or_else(String::new, |why| format!(" ({why})"));
            return bad(format!("the task did not start: {reason}{why}"), None);
        }
        Some("UserInitiated") => {
            return bad(
                format!("the task was stopped by somebody: {reason}"),
                failed.copied(),
            );
        }
        Some("EssentialContainerExited") | None => {}
        Some(code) => {
            return bad(
                format!("the task was ended: {reason} ({code})"),
                failed.copied(),
            );
        }
    }
    match failed {
        None if containers.is_empty() => {
            bad("the task stopped without any container".to_owned(), None)
        }
        None => Verdict::Good,
        Some(one) => {
            let why = one.reason.as_deref();
            let why = why.map_or_else(String::new, |why| format!(" ({why})"));
            let text = match one.exit_code {
                Some(code) => format!(
                    "the container {} ended with exit code {code}{why}",
                    one.name
                ),
                None => format!("the container {} has no exit code{why}; {reason}", one.name),
            };
            bad(text, Some(one))
        }
    }
}

/// What a start means that answered failures in place of a task.
pub fn not_run(failures: &[Failure]) -> Fault {
    let Some(failure) = failures.first() else {
        return Fault::new(
            FaultKind::Unavailable,
            "ECS answered neither a task nor a failure",
        );
    };
    let Failure { reason, detail } = failure;
    let detail = detail
        .as_deref()
        .map_or_else(String::new, |text| format!(" ({text})"));
    // What the cluster lacks now it may have later.
    if reason.starts_with("RESOURCE:") || reason == "AGENT" || reason.contains("apacity") {
        return Fault::new(
            FaultKind::Unavailable,
            format!("the cluster cannot carry the task now: {reason}{detail}"),
        );
    }
    Fault::new(
        FaultKind::Configuration,
        format!("ECS did not run the task: {reason}{detail}"),
    )
}

/// The last lines that fit, in order; long ones are cut.
pub fn tail(lines: &[String], longest: usize) -> String {
    const LONGEST_LINE: usize = 500;
    let (mut kept, mut size) = (Vec::new(), 0);
    for line in lines.iter().rev() {
        let clean = line
            .trim_end()
            .replace(|c: char| c.is_control() && c != '\t', " ");
        let line: String = clean.chars().take(LONGEST_LINE).collect();
        size += line.chars().count() + 1;
        if size > longest {
            break;
        }
        kept.push(line);
    }
    kept.reverse();
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(stop_code: Option<&str>, containers: &[(&str, Option<i64>, Option<&str>)]) -> Task {
        Task {
            task_arn: "arn:aws:ecs:eu-west-1:1:task/default/t".into(),
            task_definition_arn: None,
            last_status: "STOPPED".into(),
            stop_code: stop_code.map(str::to_owned),
            stopped_reason: Some("Essential container in task exited".into()),
            containers: containers
                .iter()
                .map(|(name, exit_code, reason)| Container {
                    name: (*name).into(),
                    exit_code: *exit_code,
                    reason: reason.map(str::to_owned),
                })
                .collect(),
        }
    }

    #[test]
    fn exit_codes_that_count_decide() {
        let exited = Some("EssentialContainerExited");
        let app = [
            ("app", Some(0), None),
            ("sidecar", Some(137), Some("OutOfMemory")),
        ];
        let only = |name: &str| vec![name.to_owned()];
        assert_eq!(judge(&task(exited, &app), &only("app")), Verdict::Good);
        assert_eq!(judge(&task(None, &app[..1]), &[]), Verdict::Good);
        for (task, counting, want) in [
            (
                task(exited, &app),
                vec![],
                "the container sidecar ended with exit code 137 (OutOfMemory)",
            ),
            (
                task(exited, &app),
                only("gone"),
                "the task has no container gone",
            ),
            (
                task(exited, &[("app", None, None)]),
                vec![],
                "the container app has no exit code",
            ),
            (
                task(exited, &[]),
                vec![],
                "the task stopped without any container",
            ),
            (
                task(
                    Some("TaskFailedToStart"),
                    &[("app", None, Some("CannotPullContainerError: no"))],
                ),
                vec![],
                "did not start: Essential container in task exited (CannotPullContainerError: no)",
            ),
            // The task ended well only because it was told to end.
            (
                task(Some("UserInitiated"), &app[..1]),
                vec![],
                "was stopped by somebody",
            ),
            (
                task(Some("SpotInterruption"), &app[..1]),
                vec![],
                "was ended: Essential",
            ),
        ] {
            let Verdict::Bad { why, .. } = judge(&task, &counting) else {
                unreachable!("{want}");
            };
            assert!(why.contains(want), "{why}");
        }
    }

    #[test]
    fn the_end_of_a_log_is_what_is_shown() {
        let lines: Vec<String> = (1..=9).map(|n| format!("line {n}\n")).collect();
        assert_eq!(tail(&lines, 14), "line 8\nline 9");
        assert_eq!(tail(&["a\u{1b}[31m\u{7}b".to_owned()], 99), "a [31m b");
        assert_eq!(tail(&["x".repeat(900)], 999).len(), 500);
        assert_eq!(tail(&[], 99), "");
    }

    #[test]
    fn what_a_cluster_lacks_may_come() {
        let failure = |reason: &str| Failure {
            reason: reason.into(),
            detail: Some("d".into()),
        };
        for (failures, kind) in [
            (vec![failure("RESOURCE:MEMORY")], FaultKind::Unavailable),
            (vec![failure("AGENT")], FaultKind::Unavailable),
            (
                vec![failure("Capacity is unavailable at this time")],
                FaultKind::Unavailable,
            ),
            (vec![failure("ATTRIBUTE")], FaultKind::Configuration),
            (vec![], FaultKind::Unavailable),
        ] {
            assert_eq!(not_run(&failures).kind, kind, "{failures:?}");
        }
    }
}
