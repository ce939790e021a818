//! The rule CloudWatchAlarm: succeeds when an alarm is OK, at once or within its wait time.

use engine_plan::{
    effect::ActionTask,
    event::{ExecutionDetails, Outcome},
};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use super::{Context, Provider, Trouble, required};
use crate::alarm::{Alarm, AlarmState};

/// `errorDetails.code` of a rule that says no (unconfirmed).
const NO: &str = "RuleFailed";
/// Minutes of a wait time: as long as a rule may take.
const LONGEST: i64 = 86_400;

/// The provider. Performed again after a restart its wait time goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct AlarmRule;

impl Provider for AlarmRule {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let watched = watch(&task, &context).await;
            Some(watched.unwrap_or_else(|trouble| trouble.outcome(ExecutionDetails::default())))
        })
    }
}

/// The rule's settings.
#[derive(Debug, PartialEq, Eq)]
struct Settings {
    alarm: String,
    /// States in which it fails once its time is over.
    watched: Vec<AlarmState>,
    wait: SignedDuration,
}

async fn watch(task: &ActionTask, context: &Context) -> Result<Outcome, Trouble> {
    let app = &context.app;
    let settings = settings(task)?;
    let started = app.desk.read(|state| {
        let place = state.running_rules.get(&task.action_execution)?;
        Some(state.rule(place)?.started)
    });
    let until = started
        .unwrap_or_else(|| app.clock.now())
        .saturating_add(settings.wait)
        .unwrap_or(Timestamp::MAX);
    let mut changes = app.alarms.follow();
    loop {
        changes.mark_unchanged();
        let name = &settings.alarm;
        let Some(alarm) = app.alarms.get(name) else {
            return Err(Trouble::configuration(format!(
                "rule {}: CloudWatch has no alarm '{name}' here: make it with PutMetricAlarm and set it with SetAlarmState",
                task.action
            )));
        };
        let over = app.clock.now() >= until;
        if let Some(verdict) = verdict(name, &alarm, &settings.watched, over) {
            return Ok(ended(verdict));
        }
        let says = format!(
            "alarm {name} is in {}, waits until {}",
            alarm.state.word(),
            until.strftime("%Y-%m-%d %H:%M:%S UTC")
        );
        context.progress.tell(details(says)).await;
        let stopped = context.held.rest(async {
            tokio::select! {
                () = app.clock.sleep_until(until) => false,
                changed = changes.changed() => changed.is_err(),
                () = context.stop.cancelled() => true,
            }
        });
        if stopped.await {
            return Ok(Outcome::Stopped);
        }
    }
}

/// OK lets it succeed at any time; otherwise the state at the end of the wait time counts.
fn verdict(
    name: &str,
    alarm: &Alarm,
    watched: &[AlarmState],
    over: bool,
) -> Option<Result<String, String>> {
    let (state, reason) = (alarm.state.word(), alarm.reason.trim());
    let says = match reason {
        "" => format!("alarm {name} is in {state}"),
        reason => format!("alarm {name} is in {state}: {reason}"),
    };
    match alarm.state {
        AlarmState::Ok => Some(Ok(says)),
        _ if !over => None,
        state if watched.contains(&state) => Some(Err(says)),
        _ => Some(Ok(says)),
    }
}

fn settings(task: &ActionTask) -> Result<Settings, Trouble> {
    let refuse = |text: String| Trouble::configuration(format!("rule {}: {text}", task.action));
    let setting = |name: &str| {
        let value = task.configuration.get(name).map(|text| text.trim());
        value.filter(|text| !text.is_empty())
    };
    let words = setting("AlarmStates").unwrap_or(AlarmState::Alarm.word());
    let watched = words
        .trim_matches(['[', ']'])
        .split(',')
        .map(|word| word.trim().trim_matches('"'))
        .map(|word| {
            AlarmState::of(word).ok_or_else(|| {
                refuse(format!(
                    "AlarmStates has '{word}'; there are ALARM, OK and INSUFFICIENT_DATA"
                ))
            })
        })
        .collect::<Result<_, _>>()?;
    let minutes = match setting("WaitTime") {
        None => 0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|minutes| (0..=LONGEST).contains(minutes))
            .ok_or_else(|| {
                refuse(format!(
                    "WaitTime is '{text}', which is not a number of minutes from 0 to {LONGEST}"
                ))
            })?,
    };
    Ok(Settings {
        alarm: required(task, "AlarmName")?,
        watched,
        wait: SignedDuration::from_mins(minutes),
    })
}

