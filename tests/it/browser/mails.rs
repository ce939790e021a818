//! Every kind of mail, as Dana gets it, and an audit chain.

use approval_notify::{
    Notify,
    letter::{self, Occasion},
    news,
};
use jiff::SignedDuration;
use shared::{
    approval::{
        audit::{self, tell, weekly::WeeklyHead},
        code::Code,
        id::{DecisionId, RecipientId},
        link::Purpose,
        means::Means,
        port::{Entropy, Mail},
        request::{CODE_TRIES, Decision, Record, State, Verdict, Vote},
        review::Review,
        rules::RuleSet,
        settings::{Mailing, NotifySettings},
        trail::Kind,
    },
    secret::Secret,
};
use shared_testkit::{
    FixedClock,
    approval::{ApprovalWorld, KID, sample_history, sample_request, sample_task},
    time::BEGINNING,
};

use super::rule;

fn settings() -> NotifySettings {
    NotifySettings {
        table: "unused".to_owned(),
        rules: RuleSet::simple(["dana@example.com"], 1).expect("a rule"),
        mailing: Mailing::Ses {
            from: "pipelines@example.com".parse().expect("an address"),
        },
        base: "https://approve.example.com".parse().expect("a base"),
        key: "unused".to_owned(),
        kid: KID.parse().expect("a kid"),
        topics: Vec::new(),
        zone: "Europe/Berlin".parse().expect("a zone"),
        slack_token: None,
        slack_api: "https://slack.com/api".to_owned(),
        audit_mail: vec!["audit@example.com".parse().expect("an address")],
    }
}

fn record(level: &str) -> Record {
    let world = ApprovalWorld::new(1);
    let mut request = sample_request(BEGINNING);
    request.facts.history = sample_history(BEGINNING);
    Record::opened(request, rule(level), || {
        (RecipientId::from_random(world.bytes()), world.bytes())
    })
}

fn later(hours: i64) -> jiff::Timestamp {
    BEGINNING + SignedDuration::from_hours(hours)
}

fn answered(record: &mut Record, at: usize, verdict: Verdict, comment: &str) {
    record.votes.push(Vote {
        recipient: record.recipients[at].id.clone(),
        verdict,
        alone: false,
        comment: comment.to_owned(),
        at: later(2),
        attempt: DecisionId::from_random([7; 12]),
        means: Means::default(),
    });
}

fn decided(record: &mut Record, verdict: Verdict) {
    record.state = State::Decided {
        decision: Decision {
            id: DecisionId::from_random([7; 12]),
            verdict,
            at: later(2),
            newer: None,
        },
        delivered_at: later(2),
    };
}

fn asks(record: &Record, occasion: Occasion, hours: i64) -> String {
    let links: Vec<(Purpose, Secret)> = record
        .rule
        .level
        .purposes()
        .iter()
        .map(|purpose| (*purpose, Secret::new("v4.public.example".to_owned())))
        .collect();
    let code = Code::from_random([20, 3, 9, 28, 17, 5, 30, 11]);
    let who = &record.recipients[0];
    html(letter::compose(
        record,
        who,
        &settings(),
        &links,
        &code,
        occasion,
        later(hours),
    ))
}

fn tells(record: &Record, ask: Option<&news::Ask>) -> String {
    html(news::compose(
        record,
        &record.recipients[0],
        &settings(),
        ask,
    ))
}

fn html(mail: Result<Mail, shared::port::PortError>) -> String {
    mail.expect("a mail").html.reveal().clone()
}

