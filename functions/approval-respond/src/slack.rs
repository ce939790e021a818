//! Buttons pressed in Slack: believed by their signature over the bytes as they came, counted for the person that the rules
//! file names, at level L1 only. Everything else opens the page.

use base64::{Engine, engine::general_purpose::STANDARD};
use shared::{
    approval::{
        booth::{Booth, Voted},
        chat::{
            Addressee, Button,
            press::{self, Press as Pressed},
            slack::{self, Message},
        },
        decide::{Act, Ballot, Refusal},
        http::{Body, HttpAnswer, HttpRequest},
        id::{ApprovalId, DecisionId},
        level::Level,
        link::Purpose,
        means::{Channel, Means},
        port::{ApprovalStore, Entropy, Press, ResultSender},
        request::{IssuedLink, Recipient, Record, Verdict},
        settings::BaseUrl,
        sign_in::IdentityProvider,
    },
    port::{Clock, PortError},
    secret::Secret,
};

use crate::{Respond, answer, told::chain};

/// Slack's payloads have a few kilobytes; the message is in them.
const LONGEST: usize = 64 * 1024;

/// Slack's side of the function.
#[derive(Debug)]
pub struct Slack<'a, S, R, C, E, P, H> {
    /// What votes are taken with.
    pub respond: &'a Respond<S, R, C, E, P>,
    /// Slack.
    pub press: &'a H,
}

/// Whether a request is for Slack's side: `POST {base}/slack`.
pub fn is_slack(request: &HttpRequest, base: &BaseUrl) -> bool {
    let path = request
        .path
        .strip_prefix(base.path())
        .unwrap_or(&request.path);
    path == "/slack" || request.path == "/slack"
}

