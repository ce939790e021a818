//! Mail addresses of people.

use std::{fmt, str::FromStr};

/// A bare mail address: no display name, no quoting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for every spelling of one mailbox: case and `+tag` dropped.
    pub(in crate::approval) fn person(&self) -> String {
        let (local, domain) = self.0.split_once('@').unwrap_or((&self.0, ""));
        let local = local.split('+').next().unwrap_or(local);
        format!("{local}@{domain}").to_lowercase()
    }
}

impl FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        match text.split_once('@') {
            Some((local, domain))
                if !local.is_empty()
                    && !domain.is_empty()
                    && text.len() <= 254
                    && local.chars().all(fits)
                    && domain
                        .chars()
                        .all(|c| c.is_alphanumeric() || c == '-' || c == '.') =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err("a mail address is written name@example.com".to_owned()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
