//! XML in and out: a small tree for requests, a writer for replies.

use axum::{body::Body, response::Response};
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use quick_xml::{Reader, events::Event};

use super::S3Fault;
use crate::face::call::{escape, respond};

/// Largest XML request, in bytes: 1,000 keys of 1,024 bytes and their elements.
const LIMIT: usize = 2 * 1024 * 1024;
/// Deepest nesting; S3's requests have 4.
const DEPTH: usize = 16;

/// One element: its local name, its text, its children.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Without namespace prefix.
    pub name: String,
    /// All text in it, children's not included.
    pub text: String,
    /// In order.
    pub children: Vec<Element>,
}

impl Element {
    /// The text of the first child of that name.
    pub fn child(&self, name: &str) -> Option<&str> {
        self.children
            .iter()
            .find(|child| child.name == name)
            .map(|child| child.text.as_str())
    }

    /// The children of that name.
    pub fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// Reads a request's body as XML.
pub async fn read(body: Body) -> Result<Element, S3Fault> {
    let bytes = Limited::new(body, LIMIT)
        .collect()
        .await
        .map_err(|_| S3Fault::malformed("the body is too long or ended early"))?
        .to_bytes();
    let text =
        std::str::from_utf8(&bytes).map_err(|_| S3Fault::malformed("the body is not UTF-8"))?;
    parse(text).map_err(S3Fault::malformed)
}

/// The root element of a document.
pub fn parse(text: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    loop {
        let finished = match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                if open.len() == DEPTH {
                    return Err(format!("elements are nested deeper than {DEPTH}"));
                }
                open.push(named(start.local_name().as_ref()));
                None
            }
            Event::Empty(empty) => Some(named(empty.local_name().as_ref())),
            Event::End(_) => open.pop(),
            Event::Text(text) => {
                add(&mut open, &text);
                None
            }
            Event::CData(data) => {
                add(&mut open, &data);
                None
            }
            Event::GeneralRef(reference) => {
                let text = match reference
                    .resolve_char_ref()
                    .map_err(|error| error.to_string())?
                {
                    Some(c) => c.to_string(),
                    None => quick_xml::escape::resolve_predefined_entity(&reference)
                        .ok_or_else(|| format!("unknown entity &{};", &*reference))?
                        .to_owned(),
                };
                add(&mut open, &text);
                None
            }
            Event::Eof => return Err("the document has no complete root element".to_owned()),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => None,
        };
        if let Some(finished) = finished {
            match open.last_mut() {
                Some(parent) => parent.children.push(finished),
                None => return Ok(finished),
            }
        }
    }
}

/// Writes a reply.
#[derive(Default)]
pub struct Writer {
    out: String,
}

impl Writer {
    /// An element with text.
    pub fn text(&mut self, name: &str, text: impl AsRef<str>) -> &mut Self {
        self.out
            .push_str(&format!("<{name}>{}</{name}>", escape(text.as_ref())));
        self
    }

    /// An element with text, when there is one.
    pub fn optional(&mut self, name: &str, text: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(text) = text {
            self.text(name, text);
        }
        self
    }

    /// Text between elements.
    pub fn raw(&mut self, text: &str) -> &mut Self {
        self.out.push_str(&escape(text));
        self
    }

    /// An element with children.
    pub fn nested(&mut self, name: &str, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.out.push_str(&format!("<{name}>"));
        fill(self);
        self.out.push_str(&format!("</{name}>"));
        self
    }

    /// The reply, its content inside the root element.
    pub fn respond(&self, root: &str) -> Response {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</{root}>",
            self.out
        );
        respond(200, "application/xml", body)
    }
}

/// A time as S3's XML has it.
pub fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn named(name: &str) -> Element {
    Element {
        name: name.to_owned(),
        ..Element::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read() {
        let delete = parse(
            "<?xml version=\"1.0\"?><Delete xmlns=\"http://x/\"><Object><Key>a &amp; b&#13;<![CDATA[<]]></Key></Object><Object><Key>c</Key><VersionId/></Object><Quiet>true</Quiet></Delete>",
        )
        .unwrap();
        let keys: Vec<_> = delete
            .all("Object")
            .map(|object| object.child("Key"))
            .collect();
        assert_eq!(keys, [Some("a & b\r<"), Some("c")]);
        assert_eq!(delete.child("Quiet"), Some("true"));
    }

    #[test]
    fn broken_documents_are_refused() {
        for text in [
            "",
            "<a>",
            "<a><b></a>",
            "text",
            "<a>&evil;</a>",
            &"<a>".repeat(20),
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_have_milliseconds() {
        assert_eq!(time(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
    }
}
