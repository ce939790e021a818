//! Walks a JSON value along a [`Shape`] and words what is wrong as AWS does.

use serde_json::{Map, Value};

use super::{Member, Shape, Text};
use crate::refusal::Refusal;

/// One thing in a value that the model does not allow.
#[derive(Debug)]
pub struct Broken {
    /// Where, in JSON: `stages[1].name`; empty for the whole.
    pub place: String,
    /// What to do about it, in our words.
    pub hint: Option<String>,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    /// The value cannot even be read.
    Type(String),
    /// `Value 'a b' at 'name' failed to satisfy constraint: Member must …`.
    Constraint(String),
    /// A member that the model does not have.
    Unknown(String),
}

/// Everything that is wrong with a value: first what cannot be read, then broken constraints, then unknown members,
/// each in document order. `root` is the value's name on the wire (empty for a
/// request). A null member is an absent one. `strict` refuses members that the model does not know; AWS ignores them.
pub fn broken(shape: &Shape, value: &Value, root: &str, strict: bool) -> Vec<Broken> {
    let mut walk = Walk {
        root,
        strict,
        found: Vec::new(),
    };
    walk.value(shape, value, At::Root);
    walk.found.sort_by_key(|it| match it.problem {
        Problem::Type(_) => 0,
        Problem::Constraint(_) => 1,
        Problem::Unknown(_) => 2,
    });
    walk.found
}

/// What AWS answers to all of them: what cannot be read goes alone, broken constraints are told together.
pub fn refusal(broken: &[Broken]) -> Option<Refusal> {
    let constraints: Vec<&str> = broken.iter().filter_map(Broken::constraint).collect();
    match (broken.first()?, &constraints[..]) {
        (
            Broken {
                problem: Problem::Constraint(_),
                ..
            },
            [_, _, ..],
        ) => Some(Refusal::new(
            "ValidationException",
            format!(
                "{} validation errors detected: {}",
                constraints.len(),
                constraints.join("; ")
            ),
        )),
        (first, _) => Some(first.refusal()),
    }
}

impl Broken {
    /// This one alone, as AWS words it.
    pub fn refusal(&self) -> Refusal {
        match &self.problem {
            Problem::Type(text) => Refusal::new("SerializationException", text),
            Problem::Unknown(text) => Refusal::new("ValidationException", text),
            Problem::Constraint(text) => Refusal::new(
                "ValidationException",
                format!("1 validation error detected: {text}"),
            ),
        }
    }

    fn constraint(&self) -> Option<&str> {
        match &self.problem {
            Problem::Constraint(text) => Some(text),
            Problem::Type(_) | Problem::Unknown(_) => None,
        }
    }
}

/// A place as the steps to it; it is written out only if something is wrong there.
#[derive(Clone, Copy)]
enum At<'a> {
    Root,
    Member(&'a At<'a>, &'a str),
    Item(&'a At<'a>, usize),
}

impl At<'_> {
    /// `stages[1].name`.
    fn json(self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Member(above, name) => join(above.json(), name),
            Self::Item(above, index) => format!("{}[{index}]", above.json()),
        }
    }

    /// `pipeline.stages.2.member.name`, as the model's validator writes it.
    fn wire(self, root: &str) -> String {
        match self {
            Self::Root => root.to_owned(),
            Self::Member(above, name) => join(above.wire(root), name),
            Self::Item(above, index) => format!("{}.{}.member", above.wire(root), index + 1),
        }
    }
}

fn join(above: String, name: &str) -> String {
    if above.is_empty() {
        name.to_owned()
    } else {
        format!("{above}.{name}")
    }
}

struct Walk<'a> {
    root: &'a str,
    strict: bool,
    found: Vec<Broken>,
}

