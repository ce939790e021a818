//! Lost answers, crashes, stops: one run, and none left behind.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_start_whose_answer_is_lost_is_adopted_while_it_is_active() {
    let long =
        |stage: &Stage<Vendor>| stage.with(|vendor| vendor.takes = SignedDuration::from_mins(20));
    for trick in [
        Trick::LostAnswer,
        Trick::Truncated,
        Trick::Hang,
        Trick::ReplyAfter(Reply::html(500, "x")),
        Trick::ReplyAfter(Reply::html(200, "x")),
    ] {
        let arrange = |stage: &Stage<Vendor>| {
            long(stage);
            // A stranger's, of the same test and earlier, and one of another test.
            stage.with(|vendor| {
                let earlier = Duration::from_secs(300);
                vendor
                    .runs
                    .push(stranger(898, 17, shared_testkit::time::BEGINNING - earlier));
                vendor
                    .runs
                    .push(stranger(899, 18, shared_testkit::time::BEGINNING));
            });
            stage.trick("POST", "/runs", 1, trick.clone());
        };
        let (stage, _, report) = everywhere(arrange, json!({}), false).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{trick:?}: {report:?}"
        );
        assert_eq!(stage.count("POST", "/runs"), 1, "{trick:?}");
    }
    // Ended by the time it is looked for, never arrived, or one of two: nothing is started again.
    let two = |stage: &Stage<Vendor>| {
        long(stage);
        let run = stranger(899, 17, shared_testkit::time::BEGINNING);
        stage.with(|vendor| vendor.runs.push(run));
        stage.trick("POST", "/runs", 1, Trick::LostAnswer);
    };
    let gone = |stage: &Stage<Vendor>| {
        stage.with(|vendor| vendor.takes = SignedDuration::from_secs(10));
        stage.trick("POST", "/runs", 1, Trick::LostAnswer);
    };
    let never = |stage: &Stage<Vendor>| {
        stage.trick("POST", "/runs", 1, Trick::status(500));
    };
    for arrange in [&two as &dyn Fn(&Stage<Vendor>), &gone, &never] {
        let (stage, _, report) = everywhere(arrange, json!({}), false).await;
        let (_, message) = failure(report);
        let want = "look at the runs of load test 17 in project 1 of LoadRunner Cloud, which lists active runs only, then \
                    retry the stage";
        assert!(message.contains(want), "{message}");
        assert_eq!(stage.count("POST", "/runs"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_pipeline_stops_the_run_and_may_do_so_twice() {
    let stage: Stage<Vendor> = Stage::default();
    let world = World::new(Mode::Work);
    let action = action(&world, &stage);
    world.deliver(&action, &event(&json!({}), false)).await;
    let params: Params = serde_json::from_value(good()).unwrap();
    let stop = async |run| {
        let stop = Stop {
            params: &params,
            run,
            now: world.time.now(),
            budget: Duration::from_secs(30),
        };
        action.stop(stop).await.map_err(|fault| fault.public)
    };
    assert_eq!(stop("900").await, Ok(()));
    assert!(stage.with(|vendor| vendor.runs[0].stopped.is_some()));
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(stop("900").await, Ok(()), "it has ended");
    assert_eq!(stop("77").await, Ok(()), "there is no such run");
    stage.always("PUT", "", Trick::status(403));
    let refused = stop("900").await.unwrap_err();
    assert!(refused.contains("does not allow the stop"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off_and_one_run_is_started() {
    let stages = RefCell::new(Vec::new());
    let calls = repeat_and_fail(
        &event(&json!({}), true),
        |world| {
            let stage: Stage<Vendor> = Stage::default();
            // Long enough to be active when a claim is over.
            stage.with(|vendor| {
                vendor.takes = SignedDuration::from_secs(150);
                vendor.report_takes = SignedDuration::from_secs(10);
            });
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, report, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let runs = ours(&stage);
            assert!(runs <= 1, "{mode:?}: {runs} runs");
            match report {
                Report::Success { variables, .. } => {
                    assert_eq!((variables["RunId"].as_str(), runs), ("900", 1))
                }
                Report::Failure { kind, message, .. } => {
                    assert_ne!(mode, Mode::Work);
                    // A start that was never sent cannot be told from one that has ended: nothing is started again.
                    let refused = message.contains("lists active runs only") && runs == 0;
                    assert!(
                        refused || *kind == FailureKind::SystemUnavailable,
                        "{mode:?}: {message}"
                    );
                }
                Report::Continue { .. } => unreachable!("{mode:?}"),
            }
        },
    )
    .await;
    for call in [
        "the login",
        "the start",
        "the run",
        "making a report",
        "the report",
        "artifact upload",
    ] {
        assert!(calls.contains(&call), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_gives_up_is_stopped_whatever_goes_wrong() {
    let stages = RefCell::new(Vec::new());
    give_up_and_fail(
        &event(&json!({}), false),
        2,
        |world| {
            let stage: Stage<Vendor> = Stage::default();
            stage.with(|vendor| vendor.sticks = Some("RUNNING"));
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, host, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let runs = stage.with(|vendor| vendor.runs.clone());
            assert!(runs.len() <= 1, "{host:?} {mode:?}: {runs:?}");
            let stopped = runs.iter().all(|run| run.stopped.is_some());
            assert!(stopped, "{host:?} {mode:?}: {runs:?}");
        },
    )
    .await;
}
