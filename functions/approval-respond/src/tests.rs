//! The whole function against the in-memory world: scanners, forgers, racers, crashes, and people.

use std::{future::Future, pin::pin, sync::Arc, task::Poll, time::Duration};

use shared::approval::{
    http::{Body, HttpAnswer, HttpRequest},
    link::Claims,
    request::{Request, Verdict},
    rules::{RuleSet, evaluate::Actor},
    settings::BaseUrl,
};
use shared_testkit::proptest::prelude::*;
use shared_testkit::{
    Fate, FixedClock, Mode, Plan,
    approval::{ApprovalWorld, Invitation, sample_request},
    time::BEGINNING,
};

use super::*;

const BASE: &str = "https://approve.example.com";
const CODEPIPELINE_TOKEN: &str = "1a2b3c4d-573f-4ea7-a67e-000000000000";

type Page = Respond<ApprovalWorld, ApprovalWorld, FixedClock, ApprovalWorld>;

/// A world with one open request, the function, and a browser for each approver.
struct Scene {
    world: ApprovalWorld,
    clock: FixedClock,
    page: Arc<Page>,
    invitations: Vec<Invitation>,
}

fn page_at(world: &ApprovalWorld, clock: &FixedClock, base: &str) -> Page {
    Respond {
        store: world.clone(),
        sender: world.clone(),
        clock: clock.clone(),
        entropy: world.clone(),
        settings: RespondSettings {
            table: "unused".to_owned(),
            base: base.parse().unwrap(),
            keys: world.ring(),
        },
    }
}

fn scene_of(seed: u64, base: &str, request: Request, needed: u32, approvers: &[&str]) -> Scene {
    let (world, clock) = (ApprovalWorld::new(seed), FixedClock::default());
    let base_url: BaseUrl = base.parse().unwrap();
    let invitations = world.ask(request, needed, approvers, &base_url, BEGINNING);
    let page = Arc::new(page_at(&world, &clock, base));
    Scene {
        world,
        clock,
        page,
        invitations,
    }
}

fn scene() -> Scene {
    scene_of(1, BASE, sample_request(BEGINNING), 1, &["dana@example.com"])
}

fn get(token: &str) -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        path: format!("/a/{token}"),
        ..HttpRequest::default()
    }
}

/// What a browser keeps of a shown page.
#[derive(Clone)]
struct Shown {
    token: String,
    cookie: String,
    nonce: String,
    seen: String,
}

fn hidden(html: &str, name: &str) -> String {
    let at = html.split(&format!("name=\"{name}\" value=\"")).nth(1);
    at.and_then(|rest| rest.split('"').next())
        .unwrap_or_default()
        .to_owned()
}

fn shown(token: &str, answer: &HttpAnswer, cookie: Option<&str>) -> Shown {
    let set = answer
        .cookies
        .first()
        .map(|c| c.split(';').next().unwrap().to_owned());
    Shown {
        token: token.to_owned(),
        cookie: set
            .or_else(|| cookie.map(str::to_owned))
            .unwrap_or_default(),
        nonce: hidden(&answer.body, "nonce"),
        seen: hidden(&answer.body, "seen"),
    }
}

fn post(shown: &Shown, fields: &[(&str, &str)]) -> HttpRequest {
    let mut body = format!("nonce={}&seen={}", shown.nonce, shown.seen);
    for (name, value) in fields {
        body.push_str(&format!("&{name}={}", value.replace(' ', "+")));
    }
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    HttpRequest {
        method: "POST".to_owned(),
        path: format!("/a/{}", shown.token),
        headers: vec![
            header("content-type", "application/x-www-form-urlencoded"),
            header("sec-fetch-site", "same-origin"),
        ],
        cookies: vec![shown.cookie.clone()],
        body: Body::Text(body),
        ..HttpRequest::default()
    }
}

