//! GitHub Apps: a token is made of the App's key, for what is said and no more, and kept while it is good.

use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::job::{FailureKind, Report};
use shared_testkit::{Host, Mode, World, events};
use stagewright_standins::{Stage, Trick, code_host::App};

use super::{CodeHost, action, everywhere, parameters, stage, success, with};

fn installed(writes: &[&'static str]) -> Stage<CodeHost> {
    let stage = stage();
    stage.with(|host| {
        host.app = Some(App {
            writes: writes.to_vec(),
            ..App::default()
        });
    });
    stage
}

fn of_app(provider: &str) -> Value {
    let app = json!({"appId": "12345", "token": "ssm:/key"});
    with(parameters(provider), app)
}

#[tokio::test(start_paused = true)]
async fn an_app_speaks_with_a_token_for_this_repository_and_this_permission() {
    for (provider, permission) in [("github", "statuses"), ("github-check", "checks")] {
        let (stage, report) = everywhere(|| installed(&[permission]), &of_app(provider)).await;
        assert_eq!(success(report)["State"], "success");
        let (_, asked) = stage.with(|host| host.app.clone().expect("an App").tokens[0].clone());
        assert_eq!(
            asked,
            json!({"repositories": ["site"], "permissions": {permission: "write"}})
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_while_it_is_good_and_made_anew_when_it_is_not_taken() {
    let (stage, world) = (installed(&["statuses"]), World::new(Mode::Work));
    let action = action(&world, &stage, &Value::Null);
    let mut number = 0;
    let mut play = async || {
        number += 1;
        let mut event = events::job(&of_app("github"));
        event["CodePipeline.job"]["id"] = json!(format!("aaaaaaaa-{number:04}"));
        world.play_on(Host::Invoke, &action, &event).await
    };
    let given = || stage.with(|host| host.app.clone().expect("an App").tokens.len());
    for _ in 0..2 {
        success(play().await);
    }
    assert_eq!(given(), 1);
    tokio::time::advance(std::time::Duration::from_secs(56 * 60)).await;
    success(play().await);
    assert_eq!(given(), 2);
    // Somebody took it back.
    stage.with(|host| {
        let app = host.app.as_mut().expect("an App");
        app.tokens[1].0 -= SignedDuration::from_hours(2);
    });
    assert!(matches!(
        play().await,
        Report::Failure {
            kind: FailureKind::PermissionError,
            ..
        }
    ));
    success(play().await);
    assert_eq!(given(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_an_app_may_not_is_said() {
    use FailureKind::{ConfigurationError, PermissionError, SystemUnavailable};
    let other = json!({"repository": "shop/other"});
    for (more, writes, kind, want) in [
        (
            json!({"appId": "999"}),
            &["statuses"][..],
            PermissionError,
            "GitHub does not take the App 999 with its key: check appId",
        ),
        (
            other,
            &["statuses"],
            ConfigurationError,
            "the App 12345 is not installed at shop/other",
        ),
        (
            json!({}),
            &["checks"],
            PermissionError,
            "the App 12345 may not write what is said of commits of shop/site",
        ),
        (
            json!({"token": "ssm:/token"}),
            &["statuses"],
            ConfigurationError,
            "the secret that token names is no RSA private key in PEM form",
        ),
        (
            json!({"appId": "a b"}),
            &[],
            ConfigurationError,
            "appId must be a GitHub App's id or client id",
        ),
    ] {
        let (stage, report) = everywhere(|| installed(writes), &with(of_app("github"), more)).await;
        let Report::Failure {
            kind: is, message, ..
        } = report
        else {
            unreachable!("{want}");
        };
        assert!(message.contains(want), "{message}");
        assert_eq!(is, kind, "{message}");
        assert_eq!(stage.with(|host| host.statuses.len()), 0);
    }
    let busy = || {
        let stage = installed(&["statuses"]);
        stage.always("POST", "access_tokens", Trick::status(503));
        stage
    };
    let (_, report) = everywhere(busy, &of_app("github")).await;
    assert!(matches!(
        report,
        Report::Failure {
            kind: SystemUnavailable,
            ..
        }
    ));
}
