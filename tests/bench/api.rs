//! API reads per second over kept connections, and how long the engine takes to listen.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use harness::process::Server;
use serde_json::{Value, json};

use crate::median;

const CONNECTIONS: usize = 64;
const FOR: Duration = Duration::from_secs(3);

/// ListPipelines on many connections at once.
pub fn measure() -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut starts = Vec::new();
    for _ in 0..12 {
        let state = tempfile::tempdir().expect("a folder");
        let begin = Instant::now();
        let server = Server::start(state.path(), &[]);
        starts.push(begin.elapsed().as_secs_f64() * 1e3);
        drop(server);
    }
    let server = Server::start(folder.path(), &[]);
    let (rate, p99) = reads(&server.url, "ListPipelines", &json!({}), FOR);
    vec![
        (
            "start of `serve` to listening, empty, 12 runs".to_owned(),
            format!("{:.1} ms", median(starts)),
        ),
        (
            format!("API reads a second, {CONNECTIONS} connections, client on the same cores"),
            format!("{rate:.0}/s"),
        ),
        (
            format!("p99 of an API read, {CONNECTIONS} connections"),
            format!("{:.2} ms", p99 * 1e3),
        ),
    ]
}

/// The same request on many connections: calls a second, and the p99 in seconds.
pub fn reads(url: &str, operation: &str, request: &Value, time: Duration) -> (f64, f64) {
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (url, operation, body) =
                (url.to_owned(), operation.to_owned(), request.to_string());
            thread::spawn(move || {
                let mut client = Client::connect(&url);
                let request = client.request(&operation, &body);
                let until = Instant::now() + time;
                let mut latencies = Vec::new();
                while Instant::now() < until {
                    let begin = Instant::now();
                    client.send(&request);
                    latencies.push(begin.elapsed().as_secs_f64());
                }
                latencies
            })
        })
        .collect();
    let mut latencies: Vec<f64> = clients
        .into_iter()
        .flat_map(|c| c.join().expect("a client"))
        .collect();
    latencies.sort_by(f64::total_cmp);
    let p99 = latencies.get(latencies.len() * 99 / 100).copied();
    (
        latencies.len() as f64 / time.as_secs_f64(),
        p99.unwrap_or(f64::NAN),
    )
}

/// One kept connection.
pub struct Client {
    host: String,
    writer: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(url: &str) -> Self {
        let host = url.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host).expect("it listens");
        stream.set_nodelay(true).expect("a socket option");
        Self {
            host,
            writer: stream.try_clone().expect("a second handle"),
            reader: BufReader::new(stream),
        }
    }

    /// The answer to one request.
    pub fn call(&mut self, operation: &str, request: &Value) -> Value {
        let request = self.request(operation, &request.to_string());
        serde_json::from_slice(&self.send(&request)).expect("JSON")
    }

    fn request(&self, operation: &str, body: &str) -> String {
        format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-target: CodePipeline_20150709.{operation}\r\nauthorization: AWS4-HMAC-SHA256 Credential=bench/20260101/eu-west-1/codepipeline/aws4_request, SignedHeaders=host, Signature=0\r\ncontent-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        )
    }

    fn send(&mut self, request: &str) -> Vec<u8> {
        self.writer.write_all(request.as_bytes()).expect("sent");
        let mut length = 0;
        let mut first = true;
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("an answer");
            let line = line.trim();
            if std::mem::take(&mut first) {
                assert!(line.ends_with("200 OK"), "the engine refuses: {line}");
            }
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).expect("a body");
        body
    }
}
