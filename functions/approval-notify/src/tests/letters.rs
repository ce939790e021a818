//! What a mail holds: no foreign text that becomes more than text, no header and no recipient but ours.

use mail_parser::{HeaderValue, MessageParser};
use shared::approval::{booth::Booth, id::DecisionId, means::Means, request::Verdict};
use shared_testkit::html::{self, HOSTILE};

use super::*;

async fn mails_saying(text: &str) -> Vec<Mail> {
    let (world, clock) = (
        world_with(&format!("{text}\n{text}"), text),
        FixedClock::default(),
    );
    let notify = function(&world, &clock);
    notify.handle(&[delivery(text)]).await.unwrap();
    for mail in world.mails() {
        let (_, code) = read(&world, &mail, BEGINNING);
        assert_ne!(code, "AAAA-AAAA");
    }
    world.mails()
}

/// The mail as the least careful sender would write it: one line a header, nothing encoded.
fn written(mail: &Mail) -> String {
    let mut out = format!(
        "From: {}\r\nTo: {}\r\nSubject: {}\r\n",
        mail.from, mail.to, mail.subject
    );
    for (name, value) in &mail.headers {
        out += &format!("{name}: {value}\r\n");
    }
    out + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + mail.text.reveal()
}

#[tokio::test]
async fn threat_26_hostile_texts_stay_texts_in_mail() {
    let calm = html::shapes(mails_saying("calm").await[0].html.reveal());
    for text in HOSTILE
        .into_iter()
        .chain(["Code: AAAA-AAAA", "a\r\n\r\nCode: AAAA-AAAA\r\n"])
    {
        for mail in mails_saying(text).await {
            let page = mail.html.reveal();
            assert_eq!(html::shapes(page), calm, "{text}");
            for element in html::elements(page) {
                assert!(
                    !["script", "img", "form", "iframe", "object", "link"]
                        .contains(&element.name.as_str()),
                    "{element:?}"
                );
                for (name, value) in &element.attributes {
                    assert!(!name.starts_with("on"), "{element:?}");
                    assert!(
                        name != "href" || value.starts_with("https://"),
                        "{element:?}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn threat_27_no_text_becomes_a_header() {
    let names = |text: &str| -> Vec<String> {
        let message = MessageParser::default()
            .parse(text.as_bytes())
            .expect("a mail");
        message
            .headers()
            .iter()
            .map(|h| h.name().to_owned())
            .collect()
    };
    let calm = names(&written(&mails_saying("calm").await[0]));
    assert_eq!(calm[..3], ["From", "To", "Subject"]);
    for text in [
        "a\r\nBcc: evil@example.com",
        "a\nBcc: evil@example.com",
        "a\rBcc: evil@example.com",
        "a\r\n\r\n<b>body</b>",
        "a\u{2028}Bcc: evil@example.com",
        "a\u{85}Bcc: x",
        "a\0\r\nX: y",
        "a\u{b}\u{c}Bcc: x",
        "=?utf-8?q?=0d=0aBcc:_x?=",
    ] {
        for mail in mails_saying(text).await {
            assert_eq!(names(&written(&mail)), calm, "{text:?}");
            let odd = |c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c);
            assert!(!mail.subject.contains(odd), "{text:?}");
            assert!(
                mail.headers.iter().all(|(_, value)| !value.contains(odd)),
                "{text:?}"
            );
            let raw = written(&mail);
            let parsed = MessageParser::default()
                .parse(raw.as_bytes())
                .expect("a mail");
            assert!(matches!(
                parsed.header("Bcc"),
                None | Some(HeaderValue::Empty)
            ));
        }
    }
}

#[tokio::test]
async fn threat_28_nobody_is_mailed_but_whom_the_settings_name() {
    for text in [
        "evil@example.com",
        "to: evil@example.com",
        "dana@example.com, evil@example.com",
        "<evil@example.com>",
        "\r\nTo: evil@example.com\r\n",
        "{\"approvers\":[\"evil@example.com\"]}",
    ] {
        let mails = mails_saying(text).await;
        let to: Vec<&str> = mails.iter().map(|m| m.to.as_str()).collect();
        assert_eq!(to, ["dana@example.com", "lee@example.com"], "{text}");
        assert!(mails.iter().all(|m| m.from == "pipelines@example.com"));
    }
}

#[tokio::test]
async fn at_the_lowest_level_a_mail_has_two_links_and_no_code() {
    let (world, clock) = (world(), FixedClock::default());
    let mut notify = function(&world, &clock);
    let file = r#"{"version":1,"people":{"dana":{"mail":"dana@example.com"}},"groups":{"all":["dana"]},
        "rules":[{"name":"easy","needs":[{"group":"all","approvals":1}],"level":"L1"}]}"#;
    notify.settings.rules = RuleSet::parse(file).unwrap();
    notify.handle(&[delivery("x")]).await.unwrap();
    let mail = &world.mails()[0];
    let base = BASE.parse().unwrap();
    for part in [mail.text.reveal(), mail.html.reveal()] {
        let tokens: Vec<&str> = part
            .split(&format!("{BASE}/a/"))
            .skip(1)
            .map(|rest| rest.split(['"', '\n', '\r', ' ']).next().unwrap())
            .collect();
        let purposes: Vec<_> = tokens
            .iter()
            .map(|token| {
                link::open(token, &world.ring(), &base, BEGINNING)
                    .unwrap()
                    .purpose
            })
            .collect();
        assert_eq!(purposes, [Purpose::Approve, Purpose::Reject]);
        assert!(!part.contains("Code:") && !part.contains("Your code"));
    }
}

/// Dana breaks the glass, Lee is asked to look at it.
#[tokio::test]
async fn a_mail_about_a_review_says_who_why_and_until_when_and_opens_the_page() {
    let (world, clock) = (world(), FixedClock::default());
    let mut notify = function(&world, &clock);
    let file = r#"{"version":1,"people":{"dana":{"name":"Dana","mail":"dana@example.com"},"lee":{"name":"Lee","mail":"lee@example.com"}},
        "groups":{"makers":["dana","lee"]},"rules":[{"name":"strict","needs":[{"group":"makers","approvals":2}],
        "fourEyes":{"trigger":false,"authors":false},"breakGlass":{"people":["dana"],"reviewedBy":"makers","reviewWithinDays":2}}]}"#;
    notify.settings.rules = RuleSet::parse(file).unwrap();
    notify.handle(&[delivery("x")]).await.unwrap();
    let asked = world.mails();
    let (claims, code) = read(&world, &asked[0], BEGINNING);
    let record = world.records().remove(0);
    let ballot = decide::Ballot {
        recipient: claims.recipient,
        link: claims.link,
        purpose: claims.purpose,
        link_digest: claims.digest,
        act: decide::Act::BreakGlass,
        verdict: Verdict::Approve,
        comment: "The shop <b>sells</b> nothing.".to_owned(),
        signed_in: false,
        code: Secret::new(code),
        nonce: "n".to_owned(),
        seen: record.snapshot_digest(),
        attempt: DecisionId::from_random([7; 12]),
        means: Means::default(),
    };
    let booth = Booth {
        store: &world,
        sender: &world,
        clock: &clock,
    };
    booth.cast(record.clone(), &ballot).await.unwrap();
    notify.send_due(&record.request.id).await.unwrap();
    let mails = &world.mails()[asked.len()..];
    let to = |who: &str| mails.iter().find(|mail| mail.to == who).unwrap();
    let (review, outcome) = (to("lee@example.com"), to("dana@example.com"));
    assert_eq!(review.subject, "[Release] Please review: site-release");
    assert_eq!(outcome.subject, "[Release] Approved: site-release");
    let (claims, _) = {
        let text = review.text.reveal();
        let token = text.split("/a/").nth(1).unwrap().split_whitespace().next();
        let code = text.lines().find_map(|l| l.strip_prefix("Code: ")).unwrap();
        assert!(review.html.reveal().contains(code));
        let base = BASE.parse().unwrap();
        let later = BEGINNING + jiff::SignedDuration::from_hours(24 * 30);
        (
            link::open(token.unwrap(), &world.ring(), &base, later).unwrap(),
            code,
        )
    };
    assert_eq!(claims.purpose, Purpose::Review);
    let words = [
        "Dana decided this alone, in an emergency",
        "The shop ",
        "Somebody of makers looks at it until Sun 4 Jan 2026",
        "because you may close the review",
    ];
    let html = review.html.reveal();
    for part in words {
        assert!(
            review.text.reveal().contains(part),
            "{part}: {:?}",
            review.text.reveal()
        );
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(!html.contains("<b>sells"), "{html}");
    for part in [outcome.text.reveal(), outcome.html.reveal()] {
        assert!(
            !part.contains("/a/v4.") && !part.contains("Code:"),
            "{part}"
        );
        assert!(!part.contains("close the review"), "{part}");
    }
}

/// Who can no longer answer learns it, once, and what to do; no link comes with that.
#[tokio::test]
async fn threat_41_whose_link_is_locked_is_mailed_once_and_not_reminded() {
    for (quarantined, told) in [
        (
            false,
            "A wrong code was typed 5 times on the page of your link.",
        ),
        (
            true,
            "Approve and reject came from your links within seconds",
        ),
    ] {
        let (world, clock) = (world(), FixedClock::default());
        let notify = function(&world, &clock);
        notify.handle(&[delivery("x")]).await.unwrap();
        let mut record = world.records().remove(0);
        record.version += 1;
        let dana = &mut record.recipients[0];
        dana.wrong_codes = if quarantined {
            0
        } else {
            shared::approval::request::CODE_TRIES
        };
        dana.quarantined_at = quarantined.then_some(BEGINNING);
        world.replace(&record).await.unwrap();
        for hours in [0, 1, 12] {
            clock.step(Duration::from_hours(hours));
            notify.send_due(&record.request.id).await.unwrap();
        }
        let mails = world.mails();
        let danas: Vec<&Mail> = mails
            .iter()
            .filter(|m| m.to == "dana@example.com")
            .collect();
        assert_eq!(danas.len(), 2, "the question, and this");
        let mail = danas[1];
        assert_eq!(mail.subject, "[Release] Your link is locked: site-release");
        for part in [mail.text.reveal(), mail.html.reveal()] {
            assert!(part.contains(told), "{part}");
            assert!(part.contains("answer in the AWS console"), "{part}");
            assert!(!part.contains("/a/") && !part.contains("Code:"), "{part}");
        }
        let record = world.records().remove(0);
        let kinds: Vec<&str> = record.trail.iter().map(|e| e.kind.as_str()).collect();
        assert!(kinds.contains(&"lock-told"), "{kinds:?}");
    }
}
