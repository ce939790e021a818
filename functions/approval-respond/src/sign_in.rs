//! Level L3: off to the identity provider, back from it, and out again.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use shared::{
    approval::{
        http::{HttpAnswer, HttpRequest},
        level::Level,
        nonce::NonceError,
        port::{ApprovalStore, Entropy, ResultSender},
        request::{Recipient, State},
        sign_in::{self, Attempt, Identity, IdentityProvider, SignInError},
        trail::Kind,
    },
    port::{Clock, PortError},
    provider::pairs,
    secret::Secret,
};

use crate::{Opened, Respond, answer, page::SignInPage, told::chain};

/// Path below the base where the provider sends the browser back to.
pub const BACK: &str = "signed-in";

impl<S, R, C, E, P> Respond<S, R, C, E, P>
where
    S: ApprovalStore,
    R: ResultSender,
    C: Clock,
    E: Entropy,
    P: IdentityProvider,
{
    /// Whether whoever sends this may see and decide at the request's level, as far as a sign-in goes.
    pub(crate) fn signed_in(&self, request: &HttpRequest, opened: &Opened<'_>) -> bool {
        let session = request.cookie(self.session_name());
        let (Some(session), Some(who)) = (session, opened.recipient()) else {
            return false;
        };
        sign_in::holds(opened.binding(who, ""), session, self.clock.now())
    }

    /// What is shown in place of the request until somebody has signed in.
    pub(crate) fn ask_to_sign_in(&self, status: u16, opened: &Opened<'_>) -> HttpAnswer {
        let address = opened.recipient().map_or("", |r| r.address.as_str());
        let text = format!(
            "An approval waits for {address}. What it is about is shown once you have signed in."
        );
        self.sign_in_page(status, opened.token, "Please sign in", &text)
    }

    /// Off to the provider. Reads only: what is to be checked on the way back lies in a cookie.
    pub(crate) async fn leave_to_sign_in(&self, token: &str) -> Result<HttpAnswer, PortError> {
        let opened = match self.opened(token).await? {
            Ok(opened) => opened,
            Err(answer) => return Ok(answer),
        };
        let (Level::SignIn, Some(who)) = (opened.record.rule.level, opened.recipient()) else {
            return Ok(self.back_to(token));
        };
        let Some(provider) = &self.sign_in else {
            return Ok(self.nobody_to_ask());
        };
        let now = self.clock.now();
        let browser = URL_SAFE_NO_PAD.encode(self.entropy.bytes::<16>());
        let binding = opened.binding(who, &browser);
        let attempt = Attempt::begin(binding, self.way_back(), now, self.entropy.bytes());
        match provider.way(&attempt, now).await {
            Ok(way) => {
                let mut answer = answer::see_other(way);
                let name = self.attempt_name();
                let value = format!("{browser}.{token}");
                answer.cookies.push(self.lax(name, &value, 900));
                Ok(answer)
            }
            Err(error) => Ok(self.not_signed_in(&opened, &error)),
        }
    }

    /// Back from the provider, in the browser that went there.
    pub(crate) async fn come_back_signed_in(
        &self,
        request: &HttpRequest,
    ) -> Result<HttpAnswer, PortError> {
        let cookie = request.cookie(self.attempt_name());
        let Some((browser, token)) = cookie.and_then(|cookie| cookie.split_once('.')) else {
            return Ok(self.foreign());
        };
        let opened = match self.opened(token).await? {
            Ok(opened) => opened,
            Err(answer) => return Ok(answer),
        };
        let (Some(who), Some(provider)) = (opened.recipient(), &self.sign_in) else {
            return Ok(self.nobody_to_ask());
        };
        let query = pairs(&request.query);
        let parameter = |name: &str| {
            let found = query.iter().find(|(have, _)| have == name);
            found.map(|(_, value)| value.as_str())
        };
        let now = self.clock.now();
        let state = parameter("state").unwrap_or_default();
        let attempt = Attempt::resume(opened.binding(who, browser), self.way_back(), state, now);
        let attempt = match attempt {
            Ok(attempt) => attempt,
            Err(NonceError::Foreign) => return Ok(self.foreign()),
            Err(NonceError::Old) => {
                let text = "Signing in took more than 15 minutes. Please do it once more.";
                return Ok(self.sign_in_page(403, token, "Please sign in again", text));
            }
        };
        let Some(code) = parameter("code") else {
            tracing::warn!(approval = %opened.record.request.id, "the identity provider sent somebody back without a code");
            let text = "Your identity provider did not sign you in. Nothing was decided.";
            return Ok(self.sign_in_page(403, token, "You are not signed in", text));
        };
        let code = Secret::new(code.to_owned());
        match provider.who(&attempt, &code, parameter("iss"), now).await {
            Ok(identity) => self.signed(&opened, who, &identity).await,
            Err(error) => Ok(self.not_signed_in(&opened, &error)),
        }
    }

    /// Shows the request to the person it is meant for, and to nobody else.
    async fn signed(
        &self,
        opened: &Opened<'_>,
        who: &Recipient,
        identity: &Identity,
    ) -> Result<HttpAnswer, PortError> {
        let is = sign_in::is(&opened.record, who, identity);
        let kind = if is {
            Kind::SignedIn
        } else {
            Kind::OtherPerson
        };
        let now = self.clock.now();
        self.note(&opened.record, |record| {
            let waits = record.state == State::Open;
            let noted = || sign_in::noted(record, &who.id, kind, identity, now);
            waits.then(noted).flatten()
        })
        .await?;
        if !is {
            tracing::warn!(approval = %opened.record.request.id, recipient = %who.id, alarm = "other-person", "somebody else signed in with an approver's link");
            let text = format!(
                "You signed in as {}, and this link was mailed to {}. Nothing was decided, and the attempt is recorded. Sign out at your identity provider, then sign in as the person who was asked.",
                identity.mail, who.address
            );
            return Ok(self.sign_in_page(
                403,
                opened.token,
                "This link is for somebody else",
                &text,
            ));
        }
        let binding = opened.binding(who, "");
        let session = sign_in::session(binding, self.clock.now(), self.entropy.bytes());
        let mut answer = self.back_to(opened.token);
        let lasts = sign_in::LASTS.as_secs();
        answer.cookies = vec![
            self.lax(self.session_name(), &session, lasts),
            self.lax(self.attempt_name(), "", 0),
        ];
        Ok(answer)
    }

    /// The page, and the browser signed in no longer.
    pub(crate) fn sign_out(&self, token: &str) -> HttpAnswer {
        let mut answer = self.back_to(token);
        answer.cookies = vec![self.lax(self.session_name(), "", 0)];
        answer
    }

    fn not_signed_in(&self, opened: &Opened<'_>, error: &SignInError) -> HttpAnswer {
        let approval = &opened.record.request.id;
        if error.is_passing() {
            tracing::error!(%approval, error = %chain(error), "nobody can sign in");
            let mut answer = self.sign_in_page(
                503,
                opened.token,
                "Signing in does not work at the moment",
                "The identity provider did not answer as it should. Nothing was decided: try again in a moment.",
            );
            answer.headers.push(("Retry-After", "5".to_owned()));
            return answer;
        }
        tracing::warn!(%approval, error = %chain(error), "a sign-in was not believed");
        self.sign_in_page(
            403,
            opened.token,
            "You are not signed in",
            "What your identity provider said about you could not be verified. Nothing was decided.",
        )
    }

    fn nobody_to_ask(&self) -> HttpAnswer {
        tracing::error!("a request of level L3 came, and STAGEWRIGHT_OIDC_ISSUER is not set");
        self.message(
            503,
            "Nobody can sign in here",
            "This approval wants a sign-in, and no identity provider is set up. Tell whoever runs the pipeline, or answer in the AWS console.",
        )
    }

    fn sign_in_page(&self, status: u16, token: &str, title: &str, text: &str) -> HttpAnswer {
        self.render(
            status,
            &SignInPage {
                base: &self.settings.base,
                token,
                title,
                text,
            },
        )
    }

    /// Registered with the provider as redirect URI.
    fn way_back(&self) -> String {
        format!("{}/a/{BACK}", self.settings.base)
    }

    fn session_name(&self) -> &'static str {
        if self.settings.base.is_https() {
            "__Host-stagewright_session"
        } else {
            "stagewright_session"
        }
    }

    fn attempt_name(&self) -> &'static str {
        if self.settings.base.is_https() {
            "__Host-stagewright_sign_in"
        } else {
            "stagewright_sign_in"
        }
    }
}
