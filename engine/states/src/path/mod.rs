//! AWS's dialect of JSONPath: Jayway's, with its texts when a definite path leads nowhere.

mod eval;
mod filter;
mod function;
mod parse;
mod reference;

use serde_json::Value;

pub use reference::ReferencePath;

/// What a path starts at.
#[derive(Debug, Clone, PartialEq)]
pub enum Root {
    /// `$`: the data of the state.
    Input,
    /// `$$`: the context object.
    Context,
    /// `$name`: a variable.
    Variable(String),
}

/// A parsed path.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    source: String,
    root: Root,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Segment {
    Name(String),
    Names(Vec<String>),
    Index(i64),
    Indices(Vec<i64>),
    Slice(Option<i64>, Option<i64>, Option<i64>),
    Wild,
    Filter(filter::Filter),
    Deep(Box<Segment>),
    Call(function::Function),
}

/// Text that is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at character {at}")]
pub struct BadPath {
    /// What is wrong.
    pub reason: &'static str,
    /// Where in the text, counted from 0.
    pub at: usize,
}

/// A definite path that leads nowhere, in Jayway's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoMatch(pub String);

/// What the roots of a path stand for.
pub trait Data {
    /// `$`
    fn input(&self) -> &Value;
    /// `$$`
    fn context(&self) -> &Value;
    /// `$name`
    fn variable(&self, name: &str) -> Option<&Value>;
}

impl JsonPath {
    /// Whether the path can match at most one value.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        self.segments.iter().all(|s| match s {
            Segment::Name(_) | Segment::Index(_) => true,
            Segment::Call(_) => true,
            Segment::Names(_)
            | Segment::Indices(_)
            | Segment::Slice(..)
            | Segment::Wild
            | Segment::Filter(_)
            | Segment::Deep(_) => false,
        })
    }

    /// The text the path was parsed from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What the path starts at.
    #[must_use]
    pub const fn root(&self) -> &Root {
        &self.root
    }

    /// Whether the path is its root alone.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }
}
