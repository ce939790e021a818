//! Checks by machines that must have passed beside the people.

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Its name in the file.
    pub name: String,
    /// Who says whether it passed.
    pub source: Source,
}

/// Who says whether a check passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A page: status 200 to 299 passes.
    Page(String),
    /// A Lambda function: `{"passed": true}` passes, else its `why` is told.
    Function(String),
    /// A CloudWatch alarm: `OK` passes.
    Alarm(String),
}

/// Whether a page may have this address: https, or http on this machine; no user, no fragment, no blanks.
pub(in crate::approval) fn is_address(url: &str) -> bool {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    let clean = url.bytes().all(|b| b.is_ascii_graphic()) && !url.contains('#');
    !host.is_empty()
        && !host.contains('@')
        && clean
        && (scheme == "https" || scheme == "http" && here)
}
