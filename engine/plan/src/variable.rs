//! `#{namespace.key}` references: finding, checking, resolving.

use std::collections::BTreeMap;

/// One reference in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'a> {
    /// `#{namespace.key}` as written.
    pub text: &'a str,
    pub namespace: &'a str,
    pub key: &'a str,
}

/// One piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    Plain(&'a str),
    Reference(Reference<'a>),
    /// `#{…}` that is no reference: the braces hold no `namespace.key`.
    Malformed(&'a str),
}

/// What references are resolved against.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub execution: &'a str,
    /// Pipeline variables.
    pub variables: &'a BTreeMap<String, String>,
    /// Output variables by namespace.
    pub namespaces: &'a BTreeMap<String, BTreeMap<String, String>>,
}

/// A reference whose value is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable reference '{reference}' cannot be resolved: {why}")]
pub struct Unresolved {
    pub reference: String,
    pub why: String,
}

/// Whether a character may stand in a namespace or a key: `[A-Za-z0-9@\-_]`.
pub fn name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "@-_".contains(c)
}

/// Cuts a text into its pieces.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("#{") {
        let Some(length) = rest[start..].find('}') else {
            break;
        };
        if start > 0 {
            found.push(Piece::Plain(&rest[..start]));
        }
        let text = &rest[start..=start + length];
        let named = |part: &str| !part.is_empty() && part.chars().all(name_char);
        found.push(match text[2..text.len() - 1].split_once('.') {
            Some((namespace, key)) if named(namespace) && named(key) => {
                Piece::Reference(Reference {
                    text,
                    namespace,
                    key,
                })
            }
            _ => Piece::Malformed(text),
        });
        rest = &rest[start + length + 1..];
    }
    if !rest.is_empty() {
        found.push(Piece::Plain(rest));
    }
    found
}

impl Scope<'_> {
    /// The text with every reference replaced. Values are not looked at again.
    ///
    /// # Errors
    /// The first reference without a value.
    pub fn resolve(&self, text: &str) -> Result<String, Unresolved> {
        if !text.contains("#{") {
            return Ok(text.to_owned());
        }
        let mut resolved = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Plain(plain) => resolved.push_str(plain),
                Piece::Reference(reference) => resolved.push_str(self.value(&reference)?),
                Piece::Malformed(text) => {
                    return Err(Unresolved {
                        reference: text.to_owned(),
                        why: "it is not #{namespace.key}".to_owned(),
                    });
                }
            }
        }
        Ok(resolved)
    }

    fn value(&self, reference: &Reference<'_>) -> Result<&str, Unresolved> {
        let missing = |why: String| Unresolved {
            reference: reference.text.to_owned(),
            why,
        };
        match reference.namespace {
            "codepipeline" if reference.key == "PipelineExecutionId" => Ok(self.execution),
            "variables" => self
                .variables
                .get(reference.key)
                .map(String::as_str)
                .ok_or_else(|| {
                    missing(format!("the pipeline has no variable '{}'", reference.key))
                }),
            namespace => {
                let values = self.namespaces.get(namespace).ok_or_else(|| {
                    missing(format!("no action has filled the namespace '{namespace}'"))
                })?;
                values
                    .get(reference.key)
                    .map(String::as_str)
                    .ok_or_else(|| {
                        missing(format!(
                            "the action with the namespace '{namespace}' produced no variable '{}'",
                            reference.key
                        ))
                    })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_and_resolved() {
        let variables = BTreeMap::from([("env".to_owned(), "#{a.b}".to_owned())]);
        let namespaces = BTreeMap::from([(
            "src".to_owned(),
            BTreeMap::from([("Commit-Id".to_owned(), "c0ffee".to_owned())]),
        )]);
        let scope = Scope {
            execution: "e-1",
            variables: &variables,
            namespaces: &namespaces,
        };
        for (text, expected) in [
            ("", Ok("")),
            ("plain $ { } #", Ok("plain $ { } #")),
            ("a #{src.Commit-Id} z", Ok("a c0ffee z")),
            ("#{src.Commit-Id}#{src.Commit-Id}", Ok("c0ffeec0ffee")),
            ("#{codepipeline.PipelineExecutionId}", Ok("e-1")),
            ("#{variables.env}", Ok("#{a.b}")),
            ("#{unclosed", Ok("#{unclosed")),
            ("ü#{src.Commit-Id}ü", Ok("üc0ffeeü")),
            (
                "#{src.Other}",
                Err(
                    "the variable reference '#{src.Other}' cannot be resolved: the action with the namespace 'src' produced no variable 'Other'",
                ),
            ),
            (
                "#{SRC.Commit-Id}",
                Err(
                    "the variable reference '#{SRC.Commit-Id}' cannot be resolved: no action has filled the namespace 'SRC'",
                ),
            ),
            (
                "#{variables.x}",
                Err(
                    "the variable reference '#{variables.x}' cannot be resolved: the pipeline has no variable 'x'",
                ),
            ),
            (
                "#{nodot}",
                Err(
                    "the variable reference '#{nodot}' cannot be resolved: it is not #{namespace.key}",
                ),
            ),
            (
                "#{codepipeline.Other}",
                Err(
                    "the variable reference '#{codepipeline.Other}' cannot be resolved: no action has filled the namespace 'codepipeline'",
                ),
            ),
        ] {
            assert_eq!(
                scope.resolve(text).map_err(|e| e.to_string()),
                expected.map(str::to_owned).map_err(str::to_owned),
                "{text}"
            );
        }
    }
}
