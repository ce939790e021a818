//! Texts in addresses and forms.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What RFC 3986 leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One segment of a path: a `/` in it is encoded. `.` and `..` cannot stand in a path; check for them at the door.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// `a=1&b=2`, for the part of an address after `?`.
pub fn query<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> String {
    let pair =
        |(name, value): &(N, V)| format!("{}={}", segment(name.as_ref()), segment(value.as_ref()));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// A body of `application/x-www-form-urlencoded`.
pub fn form<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> String {
    query(pairs).replace("%20", "+")
}

/// The text that was encoded; bytes that are no UTF-8 are replaced.
pub fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The pairs of a query or a form.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let part = |text: &str| decoded(&text.replace('+', " "));
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (part(name), part(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_went() {
        assert_eq!(segment("feature%2Fx"), "feature%252Fx");
        assert_eq!(segment("a b/c?d"), "a%20b%2Fc%3Fd");
        let wanted = [("name", "ä & b=c+d"), ("", "e"), ("f", "")];
        assert_eq!(form(&wanted), "name=%C3%A4+%26+b%3Dc%2Bd&=e&f=");
        for text in [form(&wanted), query(&wanted)] {
            let read = pairs(&text);
            let read: Vec<_> = read.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(read, wanted);
        }
    }
}
