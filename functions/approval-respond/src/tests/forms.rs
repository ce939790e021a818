//! Sending the form: whose form it is, what it may hold, how often it counts.

use std::time::Duration;

use shared::approval::{
    http::{Body, HttpRequest},
    request::State,
    trail::Kind,
};
use shared_testkit::{approval::sample_request, time::BEGINNING};

use super::scene::{BASE, Shown, get, post, scene, scene_of, shown};

#[tokio::test]
async fn threat_11_a_form_counts_once() {
    let scene = scene();
    let shown = scene.open(0).await;
    let form = scene.ballot(0, &shown, "approve");
    assert_eq!(scene.send(&form).await.status, 303);
    let calls = scene.world.plan.calls().len();
    let again = scene.send(&form).await;
    assert_eq!(again.status, 409);
    assert!(
        again.body.contains("Approved on Fri 2 Jan 2026, 03:04 UTC"),
        "{}",
        again.body
    );
    assert!(
        again.body.contains("dana@example.com"),
        "by whom: {}",
        again.body
    );
    let calls = scene.world.plan.calls()[calls..].to_vec();
    assert!(calls.iter().all(|call| *call == "store load"), "{calls:?}");
    assert_eq!(scene.world.results().len(), 1);
}

#[tokio::test]
async fn threat_17_only_our_own_page_may_send_the_form() {
    let fetch = |site: &'static str| ("sec-fetch-site", site);
    let origin = |origin: &'static str| ("origin", origin);
    // What browsers send with our own form: Chromium, Firefox, Safari (which has no Sec-Fetch-User), and one without
    // Sec-Fetch at all.
    let chromium = vec![
        origin(BASE),
        fetch("same-origin"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-user", "?1"),
    ];
    let safari = chromium[..4].to_vec();
    for (headers, status) in [
        (
            vec![fetch("cross-site"), origin("https://evil.example")],
            403,
        ),
        (vec![fetch("cross-site"), origin(BASE)], 403),
        (
            vec![fetch("same-site"), origin("https://other.example.com")],
            403,
        ),
        (vec![fetch("none")], 403),
        (vec![origin("null")], 403),
        (
            vec![origin("https://approve.example.com.evil.example")],
            403,
        ),
        (vec![origin("http://approve.example.com")], 403),
        (vec![("referer", BASE)], 403),
        (vec![], 403),
        (chromium, 303),
        (safari, 303),
        (vec![origin(BASE)], 303),
    ] {
        let scene = scene();
        let mut form = scene.ballot(0, &scene.open(0).await, "approve");
        form.headers.truncate(1);
        let own = headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        form.headers.extend(own);
        let before = scene.world.plan.calls().len();
        let answer = scene.send(&form).await;
        assert_eq!(answer.status, status, "{headers:?}");
        let read = scene.world.plan.calls().len() - before;
        assert_eq!(read > 0, status == 303, "{headers:?}");
        assert_eq!(scene.world.results().len(), usize::from(status == 303));
    }
}

#[tokio::test]
async fn threat_18_a_form_is_bound_to_link_and_browser_and_time() {
    let two = ["dana@example.com", "lee@example.com"];
    let scene = scene_of(2, BASE, sample_request(BEGINNING), 2, &two);
    let (mine, other) = (scene.open(0).await, scene.open(1).await);
    let stolen = Shown {
        nonce: other.nonce.clone(),
        cookie: other.cookie.clone(),
        ..mine.clone()
    };
    let naked = Shown {
        cookie: String::new(),
        ..mine.clone()
    };
    let twice = Shown {
        cookie: format!("{}; x", other.cookie),
        ..mine.clone()
    };
    for foreign in [stolen, naked, twice] {
        let answer = scene.send(&scene.ballot(0, &foreign, "approve")).await;
        assert_eq!(answer.status, 403);
    }
    scene.clock.step(Duration::from_secs(901));
    let code = scene.invitations[0].code.clone();
    let fields = [
        ("verdict", "reject"),
        ("code", code.as_str()),
        ("comment", "not today"),
    ];
    let answer = scene.send(&post(&mine, &fields)).await;
    assert_eq!(answer.status, 422);
    assert!(answer.body.contains("not today") && answer.body.contains("more than 15 minutes"));
    assert!(!answer.body.contains(&code));
    assert_eq!(scene.world.writes(), 0);
    // The form that came back works, with the cookie the browser has.
    let again = shown(&mine.token, &answer, Some(&mine.cookie));
    let answer = scene.send(&scene.ballot(0, &again, "reject")).await;
    assert_eq!(answer.status, 303);
}

#[tokio::test]
async fn threat_24_every_field_and_parameter_comes_once() {
    let scene = scene();
    let shown = scene.open(0).await;
    let code = scene.invitations[0].code.clone();
    let good = format!(
        "intent=decide&verdict=approve&code={code}&comment=&nonce={}&seen={}",
        shown.nonce, shown.seen
    );
    for more in [
        "verdict=reject",
        "verdict=approve",
        "code=x",
        "nonce=x",
        "seen=x",
        "intent=deliver",
        "next=https%3A%2F%2Fevil.example",
        "return=%2F",
        "verdict%5B%5D=approve",
        "Verdict=reject",
        "token=x",
        "=",
        "%00=x",
    ] {
        for body in [format!("{good}&{more}"), format!("{more}&{good}")] {
            let asked = HttpRequest {
                body: Body::Text(body),
                ..post(&shown, &[])
            };
            assert_eq!(scene.send(&asked).await.status, 400, "{more}");
        }
    }
    for (query, status) in [
        ("t=a&t=b", 400),
        ("t=a&u=b&t=a", 400),
        ("utm_source=mail", 200),
    ] {
        let asked = HttpRequest {
            query: query.to_owned(),
            ..get(&shown.token)
        };
        assert_eq!(scene.send(&asked).await.status, status, "{query}");
        let asked = HttpRequest {
            query: query.to_owned(),
            ..post(&shown, &[])
        };
        let status = if status == 200 { 422 } else { status };
        assert_eq!(scene.send(&asked).await.status, status, "{query}");
    }
    assert_eq!(scene.world.writes(), 0);
    let asked = HttpRequest {
        body: Body::Text(good),
        ..post(&shown, &[])
    };
    assert_eq!(scene.send(&asked).await.status, 303);
}

#[tokio::test]
async fn threat_25_limits_come_before_parsing() {
    let scene = scene();
    let shown = scene.open(0).await;
    let with = |body: Body| HttpRequest {
        body,
        ..post(&shown, &[])
    };
    let text = |body: String| with(Body::Text(body));
    let kind = |kind: &str| {
        let mut request = post(&shown, &[]);
        kind.clone_into(&mut request.headers[0].1);
        request
    };
    let far = |path: String, query: String| HttpRequest {
        path,
        query,
        ..get("")
    };
    let calls = scene.world.plan.calls().len();
    for (asked, status) in [
        (text("c".repeat(8 * 1024 + 1)), 413),
        (text("comment=".to_owned() + &"c".repeat(1 << 20)), 413),
        (with(Body::Base64("A".repeat(4 << 20))), 413),
        (with(Body::Base64("%%%".to_owned())), 400),
        (with(Body::Base64("AAAAA".to_owned())), 400),
        (text("comment=%ff".to_owned()), 400),
        (text("comment=%e2%82".to_owned()), 400),
        (text("comment=%zz".to_owned()), 400),
        (with(Body::Base64("/////w==".to_owned())), 400),
        (text("x=1&".repeat(1_000)), 400),
        (text("&".repeat(8_000)), 403),
        (kind("application/json"), 415),
        (kind("multipart/form-data; boundary=x"), 415),
        (kind("text/plain"), 415),
        (kind(""), 415),
        (far(format!("/a/{}", "x".repeat(2_048)), String::new()), 414),
        (far(format!("/a/{}", shown.token), "q".repeat(2_048)), 414),
        (far("/a/".to_owned(), String::new()), 403),
        (far("/a/%ff%fe".to_owned(), String::new()), 403),
        (far("/a/../a/x".to_owned(), String::new()), 403),
    ] {
        let answer = scene.send(&asked).await;
        assert_eq!(answer.status, status, "{status}: {}", answer.body);
        assert!(answer.body.len() < 20_000);
    }
    // Only the one form that could be read was looked up.
    let calls = scene.world.plan.calls()[calls..].to_vec();
    assert_eq!(calls, ["store load"]);
}

#[tokio::test]
async fn threat_31_nothing_sent_moves_the_redirect() {
    for evil in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "\r\nLocation: x",
    ] {
        let scene = scene();
        let shown = scene.open(0).await;
        let mut form = scene.ballot(0, &shown, "approve");
        let escaped: String = evil.bytes().map(|b| format!("%{b:02x}")).collect();
        let names = [
            "next",
            "return",
            "return_to",
            "redirect_uri",
            "url",
            "continue",
            "RelayState",
        ];
        let query: Vec<String> = names
            .iter()
            .map(|name| format!("{name}={escaped}"))
            .collect();
        form.query = query.join("&");
        for name in [
            "x-forwarded-host",
            "x-original-url",
            "x-rewrite-url",
            "referer",
            "forwarded",
        ] {
            form.headers
                .push((name.to_owned(), evil.replace(['\r', '\n'], " ")));
        }
        let answer = scene.send(&form).await;
        assert_eq!(answer.status, 303, "{evil}");
        let own = format!("{BASE}/answered");
        assert_eq!(answer.header("location"), Some(own.as_str()), "{evil}");
        assert!(answer.header("refresh").is_none() && answer.body.is_empty());
    }
}

