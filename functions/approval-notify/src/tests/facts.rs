//! What a mail tells: the same facts in both parts, at every occasion, in any length.

use shared::approval::{
    history::Earlier,
    id::DecisionId,
    level::Level,
    means::Means,
    request::{Decision, State, Verdict, Vote},
    rules::Rule,
    sheet::{Change, Link, Sheet},
};
use shared_testkit::approval::{sample_history, sample_request};

use super::*;
use crate::{
    letter::{self, Occasion},
    news,
};

const FILE: &str = r#"{"version":1,"people":{"dana":{"name":"Dana","mail":"dana@example.com"},
    "lee":{"name":"Lee","mail":"lee@example.com"},"kim":{"name":"Kim","mail":"kim@example.com"}},
    "groups":{"makers":["dana","lee","kim"]},
    "calendars":{"always":{"timeZone":"UTC","hours":[{"days":["mon","tue","wed","thu","fri","sat","sun"],"from":"00:00","until":"24:00"}]}},
    "rules":[{"name":"strict","needs":[{"group":"makers","approvals":2}],"hours":"always",
    "fourEyes":{"trigger":false,"authors":false},"level":"L2"}]}"#;

fn rule() -> Rule {
    RuleSet::parse(FILE).and_then(RuleSet::into_only).unwrap()
}

fn vote(record: &Record, at: usize, verdict: Verdict, comment: &str) -> Vote {
    Vote {
        recipient: record.recipients[at].id.clone(),
        verdict,
        alone: false,
        comment: comment.to_owned(),
        at: BEGINNING,
        attempt: DecisionId::from_random([7; 12]),
        means: Means::default(),
    }
}

/// A request with every fact there is; one person has answered.
fn full() -> (Function, Record) {
    let (world, clock) = (ApprovalWorld::new(1), FixedClock::default());
    let mut request = sample_request(BEGINNING);
    request.facts.history = sample_history(BEGINNING);
    request.facts.revisions[0].url = Some(
        "https://git.example.com/shop/site/commit/4be2f8c09d1a7b3355d0e9aa1c7f6b2240d8e1f3"
            .to_owned(),
    );
    let mut record = Record::opened(request, rule(), || {
        (RecipientId::from_random(world.bytes()), world.bytes())
    });
    let lee = vote(
        &record,
        2,
        Verdict::Approve,
        "Seen on staging.\nLooks good.",
    );
    record.votes.push(lee);
    let mut notify = function(&world, &clock);
    notify.settings.zone = "Europe/Berlin".parse().unwrap();
    (notify, record)
}

fn asked(notify: &Function, record: &Record, occasion: Occasion) -> Mail {
    let code = shared::approval::code::Code::from_random([1; 8]);
    let links = record.rule.level.purposes().iter();
    let links: Vec<_> = links
        .map(|purpose| (*purpose, Secret::new("v4.public.x".to_owned())))
        .collect();
    let later = BEGINNING + jiff::SignedDuration::from_hours(5);
    let who = &record.recipients[0];
    letter::compose(
        record,
        who,
        &notify.settings,
        &links,
        &code,
        occasion,
        later,
    )
    .unwrap()
}

/// What a reader of the HTML reads, its spaces made one.
fn visible(html: &str) -> String {
    let body = html.split_once("<body").unwrap().1;
    let mut text = String::new();
    for piece in body.split('<') {
        let (_, after) = piece.split_once('>').unwrap_or(("", piece));
        text.push(' ');
        text.push_str(after);
    }
    for (entity, sign) in [
        ("&ldquo;", "\u{201c}"),
        ("&rdquo;", "\u{201d}"),
        ("&nbsp;", " "),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ] {
        text = text.replace(entity, sign);
    }
    joined(&text)
}

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Everything a sheet says, one text each. A new field does not compile until it is told.
fn told(sheet: &Sheet) -> Vec<String> {
    let Sheet {
        noun: _,
        pipeline,
        subject,
        stage,
        action: _,
        place,
        execution,
        id,
        started_by,
        asked,
        waiting,
        deadline,
        rule,
        tally,
        answers,
        approving,
        rejecting,
        changes,
        between,
        more: _,
        left_out: _,
        current,
        last,
        deploys,
        newer,
        closed,
        times,
        note,
        link,
    } = sheet.clone();
    let mut all = vec![
        pipeline, stage, place, execution, id, asked, waiting, deadline, rule, tally, approving,
        rejecting,
    ];
    let maybe = [subject, started_by, current, newer, closed, times, note];
    all.extend(maybe.into_iter().flatten());
    all.extend(last.map(|last| last.words));
    all.extend(deploys);
    for answer in answers {
        all.extend([answer.name, answer.verdict.to_owned(), answer.at]);
        all.extend(answer.comment.lines().map(str::to_owned));
    }
    for change in changes.into_iter().chain(between) {
        let Change {
            name: _,
            id,
            headline,
            body: _,
            author,
            branch: _,
            link,
            compare,
        } = change;
        all.push(id);
        all.extend([headline, author].into_iter().flatten());
        all.extend(link.and_then(shown));
        all.extend(compare.map(|link| link.host));
    }
    all.extend(link.and_then(shown));
    all
}

