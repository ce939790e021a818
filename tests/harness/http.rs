//! A client of the engine made of one socket, so that nothing of ours or of AWS's stands between a test and the wire.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// One request on a connection of its own. `address` is `http://host:port`.
///
/// # Errors
/// The connection fails, or ends before the answer is whole.
pub fn request(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let host = address.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    parse(&all).ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the answer is cut"))
}

/// One call of CodePipeline as an SDK sends it, with a signature that nobody checks.
///
/// # Errors
/// As [`request`].
pub fn codepipeline(address: &str, operation: &str, input: &Value) -> io::Result<Answer> {
    codepipeline_raw(address, operation, input.to_string().as_bytes())
}

/// The same with any bytes as body.
///
/// # Errors
/// As [`request`].
pub fn codepipeline_raw(address: &str, operation: &str, body: &[u8]) -> io::Result<Answer> {
    let target = format!("CodePipeline_20150709.{operation}");
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target.as_str()),
        ("authorization", &authorization("codepipeline")),
    ];
    request(address, "POST", "/", &headers, body)
}

/// One call of a service that speaks Query, such as SNS.
///
/// # Errors
/// As [`request`].
pub fn form(address: &str, service: &str, body: &str) -> io::Result<Answer> {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", &authorization(service)),
    ];
    request(address, "POST", "/", &headers, body.as_bytes())
}

/// One call of a JSON 1.1 service; `target` is `X-Amz-Target`.
///
/// # Errors
/// As [`request`].
pub fn json(address: &str, service: &str, target: &str, input: &Value) -> io::Result<Answer> {
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target),
        ("authorization", &authorization(service)),
    ];
    request(address, "POST", "/", &headers, input.to_string().as_bytes())
}

/// One GET of S3 by path.
///
/// # Errors
/// As [`request`].
pub fn s3(address: &str, path: &str) -> io::Result<Answer> {
    s3_request(address, "GET", path, b"")
}

/// One request of S3 by path.
///
/// # Errors
/// As [`request`].
pub fn s3_request(address: &str, method: &str, path: &str, body: &[u8]) -> io::Result<Answer> {
    let headers = [("authorization", authorization("s3"))];
    let headers = headers.each_ref().map(|(n, v)| (*n, v.as_str()));
    request(address, method, path, &headers, body)
}

fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

/// An answer that is whole: with the length it names, or with its last chunk.
fn parse(all: &[u8]) -> Option<Answer> {
    let end = all.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&all[..end]);
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    let rest = &all[end + 4..];
    let headers = head.lines().skip(1).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    let headers: Vec<(String, String)> = headers.collect();
    let field = |name: &str| {
        let found = headers.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    };
    let body = match field("content-length") {
        Some(length) => rest.get(..length.parse().ok()?)?.to_vec(),
        None if field("transfer-encoding").is_some_and(|it| it.eq_ignore_ascii_case("chunked")) => {
            unchunk(rest)?
        }
        None => rest.to_vec(),
    };
    Some(Answer {
        status,
        headers,
        body,
    })
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[line + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
