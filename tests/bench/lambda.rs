//! What the Lambda host adds to a warm call: the whole Invoke over HTTP, and the function's own time in it.

use std::{fs, time::Instant};

use harness::{http::request, process::Server};

use crate::median;

const CALLS: usize = 400;
const FUNCTION: &str = "action-http-check";
/// Refused by the function at once.
const EVENT: &[u8] = br#"{"params": {}}"#;

/// Calls one warm function again and again, each on a connection of its own.
pub fn measure() -> Vec<(String, String)> {
    let state = tempfile::tempdir().expect("a folder");
    let server = Server::start(state.path(), &[]);
    let path = format!("/2015-03-31/functions/{FUNCTION}/invocations");
    let authorization = "AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0";
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        let begin = Instant::now();
        let headers = [("authorization", authorization)];
        let answer = request(&server.url, "POST", &path, &headers, EVENT).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        calls.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    let log = state.path().join(format!("logs/functions/{FUNCTION}.log"));
    let log = fs::read_to_string(&log).unwrap_or_else(|e| panic!("{}: {e}", log.display()));
    let own = log.lines().filter(|it| it.starts_with("REPORT"));
    let own: Vec<f64> = own
        .filter_map(|line| {
            let rest = &line[line.find("\tDuration: ")? + 11..];
            rest.split_whitespace().next()?.parse().ok()
        })
        .collect();
    assert_eq!(own.len(), CALLS);
    let (calls, own) = (median(calls), median(own));
    vec![(
        format!("warm Invoke over HTTP, {CALLS} calls: all, and what the host adds"),
        format!("{calls:.2} ms, {:.2} ms", calls - own),
    )]
}
