//! Messages that come twice, at once, or from strangers.

use super::*;

#[tokio::test]
async fn threat_34_duplicates_mail_nobody_twice() {
    let (world, clock) = (world(), FixedClock::default());
    let message = [delivery("x"), delivery("x")];
    function(&world, &clock).handle(&message).await.unwrap();
    function(&world, &clock).handle(&message).await.unwrap();
    assert_eq!((world.mails().len(), world.records().len()), (2, 1));
}

#[tokio::test]
async fn simultaneous_duplicates_mail_nobody_twice() {
    for seed in 0..10 {
        let (world, clock) = (world(), FixedClock::default());
        for _ in 0..seed {
            let _: [u8; 1] = world.bytes();
        }
        world.interleave();
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let function = function(&world, &clock);
                tokio::spawn(async move { function.handle(&[delivery("x")]).await })
            })
            .collect();
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) | Err(NotifyError::Busy { .. }) => {}
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
        assert_eq!(
            (world.mails().len(), world.records().len()),
            (2, 1),
            "seed {seed}"
        );
    }
}

#[tokio::test]
async fn threat_32_strangers_are_not_believed() {
    let (world, clock) = (world(), FixedClock::default());
    let with = |change: &dyn Fn(&mut SnsDelivery)| {
        let mut delivery = delivery("x");
        change(&mut delivery);
        delivery
    };
    let text = delivery("x").message.reveal().clone();
    let cases = [
        with(&|d| d.topic_arn = "arn:aws:sns:eu-west-1:999999999999:approvals".to_owned()),
        with(&|d| d.topic_arn = "arn:aws:sns:eu-west-1:123456789012:approvals2".to_owned()),
        with(&|d| d.message = Secret::new("hello".to_owned())),
        with(&|d| d.message = Secret::new(text.replace("\"eu-west-1\"", "\"us-east-1\""))),
        with(&|d| {
            d.message = Secret::new(text.replace(TOKEN, "2a2b3c4d-573f-4ea7-a67e-000000000000"))
        }),
        with(&|d| d.message = Secret::new(text.replace("\"Approve\"", "\"Other\""))),
    ];
    for case in cases {
        let error = function(&world, &clock).handle(&[case]).await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains(TOKEN));
    }
    assert_eq!((world.mails().len(), world.records().len()), (0, 0));
    // A good message beside a bad one is still handled.
    let bad = with(&|d| d.message = Secret::new("hello".to_owned()));
    let error = function(&world, &clock)
        .handle(&[bad, delivery("x")])
        .await
        .unwrap_err();
    assert!(matches!(error, NotifyError::Message { .. }));
    assert_eq!(world.mails().len(), 2);
}
