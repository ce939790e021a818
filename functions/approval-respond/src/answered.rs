//! Where a form leads: to an address that says nothing about the link. The link stays in a cookie of this browser for a
//! while, so that the page can still show what became of the answer.

use shared::{
    approval::{
        http::{HttpAnswer, HttpRequest},
        port::{ApprovalStore, Entropy, ResultSender},
        sign_in::IdentityProvider,
    },
    port::{Clock, PortError},
};

use crate::{Respond, answer};

/// Path below the base.
pub const ANSWERED: &str = "/answered";
/// How long, in seconds, the page shows in the browser that answered.
const LASTS: i64 = 900;

impl<S, R, C, E, P> Respond<S, R, C, E, P>
where
    S: ApprovalStore,
    R: ResultSender,
    C: Clock,
    E: Entropy,
    P: IdentityProvider,
{
    /// After a form of this link: off the link's own address, which history, proxies and shared screens keep.
    pub(crate) fn off_link(&self, token: &str) -> HttpAnswer {
        let mut answer = answer::see_other(format!("{}{ANSWERED}", self.settings.base));
        let name = self.answered_name();
        answer.cookies.push(self.strict(name, token, LASTS));
        answer
    }

    /// What the link shows that this browser answered with; in any other browser nothing.
    pub(crate) async fn answered(&self, request: &HttpRequest) -> Result<HttpAnswer, PortError> {
        match request.cookie(self.answered_name()) {
            Some(token) => self.show(request, token).await,
            None => Ok(self.message(
                404,
                "Open the link from the mail",
                "This address shows an answer only in the browser that gave it, and only for 15 minutes. The link from the mail shows where the approval stands.",
            )),
        }
    }

    fn answered_name(&self) -> &'static str {
        if self.settings.base.is_https() {
            "__Host-stagewright_answered"
        } else {
            "stagewright_answered"
        }
    }
}
