//! Text to path.

use std::str::FromStr;

use super::{BadPath, JsonPath, Root, Segment, filter::Filter, function::Function};

/// Characters with a place.
pub(super) struct Cursor {
    chars: Vec<char>,
    pub(super) at: usize,
}

impl Cursor {
    pub(super) fn new(text: &str) -> Self {
        Self {
            chars: text.chars().collect(),
            at: 0,
        }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn take(&mut self, wanted: &str) -> bool {
        let found = wanted
            .chars()
            .enumerate()
            .all(|(i, c)| self.chars.get(self.at + i) == Some(&c));
        if found {
            self.at += wanted.chars().count();
        }
        found
    }

    pub(super) fn take_while(&mut self, accept: impl Fn(char) -> bool) -> String {
        let from = self.at;
        while self.peek().is_some_and(&accept) {
            self.at += 1;
        }
        self.chars[from..self.at].iter().collect()
    }

    pub(super) fn blanks(&mut self) {
        self.take_while(char::is_whitespace);
    }

    pub(super) const fn bad(&self, reason: &'static str) -> BadPath {
        BadPath {
            reason,
            at: self.at,
        }
    }

    /// A quoted name or text. Only the quote and the backslash can be escaped: AWS leaves every other backslash alone.
    pub(super) fn quoted(&mut self) -> Result<String, BadPath> {
        let quote = self.peek().ok_or_else(|| self.bad("a quote is missing"))?;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err(self.bad("a quote is not closed")),
                Some(c) if c == quote => break,
                Some('\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(c) if c == quote || c == '\\' => text.push(c),
                        Some(c) => text.extend(['\\', c]),
                        None => return Err(self.bad("a quote is not closed")),
                    }
                }
                Some(c) => text.push(c),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(text)
    }

    fn integer(&mut self) -> Result<Option<i64>, BadPath> {
        self.blanks();
        let digits = self.take_while(|c| c.is_ascii_digit() || c == '-');
        self.blanks();
        if digits.is_empty() {
            return Ok(None);
        }
        digits
            .parse()
            .map(Some)
            .map_err(|_| self.bad("not a whole number"))
    }

    /// The steps after a root; `nested` inside a filter, where operators end a name.
    pub(super) fn segments(&mut self, nested: bool) -> Result<Vec<Segment>, BadPath> {
        let mut segments = Vec::new();
        loop {
            match self.peek() {
                Some('.') if self.take("..") => {
                    let inner = match self.peek() {
                        Some('[') => self.bracket()?,
                        _ => self.dotted(nested)?,
                    };
                    segments.push(Segment::Deep(Box::new(inner)));
                }
                Some('.') => {
                    self.at += 1;
                    match self.peek() {
                        Some('[') => segments.push(self.bracket()?),
                        _ => segments.push(self.dotted(nested)?),
                    }
                }
                Some('[') => segments.push(self.bracket()?),
                None => return Ok(segments),
                Some(_) if nested => return Ok(segments),
                Some(_) => return Err(self.bad("a dot or a bracket is missing")),
            }
        }
    }

    fn dotted(&mut self, nested: bool) -> Result<Segment, BadPath> {
        if self.take("*") {
            return Ok(Segment::Wild);
        }
        let ends = |c: char| {
            matches!(c, '.' | '[' | '(' | ')')
                || c.is_whitespace()
                || (nested && "]=!<>&|,~".contains(c))
        };
        let name = self.take_while(|c| !ends(c));
        if name.is_empty() {
            return Err(self.bad("a name is missing"));
        }
        if self.peek() == Some('(') {
            let function = Function::named(&name).ok_or_else(|| self.bad("no such function"))?;
            self.at += 1;
            self.blanks();
            if !self.take(")") {
                return Err(self.bad("this function takes no arguments here"));
            }
            return Ok(Segment::Call(function));
        }
        Ok(Segment::Name(name))
    }

    fn bracket(&mut self) -> Result<Segment, BadPath> {
        self.at += 1;
        self.blanks();
        let segment = match self.peek() {
            Some('\'' | '"') => self.names()?,
            Some('*') => {
                self.at += 1;
                Segment::Wild
            }
            Some('?') => {
                self.at += 1;
                self.blanks();
                if !self.take("(") {
                    return Err(self.bad("a filter needs (…)"));
                }
                let filter = Filter::parse(self)?;
                self.blanks();
                if !self.take(")") {
                    return Err(self.bad("a filter is not closed"));
                }
                Segment::Filter(filter)
            }
            _ => self.numbers()?,
        };
        self.blanks();
        if self.take("]") {
            Ok(segment)
        } else {
            Err(self.bad("a bracket is not closed"))
        }
    }

    fn names(&mut self) -> Result<Segment, BadPath> {
        let mut names = vec![self.quoted()?];
        self.blanks();
        while self.take(",") {
            self.blanks();
            names.push(self.quoted()?);
            self.blanks();
        }
        match <[String; 1]>::try_from(names) {
            Ok([name]) => Ok(Segment::Name(name)),
            Err(names) => Ok(Segment::Names(names)),
        }
    }

    fn numbers(&mut self) -> Result<Segment, BadPath> {
        let first = self.integer()?;
        if self.take(":") {
            let end = self.integer()?;
            let step = if self.take(":") {
                self.integer()?
            } else {
                None
            };
            if step == Some(0) {
                return Err(self.bad("a step of 0"));
            }
            return Ok(Segment::Slice(first, end, step));
        }
        let Some(first) = first else {
            return Err(self.bad("nothing inside the brackets"));
        };
        let mut all = vec![first];
        while self.take(",") {
            all.push(
                self.integer()?
                    .ok_or_else(|| self.bad("a number is missing"))?,
            );
        }
        match <[i64; 1]>::try_from(all) {
            Ok([index]) => Ok(Segment::Index(index)),
            Err(all) => Ok(Segment::Indices(all)),
        }
    }
}

impl FromStr for JsonPath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let mut cursor = Cursor::new(text);
        if !cursor.take("$") {
            return Err(cursor.bad("a path starts with $"));
        }
        let root = if cursor.take("$") {
            Root::Context
        } else {
            let name = cursor.take_while(|c| c.is_alphanumeric() || c == '_');
            if name.is_empty() {
                Root::Input
            } else {
                Root::Variable(name)
            }
        };
        let segments = cursor.segments(false)?;
        let calls = segments
            .iter()
            .filter(|s| matches!(s, Segment::Call(_)))
            .count();
        if calls > 1 || (calls == 1 && !matches!(segments.last(), Some(Segment::Call(_)))) {
            return Err(cursor.bad("a function stands at the end"));
        }
        Ok(Self {
            source: text.to_owned(),
            root,
            segments,
        })
    }
}
