//! Everything an approval touches, in memory: table, CodePipeline, KMS, SES, randomness; failing and interleaving on demand.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{Timestamp, tz::TimeZone};
use ring::signature::{Ed25519KeyPair, KeyPair};
use shared::{
    approval::{
        asker::{Asker, MachineTask},
        chat::{
            Asked, ChatPlace, Question,
            room::{Notice, Said},
        },
        code::Code,
        decide::{Finding, SendAnswer},
        facts::{ExecutionFacts, SourceOutput, Waiting},
        history::Past,
        id::{ApprovalId, LinkId, RecipientId},
        key::MessageKey,
        link::{Claims, KeyRing},
        port::{
            Answer, ApprovalStore, Chat, Entropy, LinkSigner, Mail, Mailer, PipelineReader,
            ResultSender,
        },
        post,
        request::{IssuedLink, Made, Record, Request, Target, Verdict},
        rules::{Rule, RuleSet},
        settings::{BaseUrl, KeyId},
        stored,
        task_answer::TaskAnswer,
        trail::Kind,
    },
    id::{ExecutionId, PipelineName, StageName},
    port::PortError,
    secret::Secret,
};

use crate::failing::{Mode, Plan};

mod sweep;

pub use sweep::Machines;

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
    done: BTreeSet<ApprovalId>,
    writes: usize,
    views: usize,
    mails: Vec<Mail>,
    waiting: Vec<Waiting>,
    history: Vec<Waiting>,
    execution: ExecutionFacts,
    outputs: Vec<SourceOutput>,
    past: Past,
    results: Vec<(Secret, Verdict, String)>,
    told: Vec<(Secret, TaskAnswer)>,
    ended: Vec<Secret>,
    codes: BTreeMap<LinkId, Secret>,
    audit: sweep::Audit,
    outside: Option<Finding>,
    retried: bool,
}

