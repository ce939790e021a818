//! The process dies, or a call fails, at any place.

use std::{future::Future, pin::pin, task::Poll};

use shared_testkit::{Fate, Mode, Plan};

use super::*;

/// Polls until the answer is there or the process has died or hangs.
pub(super) async fn unless_dead<V>(plan: &Plan, work: impl Future<Output = V>) -> Option<V> {
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

/// Whatever call goes wrong, Lambda's retry a minute later leaves nobody out, and every mailed link and code works.
#[tokio::test]
async fn a_crash_at_any_call_leaves_nobody_out() {
    let mut reached = 0;
    for fate in Fate::BAD {
        for at in 0..16 {
            let (world, clock) = (world(), FixedClock::default());
            let plan = Plan::new(Mode::At(at, fate));
            let broken = function(&world.under(&plan), &clock);
            let first = unless_dead(&plan, broken.handle(&[delivery("x")])).await;
            reached = reached.max(plan.calls().len());
            clock.step(Duration::from_secs(60));
            function(&world, &clock)
                .handle(&[delivery("x")])
                .await
                .unwrap();
            let (mails, records) = (world.mails(), world.records());
            assert_eq!(records.len(), 1, "{fate:?} at {at}");
            for recipient in &records[0].recipients {
                let got: Vec<_> = mails.iter().filter(|m| m.to == recipient.address).collect();
                let most = if matches!(first, Some(Ok(()))) { 1 } else { 2 };
                assert!(
                    (1..=most).contains(&got.len()),
                    "{fate:?} at {at}: {}",
                    got.len()
                );
                for mail in got {
                    let (claims, code) = read(&world, mail, BEGINNING);
                    let link = recipient
                        .links
                        .iter()
                        .find(|l| l.id == claims.link)
                        .unwrap();
                    assert!(link.code.matches(&claims.link, &code), "{fate:?} at {at}");
                }
            }
        }
    }
    assert!(
        reached >= 13,
        "the plan must reach past the last call: {reached}"
    );
}

/// Wherever the process dies, nobody and no channel finds the question twice.
#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_asks_nobody_twice_in_a_chat() {
    let (mut reached, mut asked) = (0, 0);
    for fate in Fate::BAD {
        for at in 0..24 {
            let place = rooms::place("L1");
            let plan = Plan::new(Mode::At(at, fate));
            let broken = place.under(&plan);
            drop(unless_dead(&plan, broken.handle(&[delivery("x")])).await);
            reached = reached.max(plan.calls().len());
            for _ in 0..2 {
                place.clock.step(std::time::Duration::from_secs(60));
                place.asked().await;
            }
            for channel in [chats::DANA, rooms::MAKERS] {
                let posts = place.posts(channel);
                assert!(posts <= 1, "{fate:?} at {at}: {posts} in {channel}");
                asked += posts;
            }
            assert!(
                place.world.records()[0]
                    .recipients
                    .iter()
                    .all(|r| r.mailed_at.is_some())
            );
        }
    }
    assert!(
        reached >= 18,
        "the plan must reach past the last call: {reached}"
    );
    assert!(asked > 200, "nearly all of them: {asked}");
}
