//! The fields that say how data goes in and out.

use serde_json::Value;

use super::{Amount, Io, Language, ResultPath, Select, Text, fields::Fields, read::Reader};
use crate::{
    diagnostic::{Diagnostic, SCHEMA},
    jsonata, limit,
    template::{BadPart, Template, expression, type_name},
};

/// The fields of one language only, which the other refuses.
const JSONPATH_ONLY: [&str; 6] = [
    "InputPath",
    "OutputPath",
    "Parameters",
    "ResultSelector",
    "ResultPath",
    "ItemsPath",
];
const JSONATA_ONLY: [&str; 3] = ["Arguments", "Output", "Items"];

impl Reader {
    /// Reads them. `which` are the ones this type of state has.
    pub fn io(
        &mut self,
        fields: &mut Fields<'_>,
        language: Language,
        which: &[&'static str],
    ) -> Io {
        let (foreign, other): (&[&str], _) = match language {
            Language::JsonPath => (&JSONATA_ONLY, "JSONPath"),
            Language::Jsonata => (&JSONPATH_ONLY, "JSONata"),
        };
        let refused: Vec<&str> = foreign.iter().copied().filter(|f| fields.has(f)).collect();
        for name in refused {
            let message =
                format!("The field '{name}' is not supported when the QueryLanguage is {other}");
            fields.bad(name, message, &mut self.findings);
        }
        let mut io = Io::default();
        for name in which {
            match (*name, language) {
                ("InputPath", Language::JsonPath) => {
                    io.input_path = self.select(fields, "InputPath")
                }
                ("OutputPath", Language::JsonPath) => {
                    io.output_path = self.select(fields, "OutputPath")
                }
                ("ResultPath", Language::JsonPath) => io.result_path = self.result_path(fields),
                ("ResultSelector", Language::JsonPath) => {
                    io.result_selector = self.payload(fields, "ResultSelector", language);
                }
                ("Arguments", Language::JsonPath) => {
                    io.arguments = self.template(fields, "Parameters", language)
                }
                ("Arguments", Language::Jsonata) => {
                    io.arguments = self.template(fields, "Arguments", language)
                }
                ("Output", Language::Jsonata) => {
                    io.output = self.template(fields, "Output", language)
                }
                ("Assign", _) => io.assign = self.assign(fields, language),
                _ => {
                    // The other language's; refused above.
                    fields.take(name);
                }
            }
        }
        for name in JSONPATH_ONLY.iter().chain(&JSONATA_ONLY) {
            if foreign.contains(name) {
                fields.take(name);
            }
        }
        io
    }

    pub fn select(&mut self, fields: &mut Fields<'_>, name: &'static str) -> Select {
        match fields.take(name) {
            None => Select::Whole,
            Some(Value::Null) => Select::Nothing,
            Some(Value::String(text)) => match text.parse() {
                Ok(path) => Select::Path(path),
                Err(_) => {
                    fields.bad(name, "Value is not a valid JSONPath", &mut self.findings);
                    Select::Whole
                }
            },
            Some(other) => {
                let message = format!(
                    "Expected value of type String, but was {}",
                    type_name(other)
                );
                fields.bad(name, message, &mut self.findings);
                Select::Whole
            }
        }
    }

    pub fn result_path(&mut self, fields: &mut Fields<'_>) -> ResultPath {
        match fields.take("ResultPath") {
            None => ResultPath::Whole,
            Some(Value::Null) => ResultPath::Nothing,
            Some(value) => match value.as_str().map(str::parse::<crate::path::ReferencePath>) {
                Some(Ok(path)) if path.is_root() => ResultPath::Whole,
                Some(Ok(path)) => ResultPath::At(path),
                _ => {
                    fields.bad(
                        "ResultPath",
                        "Value is not a Reference Path",
                        &mut self.findings,
                    );
                    ResultPath::Whole
                }
            },
        }
    }

    /// A template of the language; anything may stand in it.
    pub fn template(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
        language: Language,
    ) -> Option<Template> {
        let value = fields.take(name)?;
        let mut bad: Vec<BadPart> = Vec::new();
        let template = match language {
            Language::JsonPath => Template::paths(value, &mut vec![name.to_owned()], &mut bad),
            Language::Jsonata => Template::queries(value, &mut vec![name.to_owned()], &mut bad),
        };
        for part in bad {
            let at = format!("{}/{}", fields.at, part.at.join("/"));
            self.findings
                .push(Diagnostic::error(SCHEMA, part.reason, at));
        }
        Some(template)
    }

    /// A template that is an object.
    pub fn payload(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
        language: Language,
    ) -> Option<Template> {
        if let Some(other) = fields.map.get(name).filter(|v| !v.is_object()) {
            let computed =
                language == Language::Jsonata && other.as_str().and_then(jsonata::inside).is_some();
            if !computed {
                fields.take(name);
                let message = format!(
                    "Expected value of type Object, but was {}",
                    type_name(other)
                );
                fields.bad(name, message, &mut self.findings);
                return None;
            }
        }
        self.template(fields, name, language)
    }

    /// `Assign`: an object whose keys name variables.
    pub fn assign(&mut self, fields: &mut Fields<'_>, language: Language) -> Option<Template> {
        for key in fields
            .map
            .get("Assign")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|m| m.keys())
        {
            let name = if language == Language::JsonPath {
                key.trim_end_matches(".$")
            } else {
                key.as_str()
            };
            let good = name
                .chars()
                .next()
                .is_some_and(|c| c.is_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_alphanumeric() || c == '_')
                && name.chars().count() <= limit::VARIABLE_NAME
                && name != "states";
            if !good {
                let at = format!("{}/{key}", fields.place("Assign"));
                let message = format!("The variable name '{name}' is not valid");
                self.findings.push(Diagnostic::error(SCHEMA, message, at));
            }
        }
        self.payload(fields, "Assign", language)
    }

