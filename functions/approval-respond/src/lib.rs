//! Shows an approval request and takes the vote.
//!
//! **Trigger:** HTTP, payload version 2.0 (function URL or HTTP API), at the address `STAGEWRIGHT_APPROVAL_URL`;
//! buttons of Slack at `/slack` below it, where `STAGEWRIGHT_SLACK_SIGNING_SECRET` says so.
//! **Effects:** GET and HEAD decide nothing, any number of times; the first GET of a link in an hour, and whoever comes
//! back from the identity provider (level L3), leaves a note for the audit. POST records one approver's vote; the vote that decides sends exactly one
//! PutApprovalResult, or one result to the state machine that waits.
//! **Permissions:** `dynamodb:GetItem`, `PutItem` on the table; `codepipeline:GetPipelineState`, `ListActionExecutions`
//! on the pipelines; `sts:AssumeRole`, `SetSourceIdentity` of the approver role, which may send results (without that
//! role, the sending of results itself); `states:SendTaskSuccess`, `SendTaskFailure`, `SendTaskHeartbeat`,
//! `GetExecutionHistory` where state machines ask; `secretsmanager:GetSecretValue`, `ssm:GetParameter`, `kms:Decrypt` of
//! the identity provider's client secret and Slack's signing secret where there are any (`docs/chats.md`). It cannot
//! sign, so it cannot make a link.
//! **Failure:** always an HTTP answer. A decision that could not be delivered stays recorded; the page offers to send
//! it again once its lease is over.

mod alone;
mod answer;
mod answered;
mod cookie;
pub mod form;
mod guard;
mod note;
mod page;
mod plain;
mod sign_in;
pub mod slack;
mod told;

use shared::{
    approval::{
        booth::{Booth, Voted},
        decide::{self, Act, Ballot, Refusal},
        http::{HttpAnswer, HttpRequest},
        id::DecisionId,
        level::Level,
        link::{self, Claims, LinkError},
        means::{Channel, Means},
        nonce::{self, Binding, NonceError},
        port::{ApprovalStore, Entropy, ResultSender},
        request::{Recipient, Record, State, Verdict},
        settings::RespondSettings,
        sign_in::IdentityProvider,
        words,
    },
    port::{Clock, PortError},
};

use crate::{
    form::{Form, Mistake},
    guard::Route,
    page::{Ask, RequestPage, VoteForm},
    told::{chain, told},
};

/// The function and what it works with.
#[derive(Debug)]
pub struct Respond<S, R, C, E, P> {
    /// Keeps requests.
    pub store: S,
    /// Tells CodePipeline.
    pub sender: R,
    /// Time.
    pub clock: C,
    /// Nonces and ids.
    pub entropy: E,
    /// Signs people in, at level L3.
    pub sign_in: Option<P>,
    /// What the environment says.
    pub settings: RespondSettings,
}

/// A link that opens a request.
struct Opened<'a> {
    token: &'a str,
    claims: Claims,
    record: Record,
}

impl Opened<'_> {
    fn recipient(&self) -> Option<&Recipient> {
        self.record.recipient(&self.claims.recipient)
    }

    fn binding<'b>(&'b self, recipient: &'b Recipient, cookie: &'b str) -> Binding<'b> {
        Binding {
            key: &recipient.form_key,
            link: &self.claims.link,
            cookie,
        }
    }
}

