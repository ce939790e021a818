//! A world with requests in it, its clock, and the function.

use std::time::Duration;

use jiff::Timestamp;
use shared::{
    approval::{
        booth::{Booth, Voted},
        decide::Ballot,
        facts::Waiting,
        id::{ApprovalId, DecisionId},
        level::Level,
        link::Purpose,
        port::Entropy,
        request::{Record, Request, Target, Verdict},
        rules::{Rule, RuleSet},
        settings::{Revoked, SweepSettings},
    },
    port::Clock,
    secret::Secret,
};
use shared_testkit::{
    FixedClock,
    approval::{ApprovalWorld, Invitation, Machines, sample_request},
};

use crate::{Sweep, event::Woken};

pub const BASE: &str = "https://approve.example.com";

pub type World = ApprovalWorld;
pub type InMemory = Sweep<World, World, Machines, World, World, World, FixedClock, World>;

pub struct Scene {
    pub world: World,
    pub clock: FixedClock,
    pub machines: Machines,
    pub invitations: Vec<(String, Invitation)>,
    pub request: Request,
}

pub fn simple(needed: u32, approvers: &[&str]) -> Rule {
    let rules = RuleSet::simple(approvers.iter().copied(), needed);
    rules.and_then(RuleSet::into_only).unwrap()
}

/// One rule of dana, lee and kim, with these parts.
pub fn ruled(tops: &str, parts: &str) -> Rule {
    let file = format!(
        r#"{{"version":1,"people":{{
        "dana":{{"mail":"dana@example.com"}},"lee":{{"mail":"lee@example.com"}},"kim":{{"mail":"kim@example.com"}}}},
        "groups":{{"makers":["dana","lee"],"bosses":["kim"]}},{tops}
        "rules":[{{"name":"strict","needs":[{{"group":"makers","approvals":1}}],
            "fourEyes":{{"trigger":false,"authors":false}}{parts}}}]}}"#
    );
    RuleSet::parse(&file).and_then(RuleSet::into_only).unwrap()
}

/// A request like the sample's, of its own token, run and execution.
pub fn another(number: u8, at: Timestamp) -> Request {
    let sample = sample_request(at);
    Request {
        id: ApprovalId::from_random([number; 16]),
        execution: format!("8f0c3a52-6a0e-4b8c-9a55-0000000000{number:02}")
            .parse()
            .unwrap(),
        action_execution: format!("5d2b7c1e-0c84-4f7a-8f0e-0000000000{number:02}")
            .parse()
            .unwrap(),
        token: Secret::new(format!("1a2b3c4d-573f-4ea7-a67e-0000000000{number:02}")),
        ..sample
    }
}

pub fn waiting(request: &Request) -> Waiting {
    let Target { stage, action, .. } = request.target.clone();
    Waiting {
        stage,
        action,
        execution: request.execution.clone(),
        action_execution: request.action_execution.clone(),
        token: request.token.clone(),
    }
}

impl Scene {
    pub fn of(rule: Rule) -> Self {
        let clock = FixedClock::default();
        let request = another(7, clock.now());
        Self::with(request, rule, clock)
    }

    pub fn with(request: Request, rule: Rule, clock: FixedClock) -> Self {
        let world = World::new(1);
        let base = BASE.parse().unwrap();
        let invitations = world.ask_by(request.clone(), rule, &base, clock.now());
        world.wait_in_state(waiting(&request));
        Self {
            world,
            clock,
            machines: Machines::default(),
            invitations,
            request,
        }
    }

    pub fn sweep_of(&self, world: &World) -> InMemory {
        Sweep {
            store: world.clone(),
            pipelines: world.clone(),
            conditions: self.machines.clone(),
            postman: world.clone(),
            alerts: world.clone(),
            witness: Some(world.clone()),
            clock: self.clock.clone(),
            entropy: world.clone(),
            settings: SweepSettings {
                table: "unused".to_owned(),
                notify: "approval-notify".to_owned(),
                alerts: Some("arn:aws:sns:eu-west-1:123456789012:alerts".to_owned()),
                install: "main".to_owned(),
                bucket: Some("audit".to_owned()),
                audit_days: 2557,
                approver_role: None,
                revoked: Revoked::default(),
                mails_head: false,
            },
        }
    }

    pub async fn sweep(&self) {
        let sweep = self.sweep_of(&self.world);
        sweep.handle(Woken::Minute, Timestamp::MAX).await.unwrap();
    }

    pub fn step(&self, minutes: u64) {
        self.clock.step(Duration::from_secs(60 * minutes));
    }

    pub fn record(&self) -> Record {
        self.world.records().remove(0)
    }

    /// What the page makes of a form of this approver.
    pub fn ballot(&self, who: usize, verdict: Verdict) -> Ballot {
        let record = self.record();
        let invitation = &self.invitations[who].1;
        let recipient = record.recipient(&invitation.recipient).unwrap();
        Ballot {
            recipient: invitation.recipient.clone(),
            link: recipient.links.last().unwrap().id.clone(),
            purpose: Purpose::Review,
            link_digest: record.request.link_digest(),
            signed_in: record.rule.level == Level::SignIn,
            act: shared::approval::decide::Act::Vote,
            verdict,
            comment: "as agreed".to_owned(),
            code: Secret::new(invitation.code.clone()),
            nonce: format!("nonce{}", self.world.bytes::<1>()[0]),
            seen: record.snapshot_digest(),
            attempt: DecisionId::from_random(self.world.bytes()),
            means: shared::approval::means::Means::default(),
        }
    }

    pub async fn vote(&self, who: usize, verdict: Verdict) -> Voted {
        self.cast(&self.ballot(who, verdict)).await
    }

    pub async fn cast(&self, ballot: &Ballot) -> Voted {
        let booth = Booth {
            store: &self.world,
            sender: &self.world,
            clock: &self.clock,
        };
        booth.cast(self.record(), ballot).await.unwrap()
    }
}