/// Name and HTML of each.
pub fn all() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for level in ["L1", "L2", "L3"] {
        all.push((level.to_owned(), asks(&record(level), Occasion::First, 0)));
    }
    let mut add = |name: &str, html: String| all.push((name.to_owned(), html));
    let mut open = record("L2");
    answered(&mut open, 1, Verdict::Approve, "Seen on staging.");
    add("reminder", asks(&open, Occasion::Reminder, 24));
    add("escalation", asks(&open, Occasion::Escalated, 38));
    add("renewed", asks(&open, Occasion::Renewed, 1));
    let mut task = record("L2");
    task.request = sample_task(BEGINNING);
    add("task", asks(&task, Occasion::First, 0));

    let mut approved = open.clone();
    decided(&mut approved, Verdict::Approve);
    add("approved", tells(&approved, None));
    let mut rejected = record("L2");
    answered(
        &mut rejected,
        1,
        Verdict::Reject,
        "The opening hours on Sunday are wrong.",
    );
    decided(&mut rejected, Verdict::Reject);
    add("rejected", tells(&rejected, None));
    let mut ended = record("L2");
    for (name, state) in [
        ("expired", State::Expired { at: later(48) }),
        ("superseded", State::Superseded { at: later(3) }),
        (
            "elsewhere",
            State::Elsewhere {
                at: later(3),
                verdict: Some(Verdict::Approve),
                by: Some("arn:aws:iam::123456789012:user/kim".to_owned()),
            },
        ),
    ] {
        ended.state = state;
        add(name, tells(&ended, None));
    }

    approved.review = Some(Review {
        of: approved.recipients[1].person.clone(),
        reason: "The shop is down and Dana is on a plane.".to_owned(),
        group: "release".to_owned(),
        by: [approved.recipients[0].person.clone()].into(),
        opened_at: later(2),
        due_at: later(72),
        overdue: false,
        closed: None,
    });
    let ask = news::Ask {
        url: "https://approve.example.com/a/v4.public.example".to_owned(),
        code: Some("N5BW-K7YD".to_owned()),
    };
    add("review", tells(&approved, Some(&ask)));

    let mut locked = record("L2");
    locked.recipients[0].wrong_codes = CODE_TRIES;
    let mail = news::compose_locked(&locked, &locked.recipients[0], &settings(), later(1));
    add("locked", html(mail));
    add("audit-head", head());
    all
}

/// The weekly mail to auditors.
fn head() -> String {
    let (world, clock) = (ApprovalWorld::new(1), FixedClock::default());
    let notify = Notify {
        store: world.clone(),
        pipelines: world.clone(),
        signer: world.clone(),
        mailer: world.clone(),
        clock,
        entropy: world.clone(),
        settings: settings(),
    };
    let head = WeeklyHead {
        install: "main".to_owned(),
        week: "2026-W01".to_owned(),
        month: "2026-01".to_owned(),
        seq: 41,
        hash: "5f".repeat(32),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(notify.mail_head(&head)).expect("a mail");
    world.mails().remove(0).html.reveal().clone()
}

/// A chain of two requests, one approved and one rejected, with everything that happened to them.
pub fn audit() -> String {
    let mut happened = Vec::new();
    for (seed, verdict, comment) in [
        (1, Verdict::Approve, "Seen on staging."),
        (2, Verdict::Reject, "The opening hours on Sunday are wrong."),
    ] {
        let mut one = record("L2");
        one.request.id = shared::approval::id::ApprovalId::from_random([seed; 16]);
        let (dana, lee) = (one.recipients[0].id.clone(), one.recipients[1].id.clone());
        for who in [&dana, &lee] {
            one.note(Kind::Mailed, Some(who), None, BEGINNING);
        }
        one.note(Kind::WrongCode, Some(&lee), None, later(1));
        answered(&mut one, 1, verdict, comment);
        decided(&mut one, verdict);
        let seen = one.snapshot_digest();
        one.note(Kind::Voted, Some(&lee), Some(seen), later(2));
        one.note(Kind::Decided, None, None, later(2));
        one.note(Kind::Delivered, None, None, later(2));
        happened.extend(one.trail.iter().map(|entry| tell::tell(&one, entry)));
    }
    let (_, lines) = audit::extend(None, "main", later(3), &happened);
    lines
        .iter()
        .map(|line| format!("{}\n", line.text))
        .collect()
}