#[tokio::test]
async fn threat_41_five_wrong_codes_lock_the_link() {
    let scene = scene();
    for (status, words) in [
        (422, "4 tries"),
        (422, "3 tries"),
        (422, "2 tries"),
        (422, "One try"),
        (403, "locked"),
    ] {
        let shown = scene.open(0).await;
        let answer = scene
            .send(&post(&shown, &[("verdict", "approve"), ("code", "WRONG")]))
            .await;
        assert_eq!(answer.status, status, "{words}");
        assert!(answer.body.contains(words), "{words}: {}", answer.body);
    }
    // Whoever runs the install is told, by the sweep and once.
    let trail = scene.world.records().remove(0).trail;
    let locked = trail.iter().filter(|entry| entry.kind == Kind::Locked);
    assert!(locked.count() == 1 && Kind::Locked.alarms());
    let token = &scene.invitations[0].token;
    let locked = scene.send(&get(token)).await;
    assert!(!locked.body.contains("<form"));
    let forced = Shown {
        token: token.clone(),
        cookie: String::new(),
        nonce: String::new(),
        seen: String::new(),
    };
    assert_eq!(
        scene
            .send(&scene.ballot(0, &forced, "approve"))
            .await
            .status,
        403
    );
    assert_eq!(scene.world.results(), []);
}

