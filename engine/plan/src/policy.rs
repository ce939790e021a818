//! What a policy of IAM allows, as far as action names tell: resources and conditions are not looked at.

use serde_json::Value;

/// The statements of one or more policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    allowed: Vec<Names>,
    denied: Vec<Names>,
}

/// Patterns of actions; `NotAction` means all but them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Names {
    patterns: Vec<String>,
    not: bool,
}

impl Policy {
    /// From a policy document, or a list of them.
    ///
    /// # Errors
    /// Which statement is none.
    pub fn parse(document: &Value) -> Result<Self, String> {
        let documents = list(document);
        let mut policy = Self::default();
        for document in documents {
            let statements = document
                .get("Statement")
                .ok_or("the policy has no Statement")?;
            for (at, statement) in list(statements).into_iter().enumerate() {
                let names = |key: &str, not: bool| {
                    let patterns = list(statement.get(key)?);
                    let patterns = patterns
                        .into_iter()
                        .map(|it| it.as_str().map(str::to_ascii_lowercase));
                    Some((patterns.collect::<Option<Vec<_>>>()?, not))
                };
                let (patterns, not) = names("Action", false)
                    .or_else(|| names("NotAction", true))
                    .ok_or_else(|| format!("Statement[{at}] names no Action"))?;
                let names = Names { patterns, not };
                match statement.get("Effect").and_then(Value::as_str) {
                    Some("Allow") => policy.allowed.push(names),
                    // one with a condition or for some resources may deny nothing of this pipeline
                    Some("Deny") if is_for_all(statement) => policy.denied.push(names),
                    Some("Deny") => {}
                    _ => return Err(format!("Statement[{at}] must have Effect Allow or Deny")),
                }
            }
        }
        Ok(policy)
    }

    /// Whether an action, as `s3:GetObject`, is allowed on anything.
    pub fn allows(&self, action: &str) -> bool {
        let action = action.to_ascii_lowercase();
        let any = |all: &[Names]| {
            all.iter().any(|names| {
                let matched = names.patterns.iter().any(|it| matches(it, &action));
                matched != names.not
            })
        };
        any(&self.allowed) && !any(&self.denied)
    }
}

fn is_for_all(statement: &Value) -> bool {
    let everything = statement
        .get("Resource")
        .is_none_or(|it| list(it).iter().any(|it| *it == "*"));
    everything && statement.get("Condition").is_none()
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

/// `*` is any text, `?` any character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen, mut star, mut from) = (0, 0, None, 0);
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some(at);
                from = seen;
                at += 1;
            }
            Some(c) if *c == b'?' || *c == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some(place) => {
                    at = place + 1;
                    from += 1;
                    seen = from;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn actions_are_allowed_by_their_names() {
        let policy = json!({"Statement": [
            {"Effect": "Allow", "Action": ["s3:Get*", "codebuild:StartBuild"], "Resource": "*"},
            {"Effect": "Allow", "NotAction": ["iam:*", "s3:*", "codebuild:*", "ecs:*"], "Resource": "*"},
            {"Effect": "Deny", "Action": "S3:GetObjectVersion", "Resource": "*"},
            {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::other/*"},
        ]});
        let policy = Policy::parse(&policy).unwrap();
        for (action, allowed) in [
            ("s3:GetObject", true),
            ("s3:PutObject", false),
            ("s3:GetObjectVersion", false),
            ("codebuild:StartBuild", true),
            ("codebuild:StartBuildBatch", false),
            ("sns:Publish", true),
            ("iam:PassRole", false),
        ] {
            assert_eq!(policy.allows(action), allowed, "{action}");
        }
        for (pattern, text, expected) in [
            ("*", "a", true),
            ("a*c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "axbxbc", true),
            ("ab", "abc", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_no_policy_is_named() {
        for (document, expected) in [
            (json!({}), "the policy has no Statement"),
            (
                json!({"Statement": [{"Effect": "Allow"}]}),
                "Statement[0] names no Action",
            ),
            (
                json!({"Statement": {"Action": "*", "Effect": "Maybe"}}),
                "Statement[0] must have Effect",
            ),
        ] {
            let error = Policy::parse(&document).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
