//! Level L3: signing in as the person who is asked, over the stand-in of an identity provider.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use shared::{
    approval::{
        http::{HttpAnswer, HttpRequest},
        request::{State, Verdict},
        settings::SignInSettings,
        sign_in::open_id::OpenId,
        trail::Kind,
    },
    provider::{Call, Http, pairs},
};
use shared_testkit::{VirtualTime, memory::MemorySecrets};
use stagewright_standins::{
    Reply, Stage, Trick,
    identity::{Bend, CLIENT, Identity, SECRET},
};

use super::scene::{BASE, Scene, get, page_at, post, scene_by, shown};

const L3: &str = r#""needs":[{"group":"makers","approvals":1}],"fourEyes":{"trigger":false,"authors":false},"level":"L3""#;
const ISSUER: &str = "https://id.example.com";

/// Dana (0) and Lee (1) are asked at level L3.
pub struct Place {
    pub scene: Scene,
    pub stage: Stage<Identity>,
}

/// A browser: what it was told to keep.
#[derive(Default, Clone)]
pub struct Jar(Vec<(String, String)>);

impl Jar {
    fn keep(&mut self, answer: &HttpAnswer) {
        for cookie in &answer.cookies {
            let (pair, how) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.0.retain(|(have, _)| have != name);
            if !how.contains("Max-Age=0") {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    fn with(&self, mut request: HttpRequest) -> HttpRequest {
        request.cookies = self.0.iter().map(|(n, v)| format!("{n}={v}")).collect();
        request
    }

    pub fn value(&self, part: &str) -> String {
        let found = self.0.iter().find(|(name, _)| name.contains(part));
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

pub fn place() -> Place {
    let mut scene = scene_by(L3);
    let stage = Stage::new(Identity::new(ISSUER));
    let secrets = MemorySecrets::default();
    secrets.set("ssm:/client", SECRET);
    stage.with(|identity| identity.confidential = true);
    let settings = SignInSettings {
        issuer: ISSUER.parse().unwrap(),
        client: CLIENT.to_owned(),
        secret: Some("ssm:/client".parse().unwrap()),
    };
    let clock = scene.clock.clone();
    let mut page = page_at(&scene.world, &clock, BASE);
    page.sign_in = Some(OpenId::new(
        settings,
        stage.http(clock),
        VirtualTime::begin(),
        secrets,
    ));
    scene.page = Arc::new(page);
    Place { scene, stage }
}

impl Place {
    pub fn token(&self, at: usize) -> String {
        self.scene.invitations[at].token.clone()
    }

    pub async fn open(&self, jar: &mut Jar, at: usize) -> HttpAnswer {
        let answer = self.scene.send(&jar.with(get(&self.token(at)))).await;
        jar.keep(&answer);
        answer
    }

    /// Follows the page's link as far as the provider.
    async fn go(&self, jar: &mut Jar, at: usize) -> String {
        let mut request = get(&self.token(at));
        request.query = "sign-in".to_owned();
        let answer = self.scene.send(&jar.with(request)).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        jar.keep(&answer);
        answer.header("location").unwrap().to_owned()
    }

    /// What the provider answers a browser that comes there as this person.
    async fn at_provider(&self, way: &str, person: &str) -> String {
        self.stage
            .with(|identity| identity.person = Some(person.to_owned()));
        let http = self.stage.http(self.scene.clock.clone());
        let call = Call::get("the form", way);
        let answer = http.send(&call, Duration::MAX).await.unwrap();
        assert_eq!(answer.status, 302, "{}", answer.text());
        answer.header("location").unwrap().to_owned()
    }

    async fn back(&self, jar: &mut Jar, location: &str) -> HttpAnswer {
        let (path, query) = location
            .strip_prefix(BASE)
            .and_then(|rest| rest.split_once('?'))
            .unwrap();
        let request = HttpRequest {
            query: query.to_owned(),
            path: path.to_owned(),
            ..get("")
        };
        let answer = self.scene.send(&jar.with(request)).await;
        jar.keep(&answer);
        answer
    }

    pub async fn sign_in(&self, jar: &mut Jar, at: usize, person: &str) -> HttpAnswer {
        let way = self.go(jar, at).await;
        let location = self.at_provider(&way, person).await;
        self.back(jar, &location).await
    }

    pub async fn vote(&self, jar: &mut Jar, at: usize, verdict: &str) -> HttpAnswer {
        let page = self.open(jar, at).await;
        self.send_form(
            jar,
            at,
            &page,
            &[("intent", "decide"), ("verdict", verdict), ("comment", "x")],
        )
        .await
    }

    async fn send_form(
        &self,
        jar: &mut Jar,
        at: usize,
        page: &HttpAnswer,
        fields: &[(&str, &str)],
    ) -> HttpAnswer {
        let request = post(&shown(&self.token(at), page, None), fields);
        let answer = self.scene.send(&jar.with(request)).await;
        jar.keep(&answer);
        answer
    }

    fn noted(&self) -> Vec<Kind> {
        let record = self.scene.world.records().remove(0);
        let kinds = [Kind::SignedIn, Kind::OtherPerson];
        let trail = record.trail.iter().map(|entry| entry.kind);
        trail.filter(|kind| kinds.contains(kind)).collect()
    }

    /// Nobody saw a fact, and nothing was decided.
    fn nothing_happened(&self, answer: &HttpAnswer) {
        for fact in ["site-release", "opening hours", "Release", "4be2f8c0"] {
            assert!(!answer.body.contains(fact), "{fact}: {}", answer.body);
        }
        assert!(!answer.body.contains("<form"), "{}", answer.body);
        let record = &self.scene.world.records()[0];
        assert!(record.votes.is_empty() && record.state == State::Open);
        assert_eq!(self.scene.world.results(), []);
    }
}

/// Good and bad sign-ins, for a log that is listened to; answers what must not be in it.
pub async fn whole_way(printed: &mut String) -> Vec<String> {
    let place = place();
    let mut secrets = vec![SECRET.to_owned(), "planted-code".to_owned(), place.token(0)];
    for person in ["mallory@example.com", "dana@example.com"] {
        let mut jar = Jar::default();
        let way = place.go(&mut jar, 0).await;
        secrets.push(jar.value("sign_in"));
        let query = pairs(way.split_once('?').unwrap().1);
        let private = ["state", "nonce"];
        let sent = query
            .into_iter()
            .filter(|(n, _)| private.contains(&n.as_str()));
        secrets.extend(sent.map(|(_, value)| value));
        let location = place.at_provider(&way, person).await;
        let answer = place.back(&mut jar, &location).await;
        printed.push_str(&format!("{answer:?} {:?}", place.scene.page));
        secrets.push(jar.value("session"));
    }
    place.stage.always("POST", "/token", Trick::status(400));
    place
        .sign_in(&mut Jar::default(), 0, "dana@example.com")
        .await;
    let records = place.stage.records();
    for record in records.iter().filter(|r| r.asked.path == "/token") {
        let form = record.asked.form();
        let verifier = form.into_iter().find(|(n, _)| n == "code_verifier");
        secrets.extend(verifier.map(|(_, value)| value));
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

#[tokio::test]
async fn an_approver_signs_in_and_decides() {
    let place = place();
    let mut jar = Jar::default();
    let first = place.open(&mut jar, 0).await;
    assert_eq!(first.status, 200);
    assert!(first.body.contains("?sign-in\"") && first.body.contains("dana@example.com"));
    place.nothing_happened(&first);
    let back = place.sign_in(&mut jar, 0, "Dana@Example.com").await;
    assert_eq!(back.status, 303);
    let own = format!("{BASE}/a/{}", place.token(0));
    assert_eq!(back.header("location"), Some(own.as_str()));
    let page = place.open(&mut jar, 0).await;
    assert!(page.body.contains("Approve site-release?"), "{}", page.body);
    assert!(
        page.body.contains("Signed in as dana@example.com") && !page.body.contains("name=\"code\"")
    );
    assert_eq!(place.vote(&mut jar, 0, "approve").await.status, 303);
    assert_eq!(place.scene.world.results()[0].0, Verdict::Approve);
    assert_eq!(place.noted(), [Kind::SignedIn]);
    let records = place.stage.records();
    let redeemed = records.iter().find(|r| r.asked.path == "/token").unwrap();
    let form = redeemed.asked.form();
    let field = |name: &str| {
        form.iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    assert_eq!(field("client_secret"), Some(SECRET));
    assert_eq!(
        field("redirect_uri"),
        Some("https://approve.example.com/a/signed-in")
    );
    assert_eq!(place.stage.count("GET", "/keys"), 1);
}

#[tokio::test]
async fn one_person_has_one_mailbox_however_it_is_written() {
    let place = place();
    let mut jar = Jar::default();
    // A plus-address is its owner's; a display name that is an alias is no address.
    assert_eq!(
        place
            .sign_in(&mut jar, 0, "dana+work@example.com")
            .await
            .status,
        303
    );
    let named = place.sign_in(&mut Jar::default(), 0, "Dana K.").await;
    assert_eq!(named.status, 403);
    place.nothing_happened(&named);
}

#[tokio::test]
async fn threat_42_at_level_l3_the_link_alone_shows_and_decides_nothing() {
    let place = place();
    let mut jar = Jar::default();
    let page = place.open(&mut jar, 0).await;
    place.nothing_happened(&page);
    // With everything a form needs but the sign-in.
    let mut good = Jar::default();
    place.sign_in(&mut good, 0, "dana@example.com").await;
    let seen = place.open(&mut good, 0).await;
    let fields = [("intent", "decide"), ("verdict", "approve")];
    for session in ["", "0.BQUFBQUFBQUF.AAAAAAAAAAAAAAAAAAAAAA", "x"] {
        let mut bare = good.clone();
        bare.0.retain(|(name, _)| !name.contains("session"));
        if !session.is_empty() {
            bare.0
                .push(("__Host-stagewright_session".to_owned(), session.to_owned()));
        }
        let answer = place.send_form(&mut bare, 0, &seen, &fields).await;
        assert_eq!(answer.status, 403);
        place.nothing_happened(&answer);
    }
    // Dana's sign-in opens nothing of Lee's.
    let lees = place.open(&mut good, 1).await;
    place.nothing_happened(&lees);
    // And it is over some time.
    place.scene.clock.step(Duration::from_secs(30 * 60 + 1));
    let late = place.open(&mut good, 0).await;
    place.nothing_happened(&late);
    assert_eq!(
        place.send_form(&mut good, 0, &seen, &fields).await.status,
        403
    );
}

#[tokio::test]
async fn threat_42_somebody_else_who_signs_in_is_refused_and_recorded() {
    let place = place();
    let mut jar = Jar::default();
    for (times, person) in ["lee@example.com", "mallory@example.com"]
        .iter()
        .enumerate()
    {
        let answer = place.sign_in(&mut jar, 0, person).await;
        assert_eq!(answer.status, 403);
        assert!(answer.body.contains("This link is for somebody else"));
        place.nothing_happened(&answer);
        assert_eq!(jar.value("session"), "");
        assert_eq!(place.noted().len(), times + 1);
    }
    let record = place.scene.world.records().remove(0);
    let last = record.trail.last().unwrap();
    assert_eq!(last.kind, Kind::OtherPerson);
    assert_eq!(
        last.detail.as_deref(),
        Some("mallory@example.com (sub-mallory@example.com)")
    );
    let opened = place.open(&mut jar, 0).await;
    place.nothing_happened(&opened);
    // Notes end before they fill the record.
    for _ in 0..25 {
        place.sign_in(&mut jar, 0, "mallory@example.com").await;
    }
    assert_eq!(place.noted().len(), 20);
}

#[tokio::test]
async fn threat_42_a_forged_or_foreign_id_token_signs_nobody_in() {
    let bends: [(&str, Bend); 16] = [
        ("another issuer", |_, c| {
            c["iss"] = json!("https://evil.example")
        }),
        ("another client", |_, c| c["aud"] = json!("other")),
        ("two clients without a party", |_, c| {
            c["aud"] = json!([CLIENT, "other"]);
        }),
        ("another party", |_, c| c["azp"] = json!("other")),
        ("expired", |_, c| {
            c["exp"] = json!(c["iat"].as_i64().unwrap() - 61)
        }),
        ("issued later", |_, c| {
            c["iat"] = json!(c["iat"].as_i64().unwrap() + 120)
        }),
        ("issued long ago", |_, c| {
            c["iat"] = json!(c["iat"].as_i64().unwrap() - 700)
        }),
        ("valid later", |_, c| {
            c["nbf"] = json!(c["iat"].as_i64().unwrap() + 120)
        }),
        ("another nonce", |_, c| c["nonce"] = json!("x")),
        ("no nonce", |_, c| c["nonce"] = json!(null)),
        ("no address", |_, c| c["email"] = json!(null)),
        ("an address nobody verified", |_, c| {
            c["email_verified"] = json!(false)
        }),
        ("not said whether verified", |_, c| {
            c["email_verified"] = json!(null)
        }),
        ("no algorithm", |h, _| h["alg"] = json!("none")),
        ("a shared secret", |h, _| h["alg"] = json!("HS256")),
        ("something critical", |h, _| h["crit"] = json!(["b64"])),
    ];
    for (name, bend) in bends {
        let place = place();
        place.stage.with(|identity| identity.bend = Some(bend));
        let mut jar = Jar::default();
        let answer = place.sign_in(&mut jar, 0, "dana@example.com").await;
        assert_eq!(answer.status, 403, "{name}");
        place.nothing_happened(&answer);
        assert!(
            jar.value("session").is_empty() && place.noted().is_empty(),
            "{name}"
        );
    }
    for (name, bend) in [
        (
            "a party that is us",
            (|_, c| c["azp"] = json!(CLIENT)) as Bend,
        ),
        ("verified as a text", |_, c| {
            c["email_verified"] = json!("true")
        }),
        ("two clients, handed to us", |_, c| {
            c["aud"] = json!([CLIENT, "other"]);
            c["azp"] = json!(CLIENT);
        }),
    ] {
        let place = place();
        place.stage.with(|identity| identity.bend = Some(bend));
        let answer = place
            .sign_in(&mut Jar::default(), 0, "dana@example.com")
            .await;
        assert_eq!(answer.status, 303, "{name}");
    }
    for token in ["", "x", "a.b", "a.b.c", "e30.e30.", &"x.".repeat(20_000)] {
        let place = place();
        place
            .stage
            .with(|identity| identity.token = Some(token.to_owned()));
        let answer = place
            .sign_in(&mut Jar::default(), 0, "dana@example.com")
            .await;
        assert_eq!(answer.status, 403);
        place.nothing_happened(&answer);
    }
}

#[tokio::test]
async fn threat_42_keys_are_looked_at_again_but_not_at_anybodys_will() {
    let place = place();
    let dana = "dana@example.com";
    assert_eq!(
        place.sign_in(&mut Jar::default(), 0, dana).await.status,
        303
    );
    // Somebody else's key under a known id, and keys nobody knows.
    place.stage.with(Identity::forge);
    assert_eq!(
        place.sign_in(&mut Jar::default(), 0, dana).await.status,
        403
    );
    place.stage.with(Identity::rotate);
    for _ in 0..5 {
        assert_eq!(
            place.sign_in(&mut Jar::default(), 0, dana).await.status,
            403
        );
    }
    assert_eq!(place.stage.count("GET", "/keys"), 1, "not within a minute");
    place.scene.clock.step(Duration::from_secs(60));
    assert_eq!(
        place.sign_in(&mut Jar::default(), 0, dana).await.status,
        303
    );
    assert_eq!(place.stage.count("GET", "/keys"), 2);
    assert_eq!(place.stage.count("GET", "/.well-known"), 1);
}

#[tokio::test]
async fn threat_18_a_sign_in_is_bound_to_link_browser_and_time() {
    let place = place();
    let (mut mine, mut theirs) = (Jar::default(), Jar::default());
    // Mallory began and signed in; Dana's browser is led to the end of it: no cookie, or one of another attempt.
    let way = place.go(&mut theirs, 0).await;
    let back = place.at_provider(&way, "dana@example.com").await;
    let planted = place.back(&mut mine, &back).await;
    assert_eq!(planted.status, 403);
    let other = place.go(&mut mine, 0).await;
    let planted = place.back(&mut mine, &back).await;
    assert_eq!(planted.status, 403);
    place.nothing_happened(&planted);
    // The code of one attempt with the state of another: PKCE and nonce differ.
    let state = |url: &str| {
        let query = pairs(url.split_once('?').unwrap().1);
        query.into_iter().find(|(n, _)| n == "state").unwrap().1
    };
    let swapped = back.replace(&state(&back), &state(&other));
    let injected = place.back(&mut mine, &swapped).await;
    assert_eq!(injected.status, 403);
    place.nothing_happened(&injected);
    // Link 0's attempt at link 1: the cookie says which link.
    let forged = theirs
        .value("sign_in")
        .replace(&place.token(0), &place.token(1));
    let mut bent = Jar(vec![("__Host-stagewright_sign_in".to_owned(), forged)]);
    assert_eq!(place.back(&mut bent, &back).await.status, 403);
    // Too late.
    let mut slow = Jar::default();
    let way = place.go(&mut slow, 0).await;
    let back = place.at_provider(&way, "dana@example.com").await;
    place.scene.clock.step(Duration::from_secs(15 * 60 + 1));
    let late = place.back(&mut slow, &back).await;
    assert_eq!(late.status, 403);
    assert!(late.body.contains("Please sign in again"), "{}", late.body);
    assert_eq!(place.noted(), []);
}

#[tokio::test]
async fn threat_18_a_way_back_counts_once() {
    let place = place();
    let mut jar = Jar::default();
    let way = place.go(&mut jar, 0).await;
    let back = place.at_provider(&way, "dana@example.com").await;
    let kept = jar.clone();
    assert_eq!(place.back(&mut jar, &back).await.status, 303);
    assert_eq!(
        place.back(&mut jar, &back).await.status,
        403,
        "no cookie any more"
    );
    let again = place.back(&mut kept.clone(), &back).await;
    assert_eq!(again.status, 403, "the provider takes no code twice");
    // Another provider's answer is none of ours (RFC 9207), and neither is one without a code.
    for (from, to) in [
        ("iss=https%3A%2F%2Fid", "iss=https%3A%2F%2Fevil"),
        ("code=", "error="),
    ] {
        let mut jar = Jar::default();
        let way = place.go(&mut jar, 0).await;
        let back = place.at_provider(&way, "dana@example.com").await;
        let bent = back.replace(from, to);
        assert_ne!(bent, back);
        assert_eq!(place.back(&mut jar, &bent).await.status, 403, "{to}");
    }
    assert_eq!(place.noted(), [Kind::SignedIn]);
}

#[tokio::test]
async fn threat_21_signed_out_nothing_is_shown_again() {
    let place = place();
    let mut jar = Jar::default();
    place.sign_in(&mut jar, 0, "dana@example.com").await;
    let page = place.open(&mut jar, 0).await;
    assert_eq!(page.header("cache-control"), Some("no-store"));
    // Another site cannot do it, and it needs the page's nonce.
    let bare = place
        .send_form(
            &mut jar.clone(),
            0,
            &HttpAnswer {
                body: String::new(),
                ..page.clone()
            },
            &[("intent", "sign-out")],
        )
        .await;
    assert_eq!(bare.status, 403);
    let out = place
        .send_form(&mut jar, 0, &page, &[("intent", "sign-out")])
        .await;
    assert_eq!((out.status, jar.value("session").as_str()), (303, ""));
    let back = place.open(&mut jar, 0).await;
    place.nothing_happened(&back);
}

#[tokio::test]
async fn threat_31_signing_in_leads_to_the_provider_and_back_only() {
    let place = place();
    let mut request = get(&place.token(0));
    request.headers = vec![
        ("host".to_owned(), "evil.example".to_owned()),
        ("x-forwarded-host".to_owned(), "evil.example".to_owned()),
    ];
    request.query = "sign-in".to_owned();
    let answer = place.scene.send(&request).await;
    let location = answer.header("location").unwrap();
    assert!(location.starts_with("https://id.example.com/authorize?"));
    assert!(!location.contains("evil") && !location.contains(&place.token(0)));
    for query in [
        "sign-in=1",
        "sign-in&next=https://evil.example",
        "next=https://evil.example",
    ] {
        request.query = query.to_owned();
        let answer = place.scene.send(&request).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (200, None),
            "{query}"
        );
    }
    // A provider that describes itself as another one, or sends codes elsewhere, is not used.
    for (name, to) in [
        ("issuer", "https://evil.example"),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("token_endpoint", "http://id.example.com/token"),
        ("jwks_uri", "https://a@evil.example/keys"),
    ] {
        let place = super::sign_in::place();
        let mut said = json!({
            "issuer": ISSUER, "authorization_endpoint": format!("{ISSUER}/a"),
            "token_endpoint": format!("{ISSUER}/t"), "jwks_uri": format!("{ISSUER}/k"),
        });
        said[name] = json!(to);
        place
            .stage
            .always("GET", "/.well-known", Trick::Reply(Reply::json(200, &said)));
        let mut request = get(&place.token(0));
        request.query = "sign-in".to_owned();
        let answer = place.scene.send(&request).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (503, None),
            "{name}"
        );
    }
}

#[tokio::test]
async fn threat_41_a_forged_link_or_way_back_asks_no_provider_and_reads_nothing() {
    let place = place();
    let reads = place.scene.world.plan.calls();
    let mut request = get("v4.public.x");
    request.query = "sign-in".to_owned();
    let mut jar = Jar(vec![(
        "__Host-stagewright_sign_in".to_owned(),
        "browser.v4.public.x".to_owned(),
    )]);
    for _ in 0..50 {
        assert_eq!(place.scene.send(&request).await.status, 403);
        let back = format!("{BASE}/a/signed-in?code=c&state=s");
        assert_eq!(place.back(&mut jar, &back).await.status, 403);
        assert_eq!(place.back(&mut Jar::default(), &back).await.status, 403);
    }
    assert_eq!(place.scene.world.plan.calls(), reads);
    assert_eq!(place.stage.records().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_is_said_to_be() {
    let place = place();
    for part in ["/.well-known", "/token", "/keys"] {
        place.stage.always("", part, Trick::status(500));
        let mut jar = Jar::default();
        let mut request = get(&place.token(0));
        request.query = "sign-in".to_owned();
        let gone = place.scene.send(&jar.with(request)).await;
        let answer = if part == "/.well-known" {
            gone
        } else {
            place.sign_in(&mut jar, 0, "dana@example.com").await
        };
        assert_eq!(answer.status, 503, "{part}");
        assert_eq!(answer.header("retry-after"), Some("5"));
        place.nothing_happened(&answer);
        place.stage.behave();
    }
    assert_eq!(
        place
            .sign_in(&mut Jar::default(), 0, "dana@example.com")
            .await
            .status,
        303
    );
    // Nobody set one up.
    let scene = scene_by(L3);
    let mut request = get(&scene.invitations[0].token);
    request.query = "sign-in".to_owned();
    let answer = scene.send(&request).await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("Nobody can sign in here"));
}
