//! Lost answers, crashes, stops: one run, and none left behind.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_trigger_whose_answer_is_lost_is_found_again() {
    for shows in ["list", "detail"] {
        for trick in [
            Trick::LostAnswer,
            Trick::Truncated,
            Trick::Hang,
            Trick::ReplyAfter(Reply::html(500, "x")),
            Trick::ReplyAfter(Reply::html(200, "x")),
        ] {
            let arrange = |stage: &Stage<Vendor>| {
                stage.with(|vendor| {
                    vendor.spread = 3;
                    vendor.shows = shows;
                });
                stage.trick("POST", "/trigger", 1, trick.clone());
            };
            let (stage, _, report) = everywhere(arrange, json!({})).await;
            let Report::Success { variables, .. } = report else {
                unreachable!("{trick:?}: {report:?}");
            };
            assert_eq!(variables["Runs"], "3");
            assert_eq!(stage.count("POST", "/trigger"), 1, "{trick:?}");
        }
    }
    // One that never arrived is made again, beside a stranger's run.
    let stage: Stage<Vendor> = Stage::default();
    stage.with(|vendor| {
        vendor.runs.push(Run {
            id: "5-tranger".to_owned(),
            began: shared_testkit::time::BEGINNING,
            number: 0,
            variables: BTreeMap::from([("cpJobId".to_owned(), "a stranger's".to_owned())]),
            fields: BTreeMap::new(),
        });
    });
    stage.trick("POST", "/trigger", 1, Trick::status(500));
    let (_, report) = play_on(Host::Invoke, &stage, &json!({})).await;
    let Report::Success { variables, .. } = report else {
        unreachable!("{report:?}");
    };
    assert_eq!(variables["RunIds"], "4u2-0001");
    assert_eq!(stage.with(|vendor| vendor.triggered.len()), 1);
    // Where nothing tells, nothing is started again.
    let nowhere = (
        json!({}),
        "nowhere",
        "look at https://www.runscope.com/radar/bkt1/7e57-1, then retry",
    );
    let unplaced = (
        json!({"bucket": null, "test": null}),
        "list",
        "look at the newest results in BlazeMeter",
    );
    for (more, shows, want) in [nowhere, unplaced] {
        let arrange = |stage: &Stage<Vendor>| {
            stage.with(|vendor| vendor.shows = shows);
            stage.trick("POST", "/trigger", 1, Trick::LostAnswer);
        };
        let (stage, _, report) = everywhere(arrange, more).await;
        let (_, message) = failure(report);
        assert!(message.contains(want), "{message}");
        assert_eq!(stage.count("POST", "/trigger"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_says_that_there_is_none_until_the_run_has_ended() {
    let stage: Stage<Vendor> = Stage::default();
    let world = World::new(Mode::Work);
    let action = action(&world, &stage);
    world.deliver(&action, &event(&json!({}))).await;
    let params: Params = serde_json::from_value(good()).unwrap();
    let stop = async || {
        let stop = Stop {
            params: &params,
            run: RUN,
            now: world.time.now(),
            budget: Duration::from_secs(30),
        };
        action.stop(stop).await.map_err(|fault| fault.public)
    };
    let told = stop().await.unwrap_err();
    assert!(told.contains("has no call that ends a run"), "{told}");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(stop().await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off_and_one_trigger_is_called() {
    let stages = RefCell::new(Vec::new());
    let calls = repeat_and_fail(
        &event(&json!({})),
        |world| {
            let stage: Stage<Vendor> = Stage::default();
            stage.with(|vendor| {
                vendor.spread = 2;
                vendor.takes = SignedDuration::from_secs(20);
            });
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, report, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let triggered = stage.with(|vendor| vendor.triggered.len());
            assert!(triggered <= 1, "{mode:?}: {triggered} triggers");
            match report {
                Report::Success { variables, .. } => {
                    assert_eq!((variables["Runs"].as_str(), triggered), ("2", 1));
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
    for call in ["the trigger", "the result", "artifact upload"] {
        assert!(calls.contains(&call), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_gives_up_is_not_started_again() {
    for host in Host::ALL {
        for learns in [Learns::ByRefusal, Learns::ByEvent] {
            let stage: Stage<Vendor> = Stage::default();
            stage.with(|vendor| vendor.endless = true);
            let world = World::new(Mode::Work);
            let action = action(&world, &stage);
            assert!(
                world
                    .give_up(host, learns, &action, &event(&json!({})), 2)
                    .await
            );
            assert_eq!(
                stage.with(|vendor| vendor.triggered.len()),
                1,
                "{host:?} {learns:?}"
            );
            assert!(
                stage.count("GET", "/results/") > 1,
                "{host:?} {learns:?}: not asked"
            );
        }
    }
}