impl<S, R, C, E, P> Respond<S, R, C, E, P>
where
    S: ApprovalStore,
    R: ResultSender,
    C: Clock,
    E: Entropy,
    P: IdentityProvider,
{
    /// Answers one request.
    pub async fn handle(&self, request: &HttpRequest) -> HttpAnswer {
        let answered = match guard::route(request, &self.settings.base) {
            Ok(Route::Style) => Ok(answer::style()),
            Ok(Route::Show(token)) => self.show(request, token).await,
            Ok(Route::Answered) => self.answered(request).await,
            Ok(Route::Decide(token)) => self.decide(request, token).await,
            Ok(Route::SignIn(token)) => self.leave_to_sign_in(token).await,
            Ok(Route::SignedIn) => self.come_back_signed_in(request).await,
            Err(stop) => Ok(self.stopped(stop)),
        };
        let mut answer = answered.unwrap_or_else(|error| {
            tracing::error!(error = %chain(&error), "the approval table did not answer");
            let mut answer = self.message(
                503,
                "Please try again in a moment",
                "The approval service could not reach its records. Open the link from the mail again: it shows whether your answer arrived.",
            );
            answer.headers.push(("Retry-After", "5".to_owned()));
            answer
        });
        if request.method == "HEAD" {
            answer.body.clear();
        }
        answer
    }

    async fn show(&self, request: &HttpRequest, token: &str) -> Result<HttpAnswer, PortError> {
        Ok(match self.opened(token).await? {
            Ok(opened) => {
                self.note_view(request, &opened).await;
                self.page(200, request, &opened, VoteForm::default())
            }
            Err(answer) => answer,
        })
    }

    /// What a link opens, or the page that says why nothing.
    async fn opened<'a>(
        &self,
        token: &'a str,
    ) -> Result<Result<Opened<'a>, HttpAnswer>, PortError> {
        Ok(self.open(token).await?.map_err(|error| match error {
            LinkError::Expired => self.message(
                410,
                "This link has expired",
                "The time to answer is over. If the pipeline asks again, you get a new mail with a new link.",
            ),
            LinkError::Invalid => self.invalid(),
        }))
    }

    async fn decide(&self, request: &HttpRequest, token: &str) -> Result<HttpAnswer, PortError> {
        let base = &self.settings.base;
        if let Err(error) = link::open(token, &self.settings.keys, base, self.clock.now()) {
            tracing::warn!(reason = %error, "a form came with a link that opens nothing");
            return Ok(self.invalid());
        }
        let form = match form::read(request) {
            Ok(form) => form,
            Err(error) => return Ok(self.unreadable(error)),
        };
        let Ok(opened) = self.open(token).await? else {
            return Ok(self.invalid());
        };
        let signed_in = self.signed_in(request, &opened);
        if opened.record.rule.level == Level::SignIn && !signed_in {
            return Ok(self.ask_to_sign_in(403, &opened));
        }
        let nonce = match self.check_nonce(request, &opened, &form) {
            Ok(nonce) => nonce,
            Err(NonceError::Foreign) => return Ok(self.foreign()),
            Err(NonceError::Old) => {
                let again = VoteForm::again(&form, vec![Mistake::OldPage]);
                return Ok(self.page(422, request, &opened, again));
            }
        };
        if form.intent == "sign-out" {
            return Ok(self.sign_out(token));
        }
        let booth = Booth {
            store: &self.store,
            sender: &self.sender,
            clock: &self.clock,
        };
        if form.intent == "deliver" {
            if let Some(delivery) = booth.take_over(&opened.record).await? {
                told(&opened.record, &delivery);
            }
            return Ok(self.off_link(token));
        }
        let mistakes = form.mistakes(opened.record.rule.level);
        // The form of a review has no choice.
        let reviews = form.act() == Act::Review;
        let verdict = form.verdict.or(reviews.then_some(Verdict::Approve));
        let (Some(verdict), true) = (verdict, mistakes.is_empty()) else {
            return Ok(self.page(422, request, &opened, VoteForm::again(&form, mistakes)));
        };
        let ballot = Ballot {
            recipient: opened.claims.recipient.clone(),
            link: opened.claims.link.clone(),
            purpose: opened.claims.purpose,
            link_digest: opened.claims.digest.clone(),
            signed_in,
            act: form.act(),
            verdict,
            comment: form.comment.clone(),
            code: form.code.clone(),
            nonce,
            seen: form.seen.clone(),
            attempt: DecisionId::from_random(self.entropy.bytes()),
            means: self.means(request),
        };
        let id = opened.record.request.id.clone();
        let voted = booth.cast(opened.record.clone(), &ballot).await?;
        tracing::info!(approval = %id, recipient = %ballot.recipient, outcome = ?voted, "a form was answered");
        if let Voted::Decided(delivery) = &voted {
            told(&opened.record, delivery);
        }
        match voted {
            Voted::Decided(delivery) if delivery.too_late() => {
                self.reshow(409, request, token, VoteForm::default()).await
            }
            Voted::Counted | Voted::Decided(_) => Ok(self.off_link(token)),
            Voted::WrongCode(0) => self.reshow(403, request, token, VoteForm::default()).await,
            Voted::WrongCode(left) => {
                let again = VoteForm::again(&form, vec![Mistake::WrongCode(left)]);
                self.reshow(422, request, token, again).await
            }
            Voted::Refused(Refusal::ForeignLink | Refusal::OtherPurpose) => Ok(self.invalid()),
            Voted::Refused(Refusal::Rule(why)) => {
                let again = VoteForm::again(&form, vec![Mistake::Rule(why)]);
                self.reshow(403, request, token, again).await
            }
            Voted::Refused(Refusal::Locked) => {
                self.reshow(403, request, token, VoteForm::default()).await
            }
            Voted::Quarantined => {
                tracing::error!(approval = %id, recipient = %ballot.recipient, alarm = "quarantined", "both links of one mail were used at once: neither answer counts, and its links are locked");
                self.reshow(409, request, token, VoteForm::default()).await
            }
            Voted::Refused(_) => self.reshow(409, request, token, VoteForm::default()).await,
        }
    }

    /// How an answer comes, as much of it as the install keeps.
    fn means(&self, request: &HttpRequest) -> Means {
        let agent = request
            .header("user-agent")
            .map(|agent| words::one_line(agent, 200));
        Means {
            channel: Channel::Page,
            ip: request
                .source
                .and_then(|ip| self.settings.addresses.kept(ip)),
            agent,
        }
    }

    /// Verifies the link and only then reads the request.
    async fn open<'a>(&self, token: &'a str) -> Result<Result<Opened<'a>, LinkError>, PortError> {
        let settings = &self.settings;
        let claims = match link::open(token, &settings.keys, &settings.base, self.clock.now()) {
            Ok(claims) if settings.revoked.link(&claims) => return Ok(Err(LinkError::Invalid)),
            Ok(claims) => claims,
            Err(error) => return Ok(Err(error)),
        };
        let Some(record) = self.store.load(&claims.approval).await? else {
            return Ok(Err(LinkError::Invalid));
        };
        let who = record.recipient(&claims.recipient);
        if who.is_some_and(|who| settings.refuses(&record, who, claims.issued_at)) {
            return Ok(Err(LinkError::Invalid));
        }
        Ok(
            match decide::admit(&record, &claims.recipient, &claims.link, &claims.digest) {
                Ok(()) if record.rule.level.purposes().contains(&claims.purpose) => Ok(Opened {
                    token,
                    claims,
                    record,
                }),
                Ok(()) | Err(_) => Err(LinkError::Invalid),
            },
        )
    }

    fn check_nonce(
        &self,
        request: &HttpRequest,
        opened: &Opened<'_>,
        form: &Form,
    ) -> Result<String, NonceError> {
        let cookie = request.cookie(self.cookie_name());
        let (Some(cookie), Some(recipient)) = (cookie, opened.recipient()) else {
            return Err(NonceError::Foreign);
        };
        let binding = opened.binding(recipient, cookie);
        nonce::check(binding, form.nonce.reveal(), self.clock.now())
    }

    /// The page as the request stands now.
    async fn reshow(
        &self,
        status: u16,
        request: &HttpRequest,
        token: &str,
        form: VoteForm,
    ) -> Result<HttpAnswer, PortError> {
        Ok(match self.open(token).await? {
            Ok(opened) => self.page(status, request, &opened, form),
            Err(_) => self.invalid(),
        })
    }

    fn page(
        &self,
        status: u16,
        request: &HttpRequest,
        opened: &Opened<'_>,
        form: VoteForm,
    ) -> HttpAnswer {
        let now = self.clock.now();
        let record = &opened.record;
        let signs_in = record.rule.level == Level::SignIn;
        if signs_in && !self.signed_in(request, opened) {
            return self.ask_to_sign_in(status, opened);
        }
        let mut page = RequestPage::new(
            (&self.settings.base, &self.settings.zone.0),
            opened.token,
            record,
            &opened.claims,
            now,
        );
        let may_vote = page.notice.is_none();
        let left_unsent =
            matches!(&record.state, State::Deciding { lease_until, .. } if *lease_until <= now);
        let mut cookies = Vec::new();
        let may_review = record.may_review(&opened.claims.recipient);
        let asks = may_vote || may_review || left_unsent || signs_in;
        if let (true, Some(recipient)) = (asks, opened.recipient()) {
            let (cookie, fresh) = self.cookie(request);
            let binding = opened.binding(recipient, &cookie);
            let mint = || nonce::mint(binding, now, self.entropy.bytes());
            page.sign_out = signs_in.then(mint);
            let nonce = mint();
            let form = VoteForm {
                nonce: nonce.clone(),
                seen: record.snapshot_digest(),
                comment_limit: form::COMMENT_LIMIT,
                ..form
            };
            page.ask = if may_vote {
                Ask::Vote(form)
            } else if may_review {
                Ask::Review(form)
            } else if left_unsent {
                Ask::Deliver { nonce }
            } else {
                Ask::Nothing
            };
            cookies.extend(fresh);
        }
        let mut answer = self.render(status, &page);
        answer.cookies = cookies;
        answer
    }

    fn back_to(&self, token: &str) -> HttpAnswer {
        answer::see_other(format!("{}/a/{token}", self.settings.base))
    }
}

#[cfg(test)]
mod tests;
