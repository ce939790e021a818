//! What the pages hold: no script, no foreign text that becomes more than text, the protecting headers.

use shared::approval::{
    http::{Body, HttpRequest},
    request::Request,
};
use shared_testkit::{
    approval::sample_request,
    html::{self, HOSTILE},
    time::BEGINNING,
};

use super::scene::{BASE, Scene, get, post, scene, scene_of, shown};

/// Elements that a page of ours is made of.
const ELEMENTS: [&str; 38] = [
    "html",
    "head",
    "meta",
    "title",
    "link",
    "body",
    "header",
    "main",
    "section",
    "article",
    "figure",
    "figcaption",
    "blockquote",
    "h1",
    "h2",
    "h3",
    "p",
    "div",
    "span",
    "strong",
    "code",
    "a",
    "dl",
    "dt",
    "dd",
    "ul",
    "ol",
    "li",
    "form",
    "fieldset",
    "legend",
    "label",
    "input",
    "textarea",
    "button",
    "time",
    "footer",
    "small",
];

#[tokio::test]
async fn threat_02_a_page_holds_no_script_and_nothing_chosen() {
    let scene = scene();
    let wrong = post(&scene.open(0).await, &[("verdict", ""), ("code", "x")]);
    let pages = [
        scene.text(0).await,
        scene.send(&wrong).await.body,
        scene.send(&get("x")).await.body,
    ];
    for page in &pages {
        for element in html::elements(page) {
            assert!(ELEMENTS.contains(&element.name.as_str()), "{element:?}");
            for (name, value) in &element.attributes {
                assert!(
                    !name.starts_with("on")
                        && ![
                            "style",
                            "srcdoc",
                            "formaction",
                            "autofocus",
                            "ping",
                            "http-equiv"
                        ]
                        .contains(&name.as_str()),
                    "{element:?}"
                );
                let scheme = value.trim_start().to_lowercase();
                assert!(
                    !scheme.starts_with("javascript:") && !scheme.starts_with("data:"),
                    "{element:?}"
                );
            }
            if element.name == "link" {
                assert_eq!(element.attribute("rel"), Some("stylesheet"));
                assert_eq!(
                    element.attribute("href"),
                    Some(format!("{BASE}/style.css").as_str())
                );
            }
            assert!(element.attribute("checked").is_none(), "{element:?}");
        }
    }
    let inputs = html::elements(&pages[0]);
    let count = |name: &str, value: &str| {
        inputs
            .iter()
            .filter(|e| e.attribute(name) == Some(value))
            .count()
    };
    assert_eq!((count("type", "radio"), count("required", "")), (2, 3));
    assert!(!pages[0].contains(&scene.invitations[0].code));
}

