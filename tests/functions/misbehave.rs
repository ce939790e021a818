//! A function that does what functions should not: `misbehave crash|error|hang|silent|twice|init|record FILE|append FILE|refuse FILE`.
//!
//! Speaks the Lambda Runtime API with plain sockets, so that nothing of ours stands between it and the engine.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::exit,
    thread,
    time::Duration,
};

use serde_json::{Value, json};

const RUNTIME: &str = "/2018-06-01/runtime";

fn call(host: &str, method: &str, path: &str, headers: &str, body: &str) -> (Vec<String>, String) {
    let mut stream = TcpStream::connect(host).expect("the engine listens");
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .expect("the request is sent");
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("an answer");
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_ascii_lowercase());
    }
    let mut body = String::new();
    reader.read_to_string(&mut body).expect("a body");
    (head, body)
}

fn report(job: &str) {
    let endpoint = env::var("AWS_ENDPOINT_URL").expect("the engine's address");
    let host = endpoint
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let headers = "content-type: application/x-amz-json-1.1\r\nx-amz-target: CodePipeline_20150709.PutJobSuccessResult\r\nauthorization: AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/codepipeline/aws4_request, SignedHeaders=host, Signature=0\r\n";
    let (head, body) = call(
        &host,
        "POST",
        "/",
        headers,
        &json!({"jobId": job}).to_string(),
    );
    println!(
        "PutJobSuccessResult: {} {body}",
        head.first().map_or("", String::as_str)
    );
}

/// Another line for the file that the second argument names.
fn append(body: &str) {
    let file = env::args().nth(2).expect("misbehave append|refuse FILE");
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .append(true)
        .create(true)
        .open(file)
        .expect("a file");
    file.write_all(format!("{body}\n").as_bytes())
        .expect("the event is kept");
}

fn main() {
    let how = env::args().nth(1).unwrap_or_default();
    let host = env::var("AWS_LAMBDA_RUNTIME_API").expect("started by a Lambda host");
    if how == "init" {
        let error = json!({"errorType": "Broken", "errorMessage": "no settings"}).to_string();
        call(&host, "POST", &format!("{RUNTIME}/init/error"), "", &error);
        exit(1);
    }
    loop {
        let (head, body) = call(&host, "GET", &format!("{RUNTIME}/invocation/next"), "", "");
        let id = head
            .iter()
            .find_map(|h| h.strip_prefix("lambda-runtime-aws-request-id: "))
            .expect("a request id")
            .to_owned();
        let event: Value = serde_json::from_str(&body).expect("an event");
        let job = event["CodePipeline.job"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        println!("misbehaving: {how}");
        match how.as_str() {
            "crash" => exit(7),
            "hang" => thread::sleep(Duration::from_secs(3600)),
            "error" | "refuse" => {
                if how == "refuse" {
                    append(&body);
                }
                let error = json!({"errorType": "Unlucky", "errorMessage": "the dice fell badly"})
                    .to_string();
                call(
                    &host,
                    "POST",
                    &format!("{RUNTIME}/invocation/{id}/error"),
                    "",
                    &error,
                );
                continue;
            }
            "record" => {
                let file = env::args().nth(2).expect("misbehave record FILE");
                fs::write(file, &body).expect("the event is kept");
                report(&job);
            }
            "append" => append(&body),
            "twice" => {
                report(&job);
                report(&job);
            }
            _ => {}
        }
        call(
            &host,
            "POST",
            &format!("{RUNTIME}/invocation/{id}/response"),
            "",
            "null",
        );
    }
}
