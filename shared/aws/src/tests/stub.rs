//! A small HTTP/1.1 server that answers as told and remembers what it was asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use shared::job::ArtifactCredentials;

use crate::{environment::Environment, sdk::Aws};

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The access key id in the signature.
    pub fn signer(&self) -> &str {
        let signature = self.header("authorization");
        let (_, rest) = signature.split_once("Credential=").unwrap_or_default();
        rest.split('/').next().unwrap_or_default()
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Status, headers, body.
    Full(u16, Vec<(&'static str, String)>, String),
    /// 200 with bytes that are no text.
    Bytes(Vec<u8>),
    /// A body announced longer than it is, then the end of the connection.
    CutOff(String, usize),
    /// Nothing, while the connection stays open.
    Silence,
}

impl Answer {
    pub fn of(status: u16, body: &str) -> Self {
        Self::Full(status, vec![], body.to_owned())
    }
}

type Handler = dyn Fn(usize, &Asked) -> Answer + Send + Sync;

/// The server; its thread lives as long as the test process.
pub struct Stub {
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    /// Answers request number n (from 0) with `answer(n, request)`.
    pub fn start(answer: impl Fn(usize, &Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen): (Arc<Handler>, _) = (Arc::new(answer), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, seen) = (answer.clone(), seen.clone());
                std::thread::spawn(move || serve(&stream, &*answer, &seen));
            }
        });
        Self { address, asked }
    }

    /// Answers every request with these bytes.
    pub fn serving(bytes: Vec<u8>) -> Self {
        Self::start(move |_, _| Answer::Bytes(bytes.clone()))
    }

    /// Everything asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Access to "AWS" at this stub, with the function's own credentials.
    pub fn aws(&self) -> Aws {
        aws(&[("AWS_ENDPOINT_URL", &self.address)])
    }
}

/// Access to "AWS" with these variables beside the usual ones.
pub fn aws(more: &[(&str, &str)]) -> Aws {
    let usual = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDFUNCTION"),
        ("AWS_SECRET_ACCESS_KEY", "planted-function-secret"),
    ];
    let all = usual.iter().chain(more);
    let variables = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Aws::new(Environment::from_variables(variables).unwrap()).unwrap()
}

pub fn job_credentials() -> ArtifactCredentials {
    ArtifactCredentials {
        access_key_id: "AKIDJOB".to_owned().into(),
        secret_access_key: "planted-job-secret".to_owned().into(),
        session_token: "planted-job-token".to_owned().into(),
    }
}

fn serve(stream: &TcpStream, answer: &Handler, seen: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader) {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(asked.clone());
            seen.len() - 1
        };
        let mut out = stream;
        let (status, headers, body, announced) = match answer(number, &asked) {
            Answer::Full(status, headers, body) => {
                let length = body.len();
                (status, headers, body.into_bytes(), length)
            }
            Answer::Bytes(body) => {
                let length = body.len();
                (200, vec![], body, length)
            }
            Answer::CutOff(body, length) => (200, vec![], body.into_bytes(), length),
            Answer::Silence => {
                // Until the other side gives up.
                let _ = reader.read(&mut [0]);
                return;
            }
        };
        let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {announced}\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let has_body = asked.method != "HEAD";
        let sent: &[u8] = if has_body { &body } else { &[] };
        let whole = [head.as_bytes(), b"\r\n", sent].concat();
        if out.write_all(&whole).is_err() || announced != body.len() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut asked = Asked {
        method,
        path,
        headers,
        body: String::new(),
    };
    if asked.header("expect") == "100-continue" {
        let _ = reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    let mut body = Vec::new();
    if asked.header("transfer-encoding") == "chunked" {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = u64::from_str_radix(size.trim(), 16).ok()?;
            reader.take(size).read_to_end(&mut body).ok()?;
            let mut end = String::new();
            reader.read_line(&mut end).ok()?;
            if size == 0 {
                break;
            }
        }
    } else {
        let length = asked.header("content-length").parse().unwrap_or(0);
        reader.take(length).read_to_end(&mut body).ok()?;
    }
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Some(asked)
}
