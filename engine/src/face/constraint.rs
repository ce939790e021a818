//! Constraints of the service models on requests of JSON faces, with the texts AWS answers a broken one with.

use engine_plan::refusal::Refusal;
use serde_json::{Map, Value};

/// What a member may be.
#[derive(Debug)]
pub(super) enum Shape {
    /// A string.
    Text(Text),
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A whole number.
    Number { min: i64, max: i64 },
    /// `true` or `false`.
    Flag,
    /// Epoch seconds.
    Time,
    /// Checked elsewhere.
    Any,
    /// A list.
    List {
        min: usize,
        max: usize,
        of: &'static Self,
    },
    /// A map from strings to strings.
    Map { max: usize, key: Text, value: Text },
    /// A structure.
    Struct(&'static [Member]),
}

/// Bounds of a string: characters, and a pattern that all of it matches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) pattern: Option<Pattern>,
    /// Its value is never repeated in an answer.
    pub(super) secret: bool,
}

/// The patterns of the requests; the text is AWS's.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pattern {
    /// A regular expression `[…]+`: its text and the characters beside letters and digits.
    Chars(&'static str, &'static str),
    /// A UUID in lower-case hex.
    Uuid,
    /// An ARN of CodePipeline.
    Arn,
}

/// One member of a structure.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) shape: &'static Shape,
}

/// A member that must be there.
pub(super) const fn required(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        required: true,
        shape,
    }
}

/// A member that may be absent.
pub(super) const fn optional(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        required: false,
        shape,
    }
}

/// A string of bounded length without a pattern.
pub(super) const fn text(min: usize, max: usize) -> Text {
    Text {
        min,
        max,
        pattern: None,
        secret: false,
    }
}

/// A string with a pattern.
pub(super) const fn matching(min: usize, max: usize, pattern: Pattern) -> Text {
    Text {
        min,
        max,
        pattern: Some(pattern),
        secret: false,
    }
}

