//! `aws-chunked` bodies, as SDKs and the CLI send them: sized chunks, optionally signed, then trailers.

use bytes::{Buf as _, Bytes, BytesMut};

/// Longest chunk head or trailer line, in bytes; real ones are below 200.
const LINE_LIMIT: usize = 4_096;
/// Most trailers; real requests have two.
const TRAILER_LIMIT: usize = 16;

/// What is wrong with such a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Not `SIZE[;extension]`.
    #[error("a chunk of the body has no readable size")]
    Size,
    /// No line end where one belongs.
    #[error("a chunk of the body does not end where it should")]
    End,
    /// A line or the number of trailers is too large.
    #[error("a line of the chunked body is too long")]
    Long,
    /// The body ended before its last chunk.
    #[error("the chunked body ended early")]
    Early,
}

/// Decodes what is pushed into it, piece by piece.
#[derive(Debug, Default)]
pub struct ChunkDecoder {
    state: State,
    line: BytesMut,
    trailers: Vec<(String, String)>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Data(u64),
    DataEnd,
    Trailers,
    Done,
}

impl ChunkDecoder {
    /// Takes the next bytes from the wire and gives the payload in them.
    ///
    /// # Errors
    /// The framing is wrong.
    pub fn push(&mut self, mut input: Bytes) -> Result<Vec<Bytes>, ChunkError> {
        let mut payload = Vec::new();
        while !input.is_empty() && self.state != State::Done {
            if let State::Data(left) = self.state {
                let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                payload.push(input.split_to(take));
                let left = left - take as u64;
                self.state = if left == 0 {
                    State::DataEnd
                } else {
                    State::Data(left)
                };
                continue;
            }
            let Some(line) = self.take_line(&mut input)? else {
                break;
            };
            self.state = match self.state {
                State::Head => match chunk_size(&line)? {
                    0 => State::Trailers,
                    size => State::Data(size),
                },
                State::DataEnd if line.is_empty() => State::Head,
                State::Trailers if line.is_empty() => State::Done,
                State::Trailers => self.trailer(&line)?,
                State::DataEnd | State::Data(_) | State::Done => return Err(ChunkError::End),
            };
        }
        Ok(payload)
    }

    /// The trailers, names in lower case, once the body has ended.
    ///
    /// # Errors
    /// It ended too early.
    pub fn finish(self) -> Result<Vec<(String, String)>, ChunkError> {
        match self.state {
            State::Done => Ok(self.trailers),
            // Some clients leave out the empty line after the last chunk.
            State::Trailers if self.line.is_empty() => Ok(self.trailers),
            _ => Err(ChunkError::Early),
        }
    }

    fn take_line(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkError> {
        let end = input.iter().position(|b| *b == b'\n');
        let part = input.split_to(end.unwrap_or(input.len()));
        self.line.extend_from_slice(&part);
        if self.line.len() > LINE_LIMIT {
            return Err(ChunkError::Long);
        }
        if end.is_none() {
            return Ok(None);
        }
        input.advance(1);
        let line = self.line.split().freeze();
        line.strip_suffix(b"\r")
            .map(|text| Some(line.slice_ref(text)))
            .ok_or(ChunkError::End)
    }

    fn trailer(&mut self, line: &[u8]) -> Result<State, ChunkError> {
        if self.trailers.len() == TRAILER_LIMIT {
            return Err(ChunkError::Long);
        }
        let text = std::str::from_utf8(line).map_err(|_| ChunkError::End)?;
        let (name, value) = text.split_once(':').ok_or(ChunkError::End)?;
        self.trailers
            .push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Ok(State::Trailers)
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, ChunkError> {
    let text = std::str::from_utf8(line).map_err(|_| ChunkError::Size)?;
    let size = text.split(';').next().unwrap_or_default().trim();
    if size.is_empty() || !size.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ChunkError::Size);
    }
    u64::from_str_radix(size, 16).map_err(|_| ChunkError::Size)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Decoded = Result<(Vec<u8>, Vec<(String, String)>), ChunkError>;

    fn decode(wire: &[u8], piece: usize) -> Decoded {
        let mut decoder = ChunkDecoder::default();
        let mut payload = Vec::new();
        for part in wire.chunks(piece) {
            for data in decoder.push(Bytes::copy_from_slice(part))? {
                payload.extend_from_slice(&data);
            }
        }
        Ok((payload, decoder.finish()?))
    }

    #[test]
    fn bodies_are_decoded_however_they_are_cut() {
        let signed = b"5;chunk-signature=ab\r\nhello\r\n0;chunk-signature=cd\r\n\r\n";
        let trailed = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
        let bare = b"3\r\nhel\r\n2\r\nlo\r\n0\r\n";
        for piece in 1..trailed.len() {
            assert_eq!(
                decode(signed, piece),
                Ok((b"hello".to_vec(), Vec::new())),
                "{piece}"
            );
            let trailers = vec![("x-amz-checksum-crc32".to_owned(), "NhCmhg==".to_owned())];
            assert_eq!(
                decode(trailed, piece),
                Ok((b"hello".to_vec(), trailers)),
                "{piece}"
            );
            assert_eq!(
                decode(bare, piece),
                Ok((b"hello".to_vec(), Vec::new())),
                "{piece}"
            );
        }
    }

    #[test]
    fn broken_bodies_are_refused() {
        for (wire, error) in [
            (&b"5\r\nhel"[..], ChunkError::Early),
            (b"", ChunkError::Early),
            (b"zz\r\n", ChunkError::Size),
            (b"+5\r\n", ChunkError::Size),
            (b"11111111111111111\r\n", ChunkError::Size),
            (b"5\r\nhelloX\r\n0\r\n\r\n", ChunkError::End),
            (b"5\nhello\r\n", ChunkError::End),
            (&[b'1'; 5_000], ChunkError::Long),
        ] {
            assert_eq!(
                decode(wire, 7),
                Err(error),
                "{:?}",
                String::from_utf8_lossy(wire)
            );
        }
    }
}
