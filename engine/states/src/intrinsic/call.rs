//! Call and data to value.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{Argument, Function, Intrinsic, list, text};
use crate::{chance::Chance, env::Env, limit, trouble::Trouble};

impl Intrinsic {
    /// The call's value.
    pub fn evaluate(&self, env: &Env<'_>) -> Result<Value, Trouble> {
        let mut arguments = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            arguments.push(match argument {
                Argument::Literal(value) => value.clone(),
                Argument::Call(call) => call.evaluate(env)?,
                Argument::Path(path) => path
                    .get(env)
                    .map_err(|_| {
                        Trouble::Runtime(format!(
                            "The function '{}' had the following error: The JsonPath argument for the field '{}' could \
                             not be found in the input '{}'",
                            self.source,
                            path.source(),
                            env.input
                        ))
                    })?
                    .into_owned(),
            });
        }
        self.apply(&mut arguments, env).map_err(|reason| {
            Trouble::Intrinsic(format!(
                "The function '{}' had the following error: {reason}",
                self.source
            ))
        })
    }

    fn is_literal(&self, index: usize) -> bool {
        matches!(self.arguments.get(index), Some(Argument::Literal(_)))
    }

    /// A text argument; a literal's escapes mean something.
    fn text(&self, arguments: &[Value], index: usize) -> Result<String, String> {
        match arguments.get(index) {
            Some(Value::String(text)) if self.is_literal(index) => Ok(unescape(text)),
            Some(Value::String(text)) => Ok(text.clone()),
            other => Err(format!(
                "Invalid Arguments: argument {} is not a string: {}",
                index + 1,
                other.unwrap_or(&Value::Null)
            )),
        }
    }

    fn apply(&self, arguments: &mut [Value], env: &Env<'_>) -> Result<Value, String> {
        match self.function {
            Function::Format => self.format(arguments),
            Function::StringToJson => parse_json(&self.text(arguments, 0)?),
            Function::JsonToString => Ok(Value::String(arguments[0].to_string())),
            Function::Array => Ok(arguments.iter_mut().map(Value::take).collect()),
            Function::ArrayPartition => list::partition(arguments),
            Function::ArrayContains => list::contains(arguments),
            Function::ArrayRange => list::range(arguments),
            Function::ArrayGetItem => list::item(arguments),
            Function::ArrayLength => Ok(list::items(arguments, 0)?.len().into()),
            Function::ArrayUnique => list::unique(arguments),
            Function::Base64Encode => {
                let text = self.short(arguments)?;
                Ok(Value::String(BASE64_STANDARD.encode(text)))
            }
            Function::Base64Decode => {
                let bytes = BASE64_STANDARD
                    .decode(self.short(arguments)?)
                    .map_err(|e| format!("Invalid Base64: {e}"))?;
                String::from_utf8(bytes)
                    .map(Value::String)
                    .map_err(|_| "The bytes are not UTF-8.".to_owned())
            }
            Function::Hash => {
                let algorithm = self.text(arguments, 1)?;
                let data = match &arguments[0] {
                    Value::String(_) => self.text(arguments, 0)?,
                    other => other.to_string(),
                };
                text::hash(&data, &algorithm).map(Value::String)
            }
            Function::JsonMerge => merge(arguments),
            Function::MathRandom => random(arguments, &mut env.chance.borrow_mut()),
            Function::MathAdd => {
                let (a, b) = (list::whole(arguments, 0)?, list::whole(arguments, 1)?);
                a.checked_add(b)
                    .map(Value::from)
                    .ok_or_else(|| "The sum is out of range.".to_owned())
            }
            Function::StringSplit => {
                let (text, splitters) = (self.text(arguments, 0)?, self.text(arguments, 1)?);
                Ok(text
                    .split(|c| splitters.contains(c))
                    .filter(|part| !part.is_empty())
                    .map(Value::from)
                    .collect())
            }
            Function::Uuid => Ok(Value::String(env.chance.borrow_mut().uuid())),
        }
    }

    fn short(&self, arguments: &[Value]) -> Result<String, String> {
        let text = self.text(arguments, 0)?;
        if text.chars().count() > limit::TEXT_ARGUMENT {
            return Err(format!(
                "The text is longer than {} characters.",
                limit::TEXT_ARGUMENT
            ));
        }
        Ok(text)
    }

    fn format(&self, arguments: &[Value]) -> Result<Value, String> {
        let Some(Value::String(template)) = arguments.first() else {
            return Err("Invalid Arguments: the template is not a string.".to_owned());
        };
        let mut values = arguments[1..].iter();
        let mut out = String::new();
        let mut chars = template.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some(c @ ('{' | '}' | '\\' | '\'')) => out.push(c),
                    Some(c) => out.extend(['\\', c]),
                    None => out.push('\\'),
                },
                '{' if chars.peek() == Some(&'}') => {
                    chars.next();
                    let value = values
                        .next()
                        .ok_or("Invalid Arguments: there are more {} than values.")?;
                    out.push_str(&text::java(value));
                }
                c => out.push(c),
            }
        }
        match values.next() {
            None => Ok(Value::String(out)),
            Some(_) => Err("Invalid Arguments: there are more values than {}.".to_owned()),
        }
    }
}

fn unescape(text: &str) -> String {
    text.replace("\\\\", "\\")
}

fn parse_json(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text)
        .map(|value| match value {
            // Jackson reads -0 as the whole number 0.
            Value::Number(n) if text.trim() == "-0" && n.is_f64() => 0.into(),
            value => value,
        })
        .map_err(|e| format!("Invalid JSON: {e}"))
}

fn merge(arguments: &mut [Value]) -> Result<Value, String> {
    match arguments {
        [
            Value::Object(first),
            Value::Object(second),
            Value::Bool(false),
        ] => {
            let mut merged = std::mem::take(first);
            merged.extend(std::mem::take(second));
            Ok(Value::Object(merged))
        }
        [Value::Object(_), Value::Object(_), Value::Bool(true)] => {
            Err("Invalid Arguments: deep merging is not supported.".to_owned())
        }
        _ => Err("Invalid Arguments: two objects and false are needed.".to_owned()),
    }
}

fn random(arguments: &[Value], chance: &mut Chance) -> Result<Value, String> {
    let (from, to) = (list::whole(arguments, 0)?, list::whole(arguments, 1)?);
    let span = to
        .checked_sub(from)
        .filter(|s| *s > 0)
        .ok_or("The end must be above the start.")?;
    let unit = match arguments.get(2) {
        None => chance.unit(),
        Some(seed) => {
            let seed = seed
                .as_f64()
                .ok_or("Invalid Arguments: the seed is not a number.")?;
            Chance::new(u128::from(seed.to_bits())).unit()
        }
    };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a random number may be rounded"
    )]
    let offset = (unit * span as f64) as i64;
    Ok(Value::from(from + offset))
}
