//! Fires the rules with a schedule, on the engine's clock. What was due while the engine was down is not made up for.

use engine_events::{
    book::Rule,
    route::{DEFAULT_BUS, SCHEDULED},
    schedule::Schedule,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::App;

/// Ends with the desk.
pub(super) async fn run(app: App) {
    let mut changed = app.rules.inner.changed.subscribe();
    // Everything that was due until then has been fired.
    let mut fired = app.clock.now();
    loop {
        changed.borrow_and_update();
        let scheduled = app.rules.read(|book| book.schedules());
        let due = |(_, rule, schedule): &(String, Rule, Schedule)| schedule.next(rule.since, fired);
        let never = |at: &Timestamp| *at == Timestamp::MAX;
        let Some(next) = scheduled.iter().map(due).min().filter(|at| !never(at)) else {
            if changed.changed().await.is_err() {
                return;
            }
            continue;
        };
        tokio::select! {
            _ = changed.changed() => continue,
            () = app.clock.sleep_until(next) => {}
        }
        let _busy = app.clock.busy();
        let now = app.clock.now().max(next);
        let events: Vec<Value> = scheduled
            .iter()
            .filter(|rule| due(rule) <= now)
            .map(|rule| event(&app, &rule.0, due(rule)))
            .collect();
        if app.desk.publish(DEFAULT_BUS, events).await.is_err() {
            return;
        }
        fired = now;
    }
}

fn event(app: &App, rule: &str, at: Timestamp) -> Value {
    let home = app.rules.home();
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": SCHEDULED,
        "source": "aws.events",
        "account": home.account,
        "time": format!("{at:.0}"),
        "region": home.region,
        "resources": [home.rule_arn(DEFAULT_BUS, rule)],
        "detail": {},
    })
}
