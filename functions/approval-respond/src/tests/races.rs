//! Many at once, and every call failing: one result.

use std::{future::Future, pin::pin, task::Poll, time::Duration};

use shared::approval::request::Verdict;
use shared_testkit::{Fate, Mode, Plan, approval::sample_request, time::BEGINNING};

use super::scene::{BASE, get, page_at, post, scene_of, shown};

#[tokio::test]
async fn of_fifty_racers_one_result_comes() {
    for seed in 0..10 {
        let scene = scene_of(
            seed,
            BASE,
            sample_request(BEGINNING),
            1,
            &["dana@example.com"],
        );
        let mut forms = Vec::new();
        for at in 0..50 {
            let verdict = if at % 3 == 0 { "reject" } else { "approve" };
            forms.push(scene.ballot(0, &scene.open(0).await, verdict));
        }
        scene.world.interleave();
        let racers: Vec<_> = forms
            .into_iter()
            .map(|form| {
                let page = scene.page.clone();
                tokio::spawn(async move { page.handle(&form).await.status })
            })
            .collect();
        let mut statuses = Vec::new();
        for racer in racers {
            statuses.push(racer.await.unwrap());
        }
        let count = |status| statuses.iter().filter(|s| **s == status).count();
        assert_eq!(
            (count(303), count(409)),
            (1, 49),
            "seed {seed}: {statuses:?}"
        );
        assert_eq!(scene.world.results().len(), 1, "seed {seed}");
        let puts = scene
            .world
            .plan
            .calls()
            .iter()
            .filter(|c| **c == "put result")
            .count();
        assert_eq!(puts, 1, "seed {seed}");
    }
}

#[tokio::test]
async fn many_approvers_racing_make_one_result() {
    let people: Vec<String> = (0..12).map(|at| format!("p{at}@example.com")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    for seed in 0..10 {
        let scene = scene_of(seed, BASE, sample_request(BEGINNING), 5, &people);
        let mut forms = Vec::new();
        for at in 0..people.len() {
            let verdict = if (at as u64 + seed).is_multiple_of(7) {
                "reject"
            } else {
                "approve"
            };
            forms.push(scene.ballot(at, &scene.open(at).await, verdict));
        }
        scene.world.interleave();
        let racers: Vec<_> = forms
            .into_iter()
            .map(|form| {
                let page = scene.page.clone();
                tokio::spawn(async move { page.handle(&form).await.status })
            })
            .collect();
        for racer in racers {
            let status = racer.await.unwrap();
            assert!(matches!(status, 303 | 409), "seed {seed}: {status}");
        }
        let results = scene.world.results();
        assert_eq!(results.len(), 1, "seed {seed}");
        let record = &scene.world.records()[0];
        let rejected = record.votes.iter().any(|v| v.verdict == Verdict::Reject);
        assert_eq!(results[0].0 == Verdict::Reject, rejected, "seed {seed}");
    }
}

/// Polls until the answer is there or the process has died or hangs.
async fn unless_dead<V>(plan: &Plan, work: impl Future<Output = V>) -> Option<V> {
    let mut work = pin!(work);
    let mut idle = 0;
    std::future::poll_fn(move |context| {
        if let Poll::Ready(value) = work.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        idle += 1;
        if plan.is_dead() || idle > 100 {
            return Poll::Ready(None);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Whatever call goes wrong, the person who opens the link again ends with exactly the result that was voted for.
#[tokio::test]
async fn a_crash_at_any_call_ends_in_exactly_one_result() {
    let mut reached = 0;
    for fate in Fate::BAD {
        for at in 0..12 {
            let scene = scene_of(5, BASE, sample_request(BEGINNING), 1, &["dana@example.com"]);
            let form = scene.ballot(0, &scene.open(0).await, "approve");
            let plan = Plan::new(Mode::At(at, fate));
            let broken = page_at(&scene.world.under(&plan), &scene.clock, BASE);
            let _ = unless_dead(&plan, broken.handle(&form)).await;
            reached = reached.max(plan.calls().len());
            scene.clock.step(Duration::from_secs(31));
            let page = scene.send(&get(&scene.invitations[0].token)).await;
            let back = shown(&scene.invitations[0].token, &page, None);
            if page.body.contains("value=\"deliver\"") {
                let answer = scene.send(&post(&back, &[("intent", "deliver")])).await;
                assert_eq!(answer.status, 303, "{fate:?} at {at}");
            } else if page.body.contains("value=\"decide\"") {
                let answer = scene.send(&scene.ballot(0, &back, "approve")).await;
                assert_eq!(answer.status, 303, "{fate:?} at {at}");
            }
            let results = scene.world.results();
            assert_eq!(results.len(), 1, "{fate:?} at {at}");
            assert_eq!(results[0].0, Verdict::Approve);
            let end = scene.text(0).await;
            assert!(end.contains("Approved on"), "{fate:?} at {at}: {end}");
        }
    }
    assert!(reached >= 4, "load, replace, put, replace: {reached}");
}