/// An approver's link and code.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Token of the link; at level L1 of the one that approves.
    pub token: String,
    /// Token of the link that rejects, at level L1.
    pub reject: Option<String>,
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
        KeyRing::new([(kid, self.public_key())]).expect("the key is a key")
    }

    /// The key under [`KID`].
    pub fn public_key(&self) -> Vec<u8> {
        pair().public_key().as_ref().to_vec()
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

    /// What the pipeline did before.
    pub fn remembers(&self, past: Past) {
        self.lock().past = past;
    }

    /// Somebody answers in the console.
    pub fn answer_outside(&self, verdict: Verdict) {
        self.lock().outside = Some(Finding {
            summary: Some("by hand".to_owned()),
            verdict: Some(verdict),
            ended: true,
            by: Some("arn:aws:iam::123456789012:user/kim".to_owned()),
        });
    }

    /// GetPipelineState shows no approval any more.
    pub fn no_longer_waits(&self) {
        self.lock().waiting.clear();
    }

    /// The run with this token is over, without an answer.
    pub fn ends(&self, token: &Secret) {
        self.lock().ended.push(token.clone());
    }

    /// Tokens that were answered, in order.
    pub fn answered_tokens(&self) -> Vec<String> {
        let state = self.lock();
        state
            .results
            .iter()
            .map(|(token, _, _)| token.reveal().clone())
            .collect()
    }

    /// The stage is retried: the action waits again, with another token.
    pub fn retry_stage(&self) {
        self.lock().retried = true;
    }

    /// Results CodePipeline took, with their summaries.
    pub fn results(&self) -> Vec<(Verdict, String)> {
        let results = self.lock().results.clone();
        results.into_iter().map(|(_, v, s)| (v, s)).collect()
    }

    /// What tasks of state machines were told and took.
    pub fn told_tasks(&self) -> Vec<TaskAnswer> {
        let state = self.lock();
        state
            .told
            .iter()
            .map(|(_, answer)| answer.clone())
            .collect()
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

    /// Writes to the table that held, notes of views apart.
    pub fn writes(&self) -> usize {
        self.lock().writes
    }

    /// Notes of views.
    pub fn views(&self) -> usize {
        self.lock().views
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
                made: Some(Made::now(now, KID.parse().expect("KID is a kid"))),
            };
            let plain = Secret::new(code.reveal().to_owned());
            self.lock().codes.insert(link.clone(), plain);
            let (next, due) =
                post::issue(&record, &recipient, Some(issued), now).expect("nobody is mailed yet");
            record = post::mailed(&next, &recipient, due, now);
            let purposes = record.rule.level.purposes();
            let claims = |purpose| Claims {
                purpose,
                approval: record.request.id.clone(),
                digest: record.request.link_digest(),
                recipient: recipient.clone(),
                link: link.clone(),
                issued_at: now,
                expires_at: record.request.expires_at,
            };
            let mut tokens = purposes.iter().map(|p| self.seal(&claims(*p), base));
            let invitation = Invitation {
                token: tokens.next().unwrap_or_default(),
                reject: tokens.next(),
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
        asker: Asker::Pipeline,
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

/// The same asked by a task of the state machine `shop-release`.
pub fn sample_task(now: Timestamp) -> Request {
    Request {
        asker: Asker::Machine(MachineTask {
            execution: parse("arn:aws:states:eu-west-1:123456789012:execution:shop-release:v42"),
            subject: Some("Release version 42 of the shop".to_owned()),
        }),
        token: Secret::new("planted-task-token".to_owned()),
        ..sample_request(now)
    }
}

/// The past of [`sample_request`]: one release, two changes since, a failure, a newer run behind.
pub fn sample_history(now: Timestamp) -> shared::approval::history::History {
    use jiff::SignedDuration;
    use shared::approval::{
        history::{Deploy, Earlier, Ended, History},
        request::Revision,
    };
    let revision = |id: &str, message: &str, author: &str| Revision {
        name: "Site".to_owned(),
        id: id.to_owned(),
        message: Some(message.to_owned()),
        author: Some(author.to_owned()),
        branch: Some("main".to_owned()),
        url: None,
    };
    History {
        current: Some(Earlier {
            execution: parse("0d6f3c1a-52ee-4c1a-9a55-0f3f2b1c7d10"),
            at: now - SignedDuration::from_hours(50),
            revisions: vec![revision(
                "3f2a9c10d7e84b55a1c09f21b6e0d3c47a8815f2",
                "Add the menu",
                "Lee",
            )],
        }),
        between: vec![
            revision(
                "9b1d20aa4c7f3e11b8d6052fa93cc0e7715b42d9",
                "Make the header readable on phones",
                "Lee",
            ),
            revision(
                "c07e55d1f2a94b8890ee3a617bd4c9f00d1283aa",
                "Say that we are closed on Mondays",
                "Dana",
            ),
        ],
        more: 0,
        last: Some(Ended {
            execution: parse("1d6f3c1a-52ee-4c1a-9a55-0f3f2b1c7d10"),
            at: now - SignedDuration::from_hours(26),
            succeeded: false,
        }),
        newer: vec![Earlier {
            execution: parse("2d6f3c1a-52ee-4c1a-9a55-0f3f2b1c7d10"),
            at: now + SignedDuration::from_mins(5),
            revisions: vec![revision(
                "77aa01be90cd4f2287fe315c6a0be9d3f1a4c2b8",
                "Fix the price of the country loaf",
                "Kim",
            )],
        }],
        deploys: vec![
            Deploy {
                provider: "CloudFormation".to_owned(),
                what: Some("stack corner-bakery-live".to_owned()),
                region: None,
                account: None,
            },
            Deploy {
                provider: "S3".to_owned(),
                what: Some("bucket corner-bakery-live".to_owned()),
                region: None,
                account: None,
            },
        ],
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
                    let views = [Kind::LinkOpened, Kind::Viewed];
                    let noted = next.trail.get(held.trail.len());
                    match noted.is_some_and(|entry| views.contains(&entry.kind)) {
                        true => s.views += 1,
                        false => s.writes += 1,
                    }
                    Ok(())
                }
                _ => conflict(),
            }
        };
        self.call("store replace", act).await
    }

    async fn unfinished(&self, after: Option<&ApprovalId>) -> Result<Vec<ApprovalId>, PortError> {
        let act = |s: &mut State| {
            let all = s.records.keys().filter(|id| !s.done.contains(*id));
            let all = all.filter(|id| after.is_none_or(|after| *id > after));
            Ok(all.cloned().collect())
        };
        self.call("store unfinished", act).await
    }

    async fn of_execution(&self, execution: &ExecutionId) -> Result<Vec<ApprovalId>, PortError> {
        let act = |s: &mut State| {
            let read = |text: &Secret| stored::decode(text.reveal()).expect("it was encoded");
            let all = s.records.values().map(read);
            let of = all.filter(|record| record.request.execution == *execution);
            Ok(of.map(|record| record.request.id).collect())
        };
        self.call("store of execution", act).await
    }

    async fn finished(&self, id: &ApprovalId) -> Result<(), PortError> {
        let act = |s: &mut State| {
            s.done.insert(id.clone());
            Ok(())
        };
        self.call("store finished", act).await
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

    async fn past(&self, _: &PipelineName, _: &StageName) -> Result<Past, PortError> {
        self.call("past", |s| Ok(s.past.clone())).await
    }
}

impl ResultSender for ApprovalWorld {
    async fn put(&self, answer: &Answer<'_>) -> Result<SendAnswer, PortError> {
        let (verdict, summary) = (answer.decision.verdict, answer.summary);
        let act = |s: &mut State| {
            let request = &answer.record.request;
            // As the approver role does: nobody answers a pipeline without a name.
            if request.asker.machine().is_none() && answer.approver.is_none() {
                return Err(PortError::Invalid {
                    what: "assuming the approver role".to_owned(),
                    message: "the decision names no approver".to_owned(),
                });
            }
            let token = &request.token;
            let taken = s.results.iter().any(|(t, _, _)| t == token)
                || s.told.iter().any(|(t, _)| t == token);
            if taken || s.outside.is_some() || s.retried {
                return Ok(SendAnswer::NotOpen);
            }
            if request.asker.machine().is_some() {
                let told = TaskAnswer::of_decision(answer.record, answer.decision, summary);
                s.told.push((token.clone(), told));
            }
            s.results.push((token.clone(), verdict, summary.to_owned()));
            Ok(SendAnswer::Accepted {
                request: Some(format!("request-{}", s.results.len())),
            })
        };
        self.call("put result", act).await
    }

    async fn give_up(&self, record: &Record) -> Result<(), PortError> {
        let act = |s: &mut State| {
            let token = &record.request.token;
            if !s.told.iter().any(|(t, _)| t == token) {
                s.told.push((token.clone(), TaskAnswer::of_expiry(record)));
            }
            Ok(())
        };
        self.call("give up", act).await
    }

    async fn look(&self, request: &Request) -> Result<Finding, PortError> {
        let act = |s: &mut State| {
            let token = &request.token;
            let mut taken = s.results.iter().filter(|(t, _, _)| t == token);
            let taken = taken.next().map(|(_, verdict, summary)| Finding {
                summary: Some(summary.clone()),
                verdict: Some(*verdict),
                ended: true,
                by: None,
            });
            let told = s.told.iter().any(|(t, _)| t == token);
            let gone = (s.retried || told || s.ended.contains(token)).then(|| Finding {
                ended: true,
                ..Finding::default()
            });
            Ok(s.outside.clone().or(taken).or(gone).unwrap_or_default())
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

/// Nobody has a chat.
impl Chat for ApprovalWorld {
    async fn ask(&self, _: &Question<'_>) -> Asked {
        Asked::default()
    }

    async fn tell(&self, _: &Notice<'_>) -> Result<Said, PortError> {
        Ok(Said::Nowhere)
    }

    async fn rewrite(&self, _: &ChatPlace, _: &Record, _: &TimeZone) -> Result<(), PortError> {
        Ok(())
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