impl<S, R, C, E, P, H> Slack<'_, S, R, C, E, P, H>
where
    S: ApprovalStore,
    R: ResultSender,
    C: Clock,
    E: Entropy,
    P: IdentityProvider,
    H: Press,
{
    /// Answers a call of Slack here, and any other on the page.
    pub async fn or_page(&self, request: &HttpRequest) -> HttpAnswer {
        match is_slack(request, &self.respond.settings.base) {
            true => self.handle(request).await,
            false => self.respond.handle(request).await,
        }
    }

    /// Answers one call, within Slack's three seconds.
    pub async fn handle(&self, request: &HttpRequest) -> HttpAnswer {
        if request.method != "POST" {
            let mut refused = answer::empty(405);
            refused.headers.push(("Allow", "POST".to_owned()));
            return refused;
        }
        let body = match bytes(&request.body) {
            Ok(body) => body,
            Err(status) => return answer::empty(status),
        };
        let secret = match self.press.signing_secret().await {
            Ok(Some(secret)) => secret,
            Ok(None) => return answer::empty(404),
            Err(error) => {
                tracing::error!(error = %chain(&error), "Slack's signing secret cannot be read");
                return answer::empty(503);
            }
        };
        let header = |name: &str| request.header(name).unwrap_or_default();
        let time = header("x-slack-request-timestamp");
        let signature = header("x-slack-signature");
        let now = self.respond.clock.now();
        let call = match press::verify(&secret, time, signature, &body, now) {
            Ok(call) => call,
            Err(forged) => {
                tracing::warn!(reason = %forged, "a call was not Slack's");
                return answer::empty(401);
            }
        };
        let Some(pressed) = press::read(&body) else {
            return answer::empty(400);
        };
        let Some((verdict, button)) = &pressed.chosen else {
            return answer::empty(200);
        };
        match self.vote(&pressed, *verdict, button, call).await {
            Ok((status, private, message)) => {
                self.reply(&pressed.reply, &message, private).await;
                answer::empty(status)
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "the approval table did not answer");
                answer::empty(503)
            }
        }
    }

    /// Status, whether only who pressed is told, and what.
    async fn vote(
        &self,
        pressed: &Pressed,
        verdict: Verdict,
        button: &Button,
        call: String,
    ) -> Result<(u16, bool, Message), PortError> {
        let respond = self.respond;
        let stranger = || {
            let text = "This question was not put to you. Nothing was counted.";
            Ok((403, true, slack::note("Not yours to answer", text)))
        };
        let Some(record) = respond.store.load(&button.approval).await? else {
            return stranger();
        };
        let Some((who, link)) = asked(&record, button, &pressed.user) else {
            tracing::warn!(approval = %button.approval, "somebody pressed a button who is not asked");
            return stranger();
        };
        let Some(link) = link else {
            let text = "Your own mail is on its way. Press again once it is there; nothing was counted yet.";
            return Ok((409, true, slack::note("A moment, please", text)));
        };
        if respond
            .settings
            .refuses(&record, who, link.made_at(&record))
        {
            return stranger();
        }
        if record.rule.level != Level::Link {
            let text = "This decision is made on the page. Open the link of your mail.";
            return Ok((403, true, slack::note("Not decided in Slack", text)));
        }
        let ballot = Ballot {
            recipient: who.id.clone(),
            link: link.id.clone(),
            purpose: match verdict {
                Verdict::Approve => Purpose::Approve,
                Verdict::Reject => Purpose::Reject,
            },
            link_digest: record.request.link_digest(),
            verdict,
            comment: match verdict {
                Verdict::Approve => String::new(),
                Verdict::Reject => "Rejected in Slack.".to_owned(),
            },
            signed_in: false,
            act: Act::Vote,
            code: Secret::default(),
            nonce: call,
            seen: button.seen.clone(),
            attempt: DecisionId::from_random(respond.entropy.bytes()),
            means: Means {
                channel: Channel::Slack,
                ..Means::default()
            },
        };
        let booth = Booth {
            store: &respond.store,
            sender: &respond.sender,
            clock: &respond.clock,
        };
        let name = record.request.target.pipeline.to_string();
        let id = record.request.id.clone();
        let voted = booth.cast(record, &ballot).await?;
        tracing::info!(approval = %id, recipient = %ballot.recipient, outcome = ?voted, "a button was pressed");
        if let (Addressee::Channel, Voted::Counted | Voted::Decided(_)) = (&button.to, &voted) {
            let message = self.channel_message(&id).await?;
            return Ok((
                200,
                message.is_none(),
                message.unwrap_or_else(|| slack::note(&name, "It is recorded.")),
            ));
        }
        let done = |text: &str| {
            let title = format!("{}: {name}", verdict.past());
            Ok((200, false, slack::note(&title, text)))
        };
        let not = |text: &str| Ok((200, true, slack::note("Nothing was counted", text)));
        match voted {
            Voted::Counted => done("Your answer is recorded. A decision goes out within a minute."),
            Voted::Decided(_) => done("Your answer decided."),
            Voted::Quarantined => {
                tracing::error!(approval = %id, recipient = %ballot.recipient, alarm = "quarantined", "opposite answers came at once: neither counts");
                not(
                    "Opposite answers came from you at once. Neither counts, and your links are locked.",
                )
            }
            Voted::Refused(Refusal::Changed) => {
                not("What is to be approved has changed. Open the link of your mail.")
            }
            Voted::Refused(Refusal::Rule(why)) => not(&why),
            Voted::Refused(Refusal::AlreadyVoted | Refusal::Replayed) => {
                not("You have answered already.")
            }
            Voted::Refused(_) | Voted::WrongCode(_) => {
                not("It is decided, over, or no longer waited for.")
            }
        }
    }

    /// The question of a channel with the answers it has now, or how it ended.
    async fn channel_message(&self, id: &ApprovalId) -> Result<Option<Message>, PortError> {
        let (zone, now) = (&self.respond.settings.zone.0, self.respond.clock.now());
        let record = self.respond.store.load(id).await?;
        Ok(record.map(|record| slack::in_channel(&record, zone, now)))
    }

    /// The vote is counted whether or not Slack hears of it.
    async fn reply(&self, to: &Secret, message: &Message, private: bool) {
        if let Err(error) = self.press.reply(to, message, private).await {
            tracing::warn!(error = %chain(&error), "whoever pressed a button was not told");
        }
    }
}

/// Whom the question was put to, in this message, and the link beside it, if they were mailed yet; `None`: not to this
/// user of Slack.
fn asked<'a>(
    record: &'a Record,
    button: &Button,
    user: &str,
) -> Option<(&'a Recipient, Option<&'a IssuedLink>)> {
    let is_user = |who: &&Recipient| {
        let person = record.rule.people.get(&who.person);
        let known = person.and_then(|person| person.slack.as_ref());
        known.is_some_and(|known| known.as_str() == user)
    };
    let (who, link) = match &button.to {
        Addressee::Person { recipient, link } => {
            let who = record.recipient(recipient)?;
            (
                who,
                Some(who.links.iter().find(|issued| issued.id == *link)?),
            )
        }
        Addressee::Channel => {
            let who = record.recipients.iter().find(is_user)?;
            (who, who.links.last())
        }
    };
    is_user(&who).then_some((who, link))
}

/// The body's bytes as they were sent; else the status.
fn bytes(body: &Body) -> Result<Vec<u8>, u16> {
    let bytes = match body {
        Body::Empty => Vec::new(),
        Body::Text(text) => text.clone().into_bytes(),
        Body::Base64(text) if text.len() > LONGEST.div_ceil(3) * 4 => return Err(413),
        Body::Base64(text) => STANDARD.decode(text).map_err(|_| 400_u16)?,
    };
    if bytes.len() > LONGEST {
        return Err(413);
    }
    Ok(bytes)
}
