//! The public address of the page.

use std::{fmt, str::FromStr};

/// Public base URL of `approval-respond`, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    origin: usize,
}

impl BaseUrl {
    /// `scheme://host[:port]`.
    pub fn origin(&self) -> &str {
        &self.text[..self.origin]
    }

    /// `host[:port]`.
    pub fn host(&self) -> &str {
        self.origin().split_once("://").map_or("", |(_, host)| host)
    }

    /// The path in front of everything; empty at the root.
    pub fn path(&self) -> &str {
        &self.text[self.origin..]
    }

    /// Whether it is https (cookies can then be `__Host-`).
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }
}

impl FromStr for BaseUrl {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim_end_matches('/');
        let (scheme, rest) = text
            .split_once("://")
            .ok_or("it has no scheme: write https://approve.example.com")?;
        let host = rest.split('/').next().unwrap_or_default();
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/[]".contains(&b);
        if host.is_empty() || !rest.bytes().all(fits) {
            return Err(
                "it has no host, or a sign that does not belong (no query, user or fragment)"
                    .to_owned(),
            );
        }
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let loopback = matches!(name, "localhost" | "[::1]")
            || name
                .parse::<std::net::Ipv4Addr>()
                .is_ok_and(|ip| ip.is_loopback())
            || name.ends_with(".localhost");
        match scheme {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err("http is for loopback addresses only; use https".to_owned()),
            _ => return Err("it is neither https nor http".to_owned()),
        }
        Ok(Self {
            text: text.to_owned(),
            origin: scheme.len() + 3 + host.len(),
        })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