impl Scene {
    async fn open(&self, at: usize) -> Shown {
        let token = &self.invitations[at].token;
        let answer = self.page.handle(&get(token)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        shown(token, &answer, None)
    }

    fn ballot(&self, at: usize, shown: &Shown, verdict: &str) -> HttpRequest {
        let code = &self.invitations[at].code;
        let comment = if verdict == "reject" { "not today" } else { "" };
        let fields = [
            ("intent", "decide"),
            ("verdict", verdict),
            ("code", code),
            ("comment", comment),
        ];
        post(shown, &fields)
    }

    async fn vote(&self, at: usize, verdict: &str) -> HttpAnswer {
        let shown = self.open(at).await;
        self.page.handle(&self.ballot(at, &shown, verdict)).await
    }

    async fn text(&self, at: usize) -> String {
        self.page
            .handle(&get(&self.invitations[at].token))
            .await
            .body
    }
}

#[tokio::test]
async fn scanners_change_nothing_and_a_person_decides_afterwards() {
    let scene = scene();
    for round in 0..120 {
        let mut request = get(&scene.invitations[0].token);
        if round % 6 == 0 {
            request.method = "HEAD".to_owned();
        }
        let answer = scene.page.handle(&request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.is_empty(), round % 6 == 0);
    }
    assert_eq!((scene.world.writes(), scene.world.results().len()), (0, 0));
    let answer = scene.vote(0, "approve").await;
    assert_eq!(answer.status, 303);
    let own = format!("{BASE}/a/{}", scene.invitations[0].token);
    assert_eq!(answer.header("location"), Some(own.as_str()));
    let results = scene.world.results();
    assert_eq!(results.len(), 1);
    assert!(
        results[0].1.starts_with("Approved in decision "),
        "{}",
        results[0].1
    );
    assert!(
        results[0].1.contains("By dana@example.com"),
        "{}",
        results[0].1
    );
    let text = scene.text(0).await;
    assert!(
        text.contains("Approved on Fri 2 Jan 2026, 03:04 UTC"),
        "{text}"
    );
    assert!(!text.contains("<form"));
}

#[tokio::test]
async fn a_page_holds_no_script_and_nothing_chosen() {
    let scene = scene();
    let html = scene.text(0).await.to_lowercase();
    for forbidden in [
        "<script",
        "javascript:",
        " onload",
        " onclick",
        "<iframe",
        "<img",
        "style=",
        " checked",
        "og:",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert_eq!(html.matches("type=\"radio\"").count(), 2);
    assert_eq!(html.matches(" required").count(), 3);
    assert!(!html.contains(&scene.invitations[0].code.to_lowercase()));
}

#[tokio::test]
async fn every_answer_carries_the_protecting_headers() {
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
        let answer = scene.page.handle(&request).await;
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

proptest! {
    #[test]
    fn forged_links_get_one_answer_and_no_read(at in 0usize..400, bit in 0u8..7) {
        let scene = scene();
        let mut token = scene.invitations[0].token.clone().into_bytes();
        let at = at % token.len();
        token[at] ^= 1 << bit;
        let forged = String::from_utf8_lossy(&token).into_owned();
        prop_assume!(!forged.contains('\u{fffd}'));
        let answer = now(scene.page.handle(&get(&forged)));
        let other = now(scene.page.handle(&get("v4.public.AAAA")));
        prop_assert_eq!(answer.status, 403);
        prop_assert!(answer == other);
        prop_assert_eq!(scene.world.plan.calls(), Vec::<&str>::new());
    }
}

/// Runs a future that never waits.
fn now<V>(work: impl Future<Output = V>) -> V {
    let mut work = pin!(work);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match work.as_mut().poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

#[tokio::test]
async fn claims_of_another_request_recipient_or_execution_open_nothing() {
    let scene = scene();
    let base: BaseUrl = BASE.parse().unwrap();
    let record = &scene.world.records()[0];
    let who = &record.recipients[0];
    let good = Claims {
        approval: record.request.id.clone(),
        digest: record.request.link_digest(),
        recipient: who.id.clone(),
        link: who.links[0].id.clone(),
        issued_at: BEGINNING,
        expires_at: record.request.expires_at,
    };
    let status = async |claims: &Claims, base: &BaseUrl| {
        let token = scene.world.seal(claims, base);
        scene.page.handle(&get(&token)).await.status
    };
    assert_eq!(status(&good, &base).await, 200);
    use shared::approval::id::{ApprovalId, LinkId, RecipientId};
    for bad in [
        Claims {
            approval: ApprovalId::from_random([9; 16]),
            ..good.clone()
        },
        Claims {
            digest: "another execution".to_owned(),
            ..good.clone()
        },
        Claims {
            recipient: RecipientId::from_random([9; 8]),
            ..good.clone()
        },
        Claims {
            link: LinkId::from_random([9; 12]),
            ..good.clone()
        },
    ] {
        assert_eq!(status(&bad, &base).await, 403);
    }
    assert_eq!(
        status(&good, &"https://other.example.com".parse().unwrap()).await,
        403
    );
}

#[tokio::test]
async fn an_expired_link_shows_and_decides_nothing() {
    let scene = scene();
    let shown = scene.open(0).await;
    scene
        .clock
        .step(Duration::from_hours(48) - Duration::from_secs(1));
    assert_eq!(scene.page.handle(&get(&shown.token)).await.status, 200);
    let fresh = scene.open(0).await;
    scene.clock.step(Duration::from_secs(1));
    let answer = scene.page.handle(&get(&shown.token)).await;
    assert_eq!(answer.status, 410);
    assert!(!answer.body.contains("site-release"));
    let answer = scene.page.handle(&scene.ballot(0, &fresh, "approve")).await;
    assert_eq!(answer.status, 403);
    assert!(!answer.body.contains("site-release"));
    assert_eq!(scene.world.results(), []);
}

#[tokio::test]
async fn a_form_is_bound_to_link_and_browser_and_time() {
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
        let answer = scene
            .page
            .handle(&scene.ballot(0, &foreign, "approve"))
            .await;
        assert_eq!(answer.status, 403);
    }
    scene.clock.step(Duration::from_secs(901));
    let code = scene.invitations[0].code.clone();
    let fields = [
        ("verdict", "reject"),
        ("code", code.as_str()),
        ("comment", "not today"),
    ];
    let answer = scene.page.handle(&post(&mine, &fields)).await;
    assert_eq!(answer.status, 422);
    assert!(answer.body.contains("not today") && answer.body.contains("more than 15 minutes"));
    assert!(!answer.body.contains(&code));
    assert_eq!(scene.world.writes(), 0);
    // The form that came back works, with the cookie the browser has.
    let again = shown(&mine.token, &answer, Some(&mine.cookie));
    let answer = scene.page.handle(&scene.ballot(0, &again, "reject")).await;
    assert_eq!(answer.status, 303);
}

#[tokio::test]
async fn five_wrong_codes_lock_the_link() {
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
            .page
            .handle(&post(&shown, &[("verdict", "approve"), ("code", "WRONG")]))
            .await;
        assert_eq!(answer.status, status, "{words}");
        assert!(answer.body.contains(words), "{words}: {}", answer.body);
    }
    let token = &scene.invitations[0].token;
    let locked = scene.page.handle(&get(token)).await;
    assert!(!locked.body.contains("<form"));
    let forced = Shown {
        token: token.clone(),
        cookie: String::new(),
        nonce: String::new(),
        seen: String::new(),
    };
    assert_eq!(
        scene
            .page
            .handle(&scene.ballot(0, &forced, "approve"))
            .await
            .status,
        403
    );
    assert_eq!(scene.world.results(), []);
}

#[tokio::test]
async fn a_form_counts_once_and_only_for_what_was_seen() {
    let two = ["dana@example.com", "lee@example.com"];
    let scene = scene_of(3, BASE, sample_request(BEGINNING), 2, &two);
    let shown = scene.open(0).await;
    let other = Shown {
        seen: "something else".to_owned(),
        ..shown.clone()
    };
    assert_eq!(
        scene
            .page
            .handle(&scene.ballot(0, &other, "approve"))
            .await
            .status,
        409
    );
    assert_eq!(
        scene
            .page
            .handle(&scene.ballot(0, &shown, "approve"))
            .await
            .status,
        303
    );
    let replay = scene.page.handle(&scene.ballot(0, &shown, "reject")).await;
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

#[tokio::test]
async fn one_rejection_decides() {
    let three = ["dana@example.com", "lee@example.com", "kim@example.com"];
    let scene = scene_of(4, BASE, sample_request(BEGINNING), 2, &three);
    assert_eq!(scene.vote(0, "approve").await.status, 303);
    assert_eq!(scene.vote(1, "reject").await.status, 303);
    let results = scene.world.results();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].0, Verdict::Reject);
    assert!(
        results[0].1.ends_with("By lee@example.com. not today"),
        "{}",
        results[0].1
    );
    assert!(scene.text(2).await.contains("Rejected on"));
}

/// A rules file over Dana, Kim and Lee, who are invited in this order as far as they are asked; Dana wrote the change of the sample.
fn scene_by(rule: &str) -> Scene {
    let file = format!(
        r#"{{"version":1,"people":{{"dana":{{"name":"Dana","mail":"dana@example.com","aliases":["Dana K."]}},
        "kim":{{"mail":"kim@example.com"}},"lee":{{"mail":"lee@example.com"}}}},
        "groups":{{"makers":["dana","lee"],"security":["kim"]}},"rules":[{{"name":"strict",{rule}}}]}}"#
    );
    let (world, clock) = (ApprovalWorld::new(9), FixedClock::default());
    let rule = RuleSet::parse(&file).unwrap().into_only().unwrap();
    let mut request = sample_request(BEGINNING);
    request.facts.trigger = Actor::Machine;
    request.facts.authors = vec![Actor::Named(vec!["dana k.".to_owned()])];
    let invited = world.ask_by(request, rule, &BASE.parse().unwrap(), BEGINNING);
    let page = Arc::new(page_at(&world, &clock, BASE));
    let invitations = invited.into_iter().map(|(_, i)| i).collect();
    Scene {
        world,
        clock,
        page,
        invitations,
    }
}

