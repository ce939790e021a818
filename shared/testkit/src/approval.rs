//! Everything an approval touches, in memory: table, CodePipeline, KMS, SES, randomness; failing and interleaving on demand.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair};
use shared::{
    approval::{
        code::Code,
        decide::{self, Finding, SendAnswer},
        facts::{ExecutionFacts, SourceOutput, Waiting},
        id::{ApprovalId, LinkId, RecipientId},
        key::MessageKey,
        link::{Claims, KeyRing},
        port::{ApprovalStore, Entropy, LinkSigner, Mail, Mailer, PipelineReader, ResultSender},
        request::{IssuedLink, Record, Request, Target, Verdict},
        rules::{Rule, RuleSet},
        settings::{BaseUrl, KeyId},
        stored,
    },
    id::{ExecutionId, PipelineName},
    port::PortError,
    secret::Secret,
};

use crate::failing::{Mode, Plan};

/// Name of the one signing key.
pub const KID: &str = "k1";

/// Clones share one state.
#[derive(Debug, Clone)]
pub struct ApprovalWorld {
    state: Arc<Mutex<State>>,
    /// What goes wrong, over all ports.
    pub plan: Plan,
}

#[derive(Debug, Default)]
struct State {
    random: u64,
    interleave: bool,
    keys: BTreeMap<String, ApprovalId>,
    records: BTreeMap<ApprovalId, Secret>,
    writes: usize,
    mails: Vec<Mail>,
    waiting: Vec<Waiting>,
    history: Vec<Waiting>,
    execution: ExecutionFacts,
    outputs: Vec<SourceOutput>,
    results: Vec<(Verdict, String)>,
    outside: Option<Finding>,
    retried: bool,
}

/// An approver's link and code.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Token of the link.
    pub token: String,
    /// Code of the mail.
    pub code: String,
    /// Whose.
    pub recipient: RecipientId,
}

