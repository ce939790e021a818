//! Lost answers, crashes, stops: one run, and none left behind.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_lost_answer_starts_nothing_twice() {
    for host in Host::ALL {
        for lost in [Trick::LostAnswer, Trick::html(), Trick::Truncated] {
            let stage = Stage::<Containers>::default();
            // All repeats of the first start are lost, as over a broken network.
            stage.trick("", "RunTask", 3, lost);
            let (_, report) = play(host, json!({}), &stage).await;
            assert!(
                matches!(report, Report::Success { .. }),
                "{host:?}: {report:?}"
            );
            assert_eq!(stage.with(|ecs| ecs.started()), 1, "{host:?}");
            assert!(asked_for(&stage, "ListTasks") > 0, "{host:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_had_ended_is_found_by_its_token() {
    // The process dies right after the start; when the claim is over the task has stopped and is listed no more.
    let stage = Stage::new(Containers {
        times: (Duration::from_secs(1), Duration::from_secs(2)),
        ..Containers::default()
    });
    let fates = [Fate::Work, Fate::Work, Fate::DieAfter];
    let world = World::under(shared_testkit::Plan::scripted(fates));
    let report = world
        .play_on(Host::Worker, &action(&world, &stage), &event(json!({})))
        .await;
    assert!(matches!(report, Report::Success { .. }), "{report:?}");
    assert_eq!(stage.with(|ecs| ecs.started()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_gives_up_stops_the_task() {
    let world = World::new(Mode::Work);
    let stage = Stage::<Containers>::default();
    let task = action(&world, &stage);
    let driven = world.deliver(&task, &event(json!({}))).await;
    assert!(!driven.is_retried());
    let arn = format!("arn:aws:ecs:eu-west-1:123456789012:task/default/{:032x}", 1);
    let params = serde_json::from_value(parameters(json!({}))).unwrap();
    let stop = |run| Stop {
        params: &params,
        run,
        now: world.time.now(),
        budget: Duration::from_secs(10),
    };
    task.stop(stop(&arn)).await.unwrap();
    assert!(stage.with(|ecs| ecs.was_stopped(0)));
    // Again, and of a task that ECS has forgotten: no error.
    task.stop(stop(&arn)).await.unwrap();
    task.stop(stop("arn:aws:ecs:eu-west-1:123456789012:task/default/gone"))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let stages = std::cell::RefCell::new(Vec::new());
    let calls = repeat_and_fail(
        &event(json!({})),
        |world| {
            let stage = Stage::<Containers>::default();
            let task = action(world, &stage);
            stages.borrow_mut().push(stage);
            task
        },
        |_, report, mode| {
            let stage = stages.borrow_mut().pop().unwrap();
            let started = stage.with(|ecs| ecs.started());
            assert!(started <= 1, "{mode:?}: {started} tasks");
            match report {
                Report::Success { .. } => assert_eq!(started, 1, "{mode:?}"),
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
        "RunTask",
        "DescribeTasks",
        "GetLogEvents",
        "artifact upload",
    ] {
        assert!(calls.contains(&call), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_gives_up_is_stopped_whatever_goes_wrong() {
    let stages = std::cell::RefCell::new(Vec::new());
    give_up_and_fail(
        &event(json!({})),
        1,
        |world| {
            let day = Duration::from_secs(86_400);
            let stage = Stage::new(Containers {
                times: (Duration::ZERO, day),
                ..Containers::default()
            });
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, host, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let started = stage.with(|ecs| ecs.started());
            assert!(started <= 1, "{host:?} {mode:?}: {started} tasks");
            for number in 0..started {
                let stopped = stage.with(|ecs| ecs.was_stopped(number));
                assert!(stopped, "{host:?} {mode:?}: the task runs on");
            }
        },
    )
    .await;
}
