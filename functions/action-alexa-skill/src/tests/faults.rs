//! Lost answers, crashes, stops: one run, and none left behind.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_same_package_is_skipped_and_a_foreign_change_is_not_lost() {
    let stage: Stage<Alexa> = Stage::default();
    let world = World::new(Mode::Work);
    let run = async |number: u32, more: Value| {
        let mut event = event(&more);
        event["CodePipeline.job"]["id"] = json!(format!("aaaaaaaa-{number:04}"));
        play_in(&world, Host::Invoke, &stage, &event).await
    };
    success(run(1, json!({})).await);
    // Continuations of the second run would have ids of the first; it has none.
    let (summary, variables) = success({
        let mut event = event(&json!({}));
        event["CodePipeline.job"]["id"] = json!("bbbbbbbb-0001");
        play_in(&world, Host::Task, &stage, &event).await
    });
    assert!(summary.ends_with("nothing was done"), "{summary}");
    assert_eq!(variables["ImportStatus"], "UNCHANGED");
    assert_eq!(variables["ETag"], "etag-1");
    assert_eq!(stage.with(|vendor| vendor.imports.len()), 1);

    let other = events::zip_of(&[("skill.json", "{\"new\": 1}")]);
    world.artifacts.inner.set("store", "skill.zip", other);
    stage.with(Alexa::change);
    let mut machine = event(&json!({}));
    machine["CodePipeline.job"]["id"] = json!("cccccccc-0001");
    let again = World {
        ledger: world.ledger.clone(),
        artifacts: world.artifacts.clone(),
        ..World::new(Mode::Work)
    };
    let (kind, message) = failure(play_in(&again, Host::Invoke, &stage, &machine).await);
    assert_eq!(kind, FailureKind::JobFailed);
    assert_eq!(
        message,
        format!(
            "{SKILL} was changed since this pipeline's last import: take the change over into the package, or set \
             overwrite to true to lose it"
        )
    );
    let mut forced = event(&json!({"overwrite": true}));
    forced["CodePipeline.job"]["id"] = json!("dddddddd-0001");
    let last = World {
        ledger: world.ledger.clone(),
        artifacts: world.artifacts.clone(),
        ..World::new(Mode::Work)
    };
    success(play_in(&last, Host::Invoke, &stage, &forced).await);
    assert_eq!(stage.with(|vendor| vendor.imports.len()), 2);
}

#[tokio::test(start_paused = true)]
async fn a_submission_whose_answer_is_lost_counts() {
    let lost = |stage: &Stage<Alexa>| {
        stage.trick("POST", "submit", 1, Trick::LostAnswer);
    };
    let (stage, report) = everywhere(lost, json!({"certify": true})).await;
    let (summary, _) = success(report);
    assert!(
        summary.ends_with("submitted for certification"),
        "{summary}"
    );
    assert_eq!(stage.count("POST", "submit"), 2);
    let refused = |stage: &Stage<Alexa>| {
        stage.always("POST", "submit", Trick::status(400));
    };
    let (_, report) = everywhere(refused, json!({"certify": true})).await;
    let (kind, message) = failure(report);
    assert_eq!(kind, FailureKind::ConfigurationError);
    assert!(
        message.contains("refused the submission for certification"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let stage: std::sync::Mutex<Stage<Alexa>> = std::sync::Mutex::default();
    // One small file: it is packed hundreds of times.
    let event = events::with_input(events::job(&parameters()), "Skill", "store", "skill.zip");
    let skill = events::zip_of(&[("skill.json", "{}")]);
    repeat_and_fail(
        &event,
        |world| {
            let fresh = Stage::default();
            *stage.lock().unwrap() = fresh.clone();
            world
                .artifacts
                .inner
                .set("store", "skill.zip", skill.clone());
            action(world, &fresh)
        },
        |_, report, mode| {
            let imports = stage.lock().unwrap().with(|vendor| vendor.imports.clone());
            assert!(
                imports
                    .windows(2)
                    .all(|two| two[0].package == two[1].package),
                "{mode:?}"
            );
            assert!(imports.len() <= 2, "{mode:?}: {} imports", imports.len());
            if let Report::Success { .. } = report {
                assert!(!imports.is_empty(), "{mode:?}");
            }
            if mode == Mode::Work {
                assert_eq!(imports.len(), 1);
                assert!(matches!(report, Report::Success { .. }), "{report:?}");
            }
        },
    )
    .await;
}
