//! The constraints of AWS's service model as data: types, lengths, patterns, enums, counts. [`walk`] checks them on JSON.

mod walk;

pub use walk::{Broken, broken, refusal};

/// What a JSON value must be.
#[derive(Debug)]
pub enum Shape {
    /// A string.
    Text(Text),
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A whole number of 32 bits.
    Number {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// `true` or `false`.
    Flag,
    /// Epoch seconds.
    Time,
    /// A list.
    List {
        /// Least number of items.
        min: usize,
        /// Greatest number of items.
        max: usize,
        /// What each item must be.
        of: &'static Self,
    },
    /// Checked elsewhere.
    Any,
    /// A map from strings to strings.
    Map {
        /// Greatest number of entries.
        max: usize,
        /// What each key must be.
        key: Text,
        /// What each value must be.
        value: Text,
    },
    /// A map from strings to something else.
    MapOf {
        /// What each key must be.
        key: Text,
        /// What each value must be.
        of: &'static Self,
    },
    /// A structure.
    Struct(&'static [Member]),
}

/// Bounds of a string: characters, and a pattern that all of it matches.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    min: usize,
    max: usize,
    pattern: Option<Pattern>,
    secret: bool,
}

/// A pattern: the text is the model's, the meaning is ours.
#[derive(Debug, Clone, Copy)]
pub enum Pattern {
    /// A regular expression `[…]+`: its text and the characters beside letters and digits.
    Chars(&'static str, &'static str),
    /// A UUID in lower-case hex.
    Uuid,
    /// Any other: its text and whether a text matches.
    Other(&'static str, fn(&str) -> bool),
}

/// One member of a structure.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// What it must be.
    pub shape: &'static Shape,
}

/// A member that must be there.
pub const fn required(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        required: true,
        shape,
    }
}

/// A member that may be absent.
pub const fn optional(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        required: false,
        shape,
    }
}

/// A list of so many items.
pub const fn list(of: &'static Shape, min: usize, max: usize) -> Shape {
    Shape::List { min, max, of }
}

/// A string of so many characters without a pattern.
pub const fn text(min: usize, max: usize) -> Text {
    Text {
        min,
        max,
        pattern: None,
        secret: false,
    }
}

/// A string with a pattern.
pub const fn matching(min: usize, max: usize, pattern: Pattern) -> Text {
    Text {
        min,
        max,
        pattern: Some(pattern),
        secret: false,
    }
}

impl Text {
    /// The same, never repeated in an answer.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

impl Pattern {
    fn matches(self, text: &str) -> bool {
        match self {
            Self::Chars(_, more) => {
                !text.is_empty()
                    && text
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
            }
            Self::Uuid => {
                text.len() == 36
                    && text.bytes().enumerate().all(|(at, b)| match at {
                        8 | 13 | 18 | 23 => b == b'-',
                        _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
                    })
            }
            Self::Other(_, holds) => holds(text),
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Chars(text, _) | Self::Other(text, _) => text,
            Self::Uuid => "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        }
    }
}

/// The parts of an ARN with this service, its partition, region and account looked at: `(region, account, resource)`.
pub fn arn<'a>(text: &'a str, service: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let [scheme, partition, found, region, account, resource] = parts[..] else {
        return None;
    };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let partition = partition.strip_prefix("aws").is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix('-').is_some_and(|rest| {
                rest.split('-')
                    .all(|part| !part.is_empty() && part.chars().all(word))
            })
    });
    let account_fits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (scheme == "arn" && partition && found == service && account_fits)
        .then_some((region, account, resource))
}
