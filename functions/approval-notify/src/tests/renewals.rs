//! A second mail for the same person: after a revocation, and when the stage is retried.

use shared::approval::{renew, settings::Revocation};

use super::*;

#[tokio::test]
async fn a_renewed_link_comes_in_a_mail_that_says_so_and_opens_what_the_old_one_does_not() {
    let (world, clock) = (world(), FixedClock::default());
    function(&world, &clock)
        .handle(&[delivery("x")])
        .await
        .unwrap();
    let record = world.records().remove(0);
    clock.step(std::time::Duration::from_secs(60));
    let entry: Revocation = "person:dana@example.com@2026-01-02T03:05:00Z"
        .parse()
        .unwrap();
    let revoked = std::iter::once(entry).collect();
    let next = renew::renewed(&record, &revoked, clock.now()).unwrap();
    world.keep(&next);
    for _ in 0..2 {
        let send = function(&world, &clock);
        send.send_due(&next.request.id).await.unwrap();
    }
    let (mails, record) = (world.mails(), world.records().remove(0));
    assert_eq!(mails.len(), 3, "to Dana, to Lee, and once to Dana again");
    assert_eq!(mails[2].to, "dana@example.com");
    assert!(
        mails[2].subject.starts_with("New link: [Release] Approve"),
        "{}",
        mails[2].subject
    );
    let admits = |mail: &Mail| {
        let (claims, code) = read(&world, mail, BEGINNING);
        let opens = decide::admit(&record, &claims.recipient, &claims.link, &claims.digest);
        (opens.is_ok(), code)
    };
    let ((old, first), (new, second)) = (admits(&mails[0]), admits(&mails[2]));
    assert!(!old && new && first != second);
    assert!(admits(&mails[1]).0, "Lee's still opens");
    let again = renew::renewed(&record, &revoked, clock.now());
    assert_eq!(again, None, "it was made after the revocation");
}

#[tokio::test]
async fn g9_a_retried_stage_asks_everybody_anew_with_links_of_its_own() {
    let (world, clock) = (world(), FixedClock::default());
    let first = function(&world, &clock).handle(&[delivery("x")]).await;
    first.unwrap();
    let token = "2a2b3c4d-573f-4ea7-a67e-000000000000";
    world.no_longer_waits();
    world.wait_in_state(run_with(token));
    let mut again = delivery("x");
    again.message = Secret::new(again.message.reveal().replace(TOKEN, token));
    function(&world, &clock).handle(&[again]).await.unwrap();
    let (mails, records) = (world.mails(), world.records());
    assert_eq!((mails.len(), records.len()), (4, 2));
    for mail in &mails[2..] {
        let (claims, _) = read(&world, mail, BEGINNING);
        let of = |record: &&Record| record.request.id == claims.approval;
        let record = records.iter().find(of).unwrap();
        assert_eq!(record.request.token.reveal(), token);
        for other in &records {
            let opens =
                decide::admit(other, &claims.recipient, &claims.link, &claims.digest).is_ok();
            assert_eq!(opens, other.request.id == record.request.id);
        }
    }
}
