//! The approval page on a port of its own, over the in-memory world: what a browser is sent to.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use approval_respond::Respond;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};
use shared::approval::{
    settings::{Addresses, BaseUrl, RespondSettings, SignInSettings},
    sign_in::open_id::OpenId,
};
use shared_aws::http_entry;
use shared_testkit::{FixedClock, approval::ApprovalWorld, memory::MemorySecrets};
use stagewright_standins::{
    InMemory, Served, Stage,
    identity::{CLIENT, Identity},
};

/// The function as the site runs it.
pub type Page = Respond<ApprovalWorld, ApprovalWorld, FixedClock, ApprovalWorld, Provider>;
/// How it signs people in.
pub type Provider = OpenId<InMemory<Identity, FixedClock>, FixedClock, MemorySecrets>;

/// A site that answers for the rest of the test's process.
pub struct Site {
    /// Its address.
    pub base: BaseUrl,
    /// Requests and results.
    pub world: ApprovalWorld,
    /// Stands still.
    pub clock: FixedClock,
    /// Where approvers sign in.
    pub provider: Served<Identity>,
    seen: Arc<Mutex<Vec<(String, u16)>>>,
}

impl Site {
    /// Listens on a free port of loopback.
    pub fn start(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let base: BaseUrl = format!("http://{address}").parse().expect("a base");
        let (world, clock) = (ApprovalWorld::new(seed), FixedClock::default());
        let provider = Stage::new(Identity::new("")).serve();
        provider
            .stage
            .with(|identity| *identity = Identity::new(&provider.url));
        let sign_in = SignInSettings {
            issuer: provider.url.parse().expect("an issuer"),
            client: CLIENT.to_owned(),
            secret: None,
        };
        let http = provider.stage.http(clock.clone());
        let secrets = MemorySecrets::default();
        let page = Arc::new(Respond {
            store: world.clone(),
            sender: world.clone(),
            clock: clock.clone(),
            entropy: world.clone(),
            sign_in: Some(OpenId::new(sign_in.clone(), http, clock.clone(), secrets)),
            settings: RespondSettings {
                table: "unused".to_owned(),
                rules: None,
                base: base.clone(),
                keys: world.ring(),
                addresses: Addresses::Short,
                approver_role: None,
                slack_secret: None,
                slack_api: "https://slack.com/api".to_owned(),
                zone: "Europe/Berlin".parse().expect("a zone"),
                revoked: shared::approval::settings::Revoked::default(),
                sign_in: Some(sign_in),
            },
        });
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (page, kept) = (page.clone(), kept.clone());
                // A browser that goes away is not our trouble.
                std::thread::spawn(move || drop(talk(&page, &stream, &kept)));
            }
        });
        Self {
            base,
            world,
            clock,
            provider,
            seen,
        }
    }

    /// Statuses of every POST so far.
    pub fn posts(&self) -> Vec<u16> {
        let seen = self.seen.lock().expect("not poisoned");
        seen.iter()
            .filter(|(method, _)| method == "POST")
            .map(|(_, status)| *status)
            .collect()
    }

    /// How many requests came.
    pub fn asked(&self) -> usize {
        self.seen.lock().expect("not poisoned").len()
    }
}

fn talk(page: &Page, stream: &TcpStream, seen: &Mutex<Vec<(String, u16)>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(event) = read(&mut reader)? {
        let method = event["requestContext"]["http"]["method"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let answer = match http_entry::request(event) {
            Ok(request) => http_entry::answer(runtime.block_on(page.handle(&request))),
            Err(error) => {
                json!({"statusCode": 500, "headers": {}, "cookies": [], "body": error.to_string()})
            }
        };
        let status = u16::try_from(answer["statusCode"].as_u64().unwrap_or(500)).unwrap_or(500);
        seen.lock().expect("not poisoned").push((method, status));
        write(stream, status, &answer)?;
    }
    Ok(())
}

/// The event that a function URL would make of the next request.
fn read(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Value>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (mut headers, mut cookies, mut length) = (Map::new(), Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        let name = name.to_lowercase();
        match name.as_str() {
            "cookie" => cookies.extend(value.split("; ").map(str::to_owned)),
            "content-length" => length = value.parse().unwrap_or(0),
            _ => {}
        }
        headers.insert(name, json!(value));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "cookies": cookies,
        "headers": headers, "body": BASE64_STANDARD.encode(&body), "isBase64Encoded": true,
        "requestContext": {"accountId": "anonymous", "apiId": "a", "routeKey": "$default", "stage": "$default",
            "requestId": "r", "time": "02/Jan/2026:03:04:05 +0000", "timeEpoch": 1_767_323_045_000_u64,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}}
    })))
}

fn write(mut stream: &TcpStream, status: u16, answer: &Value) -> std::io::Result<()> {
    let body = answer["body"].as_str().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        head += &format!("{name}: {}\r\n", value.as_str().unwrap_or_default());
    }
    for cookie in answer["cookies"].as_array().into_iter().flatten() {
        head += &format!("set-cookie: {}\r\n", cookie.as_str().unwrap_or_default());
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    stream.write_all(body.as_bytes())
}