impl Walk<'_> {
    fn value(&mut self, shape: &Shape, value: &Value, at: At<'_>) {
        match (shape, value) {
            (Shape::Text(bounds), Value::String(text)) => {
                for rule in bounds.broken_by(text) {
                    let shown = (!bounds.secret).then_some(text.as_str());
                    self.constraint(shown, at, &rule);
                }
            }
            (Shape::OneOf(choices), Value::String(text)) => {
                if !choices.contains(&text.as_str()) {
                    let set = choices.join(", ");
                    let rule = format!("Member must satisfy enum value set: [{set}]");
                    self.constraint(Some(text), at, &rule);
                }
            }
            (Shape::Number { min, max }, Value::Number(number)) => {
                match number.as_i64().filter(|n| i32::try_from(*n).is_ok()) {
                    Some(n) if n < *min => self.bound(n, at, "greater", *min),
                    Some(n) if n > *max => self.bound(n, at, "less", *max),
                    Some(_) => {}
                    None => self.mistyped(shape, value, at),
                }
            }
            (Shape::Flag, Value::Bool(_)) | (Shape::Time, Value::Number(_)) => {}
            (Shape::List { min, max, of }, Value::Array(items)) => {
                self.length(items.len(), *min, *max, at);
                for (index, item) in items.iter().enumerate() {
                    self.value(of, item, At::Item(&at, index));
                }
            }
            (Shape::Map { max, key, value }, Value::Object(entries)) => {
                self.length(entries.len(), 0, *max, at);
                self.keys(*key, entries, at);
                self.texts(*value, entries, at);
            }
            (Shape::MapOf { key, of }, Value::Object(entries)) => {
                self.keys(*key, entries, at);
                for (name, value) in entries {
                    self.value(of, value, At::Member(&at, name));
                }
            }
            (Shape::Any, _) => {}
            (Shape::Struct(members), Value::Object(object)) => self.members(members, object, at),
            _ => self.mistyped(shape, value, at),
        }
    }

    /// Keys and texts of a map are told of as the whole map, once: CodePipeline does not repeat what may be secret.
    fn keys(&mut self, bounds: Text, entries: &Map<String, Value>, at: At<'_>) {
        let bad = entries.keys().find(|key| !bounds.broken_by(key).is_empty());
        if let Some(key) = bad {
            let rules = bounds.rules().join(", ");
            let rule = format!("Map keys must satisfy constraint: [{rules}]");
            self.entry(&rule, at, key);
        }
    }

    fn texts(&mut self, bounds: Text, entries: &Map<String, Value>, at: At<'_>) {
        let mut told = false;
        for (key, value) in entries {
            match value {
                Value::String(text) if !told && !bounds.broken_by(text).is_empty() => {
                    told = true;
                    let rules = bounds.rules().join(", ");
                    let rule = format!("Map value must satisfy constraint: [{rules}]");
                    self.entry(&rule, at, key);
                }
                Value::String(_) | Value::Null => {}
                _ => self.mistyped(&Shape::Text(bounds), value, At::Member(&at, key)),
            }
        }
    }

    fn members(&mut self, members: &[Member], object: &Map<String, Value>, at: At<'_>) {
        for member in members {
            let place = At::Member(&at, member.name);
            match object.get(member.name).filter(|value| !value.is_null()) {
                Some(value) => self.value(member.shape, value, place),
                None if member.required => {
                    let text = format!(
                        "Value null at '{}' failed to satisfy constraint: Member must not be null",
                        place.wire(self.root)
                    );
                    self.found.push(Broken {
                        place: place.json(),
                        hint: Some(format!("add the member `{}`", member.name)),
                        problem: Problem::Constraint(text),
                    });
                }
                None => {}
            }
        }
        let known = |name: &String| members.iter().any(|member| member.name == name);
        for name in object.keys().filter(|name| self.strict && !known(name)) {
            let names: Vec<_> = members.iter().map(|member| member.name).collect();
            // the SDKs' words: the service ignores what it does not know
            let text = format!(
                "Unknown parameter in {}: \"{name}\", must be one of: {}",
                at.wire(self.root),
                names.join(", ")
            );
            self.found.push(Broken {
                place: At::Member(&at, name).json(),
                hint: Some(format!(
                    "`{name}` is not a member here; check spelling and place"
                )),
                problem: Problem::Unknown(text),
            });
        }
    }

    fn bound(&mut self, number: i64, at: At<'_>, word: &str, bound: i64) {
        let rule = format!("Member must have value {word} than or equal to {bound}");
        self.constraint(Some(&number.to_string()), at, &rule);
    }

    fn length(&mut self, length: usize, min: usize, max: usize, at: At<'_>) {
        for rule in length_rules(length, min, max) {
            self.constraint(None, at, &rule);
        }
    }

    fn constraint(&mut self, shown: Option<&str>, at: At<'_>, rule: &str) {
        let shown = shown.map_or_else(String::new, |text| format!("'{}' ", cut(text)));
        let wire = at.wire(self.root);
        self.found.push(Broken {
            place: at.json(),
            hint: None,
            problem: Problem::Constraint(format!(
                "Value {shown}at '{wire}' failed to satisfy constraint: {rule}"
            )),
        });
    }

    fn entry(&mut self, rule: &str, map: At<'_>, key: &str) {
        self.constraint(None, map, rule);
        if let Some(last) = self.found.last_mut() {
            last.place = At::Member(&map, key).json();
        }
    }

    /// The service's JSON reader has these words; it does not name the place, we do.
    fn mistyped(&mut self, shape: &Shape, value: &Value, at: At<'_>) {
        let wanted = match shape {
            Shape::Text(_) | Shape::OneOf(_) => "a String",
            Shape::Number { .. } => "an Integer",
            Shape::Flag => "a Boolean",
            Shape::Time => "a Timestamp",
            Shape::List { .. } => "a list",
            Shape::Map { .. } | Shape::MapOf { .. } => "a map",
            Shape::Struct(_) | Shape::Any => "a structure",
        };
        let found = match value {
            Value::Array(_) => "Start of list found where not expected",
            Value::Object(_) => "Start of structure or map found where not expected.",
            Value::String(_) => "STRING_VALUE",
            Value::Number(_) => "NUMBER_VALUE",
            Value::Bool(true) => "TRUE_VALUE",
            Value::Bool(false) => "FALSE_VALUE",
            Value::Null => "NULL_VALUE",
        };
        let text = if found.ends_with("_VALUE") {
            format!("{found} can not be converted to {wanted}")
        } else {
            found.to_owned()
        };
        let hint = match (shape, value) {
            (Shape::Text(_), Value::Bool(_) | Value::Number(_)) => {
                "put the value in quotes: it must be a text".to_owned()
            }
            _ => format!("this must be {wanted}"),
        };
        self.found.push(Broken {
            place: at.json(),
            hint: Some(hint),
            problem: Problem::Type(text),
        });
    }
}

