//! The weekly mail to auditors.

use shared::{approval::audit::weekly::WeeklyHead, wire::approval_mail};

use super::*;

fn head() -> WeeklyHead {
    WeeklyHead {
        install: "main".to_owned(),
        week: "2026-W01".to_owned(),
        month: "2026-01".to_owned(),
        seq: 41,
        hash: "ab".repeat(32),
    }
}

#[tokio::test]
async fn every_auditor_is_mailed_where_the_chain_stands_and_nobody_else() {
    let (world, clock) = (ApprovalWorld::new(1), FixedClock::default());
    let mut notify = function(&world, &clock);
    notify.settings.audit_mail = ["audit@example.com", "kim@example.org"]
        .map(|address| address.parse().unwrap())
        .to_vec();
    notify.take(approval_mail::ask_head(&head())).await.unwrap();
    let mails = world.mails();
    let to: Vec<&str> = mails.iter().map(|m| m.to.as_str()).collect();
    assert_eq!(to, ["audit@example.com", "kim@example.org"]);
    assert_eq!(mails[0].subject, "Audit chain of main, 2026-W01");
    for part in [mails[0].text.reveal(), mails[0].html.reveal()] {
        assert!(part.contains(&head().hash) && part.contains("41"), "{part}");
    }
}

#[tokio::test]
async fn without_auditors_a_head_is_refused() {
    let (world, clock) = (ApprovalWorld::new(1), FixedClock::default());
    let refused = function(&world, &clock).mail_head(&head()).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("STAGEWRIGHT_AUDIT_MAIL"), "{error}");
    assert_eq!(world.mails().len(), 0);
}
