//! Opening a link: scanners, forgers, late comers.

use std::time::Duration;

use shared::approval::{
    http::HttpRequest,
    id::{ApprovalId, LinkId, RecipientId},
    link::{Claims, KeyRing, Purpose},
    renew,
    rules::RuleSet,
    settings::{BaseUrl, KeyId, Revocation},
};
use shared_testkit::{proptest::prelude::*, time::BEGINNING};

use super::scene::{BASE, Scene, get, now, page_at, scene};

/// What opens links before a person does, as it calls itself; some of it calls itself a browser.
const SCANNERS: [&str; 12] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
    "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)",
    "Microsoft Office Existence Discovery",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "python-requests/2.32.3",
    "Go-http-client/2.0",
    "curl/8.14.1",
];

/// What makes previews of links in chats.
const UNFURLERS: [&str; 8] = [
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Slackbot 1.0 (+https://api.slack.com/robots)",
    "TelegramBot (like TwitterBot)",
    "WhatsApp/2.23.20.0 A",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
];

fn as_agent(method: &str, token: &str, agent: &str) -> HttpRequest {
    HttpRequest {
        method: method.to_owned(),
        headers: vec![("user-agent".to_owned(), agent.to_owned())],
        ..get(token)
    }
}

fn claims_of(scene: &Scene) -> Claims {
    let record = &scene.world.records()[0];
    let who = &record.recipients[0];
    Claims {
        purpose: Purpose::Review,
        approval: record.request.id.clone(),
        digest: record.request.link_digest(),
        recipient: who.id.clone(),
        link: who.links[0].id.clone(),
        issued_at: BEGINNING,
        expires_at: record.request.expires_at,
    }
}

#[tokio::test]
async fn threat_01_scanners_change_nothing_and_a_person_decides_afterwards() {
    let scene = scene();
    let token = &scene.invitations[0].token;
    for round in 0..120 {
        let method = if round % 6 == 0 { "HEAD" } else { "GET" };
        let asked = as_agent(method, token, SCANNERS[round % SCANNERS.len()]);
        let answer = scene.send(&asked).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.is_empty(), method == "HEAD");
    }
    assert_eq!((scene.world.writes(), scene.world.results().len()), (0, 0));
    assert_eq!(
        scene.world.views(),
        1,
        "one note in an hour, and nobody's view"
    );
    let answer = scene.vote(0, "approve").await;
    assert_eq!(answer.status, 303);
    let results = scene.world.results();
    assert_eq!(results.len(), 1);
    let summary = &results[0].1;
    assert!(summary.starts_with("Approved in decision "), "{summary}");
    assert!(summary.contains("By dana@example.com"), "{summary}");
    let text = scene.text(0).await;
    assert!(
        text.contains("Approved on Fri 2 Jan 2026, 03:04 UTC"),
        "{text}"
    );
    assert!(!text.contains("<form"));
}

#[tokio::test]
async fn threat_05_link_previews_change_nothing_and_get_nothing_to_show() {
    let scene = scene();
    let token = &scene.invitations[0].token;
    for agent in UNFURLERS {
        for method in ["HEAD", "GET"] {
            let answer = scene.send(&as_agent(method, token, agent)).await;
            assert_eq!(answer.status, 200, "{agent}");
            let page = answer.body.to_lowercase();
            for preview in [
                "og:",
                "twitter:",
                "name=\"description\"",
                "oembed",
                "itemprop",
            ] {
                assert!(!page.contains(preview), "{preview}");
            }
        }
    }
    assert_eq!((scene.world.writes(), scene.world.results().len()), (0, 0));
}

