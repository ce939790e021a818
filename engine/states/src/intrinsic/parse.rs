//! Text to call.

use std::str::FromStr;

use serde_json::Value;

use super::{Argument, Function, Intrinsic};

/// Text that is no call of an intrinsic function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadCall(String);

/// Whether the text is meant as a call.
pub fn is_call(text: &str) -> bool {
    text.starts_with("States.")
}

/// Calls may nest this deep (developer guide: "up to 10 intrinsic functions within a field").
const NESTING: usize = 10;

impl FromStr for Intrinsic {
    type Err = BadCall;

    fn from_str(text: &str) -> Result<Self, BadCall> {
        let mut parser = Parser { text, at: 0 };
        let call = parser.call(0)?;
        parser.blanks();
        if parser.at == text.len() {
            Ok(call)
        } else {
            Err(parser.bad("text follows the call"))
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    fn bad(&self, reason: &str) -> BadCall {
        BadCall(format!("{reason} at character {}", self.at))
    }

    fn call(&mut self, depth: usize) -> Result<Intrinsic, BadCall> {
        let from = self.at;
        if depth >= NESTING {
            return Err(self.bad("calls are nested too deeply"));
        }
        if !self.take("States.") {
            return Err(self.bad("a call starts with States."));
        }
        let length = self
            .rest()
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(self.rest().len());
        let name = &self.rest()[..length];
        let function = Function::named(name)
            .ok_or_else(|| BadCall(format!("there is no function States.{name}")))?;
        self.at += length;
        self.blanks();
        if !self.take("(") {
            return Err(self.bad("( is missing"));
        }
        let arguments = self.arguments(depth)?;
        let (least, most) = function.arity();
        if arguments.len() < least || arguments.len() > most {
            return Err(BadCall(format!(
                "Invalid number of arguments for States.{name}: {}",
                arguments.len()
            )));
        }
        Ok(Intrinsic {
            source: self.text[from..self.at].to_owned(),
            function,
            arguments,
        })
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<Argument>, BadCall> {
        let mut arguments = Vec::new();
        self.blanks();
        if self.take(")") {
            return Ok(arguments);
        }
        loop {
            self.blanks();
            arguments.push(self.argument(depth)?);
            self.blanks();
            if self.take(")") {
                return Ok(arguments);
            }
            if !self.take(",") {
                return Err(self.bad(", or ) is missing"));
            }
        }
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, BadCall> {
        match self.peek() {
            Some('\'') => Ok(Argument::Literal(Value::String(self.string()?))),
            Some('$') => {
                let length = path_length(self.rest());
                let text = self.rest()[..length].trim_end();
                let path = text
                    .parse()
                    .map_err(|e| BadCall(format!("{text} is no path: {e}")))?;
                self.at += length;
                Ok(Argument::Path(path))
            }
            Some('S') => Ok(Argument::Call(self.call(depth + 1)?)),
            _ => {
                let length = self
                    .rest()
                    .find(|c: char| c == ',' || c == ')' || c.is_whitespace())
                    .unwrap_or(self.rest().len());
                let word = &self.rest()[..length];
                let value: Value =
                    serde_json::from_str(word).map_err(|_| self.bad("not an argument"))?;
                self.at += length;
                Ok(Argument::Literal(value))
            }
        }
    }

    /// A quoted text, its escapes left as they are: what they mean is the function's to say.
    fn string(&mut self) -> Result<String, BadCall> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((i, c)) = chars.next() {
            match c {
                '\'' => {
                    self.at += i + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, '\'')) => text.push('\''),
                    Some((_, '\\')) => text.push_str("\\\\"),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                c => text.push(c),
            }
        }
        Err(self.bad("a quote is not closed"))
    }
}

/// How far a path goes: to the `,` or `)` outside its own brackets and quotes.
fn path_length(text: &str) -> usize {
    let (mut open, mut quote) = (0_usize, None);
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '(') => open += 1,
            (None, ',' | ')') if open == 0 => return i,
            (None, ']' | ')') => open = open.saturating_sub(1),
            (None, _) => {}
        }
    }
    text.len()
}