/// Of a link its host, which both parts show.
fn shown(link: Link) -> Option<String> {
    Some(match link {
        Link::Safe(link) => link.host,
        Link::Text(text) => text,
    })
}

#[test]
fn both_parts_of_a_question_tell_every_fact() {
    let (notify, mut record) = full();
    let check = |record: &Record, least: usize| {
        let later = BEGINNING + jiff::SignedDuration::from_hours(5);
        let sheet = Sheet::new(record, &notify.settings.zone.0, later);
        let mail = asked(&notify, record, Occasion::Reminder);
        let parts = [joined(mail.text.reveal()), visible(mail.html.reveal())];
        let facts = told(&sheet);
        assert!(facts.len() >= least, "{facts:?}");
        for fact in facts {
            for part in &parts {
                assert!(part.contains(&joined(&fact)), "{fact}\n\n{part}");
            }
        }
        parts
    };
    let parts = check(&record, 35);
    for part in parts {
        for words in [
            "1 approval; 1 more approval of makers (Dana or Kim)",
            "Counts as one of 2 approvals; with the last of them the pipeline goes on.",
            "The action fails and the pipeline stops here.",
            "5 hours ago",
            "Open now: within the hours \"always\"",
            "A newer run waits behind this one",
            "A rollback leads here",
            "Failed on",
        ] {
            assert!(part.contains(words), "{words}\n\n{part}");
        }
    }
    // A time that is closed, and a machine that asks.
    let closed = FILE.replace(
        "\"from\":\"00:00\",\"until\":\"24:00\"",
        "\"from\":\"01:00\",\"until\":\"02:00\"",
    );
    record.rule = RuleSet::parse(&closed)
        .and_then(RuleSet::into_only)
        .unwrap();
    let parts = check(&record, 35);
    assert!(
        parts
            .iter()
            .all(|part| part.contains("Not a time for releases"))
    );
    record.request = shared_testkit::approval::sample_task(BEGINNING);
    let parts = check(&record, 20);
    assert!(
        parts
            .iter()
            .all(|part| part.contains("Release version 42 of the shop"))
    );
}

#[test]
fn both_parts_of_an_outcome_tell_the_same() {
    let (notify, mut record) = full();
    let end = BEGINNING + jiff::SignedDuration::from_hours(3);
    record.state = State::Decided {
        decision: Decision {
            id: DecisionId::from_random([7; 12]),
            verdict: Verdict::Reject,
            at: end,
            newer: Some("2d6f3c1a-52ee-4c1a-9a55-0f3f2b1c7d10".parse().unwrap()),
        },
        delivered_at: end,
    };
    let mail = news::compose(&record, &record.recipients[0], &notify.settings, None).unwrap();
    for part in [joined(mail.text.reveal()), visible(mail.html.reveal())] {
        for words in [
            "Rejected",
            "site-release",
            "the newer execution 2d6f3c1a-52ee-4c1a-9a55-0f3f2b1c7d10 waits",
            "Fri 2 Jan 2026, 07:04 CET (06:04 UTC)",
            "waited 3 hours",
            "Show opening hours",
            "Approved by Lee",
            "Seen on staging.",
            "Looks good.",
            "eu-west-1 in account",
            "stage Release",
            "strict: 2 of makers",
            "There is nothing left to do.",
        ] {
            assert!(part.contains(words), "{words}\n\n{part}");
        }
    }
}