impl Text {
    fn broken_by(self, text: &str) -> Vec<String> {
        let mut rules = length_rules(text.chars().count(), self.min, self.max);
        rules.extend(
            self.pattern
                .filter(|pattern| !pattern.matches(text))
                .and_then(|_| self.pattern_rule()),
        );
        rules
    }

    /// All its rules, as the service lists them for the keys and values of a map.
    fn rules(self) -> Vec<String> {
        let most = (self.max < usize::MAX).then(|| at_most(self.max));
        let least = (self.min > 0).then(|| at_least(self.min));
        most.into_iter()
            .chain(least)
            .chain(self.pattern_rule())
            .collect()
    }

    fn pattern_rule(self) -> Option<String> {
        let text = self.pattern?.text();
        Some(format!(
            "Member must satisfy regular expression pattern: {text}"
        ))
    }
}

fn length_rules(length: usize, min: usize, max: usize) -> Vec<String> {
    let least = (length < min).then(|| at_least(min));
    let most = (length > max).then(|| at_most(max));
    least.into_iter().chain(most).collect()
}

fn at_least(min: usize) -> String {
    format!("Member must have length greater than or equal to {min}")
}

fn at_most(max: usize) -> String {
    format!("Member must have length less than or equal to {max}")
}

/// Long values are not repeated whole.
fn cut(text: &str) -> String {
    if text.chars().count() <= 200 {
        text.to_owned()
    } else {
        text.chars().take(200).chain("...".chars()).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Pattern, list, matching, optional, required, text};

    static NAME: Shape = Shape::Text(matching(1, 4, Pattern::Chars("[A-Za-z0-9]+", "")));
    static SHAPE: Shape = Shape::Struct(&[
        required("name", &NAME),
        optional("id", &Shape::Text(matching(0, 36, Pattern::Uuid).secret())),
        optional("mode", &Shape::OneOf(&["A", "B"])),
        optional("size", &Shape::Number { min: 1, max: 9 }),
        optional("at", &Shape::Time),
        optional("wait", &Shape::Flag),
        optional("list", &list(&NAME, 1, 2)),
        optional(
            "map",
            &Shape::Map {
                max: 1,
                key: text(1, 3),
                value: text(1, 5),
            },
        ),
    ]);

    fn says(value: Value, strict: bool) -> String {
        let found = broken(&SHAPE, &value, "", strict);
        refusal(&found).map_or_else(|| "fine".to_owned(), |it| it.to_string())
    }

    #[test]
    fn what_is_wrong_is_worded_as_aws_does() {
        let one = "ValidationException: 1 validation error detected: Value";
        let must = "failed to satisfy constraint: Member must";
        for (value, expected) in [
            (
                json!({"name": "ab", "more": 1, "mode": null}),
                "fine".to_owned(),
            ),
            (
                json!({"name": null}),
                format!("{one} null at 'name' {must} not be null"),
            ),
            (
                json!({"name": "ab cd"}),
                format!(
                    "ValidationException: 2 validation errors detected: Value 'ab cd' at 'name' {must} have length less than or equal to 4; Value 'ab cd' at 'name' {must} satisfy regular expression pattern: [A-Za-z0-9]+"
                ),
            ),
            (
                json!({"name": "a", "id": "PLANTED"}),
                format!(
                    "{one} at 'id' {must} satisfy regular expression pattern: [0-9a-f]{{8}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{12}}"
                ),
            ),
            (
                json!({"name": "a", "mode": "C"}),
                format!("{one} 'C' at 'mode' {must} satisfy enum value set: [A, B]"),
            ),
            (
                json!({"name": "a", "size": 0}),
                format!("{one} '0' at 'size' {must} have value greater than or equal to 1"),
            ),
            (
                json!({"name": "a", "size": 10}),
                format!("{one} '10' at 'size' {must} have value less than or equal to 9"),
            ),
            (
                json!({"name": "a", "list": []}),
                format!("{one} at 'list' {must} have length greater than or equal to 1"),
            ),
            (
                json!({"name": "a", "list": ["b", "!"]}),
                format!(
                    "{one} '!' at 'list.2.member' {must} satisfy regular expression pattern: [A-Za-z0-9]+"
                ),
            ),
            (
                json!({"name": "a", "map": {"long": "x"}}),
                format!(
                    "{one} at 'map' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 3, Member must have length greater than or equal to 1]"
                ),
            ),
            (
                json!({"name": "a", "map": {"k": ""}}),
                format!(
                    "{one} at 'map' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 5, Member must have length greater than or equal to 1]"
                ),
            ),
            (
                json!({"name": "A", "size": "1"}),
                "SerializationException: STRING_VALUE can not be converted to an Integer"
                    .to_owned(),
            ),
            (
                json!({"name": "a", "size": 1.5}),
                "SerializationException: NUMBER_VALUE can not be converted to an Integer"
                    .to_owned(),
            ),
            (
                json!({"name": "a", "size": 2_147_483_648_i64}),
                "SerializationException: NUMBER_VALUE can not be converted to an Integer"
                    .to_owned(),
            ),
            (
                json!({"name": "a", "wait": "true"}),
                "SerializationException: STRING_VALUE can not be converted to a Boolean".to_owned(),
            ),
            (
                json!({"name": "a", "at": "now"}),
                "SerializationException: STRING_VALUE can not be converted to a Timestamp"
                    .to_owned(),
            ),
            (
                json!({"name": {}}),
                "SerializationException: Start of structure or map found where not expected."
                    .to_owned(),
            ),
            (
                json!([]),
                "SerializationException: Start of list found where not expected".to_owned(),
            ),
        ] {
            assert_eq!(says(value.clone(), false), expected, "{value}");
        }
    }

    #[test]
    fn unknown_members_are_told_last_and_only_to_the_strict() {
        let value = json!({"nam": "a"});
        assert!(says(value, true).contains("Value null at 'name'"));
        let value = json!({"name": "a", "nam": "a"});
        assert_eq!(says(value.clone(), false), "fine");
        assert!(says(value, true).contains("Unknown parameter in : \"nam\""));
    }
}
