//! Pages without facts, and how a page becomes an answer.

use askama::Template;
use shared::approval::http::HttpAnswer;

use crate::{Respond, answer, form::FormError, guard::Stop, page::MessagePage};

impl<S, R, C, E, P> Respond<S, R, C, E, P> {
    pub(crate) fn stopped(&self, stop: Stop) -> HttpAnswer {
        match stop {
            Stop::NotFound => self.message(404, "Nothing is here", "Open the link from your mail."),
            Stop::Twice => self.message(
                400,
                "The address cannot be read",
                "Open the link from your mail as it is.",
            ),
            Stop::TooLong => self.message(
                414,
                "The address is too long",
                "Open the link from your mail as it is.",
            ),
            Stop::Foreign => self.foreign(),
            Stop::Method(allowed) => {
                let text = "Only reading this page and sending its form is possible.";
                let mut answer = self.message(405, "This cannot be done here", text);
                answer.headers.push(("Allow", allowed.to_owned()));
                answer
            }
        }
    }

    pub(crate) fn unreadable(&self, error: FormError) -> HttpAnswer {
        let again = "Open the link from your mail again and use the form there.";
        match error {
            FormError::TooLarge => self.message(413, "The form is too large", again),
            FormError::Type => self.message(415, "This is not the page's form", again),
            FormError::Garbled => self.message(400, "The form cannot be read", again),
        }
    }

    pub(crate) fn foreign(&self) -> HttpAnswer {
        self.message(
            403,
            "The form did not come from this page",
            "Nothing was decided. Open the link from your mail again, in a browser that accepts cookies, and use the form there.",
        )
    }

    pub(crate) fn invalid(&self) -> HttpAnswer {
        self.message(
            403,
            "This link does not work",
            "It may have been cut or changed on its way. Copy the whole link from the mail, or answer in the AWS console.",
        )
    }

    pub(crate) fn message(&self, status: u16, title: &str, text: &str) -> HttpAnswer {
        self.render(
            status,
            &MessagePage {
                base: &self.settings.base,
                title,
                text,
            },
        )
    }

    pub(crate) fn render(&self, status: u16, page: &impl Template) -> HttpAnswer {
        match page.render() {
            Ok(html) => answer::page(status, html),
            Err(error) => {
                tracing::error!(error = %error, "a page could not be written");
                answer::page(500, String::new())
            }
        }
    }
}
