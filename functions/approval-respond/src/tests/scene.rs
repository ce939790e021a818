//! A world with an open request, the function, and a browser for each approver.

use std::{future::Future, pin::pin, sync::Arc, task::Poll};

use serde_json::json;
use shared::approval::{
    http::{Body, HttpAnswer, HttpRequest},
    request::Request,
    rules::{RuleSet, evaluate::Actor},
    settings::{BaseUrl, RespondSettings},
    sign_in::open_id::OpenId,
};
use shared_aws::http_entry;
use shared_testkit::{
    FixedClock, VirtualTime,
    approval::{ApprovalWorld, Invitation, sample_request},
    memory::MemorySecrets,
    time::BEGINNING,
};
use stagewright_standins::{InMemory, identity::Identity};

use super::{super::Respond, events};

pub const BASE: &str = "https://approve.example.com";
pub const CODEPIPELINE_TOKEN: &str = "1a2b3c4d-573f-4ea7-a67e-000000000000";

pub type Provider = OpenId<InMemory<Identity, FixedClock>, VirtualTime, MemorySecrets>;
pub type Page = Respond<ApprovalWorld, ApprovalWorld, FixedClock, ApprovalWorld, Provider>;

/// A world with one open request, the function, and a browser for each approver.
pub struct Scene {
    pub world: ApprovalWorld,
    pub clock: FixedClock,
    pub page: Arc<Page>,
    pub invitations: Vec<Invitation>,
}

pub fn page_at(world: &ApprovalWorld, clock: &FixedClock, base: &str) -> Page {
    Respond {
        store: world.clone(),
        sender: world.clone(),
        clock: clock.clone(),
        entropy: world.clone(),
        sign_in: None,
        settings: RespondSettings {
            table: "unused".to_owned(),
            rules: None,
            base: base.parse().unwrap(),
            keys: world.ring(),
            addresses: shared::approval::settings::Addresses::Short,
            zone: shared::approval::settings::Zone::default(),
            revoked: shared::approval::settings::Revoked::default(),
            approver_role: None,
            sign_in: None,
            slack_secret: None,
            slack_api: "https://slack.com/api".to_owned(),
        },
    }
}

pub fn scene_of(seed: u64, base: &str, request: Request, needed: u32, approvers: &[&str]) -> Scene {
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

pub fn scene() -> Scene {
    scene_of(1, BASE, sample_request(BEGINNING), 1, &["dana@example.com"])
}

pub fn get(token: &str) -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        path: format!("/a/{token}"),
        ..HttpRequest::default()
    }
}

/// What a browser keeps of a shown page.
#[derive(Clone)]
pub struct Shown {
    pub token: String,
    pub cookie: String,
    pub nonce: String,
    pub seen: String,
}

pub fn hidden(html: &str, name: &str) -> String {
    let at = html.split(&format!("name=\"{name}\" value=\"")).nth(1);
    at.and_then(|rest| rest.split('"').next())
        .unwrap_or_default()
        .to_owned()
}

pub fn shown(token: &str, answer: &HttpAnswer, cookie: Option<&str>) -> Shown {
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

pub fn post(shown: &Shown, fields: &[(&str, &str)]) -> HttpRequest {
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
    /// Sends a request as both kinds of event that Lambda may be called with, which must mean the same; the answer is
    /// what goes back to the browser.
    pub async fn send(&self, request: &HttpRequest) -> HttpAnswer {
        let asked = events::through(request);
        let answer = self.page.handle(&asked).await;
        let sent = http_entry::answer(answer.clone());
        assert_eq!(sent["statusCode"], answer.status);
        assert_eq!(sent["cookies"], json!(answer.cookies));
        answer
    }

    pub async fn open(&self, at: usize) -> Shown {
        let token = &self.invitations[at].token;
        let answer = self.send(&get(token)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        shown(token, &answer, None)
    }

    pub fn ballot(&self, at: usize, shown: &Shown, verdict: &str) -> HttpRequest {
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

    pub async fn vote(&self, at: usize, verdict: &str) -> HttpAnswer {
        let shown = self.open(at).await;
        self.send(&self.ballot(at, &shown, verdict)).await
    }

    pub async fn text(&self, at: usize) -> String {
        self.send(&get(&self.invitations[at].token)).await.body
    }
}

/// A rules file over Dana, Kim and Lee, who are invited in this order as far as they are asked; Dana wrote the change of the sample.
pub fn scene_by(rule: &str) -> Scene {
    let file = format!(
        r#"{{"version":1,"people":{{"dana":{{"name":"Dana","mail":"dana@example.com","slack":"U0000DANA","aliases":["Dana K."]}},
        "kim":{{"mail":"kim@example.com","slack":"U00000KIM"}},"lee":{{"mail":"lee@example.com"}}}},
        "groups":{{"makers":["dana","lee"],"security":["kim"]}},"channels":{{"makers":{{"slack":"C0MAKERS01"}}}},"rules":[{{"name":"strict",{rule}}}]}}"#
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

/// Runs a future that never waits.
pub fn now<V>(work: impl Future<Output = V>) -> V {
    let mut work = pin!(work);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match work.as_mut().poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}
