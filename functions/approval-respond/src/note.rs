//! Notes for the audit beside what people do: who signed in, who opened the page.

use shared::{
    approval::{
        http::HttpRequest,
        level::Level,
        port::{ApprovalStore, Entropy, ResultSender},
        request::Record,
        sign_in::IdentityProvider,
        view,
    },
    port::{Clock, PortError},
};

use crate::{Opened, Respond, told::chain};

/// How often a note is tried where votes come at the same time.
const WRITES: usize = 5;

impl<S, R, C, E, P> Respond<S, R, C, E, P>
where
    S: ApprovalStore,
    R: ResultSender,
    C: Clock,
    E: Entropy,
    P: IdentityProvider,
{
    /// Writes what `next` makes of the record as it stands; nothing where it makes nothing of it.
    pub(crate) async fn note(
        &self,
        record: &Record,
        next: impl Fn(&Record) -> Option<Record>,
    ) -> Result<(), PortError> {
        let mut record = record.clone();
        for _ in 0..WRITES {
            let Some(next) = next(&record) else {
                return Ok(());
            };
            match self.store.replace(&next).await {
                Err(PortError::Conflict { .. }) => {}
                other => return other,
            }
            match self.store.load(&record.request.id).await? {
                Some(newer) => record = newer,
                None => return Ok(()),
            }
        }
        Err(PortError::Conflict {
            what: format!("the note on {}", record.request.id),
        })
    }

    /// Notes that the page was shown. The page does not depend on it.
    pub(crate) async fn note_view(&self, request: &HttpRequest, opened: &Opened<'_>) {
        if request.method != "GET" {
            return;
        }
        let who = &opened.claims.recipient;
        let signs_in = opened.record.rule.level == Level::SignIn;
        let signed_in = signs_in && self.signed_in(request, opened);
        let means = self.means(request);
        let now = self.clock.now();
        let noted = self.note(&opened.record, |record| {
            view::viewed(record, who, signed_in, &means, now)
        });
        if let Err(error) = noted.await {
            tracing::warn!(approval = %opened.record.request.id, error = %chain(&error), "a view of the page is missing in the audit");
        }
    }
}