    /// A number written down, or computed in JSONata.
    pub fn amount(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
        language: Language,
        bounds: (u64, u64),
    ) -> Option<Amount> {
        if let (Language::Jsonata, Some(Value::String(text))) = (language, fields.map.get(name)) {
            fields.take(name);
            return self
                .query(fields, name, text)
                .map(|query| Amount::Query { query, field: name });
        }
        #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53")]
        fields
            .whole(name, bounds.0, bounds.1, &mut self.findings)
            .map(|n| Amount::Fixed(n as f64))
    }

    /// A number, or the field with `Path` at its end; both together are a finding.
    pub fn amount_or_path(
        &mut self,
        fields: &mut Fields<'_>,
        names: (&'static str, &'static str),
        language: Language,
        bounds: (u64, u64),
    ) -> Option<Amount> {
        let fixed = self.amount(fields, names.0, language, bounds);
        let Some(path) = self.path_field(fields, names.1, language) else {
            return fixed;
        };
        if fields.has(names.0) {
            let message = format!("Only one of [{}, {}] may be given", names.0, names.1);
            fields.bad(names.1, message, &mut self.findings);
        }
        Some(Amount::Path {
            path,
            field: names.1,
        })
    }

    pub fn path_field(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
        language: Language,
    ) -> Option<crate::path::JsonPath> {
        if language == Language::Jsonata && fields.has(name) {
            fields.take(name);
            let message =
                format!("The field '{name}' is not supported when the QueryLanguage is JSONata");
            fields.bad(name, message, &mut self.findings);
            return None;
        }
        let text = fields.text(name, &mut self.findings)?;
        match text.parse() {
            Ok(path) => Some(path),
            Err(_) => {
                fields.bad(name, "Value is not a valid JSONPath", &mut self.findings);
                None
            }
        }
    }

    pub fn query(&mut self, fields: &Fields<'_>, name: &str, text: &str) -> Option<jsonata::Query> {
        let parsed = jsonata::inside(text).map(str::parse);
        match parsed {
            Some(Ok(query)) => Some(query),
            Some(Err(e)) => {
                fields.bad(
                    name,
                    format!("The JSONata expression is not valid: {e}"),
                    &mut self.findings,
                );
                None
            }
            None => {
                fields.bad(
                    name,
                    "Expected a JSONata expression: {% … %}",
                    &mut self.findings,
                );
                None
            }
        }
    }

    /// A text written down, computed, or (`names.1`) at a path or from a call.
    pub fn text_or_expression(
        &mut self,
        fields: &mut Fields<'_>,
        names: (&'static str, &'static str),
        language: Language,
    ) -> Option<Template> {
        if let Some(text) = fields.text(names.0, &mut self.findings) {
            if language == Language::Jsonata && jsonata::inside(text).is_some() {
                let query = self.query(fields, names.0, text)?;
                return Some(Template::Query {
                    query,
                    field: names.0.to_owned(),
                });
            }
            return Some(Template::Literal(Value::String(text.to_owned())));
        }
        if language == Language::Jsonata {
            return None;
        }
        let text = fields.text(names.1, &mut self.findings)?;
        match expression(text, names.1) {
            Ok(template) => Some(template),
            Err(_) => {
                let message = "Value is not a valid JSONPath or a valid intrinsic function call";
                fields.bad(names.1, message, &mut self.findings);
                None
            }
        }
    }

    /// `Timestamp`, `TimestampPath`.
    pub fn moment(&mut self, fields: &mut Fields<'_>, language: Language) -> Option<Text> {
        if let Some(path) = self.path_field(fields, "TimestampPath", language) {
            return Some(Text::Path {
                path,
                field: "TimestampPath",
            });
        }
        let text = fields.text("Timestamp", &mut self.findings)?;
        if language == Language::Jsonata && jsonata::inside(text).is_some() {
            let query = self.query(fields, "Timestamp", text)?;
            return Some(Text::Query {
                query,
                field: "Timestamp",
            });
        }
        if crate::choice::timestamp(text).is_none() {
            fields.bad(
                "Timestamp",
                "String does not match RFC3339 timestamp",
                &mut self.findings,
            );
            return None;
        }
        Some(Text::Fixed(text.to_owned()))
    }
}