#[tokio::test]
async fn threat_06_other_methods_are_refused_by_name() {
    let scene = scene();
    let shown = scene.open(0).await;
    for method in [
        "OPTIONS", "PUT", "DELETE", "TRACE", "PATCH", "CONNECT", "get", "PROPFIND",
    ] {
        let asked = HttpRequest {
            method: method.to_owned(),
            ..scene.ballot(0, &shown, "approve")
        };
        let answer = scene.send(&asked).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, POST"), "{method}");
        let cors = answer
            .headers
            .iter()
            .any(|(name, _)| name.to_lowercase().starts_with("access-control"));
        assert!(!cors, "{method}");
    }
    let mut overridden = get(&shown.token);
    for name in [
        "x-http-method-override",
        "x-method-override",
        "x-http-method",
    ] {
        overridden
            .headers
            .push((name.to_owned(), "POST".to_owned()));
    }
    assert_eq!(scene.send(&overridden).await.status, 200);
    overridden.query = "_method=POST".to_owned();
    assert_eq!(scene.send(&overridden).await.status, 200);
    assert_eq!(scene.world.writes(), 0);
}

proptest! {
    #[test]
    fn threat_07_forged_links_get_one_answer_and_no_read(
        at in 0usize..400, bit in 0u8..7, cut in 1usize..300, swap in 0usize..4, post in any::<bool>(),
    ) {
        let scene = scene();
        let token = scene.invitations[0].token.clone();
        let mut flipped = token.clone().into_bytes();
        let at = at % flipped.len();
        flipped[at] ^= 1 << bit;
        let flipped = String::from_utf8_lossy(&flipped).into_owned();
        let cut = token[..token.len() - cut].to_owned();
        let mut segments: Vec<&str> = token.split('.').collect();
        segments.swap(swap, (swap + 1) % 4);
        let swapped = segments.join(".");
        let other_kind = token.replacen("public", "local", 1);
        let other_version = token.replacen("v4", "v3", 1);
        let other_key = format!("{}.azI", token.rsplit_once('.').unwrap().0);
        let asked = |token: &str| {
            let mut request = get(token);
            if post {
                request.method = "POST".to_owned();
                request.headers.push(("sec-fetch-site".to_owned(), "same-origin".to_owned()));
            }
            request
        };
        let plain = now(scene.send(&asked("v4.public.AAAA")));
        prop_assert_eq!(plain.status, 403);
        for forged in [flipped, cut, swapped, other_kind, other_version, other_key] {
            prop_assume!(!forged.contains('\u{fffd}') && forged != token);
            let answer = now(scene.send(&asked(&forged)));
            prop_assert!(answer == plain, "{} {}", answer.status, forged);
        }
        prop_assert_eq!(scene.world.plan.calls(), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn threat_08_an_expired_link_shows_and_decides_nothing() {
    let scene = scene();
    let shown = scene.open(0).await;
    scene
        .clock
        .step(Duration::from_hours(48) - Duration::from_secs(1));
    assert_eq!(scene.send(&get(&shown.token)).await.status, 200);
    let fresh = scene.open(0).await;
    for second in 0..2 {
        scene.clock.step(Duration::from_secs(1));
        let answer = scene.send(&get(&shown.token)).await;
        assert_eq!(answer.status, 410, "{second}");
        assert!(!answer.body.contains("site-release") && answer.body.contains("a new link"));
        let answer = scene.send(&scene.ballot(0, &fresh, "approve")).await;
        assert_eq!(answer.status, 403, "{second}");
        assert!(!answer.body.contains("site-release"));
    }
    assert_eq!(scene.world.results(), []);
}

#[tokio::test]
async fn threat_09_claims_of_another_request_recipient_or_execution_open_nothing() {
    let scene = scene();
    let base: BaseUrl = BASE.parse().unwrap();
    let good = claims_of(&scene);
    let status = async |claims: &Claims, base: &BaseUrl| {
        let token = scene.world.seal(claims, base);
        scene.send(&get(&token)).await.status
    };
    assert_eq!(status(&good, &base).await, 200);
    let other = Claims {
        purpose: Purpose::Review,
        approval: ApprovalId::from_random([9; 16]),
        digest: "another execution".to_owned(),
        recipient: RecipientId::from_random([9; 8]),
        link: LinkId::from_random([9; 12]),
        ..good.clone()
    };
    // Every mixture of our claims and another's.
    for mask in 1u8..16 {
        let pick = |bit: u8| mask & (1 << bit) != 0;
        let bad = Claims {
            approval: if pick(0) { &other } else { &good }.approval.clone(),
            digest: if pick(1) { &other } else { &good }.digest.clone(),
            recipient: if pick(2) { &other } else { &good }.recipient.clone(),
            link: if pick(3) { &other } else { &good }.link.clone(),
            ..good.clone()
        };
        assert_eq!(status(&bad, &base).await, 403, "{mask:04b}");
    }
    for elsewhere in [
        "https://other.example.com",
        "https://approve.example.com/x",
        "https://approve.example.com:444",
    ] {
        assert_eq!(
            status(&good, &elsewhere.parse().unwrap()).await,
            403,
            "{elsewhere}"
        );
    }
    for purpose in [Purpose::Approve, Purpose::Reject] {
        let bad = Claims {
            purpose,
            ..good.clone()
        };
        assert_eq!(status(&bad, &base).await, 403, "{purpose:?}");
    }
}

#[tokio::test]
async fn threat_09_a_link_of_the_last_execution_does_not_open_the_next() {
    let scene = scene();
    let first = claims_of(&scene);
    // The same action asks again in the next execution: another token, another request.
    let mut request = shared_testkit::approval::sample_request(BEGINNING);
    request.id = ApprovalId::from_random([8; 16]);
    request.token = "2b3c4d5e-573f-4ea7-a67e-000000000000".to_owned().into();
    request.execution = "0a0c3a52-6a0e-4b8c-9a55-0f3f2b1c7d11".parse().unwrap();
    let base: BaseUrl = BASE.parse().unwrap();
    let next = scene
        .world
        .ask(request.clone(), 1, &["dana@example.com"], &base, BEGINNING);
    assert_eq!(scene.send(&get(&next[0].token)).await.status, 200);
    let moved = Claims {
        approval: request.id.clone(),
        ..first.clone()
    };
    assert_eq!(
        scene
            .send(&get(&scene.world.seal(&moved, &base)))
            .await
            .status,
        403
    );
    let bound = Claims {
        digest: request.link_digest(),
        ..first
    };
    assert_eq!(
        scene
            .send(&get(&scene.world.seal(&bound, &base)))
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn threat_39_keys_come_overlap_and_go() {
    let scene = scene();
    let token = scene.invitations[0].token.clone();
    let kid = |name: &str| -> KeyId { name.parse().unwrap() };
    let ours = scene.world.public_key();
    // RFC 8032, section 7.1, test 1.
    let next = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    // The view is noted once in an hour: not in what is counted here.
    scene.open(0).await;
    for (keys, status) in [
        (vec![(kid("k1"), ours.clone())], 200),
        (
            vec![(kid("k1"), ours.clone()), (kid("k2"), next.clone())],
            200,
        ),
        (vec![(kid("k2"), next.clone())], 403),
        (vec![(kid("k2"), ours.clone())], 403),
        (vec![(kid("k1"), next)], 403),
        (vec![], 403),
    ] {
        let mut page = page_at(&scene.world, &scene.clock, BASE);
        let names: Vec<String> = keys.iter().map(|(k, _)| k.to_string()).collect();
        page.settings.keys = KeyRing::new(keys).unwrap();
        let before = scene.world.plan.calls().len();
        let answer = page.handle(&get(&token)).await;
        assert_eq!(answer.status, status, "{names:?}");
        let reads = scene.world.plan.calls().len() - before;
        assert_eq!(reads, usize::from(status == 200), "{names:?}");
    }
}

#[tokio::test]
async fn threat_39_links_are_revoked_by_approval_person_and_time() {
    let scene = scene();
    let record = &scene.world.records()[0];
    let token = scene.invitations[0].token.clone();
    let form = scene.ballot(0, &scene.open(0).await, "approve");
    let approval = format!("approval:{}", record.request.id);
    for (entry, status, reads) in [
        (approval.as_str(), 403, 0),
        ("before:2026-01-02T03:04:06Z", 403, 0),
        ("person:dana@example.com", 403, 1),
        ("person:Dana+x@Example.com", 403, 1),
        ("before:2026-01-02T03:04:05Z", 200, 1),
        ("person:lee@example.com", 200, 1),
        ("approval:AAAAAAAAAAAAAAAAAAAAAA", 200, 1),
        (&format!("{approval}@2026-01-02T03:04:06Z"), 403, 0),
        (&format!("{approval}@2026-01-02T03:04:05Z"), 200, 1),
        ("person:dana@example.com@2026-01-02T03:04:06Z", 403, 1),
        ("person:dana@example.com@2026-01-02T03:04:05Z", 200, 1),
    ] {
        let mut page = page_at(&scene.world, &scene.clock, BASE);
        page.settings.revoked = std::iter::once(entry.parse::<Revocation>().unwrap()).collect();
        let before = scene.world.plan.calls().len();
        let answer = page.handle(&get(&token)).await;
        assert_eq!(answer.status, status, "{entry}");
        assert_eq!(scene.world.plan.calls().len() - before, reads, "{entry}");
        if status == 403 {
            assert_eq!(page.handle(&form).await.status, 403, "{entry}");
        }
    }
    assert_eq!(scene.world.writes(), 0);
}

#[tokio::test]
async fn threat_39_a_link_that_was_renewed_stays_dead_without_the_setting() {
    let scene = scene();
    let token = scene.invitations[0].token.clone();
    let form = scene.ballot(0, &scene.open(0).await, "approve");
    let entry: Revocation = "key:k1".parse().unwrap();
    let record = scene.world.records().remove(0);
    let now = shared::port::Clock::now(&scene.clock) + jiff::SignedDuration::from_mins(1);
    let next = renew::renewed(&record, &std::iter::once(entry).collect(), now).unwrap();
    scene.world.keep(&next);
    assert_eq!(scene.send(&get(&token)).await.status, 403);
    assert_eq!(scene.send(&form).await.status, 403);
    assert_eq!(scene.world.writes(), 0);
}

#[tokio::test]
async fn threat_38_whoever_is_removed_after_the_mail_decides_nothing() {
    let scene = scene();
    let token = scene.invitations[0].token.clone();
    let form = scene.ballot(0, &scene.open(0).await, "approve");
    let rules = |text: &str| RuleSet::parse(text).unwrap();
    let gone = rules(
        r#"{"version":1,"people":{"dana":{"mail":"dana@example.com"},"lee":{"mail":"lee@example.com"}},
        "groups":{"g":["lee"]},"rules":[{"name":"r","needs":[{"group":"g","approvals":1}]}]}"#,
    );
    let elsewhere = rules(
        r#"{"version":1,"people":{"dana":{"mail":"dana@example.com"}},
        "groups":{"g":["dana"]},"rules":[{"name":"r","for":{"stage":"Other"},"needs":[{"group":"g","approvals":1}]}]}"#,
    );
    let renamed = rules(
        r#"{"version":1,"people":{"dk":{"mail":"d.kim@example.com","aliases":["Dana@example.com"]}},
        "groups":{"g":["dk"]},"rules":[{"name":"r","needs":[{"group":"g","approvals":1}]}]}"#,
    );
    let other = RuleSet::simple(["lee@example.com"], 1).unwrap();
    let mut page = page_at(&scene.world, &scene.clock, BASE);
    for now in [gone, elsewhere, other] {
        page.settings.rules = Some(now);
        for asked in [&get(&token), &form] {
            let answer = page.handle(asked).await;
            assert_eq!(answer.status, 403);
            assert!(!answer.body.contains("site-release"), "{}", answer.body);
        }
    }
    assert_eq!((scene.world.writes(), scene.world.results().len()), (0, 0));
    for now in [renamed, RuleSet::simple(["dana@example.com"], 1).unwrap()] {
        page.settings.rules = Some(now);
        assert_eq!(page.handle(&get(&token)).await.status, 200);
    }
    assert_eq!(page.handle(&form).await.status, 303);
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

#[tokio::test]
async fn threat_41_ten_thousand_forged_links_read_nothing() {
    let scene = scene();
    let token = scene.invitations[0].token.clone();
    for round in 0..10_000usize {
        let mut bytes = token.clone().into_bytes();
        let at = 10 + round % (bytes.len() - 20);
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(bytes).unwrap();
        assert_eq!(scene.page.handle(&get(&forged)).await.status, 403);
    }
    assert_eq!(scene.world.plan.calls(), Vec::<&str>::new());
}
