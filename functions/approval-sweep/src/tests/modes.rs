//! PARALLEL, QUEUED, SUPERSEDED: the right token answers the right execution.

use shared::{
    approval::{
        booth::Booth,
        request::{State, Verdict},
    },
    port::Clock,
};

use super::scene::{BASE, Scene, another, simple, waiting};

/// Of three executions of one action, the second is approved and the third rejected, in the order of the modes.
#[tokio::test]
async fn threat_16_each_mode_answers_the_right_execution_with_the_right_token() {
    for mode in ["PARALLEL", "QUEUED", "SUPERSEDED"] {
        let scene = Scene::of(simple(1, &["dana@example.com"]));
        let base = BASE.parse().unwrap();
        let now = scene.clock.now();
        let second = another(8, now);
        match mode {
            // All wait at once, and GetPipelineState shows no token.
            "PARALLEL" => {
                scene.world.no_longer_waits();
                scene.world.wait_in_history(waiting(&scene.request));
                scene.world.wait_in_history(waiting(&second));
            }
            // The first is over before the second may enter.
            "QUEUED" => {
                scene.vote(0, Verdict::Reject).await;
                scene.world.no_longer_waits();
                scene.world.wait_in_state(waiting(&second));
            }
            // The first was stopped: the newer execution took its place.
            _ => {
                scene.world.no_longer_waits();
                scene.world.ends(&scene.request.token);
                scene.world.wait_in_state(waiting(&second));
            }
        }
        scene
            .world
            .ask_by(second.clone(), simple(1, &["dana@example.com"]), &base, now);
        scene.sweep().await;
        let states = |scene: &Scene| {
            scene
                .world
                .records()
                .into_iter()
                .map(|r| r.state)
                .collect::<Vec<_>>()
        };
        match (mode, &states(&scene)[..]) {
            ("PARALLEL", [State::Open, State::Open])
            | ("QUEUED", [State::Decided { .. }, State::Open])
            | ("SUPERSEDED", [State::Superseded { .. }, State::Open]) => {}
            (mode, states) => panic!("{mode}: {states:?}"),
        }
        let record = scene.world.records().remove(1);
        assert_eq!(record.request.execution, second.execution, "{mode}");
        let mut ballot = scene.ballot(0, Verdict::Approve);
        // An old link does not answer the new execution, whatever the mode.
        let booth = Booth {
            store: &scene.world,
            sender: &scene.world,
            clock: &scene.clock,
        };
        let before = scene.world.results().len();
        let refused = booth.cast(record.clone(), &ballot).await.unwrap();
        assert!(
            matches!(refused, shared::approval::booth::Voted::Refused(_)),
            "{mode}: {refused:?}"
        );
        assert_eq!(scene.world.results().len(), before, "{mode}");

        let who = &record.recipients[0];
        ballot.recipient = who.id.clone();
        ballot.link = who.links[0].id.clone();
        ballot.link_digest = record.request.link_digest();
        ballot.seen = record.snapshot_digest();
        let invited = scene.world.invitation_of(&record, 0);
        ballot.code = shared::secret::Secret::new(invited);
        booth.cast(record, &ballot).await.unwrap();
        let tokens = scene.world.answered_tokens();
        assert_eq!(tokens.last(), Some(second.token.reveal()), "{mode}");
        scene.step(1);
        scene.sweep().await;
        assert!(matches!(states(&scene)[1], State::Decided { .. }), "{mode}");
    }
}