#[tokio::test]
async fn nobody_approves_their_own_change() {
    let scene = scene_by(r#""needs":[{"group":"makers","approvals":1}]"#);
    let answer = scene.vote(0, "approve").await;
    assert_eq!(answer.status, 403);
    let why =
        "Dana wrote this change, and the rule &#34;strict&#34; wants somebody else to approve.";
    assert!(answer.body.contains(why), "{}", answer.body);
    let record = &scene.world.records()[0];
    assert!(record.votes.is_empty() && record.state == State::Open);
    // Rejecting is not approving, and Lee wrote nothing.
    assert_eq!(scene.vote(1, "approve").await.status, 303);
    assert_eq!(scene.world.results()[0].0, Verdict::Approve);
    let summary = &scene.world.results()[0].1;
    assert!(
        summary.contains("rule \"strict\". By lee@example.com."),
        "{summary}"
    );
    let scene = scene_by(r#""needs":[{"group":"makers","approvals":1}]"#);
    assert_eq!(scene.vote(0, "reject").await.status, 303);
    assert_eq!(scene.world.results()[0].0, Verdict::Reject);
}

#[tokio::test]
async fn every_group_of_a_rule_is_met_on_its_own() {
    let scene = scene_by(
        r#""needs":[{"group":"makers","approvals":1},{"group":"security","approvals":1}],
        "fourEyes":{"authors":false,"trigger":false},"inOrder":true"#,
    );
    let early = scene.vote(1, "approve").await;
    assert_eq!(early.status, 403);
    assert!(
        early
            .body
            .contains("makers answers first and still lacks 1 approval"),
        "{}",
        early.body
    );
    assert_eq!(scene.vote(0, "approve").await.status, 303);
    assert_eq!(scene.vote(2, "approve").await.status, 303);
    assert_eq!(scene.world.results(), []);
    let text = scene.text(0).await;
    for said in [
        "strict: 1 of makers, then 1 of security; one rejection decides",
        "Still needed: 1 more approval of security (kim).",
        "2 approvals; 1 more approval of security (kim)",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_eq!(scene.vote(1, "approve").await.status, 303);
    assert_eq!(scene.world.results()[0].0, Verdict::Approve);
}

#[tokio::test]
async fn what_happened_elsewhere_is_told() {
    let told = scene();
    told.world.answer_outside(Verdict::Reject);
    let answer = told.vote(0, "approve").await;
    assert_eq!(answer.status, 409);
    assert!(
        answer
            .body
            .contains("rejected or stopped outside of this page"),
        "{}",
        answer.body
    );
    let retried = scene();
    retried.world.retry_stage();
    let answer = retried.vote(0, "approve").await;
    assert_eq!(answer.status, 409);
    assert!(answer.body.contains("No longer waiting") && !answer.body.contains("<form"));
}

#[tokio::test]
async fn of_fifty_racers_one_result_comes() {
    for seed in 0..10 {
        let scene = scene_of(
            seed,
            BASE,
            sample_request(BEGINNING),
            1,
            &["dana@example.com"],
        );
        let mut forms = Vec::new();
        for at in 0..50 {
            let verdict = if at % 3 == 0 { "reject" } else { "approve" };
            forms.push(scene.ballot(0, &scene.open(0).await, verdict));
        }
        scene.world.interleave();
        let racers: Vec<_> = forms
            .into_iter()
            .map(|form| {
                let page = scene.page.clone();
                tokio::spawn(async move { page.handle(&form).await.status })
            })
            .collect();
        let mut statuses = Vec::new();
        for racer in racers {
            statuses.push(racer.await.unwrap());
        }
        let count = |status| statuses.iter().filter(|s| **s == status).count();
        assert_eq!(
            (count(303), count(409)),
            (1, 49),
            "seed {seed}: {statuses:?}"
        );
        assert_eq!(scene.world.results().len(), 1, "seed {seed}");
        let puts = scene
            .world
            .plan
            .calls()
            .iter()
            .filter(|c| **c == "put result")
            .count();
        assert_eq!(puts, 1, "seed {seed}");
    }
}

#[tokio::test]
async fn many_approvers_racing_make_one_result() {
    let people: Vec<String> = (0..12).map(|at| format!("p{at}@example.com")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    for seed in 0..10 {
        let scene = scene_of(seed, BASE, sample_request(BEGINNING), 5, &people);
        let mut forms = Vec::new();
        for at in 0..people.len() {
            let verdict = if (at as u64 + seed).is_multiple_of(7) {
                "reject"
            } else {
                "approve"
            };
            forms.push(scene.ballot(at, &scene.open(at).await, verdict));
        }
        scene.world.interleave();
        let racers: Vec<_> = forms
            .into_iter()
            .map(|form| {
                let page = scene.page.clone();
                tokio::spawn(async move { page.handle(&form).await.status })
            })
            .collect();
        for racer in racers {
            let status = racer.await.unwrap();
            assert!(matches!(status, 303 | 409), "seed {seed}: {status}");
        }
        let results = scene.world.results();
        assert_eq!(results.len(), 1, "seed {seed}");
        let record = &scene.world.records()[0];
        let rejected = record.votes.iter().any(|v| v.verdict == Verdict::Reject);
        assert_eq!(results[0].0 == Verdict::Reject, rejected, "seed {seed}");
    }
}

/// Polls until the answer is there or the process has died or hangs.
async fn unless_dead<V>(plan: &Plan, work: impl Future<Output = V>) -> Option<V> {
    let mut work = pin!(work);
    let mut idle = 0;
    std::future::poll_fn(move |context| {
        if let Poll::Ready(value) = work.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        idle += 1;
        if plan.is_dead() || idle > 100 {
            return Poll::Ready(None);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Whatever call goes wrong, the person who opens the link again ends with exactly the result that was voted for.
#[tokio::test]
async fn a_crash_at_any_call_ends_in_exactly_one_result() {
    let mut reached = 0;
    for fate in Fate::BAD {
        for at in 0..12 {
            let scene = scene_of(5, BASE, sample_request(BEGINNING), 1, &["dana@example.com"]);
            let form = scene.ballot(0, &scene.open(0).await, "approve");
            let plan = Plan::new(Mode::At(at, fate));
            let broken = page_at(&scene.world.under(&plan), &scene.clock, BASE);
            let _ = unless_dead(&plan, broken.handle(&form)).await;
            reached = reached.max(plan.calls().len());
            scene.clock.step(Duration::from_secs(31));
            let page = scene.page.handle(&get(&scene.invitations[0].token)).await;
            let back = shown(&scene.invitations[0].token, &page, None);
            if page.body.contains("value=\"deliver\"") {
                let answer = scene
                    .page
                    .handle(&post(&back, &[("intent", "deliver")]))
                    .await;
                assert_eq!(answer.status, 303, "{fate:?} at {at}");
            } else if page.body.contains("value=\"decide\"") {
                let answer = scene.page.handle(&scene.ballot(0, &back, "approve")).await;
                assert_eq!(answer.status, 303, "{fate:?} at {at}");
            }
            let results = scene.world.results();
            assert_eq!(results.len(), 1, "{fate:?} at {at}");
            assert_eq!(results[0].0, Verdict::Approve);
            let end = scene.text(0).await;
            assert!(end.contains("Approved on"), "{fate:?} at {at}: {end}");
        }
    }
    assert!(reached >= 4, "load, replace, put, replace: {reached}");
}

#[tokio::test]
async fn under_a_path_everything_stays_under_it() {
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
    let answer = scene.page.handle(&request).await;
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
    let answer = scene.page.handle(&form).await;
    assert_eq!(
        answer.header("location"),
        Some(format!("{base}/a/{token}").as_str())
    );
}

#[tokio::test]
async fn a_https_cookie_is_host_bound() {
    let scene = scene();
    let answer = scene.page.handle(&get(&scene.invitations[0].token)).await;
    let cookie = &answer.cookies[0];
    assert!(cookie.starts_with("__Host-stagewright_form="), "{cookie}");
    assert!(
        cookie.contains("; Path=/; Secure; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
}

/// Texts that would add an element, an attribute or a line if they were not escaped and cleaned.
const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "\"><img src=x onerror=alert(1)>",
    "' autofocus onfocus='alert(1)",
    "</textarea><form action=https://evil.example>",
    "\u{202e}evorppa\u{2028}\0",
    "javascript:alert(1)",
    "{{ base }}<!--",
];

#[tokio::test]
async fn hostile_texts_stay_texts() {
    let tags = |html: &str| (html.matches('<').count(), html.matches(" on").count());
    let plain = |text: &str| {
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
        scene_of(
            7,
            BASE,
            request,
            2,
            &["dana@example.com", "lee@example.com"],
        )
    };
    let calm = plain("calm").text(0).await;
    for text in HOSTILE {
        let scene = plain(text);
        let html = scene.text(0).await;
        assert_eq!(tags(&html).0, tags(&calm).0, "{text}");
        assert!(!html.contains("href=\"javascript"), "{text}");
        assert!(!html.contains(['\u{202e}', '\u{2028}', '\0']), "{text}");
        // The comment comes back in the form and on the page.
        let encoded: String = text.bytes().map(|b| format!("%{b:02x}")).collect();
        let shown = scene.open(0).await;
        let answer = scene
            .page
            .handle(&post(&shown, &[("comment", &encoded)]))
            .await;
        assert_eq!(answer.status, 422);
        let calm = scene
            .page
            .handle(&post(&shown, &[("comment", "calm")]))
            .await;
        assert_eq!(tags(&answer.body).0, tags(&calm.body).0, "{text}");
    }
}

/// Collects everything that is logged at the finest level.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn nothing_secret_is_logged_or_printed() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let mut secrets = vec![CODEPIPELINE_TOKEN.to_owned()];
    let mut printed = String::new();
    // For the whole process: under one that a thread has to itself, events that another test's thread reaches first
    // stay silent everywhere.
    tracing::subscriber::set_global_default(subscriber).expect("the only test that sets one");
    tracing::callsite::rebuild_interest_cache();
    for mode in [
        Mode::Work,
        Mode::At(1, Fate::FailBefore),
        Mode::At(3, Fate::FailBefore),
    ] {
        let scene = scene();
        let shown = now(scene.open(0));
        let form = scene.ballot(0, &shown, "approve");
        let page = page_at(&scene.world.under(&Plan::new(mode)), &scene.clock, BASE);
        let wrong = post(&shown, &[("verdict", "approve"), ("code", "QQQQ-QQQQ")]);
        for request in [&get("v4.public.x"), &wrong, &form, &form] {
            let answer = now(page.handle(request));
            printed.push_str(&format!(
                "{request:?} {answer:?} {:?} {page:?}",
                form::read(request)
            ));
        }
        let record = &scene.world.records()[0];
        printed.push_str(&format!("{record:?}"));
        secrets.extend([
            shown.token,
            shown.nonce,
            shown.cookie,
            scene.invitations[0].code.clone(),
        ]);
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("a form was answered"), "{logged}");
    for secret in secrets.iter().map(String::as_str).chain(["QQQQ"]) {
        assert!(!logged.contains(secret), "logged: {secret}");
        assert!(!printed.contains(secret), "printed: {secret}");
    }
}

/// Writes the pages as files, to be looked at: `STAGEWRIGHT_PAGES=folder cargo nextest run -p approval-respond look`.
#[tokio::test]
async fn look_at_the_pages() {
    let Some(folder) = std::env::var_os("STAGEWRIGHT_PAGES").map(std::path::PathBuf::from) else {
        return;
    };
    let base = "http://127.0.0.1:4599";
    let people = ["dana@example.com", "lee@example.com", "kim@example.com"];
    let scene = scene_of(8, base, sample_request(BEGINNING), 2, &people);
    scene.clock.step(Duration::from_secs(3 * 3600));
    assert_eq!(scene.vote(0, "approve").await.status, 303);
    let shown = scene.open(1).await;
    let wrong = post(&shown, &[("verdict", "reject"), ("code", "X")]);
    let mut pages = vec![
        ("open", scene.text(1).await),
        ("voted", scene.text(0).await),
        ("mistake", scene.page.handle(&wrong).await.body),
        ("invalid", scene.page.handle(&get("x")).await.body),
    ];
    assert_eq!(scene.vote(1, "reject").await.status, 303);
    pages.push(("rejected", scene.text(2).await));
    for (name, html) in pages {
        let style = format!("href=\"{base}/style.css\"");
        std::fs::write(
            folder.join(format!("{name}.html")),
            html.replace(&style, "href=\"style.css\""),
        )
        .unwrap();
    }
    std::fs::write(folder.join("style.css"), answer::style().body).unwrap();
}
