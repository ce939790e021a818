//! The browser's cookie, to which the form is bound.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use shared::approval::{http::HttpRequest, port::Entropy};

use crate::Respond;

/// Length of our cookie's value: 16 random bytes, base64url.
const COOKIE_LENGTH: usize = 22;

impl<S, R, C, E: Entropy, P> Respond<S, R, C, E, P> {
    /// The browser's cookie, and how to set it where it has none of ours.
    pub(crate) fn cookie(&self, request: &HttpRequest) -> (String, Option<String>) {
        let name = self.cookie_name();
        let ours = |value: &&str| {
            value.len() == COOKIE_LENGTH
                && value
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if let Some(value) = request.cookie(name).filter(ours) {
            return (value.to_owned(), None);
        }
        let value = URL_SAFE_NO_PAD.encode(self.entropy.bytes::<16>());
        let set = self.strict(name, &value, 3600);
        (value, Some(set))
    }

    /// How to set a cookie that comes along with what our own pages lead to, and with nothing else.
    pub(crate) fn strict(&self, name: &str, value: &str, seconds: i64) -> String {
        let scope = self.scope();
        format!("{name}={value}; {scope}; HttpOnly; SameSite=Strict; Max-Age={seconds}")
    }

    /// How to set a cookie that comes along when another site leads here: the identity provider, a mail in a browser.
    pub(crate) fn lax(&self, name: &str, value: &str, seconds: i64) -> String {
        let scope = self.scope();
        format!("{name}={value}; {scope}; HttpOnly; SameSite=Lax; Max-Age={seconds}")
    }

    fn scope(&self) -> String {
        let base = &self.settings.base;
        if base.is_https() {
            "Path=/; Secure".to_owned()
        } else {
            format!("Path={}/", base.path())
        }
    }

    /// `__Host-` cookies need https; plain http is for loopback addresses only.
    pub(crate) fn cookie_name(&self) -> &'static str {
        if self.settings.base.is_https() {
            "__Host-stagewright_form"
        } else {
            "stagewright_form"
        }
    }
}
