//! A proxy between functions and the engine that loses, delays, cuts and refuses what it is told to.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What happens to a request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Carried out, but the connection ends without an answer.
    LostAnswer,
    /// Carried out, but only half of the answer's body arrives.
    CutAnswer,
    /// Not carried out: the connection ends.
    LostRequest,
    /// Not carried out: HTTP 500.
    Broken,
    /// Not carried out: refused because of too many requests.
    Throttled,
    /// Carried out after this time.
    Slow(Duration),
}

/// A fault for the next so many requests whose target and request line contain `what`.
#[derive(Debug, Clone)]
pub struct Rule {
    /// As `PutJobSuccessResult` or `GET /artifacts/`.
    pub what: &'static str,
    /// What happens.
    pub fault: Fault,
    /// How often.
    pub times: usize,
}

/// A listening proxy; its threads end with the process.
pub struct Proxy {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// Requests that met the fault.
    fired: Arc<Mutex<Vec<String>>>,
    /// All requests.
    seen: Arc<Mutex<Vec<String>>>,
}

struct Request {
    /// Target header and request line.
    what: String,
    head: Vec<u8>,
    body: Vec<u8>,
    json: bool,
}

impl Proxy {
    /// Passes requests on to `engine`, which need not listen yet.
    pub fn start(engine: SocketAddr, rule: Rule) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let fired = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let left = Arc::new(Mutex::new(rule));
        let told = (Arc::clone(&fired), Arc::clone(&seen));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let left = Arc::clone(&left);
                let (fired, seen) = told.clone();
                // A client that goes away ends its own thread only.
                thread::spawn(move || drop(serve(client, engine, &left, &fired, &seen)));
            }
        });
        Self { url, fired, seen }
    }

    /// How many requests had this in their target or request line.
    pub fn seen(&self, what: &str) -> usize {
        let seen = self.seen.lock().expect("no thread panics");
        seen.iter().filter(|one| one.contains(what)).count()
    }

    /// The requests that met the fault: a test must see that there was one.
    pub fn fired(&self) -> Vec<String> {
        self.fired.lock().expect("no thread panics").clone()
    }
}

fn serve(
    mut client: TcpStream,
    engine: SocketAddr,
    rule: &Mutex<Rule>,
    fired: &Mutex<Vec<String>>,
    seen: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let request = read(&mut client)?;
    seen.lock()
        .expect("no thread panics")
        .push(request.what.clone());
    let fault = {
        let mut rule = rule.lock().expect("no thread panics");
        let meant = rule.times > 0 && request.what.contains(rule.what);
        rule.times -= usize::from(meant);
        meant.then_some(rule.fault)
    };
    if fault.is_some() {
        fired
            .lock()
            .expect("no thread panics")
            .push(request.what.clone());
    }
    match fault {
        None => client.write_all(&forward(engine, &request)?),
        Some(Fault::Slow(time)) => {
            thread::sleep(time);
            client.write_all(&forward(engine, &request)?)
        }
        Some(Fault::LostAnswer) => forward(engine, &request).map(drop),
        Some(Fault::LostRequest) => Ok(()),
        Some(Fault::CutAnswer) => {
            let answer = forward(engine, &request)?;
            let body = answer.windows(4).position(|w| w == b"\r\n\r\n");
            let body = body.map_or(answer.len(), |at| at + 4);
            client.write_all(&answer[..body + (answer.len() - body) / 2])
        }
        Some(Fault::Broken) => refuse(&mut client, &request, 500, "InternalFailure"),
        Some(Fault::Throttled) if request.json => {
            refuse(&mut client, &request, 400, "ThrottlingException")
        }
        Some(Fault::Throttled) => refuse(&mut client, &request, 503, "SlowDown"),
    }
}

fn refuse(client: &mut TcpStream, request: &Request, status: u16, code: &str) -> io::Result<()> {
    let body = if request.json {
        format!("{{\"__type\":\"{code}\",\"message\":\"planted\"}}")
    } else {
        format!("<Error><Code>{code}</Code><Message>planted</Message></Error>")
    };
    write!(
        client,
        "HTTP/1.1 {status} Planted\r\nx-amzn-errortype: {code}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn forward(engine: SocketAddr, request: &Request) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(engine)?;
    stream.write_all(&request.head)?;
    stream.write_all(&request.body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// Reads one request and makes it the last of its connection.
fn read(client: &mut TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let field = |name: &str| {
        lines.iter().find_map(|line| {
            let (have, value) = line.split_once(':')?;
            have.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    if field("expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = Vec::new();
    if let Some(length) = field("content-length").and_then(|l| l.parse().ok()) {
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
    } else if field("transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let length = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; length + 2];
            reader.read_exact(&mut chunk)?;
            body.extend_from_slice(size.as_bytes());
            body.extend_from_slice(&chunk);
            if length == 0 {
                break;
            }
        }
    }
    let what = format!("{} {}", field("x-amz-target").unwrap_or_default(), lines[0]);
    let json = field("x-amz-target").is_some() || lines[0].contains(" /v2/");
    let mut head = String::new();
    for line in &lines {
        let name = line.split(':').next().unwrap_or_default();
        if !name.eq_ignore_ascii_case("connection") && !name.eq_ignore_ascii_case("expect") {
            head += &format!("{line}\r\n");
        }
    }
    head += "connection: close\r\n\r\n";
    Ok(Request {
        what,
        head: head.into_bytes(),
        body,
        json,
    })
}