impl ApprovalWorld {
    /// An empty world; the seed moves every random value and interleaving.
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            plan: Plan::new(Mode::Work),
        }
    }

    /// The same world under another plan.
    pub fn under(&self, plan: &Plan) -> Self {
        Self {
            state: self.state.clone(),
            plan: plan.clone(),
        }
    }

    /// From now on every call gives way to the others a random number of times.
    pub fn interleave(&self) {
        self.lock().interleave = true;
    }

    /// The ring that opens this world's links.
    pub fn ring(&self) -> KeyRing {
        let kid: KeyId = KID.parse().expect("KID is a kid");
        let public = pair().public_key().as_ref().to_vec();
        KeyRing::new([(kid, public)]).expect("the key is a key")
    }

    /// The run of this request waits in GetPipelineState.
    pub fn wait_in_state(&self, waiting: Waiting) {
        self.lock().waiting.push(waiting);
    }

    /// The run of this request waits in ListActionExecutions only, as in PARALLEL mode.
    pub fn wait_in_history(&self, waiting: Waiting) {
        self.lock().history.push(waiting);
    }

    /// What the execution carries.
    pub fn carries(&self, execution: ExecutionFacts, outputs: Vec<SourceOutput>) {
        let mut state = self.lock();
        state.execution = execution;
        state.outputs = outputs;
    }

    /// Somebody answers in the console.
    pub fn answer_outside(&self, verdict: Verdict) {
        self.lock().outside = Some(Finding {
            summary: Some("by hand".to_owned()),
            verdict: Some(verdict),
            ended: true,
        });
    }

    /// The stage is retried: the action waits again, with another token.
    pub fn retry_stage(&self) {
        self.lock().retried = true;
    }

    /// Results CodePipeline took, with their summaries.
    pub fn results(&self) -> Vec<(Verdict, String)> {
        self.lock().results.clone()
    }

    /// Mails SES took.
    pub fn mails(&self) -> Vec<Mail> {
        self.lock().mails.clone()
    }

    /// Records as stored.
    pub fn records(&self) -> Vec<Record> {
        let state = self.lock();
        let texts = state.records.values();
        texts
            .map(|text| stored::decode(text.reveal()).expect("what was encoded decodes"))
            .collect()
    }

    /// Writes to the table that held.
    pub fn writes(&self) -> usize {
        self.lock().writes
    }

    /// Stores an open request with these approvers and answers an invitation for each, as `approval-notify` would.
    pub fn ask(
        &self,
        request: Request,
        needed: u32,
        approvers: &[&str],
        base: &BaseUrl,
        now: Timestamp,
    ) -> Vec<Invitation> {
        let rules = RuleSet::simple(approvers.iter().copied(), needed);
        let rule = rules.and_then(RuleSet::into_only).expect("a good rule");
        let mut invited = self.ask_by(request, rule, base, now);
        invited.sort_by_key(|(address, _)| approvers.iter().position(|a| a == address));
        invited
            .into_iter()
            .map(|(_, invitation)| invitation)
            .collect()
    }

    /// The same under any rule; each invitation with the address it went to.
    pub fn ask_by(
        &self,
        request: Request,
        rule: Rule,
        base: &BaseUrl,
        now: Timestamp,
    ) -> Vec<(String, Invitation)> {
        let mut record = Record::opened(request, rule, || {
            (RecipientId::from_random(self.bytes()), self.bytes())
        });
        let ids: Vec<(RecipientId, String)> = record
            .recipients
            .iter()
            .map(|r| (r.id.clone(), r.address.clone()))
            .collect();
        let mut invitations = Vec::new();
        for (recipient, address) in ids {
            let code = Code::from_random(self.bytes());
            let link = LinkId::from_random(self.bytes());
            let issued = IssuedLink {
                id: link.clone(),
                code: code.hash(&link, self.bytes()),
            };
            record = decide::issue(&record, &recipient, issued, now).expect("nobody is mailed yet");
            record = decide::mailed(&record, &recipient, now);
            let claims = Claims {
                approval: record.request.id.clone(),
                digest: record.request.link_digest(),
                recipient: recipient.clone(),
                link,
                issued_at: now,
                expires_at: record.request.expires_at,
            };
            let invitation = Invitation {
                token: self.seal(&claims, base),
                code: code.reveal().to_owned(),
                recipient,
            };
            invitations.push((address, invitation));
        }
        let mut state = self.lock();
        let id = record.request.id.clone();
        state.records.insert(id, stored::encode(&record));
        invitations
    }

    /// A link with these claims.
    pub fn seal(&self, claims: &Claims, base: &BaseUrl) -> String {
        let unsigned = claims.unsigned(&KID.parse().expect("KID is a kid"), base);
        let signature = sign(unsigned.to_sign());
        unsigned.with_signature(&signature).reveal().clone()
    }

    async fn call<V>(
        &self,
        what: &'static str,
        act: impl FnOnce(&mut State) -> Result<V, PortError>,
    ) -> Result<V, PortError> {
        let turns = {
            let mut state = self.lock();
            if state.interleave {
                next(&mut state.random) % 4
            } else {
                0
            }
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        let call = async { act(&mut self.lock()) };
        self.plan.around(what, call).await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits for two days from `now`, with a commit of Dana's.
pub fn sample_request(now: Timestamp) -> Request {
    use shared::approval::request::{Facts, Revision};
    Request {
        id: ApprovalId::from_random([7; 16]),
        target: Target {
            pipeline: parse("site-release"),
            stage: parse("Release"),
            action: parse("Approve"),
        },
        execution: parse("8f0c3a52-6a0e-4b8c-9a55-0f3f2b1c7d10"),
        action_execution: parse("5d2b7c1e-0c84-4f7a-8f0e-3e9d1a6b4c22"),
        token: Secret::new("1a2b3c4d-573f-4ea7-a67e-000000000000".to_owned()),
        asked_at: now,
        expires_at: now + jiff::SignedDuration::from_hours(48),
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
        custom_data: Some("Check the staging site first.".to_owned()),
        external_link: Some("https://staging.example.com/".to_owned()),
        facts: Facts {
            started_by: Some("a change of the source".to_owned()),
            revisions: vec![Revision {
                name: "Site".to_owned(),
                id: "4be2f8c09d1a7b3355d0e9aa1c7f6b2240d8e1f3".to_owned(),
                message: Some(
                    "Show opening hours on the start page\n\nThe shop asked for it.".to_owned(),
                ),
                author: Some("Dana".to_owned()),
                branch: Some("main".to_owned()),
                url: Some("https://git.example.com/site/commit/4be2f8c0".to_owned()),
            }],
            ..Facts::default()
        },
    }
}

impl ApprovalStore for ApprovalWorld {
    async fn find(&self, key: &MessageKey) -> Result<Option<ApprovalId>, PortError> {
        let act = |s: &mut State| Ok(s.keys.get(key.as_str()).cloned());
        self.call("store find", act).await
    }

    async fn create(&self, key: &MessageKey, record: &Record) -> Result<(), PortError> {
        let act = |s: &mut State| {
            if s.keys.contains_key(key.as_str()) {
                return conflict();
            }
            let id = record.request.id.clone();
            s.keys.insert(key.as_str().to_owned(), id.clone());
            s.records.insert(id, stored::encode(record));
            s.writes += 1;
            Ok(())
        };
        self.call("store create", act).await
    }

    async fn load(&self, id: &ApprovalId) -> Result<Option<Record>, PortError> {
        let act = |s: &mut State| {
            Ok(s.records
                .get(id)
                .map(|text| stored::decode(text.reveal()).expect("what was encoded decodes")))
        };
        self.call("store load", act).await
    }

    async fn replace(&self, next: &Record) -> Result<(), PortError> {
        let act = |s: &mut State| {
            let id = &next.request.id;
            let held = s.records.get(id).map(|text| stored::decode(text.reveal()));
            match held {
                Some(Ok(held)) if held.version + 1 == next.version => {
                    s.records.insert(id.clone(), stored::encode(next));
                    s.writes += 1;
                    Ok(())
                }
                _ => conflict(),
            }
        };
        self.call("store replace", act).await
    }
}

impl PipelineReader for ApprovalWorld {
    async fn waiting_in_state(&self, _: &PipelineName) -> Result<Vec<Waiting>, PortError> {
        self.call("state", |s| Ok(s.waiting.clone())).await
    }

    async fn waiting_in_history(&self, _: &PipelineName) -> Result<Vec<Waiting>, PortError> {
        self.call("history", |s| Ok(s.history.clone())).await
    }

    async fn execution(
        &self,
        _: &PipelineName,
        _: &ExecutionId,
    ) -> Result<ExecutionFacts, PortError> {
        self.call("execution", |s| Ok(s.execution.clone())).await
    }

    async fn source_outputs(
        &self,
        _: &PipelineName,
        _: &ExecutionId,
    ) -> Result<Vec<SourceOutput>, PortError> {
        self.call("outputs", |s| Ok(s.outputs.clone())).await
    }
}

impl ResultSender for ApprovalWorld {
    async fn put(
        &self,
        _: &Target,
        _: &Secret,
        verdict: Verdict,
        summary: &str,
    ) -> Result<SendAnswer, PortError> {
        let act = |s: &mut State| {
            if !s.results.is_empty() || s.outside.is_some() || s.retried {
                return Ok(SendAnswer::NotOpen);
            }
            s.results.push((verdict, summary.to_owned()));
            Ok(SendAnswer::Accepted)
        };
        self.call("put result", act).await
    }

    async fn look(&self, _: &Request) -> Result<Finding, PortError> {
        let act = |s: &mut State| {
            let taken = s.results.first().map(|(verdict, summary)| Finding {
                summary: Some(summary.clone()),
                verdict: Some(*verdict),
                ended: true,
            });
            Ok(s.outside.clone().or(taken).unwrap_or_default())
        };
        self.call("look", act).await
    }
}

impl LinkSigner for ApprovalWorld {
    async fn sign(&self, message: &[u8]) -> Result<[u8; 64], PortError> {
        self.call("sign", |_| Ok(sign(message))).await
    }
}

impl Mailer for ApprovalWorld {
    async fn send(&self, mail: &Mail) -> Result<(), PortError> {
        let act = |s: &mut State| {
            s.mails.push(mail.clone());
            Ok(())
        };
        self.call("mail", act).await
    }
}

impl Entropy for ApprovalWorld {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.lock();
        for byte in buffer {
            *byte = next(&mut state.random).to_le_bytes()[0];
        }
    }
}

fn parse<V: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> V {
    text.parse().expect("a sample name is a name")
}

fn conflict() -> Result<(), PortError> {
    Err(PortError::Conflict {
        what: "the fake table".to_owned(),
    })
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[42; 32]).expect("any 32 bytes are a seed")
}

fn sign(message: &[u8]) -> [u8; 64] {
    let signature = pair().sign(message);
    signature
        .as_ref()
        .try_into()
        .expect("an Ed25519 signature has 64 bytes")
}

/// splitmix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