fn ended(verdict: Result<String, String>) -> Outcome {
    match verdict {
        Ok(says) => Outcome::Succeeded {
            details: details(says),
            variables: [].into(),
            revision: None,
        },
        Err(message) => Outcome::Failed {
            code: NO.to_owned(),
            message,
            details: ExecutionDetails::default(),
        },
    }
}

fn details(summary: String) -> ExecutionDetails {
    ExecutionDetails {
        summary: Some(summary),
        ..ExecutionDetails::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::workshop::tests::task;

    #[test]
    fn the_state_at_the_end_counts_and_ok_at_any_time() {
        let alarm = |state| Alarm {
            configuration: Default::default(),
            configured: Timestamp::UNIX_EPOCH,
            state,
            reason: "because".to_owned(),
            reason_data: None,
            updated: Timestamp::UNIX_EPOCH,
            transitioned: Timestamp::UNIX_EPOCH,
        };
        let default = vec![AlarmState::Alarm];
        let both = vec![AlarmState::Alarm, AlarmState::InsufficientData];
        for (state, watched, over, expected) in [
            (AlarmState::Ok, &default, false, "yes"),
            (AlarmState::Ok, &default, true, "yes"),
            (AlarmState::Alarm, &default, false, "waits"),
            (AlarmState::Alarm, &default, true, "no"),
            (AlarmState::InsufficientData, &default, false, "waits"),
            (AlarmState::InsufficientData, &default, true, "yes"),
            (AlarmState::InsufficientData, &both, true, "no"),
        ] {
            let said = match verdict("a", &alarm(state), watched, over) {
                None => "waits",
                Some(Ok(_)) => "yes",
                Some(Err(text)) => {
                    assert_eq!(text, format!("alarm a is in {}: because", state.word()));
                    "no"
                }
            };
            assert_eq!(said, expected, "{state:?} {watched:?} {over}");
        }
    }

    #[test]
    fn settings_are_read_or_refused_by_name() {
        let read = |pairs: &[(&str, &str)]| settings(&task("r", pairs, &[], &[]));
        let good = read(&[
            ("AlarmName", "a"),
            ("AlarmStates", r#"["OK", "ALARM"]"#),
            ("WaitTime", "20"),
        ]);
        assert_eq!(
            good.unwrap(),
            Settings {
                alarm: "a".to_owned(),
                watched: vec![AlarmState::Ok, AlarmState::Alarm],
                wait: SignedDuration::from_mins(20),
            }
        );
        let bare = read(&[("AlarmName", "a")]).unwrap();
        assert_eq!(
            (bare.watched, bare.wait.as_mins()),
            (vec![AlarmState::Alarm], 0)
        );
        for (pairs, says) in [
            (vec![], "AlarmName is missing"),
            (
                vec![("AlarmName", "a"), ("AlarmStates", "ALARM;OK")],
                "has 'ALARM;OK'",
            ),
            (
                vec![("AlarmName", "a"), ("WaitTime", "soon")],
                "WaitTime is 'soon'",
            ),
            (
                vec![("AlarmName", "a"), ("WaitTime", "-1")],
                "WaitTime is '-1'",
            ),
        ] {
            let trouble = read(&pairs).unwrap_err();
            assert_eq!(trouble.code, "ConfigurationError");
            assert!(trouble.message.contains(says), "{}", trouble.message);
        }
    }
}
