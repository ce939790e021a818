//! Lost answers, crashes, stops: one run, and none left behind.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_start_whose_answer_is_lost_is_found_again() {
    for kind in [json!({}), json!({"suite": null, "test": "6a1"})] {
        for trick in [
            Trick::LostAnswer,
            Trick::Truncated,
            Trick::Hang,
            Trick::ReplyAfter(Reply::html(500, "x")),
            Trick::ReplyAfter(Reply::html(200, "x")),
        ] {
            let arrange = |stage: &Stage<Vendor>| {
                stage.trick("POST", "execute", 1, trick.clone());
            };
            let (stage, _, report) = everywhere(arrange, kind.clone()).await;
            assert!(
                matches!(report, Report::Success { .. }),
                "{trick:?}: {report:?}"
            );
            assert_eq!(stage.count("POST", "execute"), 1, "{trick:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_strangers_run_is_not_ours() {
    // The start arrived and its answer was lost; and it never arrived.
    for (trick, starts) in [(Trick::LostAnswer, 1), (Trick::status(500), 2)] {
        for host in Host::ALL {
            let stage: Stage<Vendor> = Stage::default();
            stage.with(|vendor| {
                vendor.runs.push(Run {
                    id: "00000000000000000000000a".to_owned(),
                    kind: "suites".to_owned(),
                    of: "5f1".to_owned(),
                    created: shared_testkit::time::BEGINNING,
                    cancelled: None,
                    variables: BTreeMap::from([("cpJobId".to_owned(), "a stranger's".to_owned())]),
                    fields: BTreeMap::new(),
                });
            });
            stage.trick("POST", "execute", 1, trick.clone());
            let (_, report) = play_on(host, &stage, &json!({})).await;
            let Report::Success { variables, .. } = report else {
                unreachable!("{host:?} {trick:?}: {report:?}");
            };
            assert_eq!(
                variables["ResultIds"], "00000000000000005f000001",
                "{host:?}"
            );
            assert_eq!(stage.count("POST", "execute"), starts);
            assert_eq!(stage.with(|vendor| vendor.runs.len()), 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_say_whose_it_is_keeps_a_second_from_being_started() {
    // A run of somebody else's that shows no variables: it cannot be told whether it is ours.
    let stage: Stage<Vendor> = Stage::default();
    stage.trick(
        "POST",
        "execute",
        1,
        Trick::ReplyAfter(Reply::html(500, "x")),
    );
    let untold = json!({"code": "SUCCESS", "data": [{"_id": "x", "passing": null}]});
    stage.always(
        "GET",
        "/suite-results/",
        Trick::Reply(Reply::json(200, &untold)),
    );
    let (_, report) = play_on(Host::Invoke, &stage, &json!({})).await;
    let (_, message) = failure(report);
    assert!(
        message.contains("look at https://app.ghostinspector.com/suites/5f1, then retry the stage"),
        "{message}"
    );
    assert_eq!(stage.count("POST", "execute"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_pipeline_cancels_the_run_and_may_do_so_twice() {
    for more in [
        json!({"suite": "5f1", "apiKey": "ssm:/gi"}),
        json!({"test": "6a1", "apiKey": "ssm:/gi"}),
    ] {
        let stage: Stage<Vendor> = Stage::default();
        stage.with(|vendor| vendor.browsers = 2);
        let world = World::new(Mode::Work);
        let action = action(&world, &stage);
        let mut job = event(&more);
        job["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]["UserParameters"] =
            json!(more.to_string());
        world.deliver(&action, &job).await;
        let entries = world.ledger.inner.entries();
        let Some(LedgerEntry::Started { run }) = entries.values().next() else {
            unreachable!("{entries:?}");
        };
        let params: Params = serde_json::from_value(more).unwrap();
        for _ in 0..2 {
            let stop = Stop {
                params: &params,
                run,
                now: world.time.now(),
                budget: Duration::from_secs(30),
            };
            action.stop(stop).await.unwrap();
        }
        assert!(stage.with(|vendor| vendor.runs.iter().all(|run| run.cancelled.is_some())));
        stage.always("POST", "", Trick::status(403));
        let stop = Stop {
            params: &params,
            run,
            now: world.time.now(),
            budget: Duration::from_secs(30),
        };
        let fault = action.stop(stop).await.unwrap_err();
        assert!(
            fault.public.contains("does not allow the cancellation"),
            "{}",
            fault.public
        );
    }
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off_and_one_run_is_started() {
    let stages = std::cell::RefCell::new(Vec::new());
    let calls = repeat_and_fail(
        &event(&json!({})),
        |world| {
            let stage = Stage::default();
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, report, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let runs = stage.with(|vendor| vendor.runs.len());
            assert!(runs <= 1, "{mode:?}: {runs} runs");
            match report {
                Report::Success { variables, .. } => {
                    assert_eq!((variables["Passed"].as_str(), runs), ("3", 1))
                }
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
        "the start",
        "the result",
        "the xUnit report",
        "artifact upload",
    ] {
        assert!(calls.contains(&call), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_gives_up_is_cancelled_whatever_goes_wrong() {
    let stages = std::cell::RefCell::new(Vec::new());
    give_up_and_fail(
        &event(&json!({})),
        2,
        |world| {
            let stage: Stage<Vendor> = Stage::default();
            stage.with(|vendor| vendor.fate = Fate::Never);
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |world, host, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let runs = stage.with(|vendor| vendor.runs.clone());
            let calls = world.plan.calls();
            assert!(runs.len() <= 1, "{host:?} {mode:?}: {runs:?}");
            assert!(
                runs.iter().all(|run| run.cancelled.is_some()),
                "{host:?} {mode:?}: {runs:?} {calls:?}"
            );
        },
    )
    .await;
}
