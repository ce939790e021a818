//! Lost answers, crashes, stops: one run, and none left behind.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_start_is_found_again_or_refused() {
    for trick in [
        Trick::LostAnswer,
        Trick::Hang,
        Trick::Truncated,
        Trick::ReplyAfter(Reply::html(502, "Bad Gateway")),
        Trick::ReplyAfter(Reply::empty(201)),
    ] {
        let lose = |stage: &Stage<Vendor>| {
            stage.trick("POST", "/build", 1, trick.clone());
        };
        let (stage, _, report) = everywhere(lose, json!({})).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{trick:?}: {report:?}"
        );
        assert_eq!(stage.with(|vendor| vendor.starts()), 1);

        let plain = json!({"job": "team/plain", "parameters": {}});
        let (_, message) = failure(everywhere(lose, plain).await.2);
        let want = "look at the queue and the builds of team/plain in Jenkins (https://ci.example.com/jenkins/job/team/job/plain); \
                    for a retry that finds its build, declare a text parameter PIPELINE_RUN in that job";
        assert!(message.contains(want), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_that_was_forgotten_is_found_among_the_builds() {
    let arrange = |stage: &Stage<Vendor>| {
        stage.with(|vendor| vendor.build_time = SignedDuration::from_mins(20));
        // Nothing is heard of the item until it is forgotten.
        stage.trick("GET", "/queue/item/", 200, Trick::status(500));
    };
    let (stage, _, report) = everywhere(arrange, json!({"timeoutMinutes": 90})).await;
    assert!(matches!(report, Report::Success { .. }), "{report:?}");
    let handled = stage.records().into_iter().filter(|record| {
        record.asked.path.contains("/queue/item/")
            && record.answered == stagewright_standins::Answered::Handled(404)
    });
    assert!(handled.count() > 0, "the item was still known");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_others_end_is_said_to_be_gone() {
    let cancelled = |stage: &Stage<Vendor>| {
        let item = json!({"id": 17, "cancelled": true, "executable": null, "_class": "hudson.model.Queue$LeftItem"});
        stage.always("GET", "/queue/item/", Trick::Reply(Reply::json(200, &item)));
    };
    let (kind, message) = failure(everywhere(cancelled, json!({})).await.2);
    let want = "team/app: somebody cancelled queue/17 in Jenkins before it was built";
    assert_eq!(kind, FailureKind::JobFailed);
    assert!(message.starts_with(want), "{message}");
    let gone = |stage: &Stage<Vendor>| {
        stage.always("GET", "/app/1/api/json", Trick::status(404));
    };
    let (_, message) = failure(everywhere(gone, json!({})).await.2);
    assert!(message.contains("Jenkins no longer knows"), "{message}");
    // One look too early is no loss.
    let late = |stage: &Stage<Vendor>| {
        stage.trick("GET", "/app/1/api/json", 2, Trick::status(404));
    };
    assert!(matches!(
        everywhere(late, json!({})).await.2,
        Report::Success { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_build_that_takes_too_long_is_ended_as_hard_as_needed() {
    for (ends_at, want) in [
        (
            Stop::Stop,
            "team/app did not end within 2 minutes and was stopped",
        ),
        (
            Stop::Term,
            "team/app did not end within 2 minutes and was stopped",
        ),
        (
            Stop::Kill,
            "team/app did not end within 2 minutes and was stopped",
        ),
        (
            Stop::Never,
            "the build team/app #1 was told to stop and still runs: end it in Jenkins, https://ci.example.com/jenkins/job/team/job/app/1/",
        ),
    ] {
        let arrange = |stage: &Stage<Vendor>| stage.with(|vendor| vendor.ends_at = ends_at);
        let (stage, world, report) = everywhere(arrange, json!({"timeoutMinutes": 2})).await;
        let (kind, message) = failure(report);
        assert_eq!(kind, FailureKind::JobFailed);
        assert!(message.contains(want), "{message}");
        let alive = stage.with(|vendor| vendor.alive(world.time.now()));
        assert_eq!(alive, usize::from(ends_at == Stop::Never), "{ends_at:?}");
    }
    // Still in the queue.
    let slow = |stage: &Stage<Vendor>| {
        stage.with(|vendor| vendor.queue_time = SignedDuration::from_mins(30))
    };
    let (stage, world, report) = everywhere(slow, json!({"timeoutMinutes": 2})).await;
    assert!(
        failure(report)
            .1
            .contains("did not end within 2 minutes and was stopped")
    );
    assert_eq!(stage.with(|vendor| vendor.alive(world.time.now())), 0);
    // Not allowed.
    let may_not = |stage: &Stage<Vendor>| {
        stage.always("POST", "/1/stop", Trick::status(403));
    };
    let (_, message) = failure(everywhere(may_not, json!({"timeoutMinutes": 2})).await.2);
    assert!(
        message.contains(
            "Jenkins does not let pipeline stop it: give that user the permission Job/Cancel"
        ),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_build_merged_with_a_strangers_is_waited_for_and_not_stopped() {
    let (stage, world) = (stage(), World::new(Mode::Work));
    let action = action(&world, &stage);
    stage.with(|vendor| vendor.queue("team/feature%2Fx", &[("REF", "main")], world.time.now()));
    let more = json!({"job": "team/feature%2Fx", "timeoutMinutes": 2});
    let report = world.play(&action, &event(&more)).await;
    let (_, message) = failure(report);
    assert!(
        message.contains("somebody else had queued the same build, so it goes on"),
        "{message}"
    );
    assert_eq!(
        stage.with(|vendor| (vendor.starts(), vendor.alive(world.time.now()))),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let stages = RefCell::new(stage());
    let calls = repeat_and_fail(
        &event(&json!({})),
        |world| {
            let fresh = stage();
            fresh.with(|vendor| vendor.build_time = SignedDuration::from_secs(20));
            let action = action(world, &fresh);
            stages.replace(fresh);
            action
        },
        |_, report, mode| {
            let starts = stages.borrow().with(|vendor| vendor.starts());
            match report {
                Report::Success { .. } => assert_eq!(starts, 1, "{mode:?}"),
                Report::Failure { message, .. } => {
                    assert_ne!(mode, Mode::Work, "{message}");
                    assert!(starts <= 1, "{mode:?}: {message}");
                }
                Report::Continue { .. } => unreachable!("{mode:?}"),
            }
        },
    )
    .await;
    for call in [
        "the job",
        "the start of the build",
        "the queue item",
        "the build",
        "artifact upload",
        "ledger started",
    ] {
        assert!(calls.contains(&call), "{call}: {calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_ended() {
    let stages = RefCell::new(stage());
    give_up_and_fail(
        &event(&json!({})),
        2,
        |world| {
            let fresh = stage();
            fresh.with(|vendor| vendor.build_time = SignedDuration::from_hours(9));
            let action = action(world, &fresh);
            stages.replace(fresh);
            action
        },
        |world, host, mode| {
            let seen = stages
                .borrow()
                .with(|vendor| (vendor.starts(), vendor.alive(world.time.now())));
            assert!(seen.0 <= 1, "{host:?} {mode:?}: {seen:?}");
            assert_eq!(seen.1, 0, "{host:?} {mode:?}: still alive");
        },
    )
    .await;
}