impl Text {
    /// The same, never repeated in an answer.
    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// Checks a request body against its members; unknown members are ignored, as AWS does.
pub(super) fn check(body: &Value, members: &'static [Member]) -> Result<(), Refusal> {
    let mut broken = Vec::new();
    structure(body, members, "", &mut broken)?;
    match broken.len() {
        0 => Ok(()),
        1 => Err(Refusal::new(
            "ValidationException",
            format!("1 validation error detected: {}", broken[0]),
        )),
        n => Err(Refusal::new(
            "ValidationException",
            format!("{n} validation errors detected: {}", broken.join("; ")),
        )),
    }
}

fn structure(
    value: &Value,
    members: &'static [Member],
    place: &str,
    broken: &mut Vec<String>,
) -> Result<(), Refusal> {
    let fields = value
        .as_object()
        .ok_or_else(|| wrong_type(value, "structure"))?;
    for member in members {
        let place = join(place, member.name);
        match present(fields, member.name) {
            Some(value) => shape(value, member.shape, &place, broken)?,
            None if member.required => broken.push(format!(
                "Value null at '{place}' failed to satisfy constraint: Member must not be null"
            )),
            None => {}
        }
    }
    Ok(())
}

fn shape(
    value: &Value,
    shape_of: &'static Shape,
    place: &str,
    broken: &mut Vec<String>,
) -> Result<(), Refusal> {
    let mut fail = |value: &str, what: String| {
        broken.push(format!(
            "Value {value}at '{place}' failed to satisfy constraint: {what}"
        ));
    };
    match shape_of {
        Shape::Any => {}
        Shape::Flag => drop(
            value
                .as_bool()
                .ok_or_else(|| wrong_type(value, "Boolean"))?,
        ),
        Shape::Time => drop(
            value
                .as_f64()
                .ok_or_else(|| wrong_type(value, "Timestamp"))?,
        ),
        Shape::OneOf(allowed) => {
            let text = value.as_str().ok_or_else(|| wrong_type(value, "String"))?;
            if !allowed.contains(&text) {
                let set = allowed.join(", ");
                fail(
                    &format!("'{text}' "),
                    format!("Member must satisfy enum value set: [{set}]"),
                );
            }
        }
        Shape::Number { min, max } => {
            let number = value.as_i64().ok_or_else(|| wrong_type(value, "Integer"))?;
            if number < *min {
                fail(
                    &format!("'{number}' "),
                    format!("Member must have value greater than or equal to {min}"),
                );
            } else if number > *max {
                fail(
                    &format!("'{number}' "),
                    format!("Member must have value less than or equal to {max}"),
                );
            }
        }
        Shape::Text(bounds) => {
            let text = value.as_str().ok_or_else(|| wrong_type(value, "String"))?;
            for what in bounds.broken_by(text) {
                let shown = if bounds.secret {
                    String::new()
                } else {
                    format!("'{text}' ")
                };
                fail(&shown, what);
            }
        }
        Shape::List { min, max, of } => {
            let items = value.as_array().ok_or_else(|| wrong_type(value, "list"))?;
            for what in length(items.len(), *min, *max) {
                fail("", what);
            }
            for (n, item) in items.iter().enumerate() {
                shape(item, of, &format!("{place}.{}.member", n + 1), broken)?;
            }
        }
        Shape::Map {
            max,
            key,
            value: of,
        } => {
            let fields = value.as_object().ok_or_else(|| wrong_type(value, "map"))?;
            for what in length(fields.len(), 0, *max) {
                fail("", what);
            }
            for (name, item) in fields {
                let text = item.as_str().ok_or_else(|| wrong_type(item, "String"))?;
                for what in key.broken_by(name) {
                    fail(
                        &format!("'{name}' "),
                        format!("Map keys must satisfy constraint: [{what}]"),
                    );
                }
                for what in of.broken_by(text) {
                    fail("", format!("Map value must satisfy constraint: [{what}]"));
                }
            }
        }
        Shape::Struct(members) => structure(value, members, place, broken)?,
    }
    Ok(())
}

impl Text {
    fn broken_by(self, text: &str) -> Vec<String> {
        let mut broken = length(text.chars().count(), self.min, self.max);
        if let Some(pattern) = self.pattern
            && !pattern.matches(text)
        {
            broken.push(format!(
                "Member must satisfy regular expression pattern: {}",
                pattern.text()
            ));
        }
        broken
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
            Self::Arn => {
                let parts: Vec<_> = text.splitn(6, ':').collect();
                matches!(parts[..], ["arn", partition, "codepipeline", region, account, name]
                    if partition.starts_with("aws") && !region.is_empty() && !name.is_empty()
                        && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
            }
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Chars(text, _) => text,
            Self::Uuid => "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            Self::Arn => r"arn:aws(-[\w]+)*:codepipeline:.+:[0-9]{12}:.+",
        }
    }
}

fn length(length: usize, min: usize, max: usize) -> Vec<String> {
    if length < min {
        vec![format!(
            "Member must have length greater than or equal to {min}"
        )]
    } else if length > max {
        vec![format!(
            "Member must have length less than or equal to {max}"
        )]
    } else {
        Vec::new()
    }
}

fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn join(place: &str, name: &str) -> String {
    if place.is_empty() {
        name.to_owned()
    } else {
        format!("{place}.{name}")
    }
}

fn wrong_type(value: &Value, wanted: &str) -> Refusal {
    let message = match value {
        Value::Object(_) => "Start of structure or map found where not expected.".to_owned(),
        Value::Array(_) => "Start of list found where not expected".to_owned(),
        Value::Null => format!("NULL_VALUE can not be converted to {wanted}"),
        Value::Bool(_) => format!(
            "{}_VALUE can not be converted to {wanted}",
            value.to_string().to_uppercase()
        ),
        Value::Number(_) => format!("NUMBER_VALUE can not be converted to {wanted}"),
        Value::String(_) => format!("STRING_VALUE can not be converted to {wanted}"),
    };
    Refusal::new("SerializationException", message)
}
