//! Sends a kept mail on to an SMTP server: plain SMTP without TLS or sign-in, for a relay on this machine or network.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    runtime::Handle,
    time::timeout,
};

use super::StoredMail;

/// For the whole conversation.
const LIMIT: Duration = Duration::from_secs(30);

/// Sends in the background; a failure is told to the log, the mail stays in the sink.
pub(super) fn forward(server: String, mail: &StoredMail, raw: Vec<u8>) {
    let Ok(runtime) = Handle::try_current() else {
        tracing::warn!(server, "a mail was not sent on: no runtime");
        return;
    };
    let (id, from, to) = (mail.id.clone(), address(&mail.from), mail.to.clone());
    let to: Vec<String> = to.iter().map(|to| address(to)).collect();
    runtime.spawn(async move {
        let sent = timeout(LIMIT, send(&server, &from, &to, &raw)).await;
        let sent = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if let Err(error) = sent {
            tracing::warn!(%error, server, mail = id, "a mail was not sent on");
        }
    });
}

async fn send(server: &str, from: &str, to: &[String], raw: &[u8]) -> io::Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(server).await?);
    expect(&mut stream, "2").await?;
    say(&mut stream, "EHLO stagewright.localhost", "2").await?;
    say(&mut stream, &format!("MAIL FROM:<{from}>"), "2").await?;
    for to in to {
        say(&mut stream, &format!("RCPT TO:<{to}>"), "2").await?;
    }
    say(&mut stream, "DATA", "3").await?;
    stream.write_all(&stuffed(raw)).await?;
    expect(&mut stream, "2").await?;
    say(&mut stream, "QUIT", "2").await
}

async fn say(stream: &mut BufReader<TcpStream>, line: &str, expected: &str) -> io::Result<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    expect(stream, expected).await
}

async fn expect(stream: &mut BufReader<TcpStream>, expected: &str) -> io::Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if !line.starts_with(expected) {
            return Err(io::Error::other(format!(
                "the server said {:?}",
                line.trim_end()
            )));
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}

/// Lines end in CRLF, a line that starts with a dot gets a second one, and a lone dot ends it.
fn stuffed(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + 16);
    for line in raw
        .strip_suffix(b"\n")
        .unwrap_or(raw)
        .split(|b| *b == b'\n')
    {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

/// The address in `Name <address>`.
fn address(text: &str) -> String {
    let inner = text
        .rsplit_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    let address = inner.map_or(text, |(address, _)| address);
    address.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{io::AsyncReadExt as _, net::TcpListener};

    #[tokio::test]
    async fn a_mail_is_spoken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap().to_string();
        let relay = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = String::new();
            stream.write_all(b"220 ready\r\n").await.unwrap();
            while !heard.ends_with("QUIT\r\n") {
                let mut buffer = [0; 1024];
                let n = stream.read(&mut buffer).await.unwrap();
                let said = std::str::from_utf8(&buffer[..n]).unwrap();
                heard.push_str(said);
                let answer = match said {
                    "DATA\r\n" => "354 go on\r\n",
                    s if s.starts_with("EHLO") => "250-relay\r\n250 8BITMIME\r\n",
                    _ => "250 fine\r\n",
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            heard
        };
        let to = [address("Dana <dana@example.com>")];
        let (sent, heard) =
            tokio::join!(send(&server, "p@example.com", &to, b"A: b\n\n.x\n"), relay);
        sent.unwrap();
        assert_eq!(
            heard,
            "EHLO stagewright.localhost\r\nMAIL FROM:<p@example.com>\r\nRCPT TO:<dana@example.com>\r\nDATA\r\nA: b\r\n\r\n..x\r\n.\r\nQUIT\r\n"
        );
    }
}
