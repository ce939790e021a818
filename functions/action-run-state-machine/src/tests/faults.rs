//! Lost answers, crashes, stops: one run, and none left behind.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_execution_is_adopted_by_its_name() {
    for host in Host::ALL {
        for (lost, lasts) in [
            (Trick::LostAnswer, 400),
            (Trick::html(), 400),
            (Trick::LostAnswer, 1),
        ] {
            let stage = Stage::new(Machines {
                // Not shown at once, and perhaps over when it is looked for.
                hidden: Duration::from_secs(20),
                lasts: Duration::from_secs(lasts),
                ..Machines::default()
            });
            stage.trick("", "StartExecution", 3, lost);
            let (_, report) = play(host, &json!({}), &stage).await;
            assert!(
                matches!(report, Report::Success { .. }),
                "{host:?}: {report:?}"
            );
            assert_eq!(count(&stage), 1, "{host:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_else_used_is_not_adopted() {
    let stage = Stage::<Machines>::default();
    let first = play(Host::Invoke, &json!({"input": {"a": 1}}), &stage)
        .await
        .1;
    assert!(matches!(first, Report::Success { .. }), "{first:?}");
    // Another world with the same job id, as after 90 days or in another pipeline: the name is taken.
    let same = play(Host::Invoke, &json!({"input": {"a": 1}}), &stage)
        .await
        .1;
    assert!(matches!(same, Report::Success { .. }), "{same:?}");
    let (kind, message) = failure(
        play(Host::Invoke, &json!({"input": {"a": 2}}), &stage)
            .await
            .1,
    );
    assert_eq!(kind, FailureKind::ConfigurationError);
    assert!(
        message.contains("with another input already: give another executionNamePrefix"),
        "{message}"
    );
    assert_eq!(count(&stage), 1);
    assert!(asked_for(&stage, "StartExecution") >= 3);
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let stages = RefCell::new(Vec::new());
    let calls = repeat_and_fail(
        &event(&json!({"inputFile": "in.json"})),
        |world| {
            let stage = Stage::<Machines>::default();
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, report, mode| {
            let stage = stages.borrow_mut().pop().unwrap();
            assert!(count(&stage) <= 1, "{mode:?}");
            match report {
                Report::Success { .. } => assert_eq!(count(&stage), 1, "{mode:?}"),
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
        "DescribeStateMachine",
        "StartExecution",
        "DescribeExecution",
        "artifact file",
    ] {
        assert!(calls.contains(&call), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_gives_up_is_stopped_whatever_goes_wrong() {
    let stages = RefCell::new(Vec::new());
    give_up_and_fail(
        &event(&json!({})),
        1,
        |world| {
            let stage = Stage::new(Machines {
                lasts: Duration::from_secs(86_400),
                ..Machines::default()
            });
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, host, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let runs = stage.with(|machines| machines.executions.clone());
            assert!(runs.len() <= 1, "{host:?} {mode:?}");
            for run in runs.values() {
                let (_, error, _) = run.stopped.as_ref().expect("it was stopped");
                assert_eq!(error, "Stagewright.GivenUp", "{host:?} {mode:?}");
            }
        },
    )
    .await;
}
