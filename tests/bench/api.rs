//! API reads per second over kept connections, and how long the engine takes to listen.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use harness::process::Server;

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
    let host = server.url.trim_start_matches("http://").to_owned();
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let host = host.clone();
            thread::spawn(move || client(&host))
        })
        .collect();
    let mut latencies: Vec<f64> = clients
        .into_iter()
        .flat_map(|c| c.join().expect("a client"))
        .collect();
    latencies.sort_by(f64::total_cmp);
    let rate = latencies.len() as f64 / FOR.as_secs_f64();
    let p99 = latencies
        .get(latencies.len() * 99 / 100)
        .copied()
        .unwrap_or(f64::NAN);
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

fn client(host: &str) -> Vec<f64> {
    let stream = TcpStream::connect(host).expect("it listens");
    stream.set_nodelay(true).expect("a socket option");
    let mut writer = stream.try_clone().expect("a second handle");
    let mut reader = BufReader::new(stream);
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-target: CodePipeline_20150709.ListPipelines\r\nauthorization: AWS4-HMAC-SHA256 Credential=bench/20260101/eu-west-1/codepipeline/aws4_request, SignedHeaders=host, Signature=0\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    let until = Instant::now() + FOR;
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let begin = Instant::now();
        writer.write_all(request.as_bytes()).expect("sent");
        let mut length = 0;
        let mut first = true;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("an answer");
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
        reader.read_exact(&mut body).expect("a body");
        latencies.push(begin.elapsed().as_secs_f64());
    }
    latencies
}