#[tokio::test]
async fn threat_42_a_forwarded_link_without_its_code_decides_nothing() {
    let scene = scene();
    let mine = scene.open(0).await;
    for code in ["", " ", "-", "0000-0000", "%2e%2a", "XXXX-XXXX"] {
        let fresh = scene.open(0).await;
        let answer = scene
            .send(&post(&fresh, &[("verdict", "approve"), ("code", code)]))
            .await;
        assert!(
            matches!(answer.status, 422 | 403),
            "{code}: {}",
            answer.status
        );
        if scene.world.records()[0].recipients[0].wrong_codes >= 4 {
            break;
        }
    }
    let record = &scene.world.records()[0];
    assert!(
        record.recipients[0].wrong_codes > 0,
        "attempts are recorded"
    );
    assert_eq!(record.state, State::Open);
    assert_eq!(scene.world.results(), []);
    assert_eq!(
        scene.send(&scene.ballot(0, &mine, "approve")).await.status,
        303
    );
}

#[tokio::test]
async fn threat_43_a_form_counts_only_for_what_was_seen() {
    let two = ["dana@example.com", "lee@example.com"];
    let scene = scene_of(3, BASE, sample_request(BEGINNING), 2, &two);
    let shown = scene.open(0).await;
    let other = Shown {
        seen: "something else".to_owned(),
        ..shown.clone()
    };
    assert_eq!(
        scene.send(&scene.ballot(0, &other, "approve")).await.status,
        409
    );
    assert_eq!(
        scene.send(&scene.ballot(0, &shown, "approve")).await.status,
        303
    );
    let replay = scene.send(&scene.ballot(0, &shown, "reject")).await;
    assert_eq!(replay.status, 409);
    assert!(
        replay.body.contains("Your answer is recorded: approved"),
        "{}",
        replay.body
    );
    assert!(replay.body.contains("1 more approval is needed"));
    assert_eq!(scene.world.results(), []);
    assert_eq!(scene.vote(1, "approve").await.status, 303);
    assert_eq!(scene.world.results().len(), 1);
}