#[tokio::test]
async fn threat_19_every_answer_carries_the_protecting_headers() {
    let scene = scene();
    let token = scene.invitations[0].token.clone();
    let shown = scene.open(0).await;
    let good = scene.ballot(0, &shown, "approve");
    let with = |change: &dyn Fn(&mut HttpRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    let requests = [
        (403, get("nonsense")),
        (
            404,
            HttpRequest {
                path: "/".to_owned(),
                ..get("")
            },
        ),
        (
            200,
            HttpRequest {
                path: "/style.css".to_owned(),
                ..get("")
            },
        ),
        (
            405,
            HttpRequest {
                method: "DELETE".to_owned(),
                ..get(&token)
            },
        ),
        (414, get(&"x".repeat(3_000))),
        (413, with(&|r| r.body = Body::Text("x".repeat(9_000)))),
        (415, with(&|r| r.headers[0].1 = "text/plain".to_owned())),
        (
            400,
            with(&|r| r.body = Body::Text("next=https%3A%2F%2Fevil.example".to_owned())),
        ),
        (403, with(&|r| r.headers[1].1 = "cross-site".to_owned())),
        (422, post(&shown, &[])),
        (303, good.clone()),
        (409, good.clone()),
        (200, get(&token)),
    ];
    for (status, request) in requests {
        let answer = scene.send(&request).await;
        assert_eq!(answer.status, status, "{request:?}");
        for (name, part) in [
            (
                "content-security-policy",
                "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            ),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("strict-transport-security", "max-age="),
            ("x-robots-tag", "noindex, nofollow, noarchive"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=()"),
        ] {
            let value = answer.header(name).unwrap_or_default();
            assert!(value.starts_with(part), "{status} {name}: {value}");
        }
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("allow").is_some(), status == 405);
    }
}

#[tokio::test]
async fn threat_21_nothing_may_be_kept() {
    let scene = scene();
    let style = HttpRequest {
        path: "/style.css".to_owned(),
        ..get("")
    };
    let token = scene.invitations[0].token.clone();
    for asked in [
        get(&token),
        get("x"),
        style,
        scene.ballot(0, &scene.open(0).await, "approve"),
        get(&token),
    ] {
        let answer = scene.send(&asked).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("etag"), None);
        assert_eq!(answer.header("last-modified"), None);
    }
}

#[tokio::test]
async fn threat_23_a_host_header_moves_nothing() {
    let base = "http://127.0.0.1:4599/_stagewright/function/approval-respond";
    let scene = scene_of(6, base, sample_request(BEGINNING), 1, &["dana@example.com"]);
    let token = &scene.invitations[0].token;
    let mut request = get(token);
    request
        .headers
        .push(("host".to_owned(), "evil.example".to_owned()));
    request
        .headers
        .push(("x-forwarded-host".to_owned(), "evil.example".to_owned()));
    let answer = scene.send(&request).await;
    assert!(
        answer
            .body
            .contains(&format!("action=\"{base}/a/{token}\""))
    );
    assert!(answer.body.contains(&format!("href=\"{base}/style.css\"")));
    assert!(!answer.body.contains("evil.example"));
    let cookie = &answer.cookies[0];
    assert!(cookie.starts_with("stagewright_form="), "{cookie}");
    let scope = "; Path=/_stagewright/function/approval-respond/; HttpOnly; SameSite=Strict";
    assert!(cookie.contains(scope), "{cookie}");
    let form = scene.ballot(0, &shown(token, &answer, None), "approve");
    let answer = scene.send(&form).await;
    assert_eq!(
        answer.header("location"),
        Some(format!("{base}/answered").as_str())
    );
}

#[tokio::test]
async fn a_https_cookie_is_host_bound() {
    let scene = scene();
    let answer = scene.send(&get(&scene.invitations[0].token)).await;
    let cookie = &answer.cookies[0];
    assert!(cookie.starts_with("__Host-stagewright_form="), "{cookie}");
    assert!(
        cookie.contains("; Path=/; Secure; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
}

fn said(text: &str) -> Request {
    let mut request = sample_request(BEGINNING);
    request.custom_data = Some(text.to_owned());
    request.external_link = Some(text.to_owned());
    request.facts.started_by = Some(text.to_owned());
    let revision = &mut request.facts.revisions[0];
    revision.name = text.to_owned();
    revision.message = Some(format!("{text}\n{text}"));
    revision.author = Some(text.to_owned());
    revision.branch = Some(text.to_owned());
    revision.url = Some(text.to_owned());
    request
}

fn scene_saying(text: &str) -> Scene {
    let two = ["dana@example.com", "lee@example.com"];
    scene_of(7, BASE, said(text), 2, &two)
}

#[tokio::test]
async fn threat_26_hostile_texts_stay_texts() {
    let calm = html::shapes(&scene_saying("calm").text(0).await);
    for text in HOSTILE {
        let scene = scene_saying(text);
        let page = scene.text(0).await;
        assert_eq!(html::shapes(&page), calm, "{text}");
        assert!(!page.contains(['\u{202e}', '\u{2028}', '\0']), "{text}");
        // The comment comes back in the form, and once it counts, on the page.
        let escaped: String = text.bytes().map(|b| format!("%{b:02x}")).collect();
        let form = scene.open(0).await;
        let hostile = scene.send(&post(&form, &[("comment", &escaped)])).await;
        let plain = scene.send(&post(&form, &[("comment", "calm")])).await;
        assert_eq!((hostile.status, plain.status), (422, 422));
        assert_eq!(
            html::shapes(&hostile.body),
            html::shapes(&plain.body),
            "{text}"
        );
        let told = async |comment: &str| {
            let scene = scene_saying("calm");
            let form = scene.open(0).await;
            let code = scene.invitations[0].code.clone();
            let fields = [
                ("verdict", "approve"),
                ("code", code.as_str()),
                ("comment", comment),
            ];
            assert_eq!(scene.send(&post(&form, &fields)).await.status, 303);
            html::shapes(&scene.text(1).await)
        };
        assert_eq!(told(&escaped).await, told("calm").await, "{text}");
    }
}

#[tokio::test]
async fn threat_29_links_of_a_pipeline_are_never_fetched() {
    for link in [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/latest/meta-data/",
        "http://localhost:9001/2018-06-01/runtime/invocation/next",
        "http://[::1]/",
        "https://[fd00:ec2::254]/latest/",
        "https://redirect.example/?to=http://127.0.0.1/",
        "file:///proc/self/environ",
        "gopher://127.0.0.1/",
    ] {
        let scene = scene_saying(link);
        let page = scene.text(0).await;
        // All ports of the function are this world's: nothing but the table was asked.
        let calls = scene.world.plan.calls();
        assert!(
            calls.iter().all(|call| call.starts_with("store ")),
            "{calls:?}"
        );
        let links: Vec<String> = html::elements(&page)
            .iter()
            .filter(|e| e.name == "a")
            .filter_map(|e| e.attribute("href").map(str::to_owned))
            .collect();
        assert!(links.iter().all(|href| href == link), "{links:?}");
        assert!(!page.contains("src="), "nothing is loaded from there");
    }
}

#[tokio::test]
async fn threat_30_odd_links_are_shown_as_text() {
    for (link, followed) in [
        ("javascript:alert(1)", false),
        ("JaVaScRiPt:alert(1)", false),
        (" https://example.com/", false),
        ("data:text/html,<b>x</b>", false),
        ("vbscript:x", false),
        ("http://example.com/", false),
        ("https://user@example.com/", false),
        ("https://example.com@evil.example/", false),
        ("https://ex\u{430}mple.com/", false),
        ("https://example.com\\.evil.example/", false),
        ("//example.com/", false),
        ("https://git.example.com/site/commit/4be2f8c0", true),
    ] {
        let scene = scene_saying(link);
        let page = scene.text(0).await;
        let links: Vec<html::Element> = html::elements(&page)
            .into_iter()
            .filter(|e| e.name == "a")
            .collect();
        assert_eq!(!links.is_empty(), followed, "{link}: {links:?}");
        for element in links {
            assert_eq!(element.attribute("href"), Some(link));
            assert_eq!(element.attribute("rel"), Some("noreferrer noopener"));
            assert!(page.contains("git.example.com</a>"), "its host is shown");
        }
    }
}
