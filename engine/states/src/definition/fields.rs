//! The fields of one JSON object, taken one by one; what is left is unknown.

use serde_json::{Map, Value};

use crate::{
    diagnostic::{Diagnostic, SCHEMA},
    template::type_name,
};

/// An object and its place.
pub struct Fields<'a> {
    pub map: &'a Map<String, Value>,
    pub at: String,
    taken: Vec<&'static str>,
}

/// Findings so far.
pub type Findings = Vec<Diagnostic>;

impl<'a> Fields<'a> {
    /// The object at a place; anything else is a finding.
    pub fn new(value: &'a Value, at: String, findings: &mut Findings) -> Option<Self> {
        match value {
            Value::Object(map) => Some(Self {
                map,
                at,
                taken: Vec::new(),
            }),
            other => {
                findings.push(Diagnostic::error(
                    SCHEMA,
                    format!(
                        "Expected value of type Object, but was {}",
                        type_name(other)
                    ),
                    at,
                ));
                None
            }
        }
    }

    /// Where a field is.
    pub fn place(&self, name: &str) -> String {
        format!(
            "{}/{}",
            self.at.trim_end_matches('/'),
            name.replace('~', "~0").replace('/', "~1")
        )
    }

    /// A finding about a field.
    pub fn bad(&self, name: &str, message: impl Into<String>, findings: &mut Findings) {
        findings.push(Diagnostic::error(SCHEMA, message, self.place(name)));
    }

    /// A field's value, if it is there.
    pub fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        self.taken.push(name);
        self.map.get(name)
    }

    /// Whether the field is there, without taking it.
    pub fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    fn wrong(&self, name: &str, wanted: &str, value: &Value, findings: &mut Findings) {
        self.bad(
            name,
            format!(
                "Expected value of type {wanted}, but was {}",
                type_name(value)
            ),
            findings,
        );
    }

    pub fn text(&mut self, name: &'static str, findings: &mut Findings) -> Option<&'a str> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => {
                self.wrong(name, "String", other, findings);
                None
            }
        }
    }

    pub fn flag(&mut self, name: &'static str, findings: &mut Findings) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Some(*flag),
            other => {
                self.wrong(name, "Boolean", other, findings);
                None
            }
        }
    }

    pub fn list(&mut self, name: &'static str, findings: &mut Findings) -> Option<&'a [Value]> {
        match self.take(name)? {
            Value::Array(items) => Some(items),
            other => {
                self.wrong(name, "Array", other, findings);
                None
            }
        }
    }

    /// A number within bounds, both in.
    pub fn number(
        &mut self,
        name: &'static str,
        from: f64,
        to: f64,
        findings: &mut Findings,
    ) -> Option<f64> {
        let value = self.take(name)?;
        let Some(number) = value.as_f64() else {
            self.wrong(name, "Number", value, findings);
            return None;
        };
        if number < from || number > to {
            self.bad(
                name,
                format!("Number must be between {from} and {to}, but was {value}"),
                findings,
            );
            return None;
        }
        Some(number)
    }

    pub fn whole(
        &mut self,
        name: &'static str,
        from: u64,
        to: u64,
        findings: &mut Findings,
    ) -> Option<u64> {
        let value = self.take(name)?;
        let number = value.as_u64().or_else(|| {
            // 5.0 is a whole number too
            value
                .as_f64()
                .filter(|n| n.fract() == 0.0 && *n >= 0.0)
                .map(|n| {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "checked to be whole and not negative"
                    )]
                    {
                        n as u64
                    }
                })
        });
        match number {
            Some(number) if (from..=to).contains(&number) => Some(number),
            Some(_) => {
                self.bad(
                    name,
                    format!("Number must be between {from} and {to}, but was {value}"),
                    findings,
                );
                None
            }
            None => {
                self.wrong(name, "Integer", value, findings);
                None
            }
        }
    }

    /// Findings about the fields that nothing took.
    pub fn finish(self, findings: &mut Findings) {
        for name in self.map.keys() {
            if !self.taken.contains(&name.as_str()) {
                self.bad(
                    name,
                    format!("The field '{name}' is not supported by Step Functions"),
                    findings,
                );
            }
        }
    }

    /// A finding when required fields are missing.
    pub fn require(&self, names: &[&str], findings: &mut Findings) -> bool {
        let missing: Vec<&str> = names.iter().copied().filter(|n| !self.has(n)).collect();
        let message = match missing.as_slice() {
            [] => return true,
            [one] => format!("The field '{one}' is required but was missing"),
            many => format!("These fields are required: [{}]", many.join(", ")),
        };
        let at = if self.at.is_empty() { "/" } else { &self.at };
        findings.push(Diagnostic::error(SCHEMA, message, at));
        false
    }
}
