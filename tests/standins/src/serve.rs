//! A stage over real HTTP, on a port of its own.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use jiff::Timestamp;

use crate::{Asked, Reply, Stage, StandIn, calls, stage::Wire};

/// A stage that listens on loopback until this value ends.
#[derive(Debug)]
pub struct Served<S> {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// What is asked there.
    pub stage: Stage<S>,
    address: SocketAddr,
    over: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl<S: StandIn> Stage<S> {
    /// Listens on a free port. Time is the machine's.
    ///
    /// # Panics
    /// When there is no port.
    pub fn serve(&self) -> Served<S> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let over = Arc::new(AtomicBool::new(false));
        let open = Arc::new(Mutex::new(Vec::new()));
        let served = Served {
            url: format!("http://{address}"),
            stage: self.clone(),
            address,
            over: Arc::clone(&over),
            open: Arc::clone(&open),
        };
        let stage = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                if let Ok(twin) = stream.try_clone() {
                    open.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(twin);
                }
                let stage = stage.clone();
                // A client that goes away is not our trouble.
                thread::spawn(move || drop(talk(&stage, &stream)));
            }
        });
        served
    }
}

impl<S> Drop for Served<S> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in open.iter() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        // Wakes the listener, so that it ends.
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers one connection's requests.
fn talk<S: StandIn>(stage: &Stage<S>, stream: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader, stream)? {
        let last = asked.header("connection") == Some("close");
        calls::note(&asked);
        match stage.ask(asked, Timestamp::now()) {
            Wire::Whole(reply) => write(stream, &reply, reply.body.len())?,
            Wire::Late(reply, time) => {
                thread::sleep(time);
                write(stream, &reply, reply.body.len())?;
            }
            Wire::Half(reply) => {
                write(stream, &reply, reply.body.len() / 2)?;
                break;
            }
            Wire::Cut { .. } => break,
            // Until the client gives up.
            Wire::Hang => {
                let _ = reader.read(&mut [0; 1]);
                break;
            }
        }
        if last {
            break;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
    Ok(())
}

const LONGEST_BODY: u64 = 64 * 1024 * 1024;

fn read(reader: &mut BufReader<&TcpStream>, mut stream: &TcpStream) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let (method, target) = (method.to_owned(), target.to_owned());
    let mut headers = Vec::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let field = |name: &str| {
        let found = headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    if field("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = Vec::new();
    if field("transfer-encoding") == Some("chunked") {
        unchunk(reader, &mut body)?;
    } else if let Some(length) = field("content-length") {
        let length = length.parse::<u64>().unwrap_or(LONGEST_BODY);
        reader
            .take(length.min(LONGEST_BODY))
            .read_to_end(&mut body)?;
    }
    Ok(Some(Asked::new(&method, &target, headers, body)))
}

fn unchunk(reader: &mut BufReader<&TcpStream>, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).unwrap_or_default();
        reader.take(size).read_to_end(body)?;
        reader.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn write(mut stream: &TcpStream, reply: &Reply, bytes: usize) -> io::Result<()> {
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    let mut head = format!("HTTP/1.1 {} Stand-in\r\n", reply.status);
    if reply.status != 204 {
        head += &format!("content-length: {}\r\n", reply.body.len());
    }
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    stream.write_all(head.as_bytes())?;
    stream.write_all(&reply.body[..bytes])?;
    stream.flush()
}