#[test]
fn every_mail_of_a_request_is_a_machines_and_of_one_thread() {
    let (notify, mut record) = full();
    let mut mails: Vec<Mail> = [
        Occasion::First,
        Occasion::Escalated,
        Occasion::Renewed,
        Occasion::Reminder,
    ]
    .into_iter()
    .map(|occasion| asked(&notify, &record, occasion))
    .collect();
    let begins: Vec<&str> = mails
        .iter()
        .map(|mail| mail.subject.split(']').next().unwrap())
        .collect();
    assert_eq!(
        begins,
        [
            "[Release",
            "Time runs out: [Release",
            "New link: [Release",
            "Reminder: [Release"
        ]
    );
    assert!(
        mails[0]
            .subject
            .ends_with("Approve site-release? 3 changes by Dana and Lee, until Sun 04:04 CET"),
        "{}",
        mails[0].subject
    );
    record.state = State::Superseded { at: BEGINNING };
    let who = &record.recipients[0];
    mails.push(news::compose(&record, who, &notify.settings, None).unwrap());
    let thread = format!("<approval.{}@approve.example.com>", record.request.id);
    for mail in mails {
        assert_eq!(
            mail.headers,
            [
                ("Auto-Submitted", "auto-generated".to_owned()),
                ("X-Auto-Response-Suppress", "All".to_owned()),
                ("In-Reply-To", thread.clone()),
                ("References", thread.clone()),
            ]
        );
        let html = mail.html.reveal();
        let elements = shared_testkit::html::elements(html);
        let tables = elements.iter().filter(|e| e.name == "table");
        let mut tables = tables.map(|e| e.attribute("role")).peekable();
        assert!(tables.peek().is_some() && tables.all(|role| role == Some("presentation")));
        let body = elements.iter().position(|e| e.name == "body").unwrap();
        for element in [
            elements.iter().find(|e| e.name == "html").unwrap(),
            &elements[body + 1],
        ] {
            assert_eq!(
                (element.attribute("lang"), element.attribute("dir")),
                (Some("en"), Some("ltr")),
                "{element:?}"
            );
        }
        assert!(html.contains("<meta name=\"color-scheme\" content=\"light dark\">"));
        for remote in ["<img", "<link", "url(", "@import", "background="] {
            assert!(!html.contains(remote), "{remote}");
        }
    }
}

/// Gmail cuts mails of more than 102 KB, and hides the button with it.
#[test]
fn the_longest_texts_make_no_mail_that_is_cut() {
    let (notify, mut record) = full();
    let wide = "\u{1f9ea}&<".repeat(400);
    let url = format!(
        "https://git.example.com/{}/commit/4be2f8c09",
        "&".repeat(1900)
    );
    let revision = Revision {
        name: wide.clone(),
        id: "4be2f8c09d1a7b3355d0e9aa1c7f6b2240d8e1f3".to_owned(),
        message: Some(wide.clone()),
        author: Some(wide.clone()),
        branch: Some(wide.clone()),
        url: Some(url.clone()),
    };
    let request = &mut record.request;
    request.custom_data = Some(wide.clone());
    request.external_link = Some(url);
    let old = Revision {
        id: "3f2a9c10d7".to_owned(),
        ..revision.clone()
    };
    let history = &mut request.facts.history;
    history.between = vec![revision.clone(); 20];
    history.current = Some(Earlier {
        revisions: vec![old; 30],
        ..history.current.clone().unwrap()
    });
    request.facts.revisions = vec![revision; 30];
    record.votes = vec![vote(&record, 2, Verdict::Approve, &wide); 50];
    let mail = asked(&notify, &record, Occasion::First);
    let (text, html) = (mail.text.reveal(), mail.html.reveal());
    assert!(html.len() < 90_000, "{}", html.len());
    for part in [text, html] {
        assert!(
            part.contains("97 more changes and answers are on the page."),
            "{part}"
        );
        assert!(part.contains("v4.public.x"));
    }
    assert_eq!(record.rule.level, Level::Code);
    record.state = State::Superseded { at: BEGINNING };
    let mail = news::compose(&record, &record.recipients[0], &notify.settings, None).unwrap();
    assert!(mail.html.reveal().len() < 90_000);
}
