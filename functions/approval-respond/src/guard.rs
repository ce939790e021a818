//! What a request must pass before anything is read from the table: size, method, path, origin.

use shared::approval::{http::HttpRequest, settings::BaseUrl};

use crate::{answered::ANSWERED, sign_in::BACK};

/// Longest path and query together.
const URL_LIMIT: usize = 2048;
/// The same for what an identity provider sends back: codes of some have more than a thousand characters.
const BACK_LIMIT: usize = 4096;

/// A request that may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// The style sheet.
    Style,
    /// The page of a link.
    Show(&'a str),
    /// Its form.
    Decide(&'a str),
    /// Where the form leads.
    Answered,
    /// Off to the identity provider.
    SignIn(&'a str),
    /// Back from it.
    SignedIn,
}

/// A request that ends here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// 404.
    NotFound,
    /// 405, with what is allowed.
    Method(&'static str),
    /// 400: a parameter comes twice.
    Twice,
    /// 414.
    TooLong,
    /// 403: the form was not sent by our own page.
    Foreign,
}

/// Finds the route. Under a base URL with a path, that path may or may not have been taken off in front of us.
pub fn route<'a>(request: &'a HttpRequest, base: &BaseUrl) -> Result<Route<'a>, Stop> {
    let back = request.path.ends_with("/a/signed-in");
    let limit = if back { BACK_LIMIT } else { URL_LIMIT };
    if request.path.len() + request.query.len() > limit {
        return Err(Stop::TooLong);
    }
    if names_twice(&request.query) {
        return Err(Stop::Twice);
    }
    let path = request
        .path
        .strip_prefix(base.path())
        .filter(|rest| rest.starts_with('/'))
        .unwrap_or(&request.path);
    let reading = matches!(request.method.as_str(), "GET" | "HEAD");
    match (path, path.strip_prefix("/a/")) {
        ("/style.css", _) if reading => Ok(Route::Style),
        (ANSWERED, _) if reading => Ok(Route::Answered),
        ("/style.css" | ANSWERED, _) => Err(Stop::Method("GET, HEAD")),
        (_, Some(BACK)) if reading => Ok(Route::SignedIn),
        (_, Some(BACK)) => Err(Stop::Method("GET, HEAD")),
        (_, Some(token)) if reading && request.query == "sign-in" => Ok(Route::SignIn(token)),
        (_, Some(token)) if reading => Ok(Route::Show(token)),
        (_, Some(token)) if request.method == "POST" => {
            if from_own_page(request, base) {
                Ok(Route::Decide(token))
            } else {
                Err(Stop::Foreign)
            }
        }
        (_, Some(_)) => Err(Stop::Method("GET, HEAD, POST")),
        _ if reading || request.method == "POST" => Err(Stop::NotFound),
        _ => Err(Stop::Method("GET, HEAD, POST")),
    }
}

/// The page reads no parameter. One that comes twice is somebody's attempt to be read differently by two readers.
fn names_twice(query: &str) -> bool {
    let name = |pair: &'_ str| pair.split('=').next().unwrap_or_default().to_owned();
    let mut names: Vec<String> = query.split('&').map(name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    names.len() < all
}

/// `Sec-Fetch-Site` says same origin; where a browser does not send it, `Origin` is our own.
fn from_own_page(request: &HttpRequest, base: &BaseUrl) -> bool {
    match request.header("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => request
            .header("origin")
            .is_some_and(|origin| origin.eq_ignore_ascii_case(base.origin())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> HttpRequest {
        HttpRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            ..HttpRequest::default()
        }
    }

    #[test]
    fn paths_and_methods() {
        let base: BaseUrl = "https://example.com/approvals".parse().unwrap();
        let own = [("sec-fetch-site", "same-origin")];
        for (method, path, expected) in [
            ("GET", "/a/t", Ok(Route::Show("t"))),
            ("HEAD", "/approvals/a/t", Ok(Route::Show("t"))),
            ("POST", "/approvals/a/t", Ok(Route::Decide("t"))),
            ("GET", "/style.css", Ok(Route::Style)),
            ("GET", "/a/signed-in", Ok(Route::SignedIn)),
            ("GET", "/approvals/answered", Ok(Route::Answered)),
            ("POST", "/answered", Err(Stop::Method("GET, HEAD"))),
            ("POST", "/a/signed-in", Err(Stop::Method("GET, HEAD"))),
            ("GET", "/", Err(Stop::NotFound)),
            ("POST", "/", Err(Stop::NotFound)),
            ("POST", "/style.css", Err(Stop::Method("GET, HEAD"))),
            ("OPTIONS", "/a/t", Err(Stop::Method("GET, HEAD, POST"))),
            ("get", "/a/t", Err(Stop::Method("GET, HEAD, POST"))),
            ("TRACE", "/", Err(Stop::Method("GET, HEAD, POST"))),
        ] {
            assert_eq!(
                route(&request(method, path, &own), &base),
                expected,
                "{method} {path}"
            );
        }
        let long = format!("/a/{}", "x".repeat(2_046));
        assert_eq!(
            route(&request("GET", &long, &[]), &base),
            Err(Stop::TooLong)
        );
    }

    #[test]
    fn only_our_own_page_may_post() {
        let base: BaseUrl = "https://example.com".parse().unwrap();
        for (headers, passes) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "null")],
                true,
            ),
            (&[("origin", "https://example.com")], true),
            (&[], false),
            (&[("origin", "null")], false),
            (&[("origin", "https://example.com.evil.example")], false),
            (&[("origin", "http://example.com")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "https://example.com"),
                ],
                false,
            ),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("referer", "https://example.com/a/t")], false),
        ] {
            let post = request("POST", "/a/t", headers);
            let answer = route(&post, &base).err();
            assert_eq!(answer, (!passes).then_some(Stop::Foreign), "{headers:?}");
        }
    }
}
