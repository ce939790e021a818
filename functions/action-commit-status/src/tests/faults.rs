//! Lost answers, crashes, stops: one run, and none left behind.

use super::*;

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    for provider in ["github", "github-check"] {
        let host: Mutex<Stage<CodeHost>> = Mutex::new(stage());
        repeat_and_fail(
            &events::job(&parameters(provider)),
            |world| {
                let fresh = stage();
                *host.lock().unwrap() = fresh.clone();
                action(world, &fresh, &Value::Null)
            },
            |_, report, mode| {
                let host = host.lock().unwrap().with(|host| host.clone());
                assert!(
                    host.checks.len() <= 1,
                    "{mode:?}: {} check runs",
                    host.checks.len()
                );
                if let Report::Success { .. } = report {
                    let said = match provider {
                        "github" => host.statuses.last().map(|(_, _, body)| &body["state"]),
                        _ => host
                            .checks
                            .values()
                            .next()
                            .map(|check| &check["conclusion"]),
                    };
                    assert_eq!(said, Some(&json!("success")), "{mode:?}");
                }
            },
        )
        .await;
    }
}
