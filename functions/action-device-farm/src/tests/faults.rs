//! Lost answers, crashes, stops: one run, and none left behind.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_lost_answer_starts_no_second_run() {
    for host in Host::ALL {
        let idempotency = Refusal::new("IdempotencyException", "planted").reply();
        for lost in [
            Trick::LostAnswer,
            Trick::html(),
            Trick::ReplyAfter(idempotency),
        ] {
            // Others run as well, so ours is on a later page.
            let stage = Stage::<Farm>::default();
            stage.trick("", "ScheduleRun", 1, lost);
            let crowd = stage.clone();
            let world = World::new(Mode::Work);
            world.plan.before("ListRuns", move || {
                crowd.with(|farm| {
                    let Some(mut other) = farm.runs.last().cloned() else {
                        return;
                    };
                    other.request["name"] = json!("somebody's");
                    farm.runs.extend([other.clone(), other.clone(), other]);
                });
            });
            let ours = |stage: &Stage<Farm>| {
                let all = stage.with(|farm| farm.runs.clone());
                all.iter()
                    .filter(|run| run.request["name"] != "somebody's")
                    .count()
            };
            let report = world
                .play_on(host, &action(&world, &stage), &event(&json!({})))
                .await;
            assert!(
                matches!(report, Report::Success { .. }),
                "{host:?}: {report:?}"
            );
            assert_eq!(ours(&stage), 1, "{host:?}");
            assert!(asked_for(&stage, "ListRuns") > 0, "{host:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let stages = RefCell::new(Vec::new());
    let calls = repeat_and_fail(
        &event(&json!({})),
        |world| {
            let stage = Stage::<Farm>::default();
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, report, mode| {
            let stage = stages.borrow_mut().pop().unwrap();
            assert!(runs(&stage) <= 1, "{mode:?}");
            match report {
                Report::Success { .. } => assert_eq!(runs(&stage), 1, "{mode:?}"),
                Report::Failure { kind, message, .. } => {
                    assert_ne!(mode, Mode::Work);
                    assert_eq!(*kind, FailureKind::SystemUnavailable, "{mode:?}: {message}");
                }
                Report::Continue { .. } => unreachable!("{mode:?}"),
            }
        },
    )
    .await;
    for call in [
        "artifact download",
        "CreateUpload",
        "the upload",
        "GetUpload",
        "ScheduleRun",
        "GetRun",
        "ListArtifacts",
        "artifact upload",
    ] {
        assert!(calls.contains(&call), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_gives_up_is_stopped_whatever_goes_wrong() {
    let stages = RefCell::new(Vec::new());
    // Without uploads: they are others' tests, and this one is long.
    let upload = "arn:aws:devicefarm:us-west-2:123456789012:upload:5e01a8c7-c861-4c0a-b1d5-12345EXAMPLE/00000000";
    let more = json!({"appType": "Web", "app": Value::Null, "testType": "APPIUM_WEB_NODE", "testPackage": upload});
    give_up_and_fail(
        // Without files on the disk: there are thousands of plays.
        &events::job(&parameters(&more)),
        1,
        |world| {
            let mut farm = Farm {
                times: (Duration::ZERO, Duration::from_secs(86_400)),
                ..Farm::default()
            };
            farm.ready_upload();
            let stage = Stage::new(farm);
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, host, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let runs = stage.with(|farm| farm.runs.clone());
            assert!(runs.len() <= 1, "{host:?} {mode:?}");
            let stopped = runs.iter().all(|run| run.stopped.is_some());
            assert!(stopped, "{host:?} {mode:?}: the run goes on");
        },
    )
    .await;
}
