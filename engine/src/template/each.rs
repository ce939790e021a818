//! `Fn::ForEach` of AWS::LanguageExtensions, written out before anything else of a template is looked at; macros are refused.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::{Choice, Problem, problem, resolve::Resolver};

const LOOP: &str = "Fn::ForEach::";
/// Members that the loops of a template may make. CloudFormation takes 500 resources, so this is ten times what fits.
const MOST: usize = 5_000;

/// The template without loops.
///
/// # Errors
/// A loop that is not written as one, makes a name twice or too many, or a macro, which runs on AWS only.
pub(super) fn expanded(template: &Value, choice: &Choice) -> Result<Value, Problem> {
    check_transforms(template)?;
    let none = Map::new();
    let loops = Loops {
        resolver: Resolver {
            template,
            resources: &none,
            choice,
        },
        left: Cell::new(MOST),
    };
    loops.expand(template, "")
}

fn check_transforms(template: &Value) -> Result<(), Problem> {
    let own = &template["Transform"];
    let list = own
        .as_array()
        .map_or(std::slice::from_ref(own), Vec::as_slice);
    for transform in list {
        let name = transform.as_str().or(transform["Name"].as_str());
        // AWS's own ones but the one that includes files leave pipelines as they are written.
        if let Some(name) = name
            && (!name.starts_with("AWS::") || name == "AWS::Include")
        {
            return problem(format!("Transform: {}", not_run(name)));
        }
    }
    Ok(())
}

/// What to do about a macro.
pub(super) fn not_run(name: &str) -> String {
    format!(
        "{name} runs on AWS only: take the template that CloudFormation made with it (aws cloudformation get-template --template-stage Processed)"
    )
}

struct Loops<'a> {
    resolver: Resolver<'a>,
    left: Cell<usize>,
}

impl Loops<'_> {
    fn expand(&self, value: &Value, place: &str) -> Result<Value, Problem> {
        match value {
            Value::Object(map) => {
                let mut out = Map::new();
                for (key, inner) in map {
                    let place = match place {
                        "" => key.clone(),
                        place => format!("{place}.{key}"),
                    };
                    if key.starts_with(LOOP) {
                        self.unroll(inner, &place, &mut out)?;
                    } else {
                        out.insert(key.clone(), self.expand(inner, &place)?);
                    }
                }
                Ok(Value::Object(out))
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(at, item)| self.expand(item, &format!("{place}[{at}]")));
                items.collect()
            }
            other => Ok(other.clone()),
        }
    }

    fn unroll(&self, of: &Value, place: &str, out: &mut Map<String, Value>) -> Result<(), Problem> {
        let shape = || {
            Problem(format!(
                "{place} should be [IDENTIFIER, LIST, {{\"KEY${{IDENTIFIER}}\": …}}]"
            ))
        };
        let Some([Value::String(identifier), list, body @ Value::Object(_)]) =
            of.as_array().map(Vec::as_slice)
        else {
            return Err(shape());
        };
        let list = self.resolver.value(list, place, 0)?;
        let list = list.as_ref().and_then(Value::as_array).ok_or_else(shape)?;
        for item in list {
            let item = self.resolver.text(item, place, 0)?;
            let bound = bind(body, identifier, &item);
            let Value::Object(made) = self.expand(&bound, place)? else {
                return Err(shape());
            };
            for (key, value) in made {
                let left = self.left.get().checked_sub(1);
                let left = left.ok_or_else(|| {
                    Problem(format!("{place}: the loops make more than {MOST} members"))
                })?;
                self.left.set(left);
                if out.contains_key(&key) {
                    return problem(format!("{place} makes {key} twice"));
                }
                out.insert(key, value);
            }
        }
        Ok(())
    }
}

/// The value with the identifier's item in its place: `${NAME}`, `&{NAME}` (letters and digits only) and `Ref`.
fn bind(value: &Value, identifier: &str, item: &str) -> Value {
    let text = |text: &str| {
        let plain: String = item.chars().filter(char::is_ascii_alphanumeric).collect();
        text.replace(&format!("${{{identifier}}}"), item)
            .replace(&format!("&{{{identifier}}}"), &plain)
    };
    match value {
        Value::Object(map)
            if map.len() == 1 && map.get("Ref").is_some_and(|it| it == identifier) =>
        {
            Value::String(item.to_owned())
        }
        Value::Object(map) => map
            .iter()
            .map(|(key, inner)| (text(key), bind(inner, identifier, item)))
            .collect(),
        Value::Array(items) => items.iter().map(|it| bind(it, identifier, item)).collect(),
        Value::String(own) => Value::String(text(own)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(template: &Value) -> Result<Value, String> {
        let mut choice = Choice::default();
        let given = ("Stages".to_owned(), "test, live-eu".to_owned());
        choice.parameters.extend([given]);
        expanded(template, &choice).map_err(|problem| problem.to_string())
    }

    #[test]
    fn loops_are_written_out() {
        let template = json!({
            "Transform": ["AWS::LanguageExtensions"],
            "Parameters": {"Stages": {"Type": "CommaDelimitedList"}},
            "Resources": {
                "Fn::ForEach::Buckets": ["Stage", {"Ref": "Stages"}, {
                    "Site&{Stage}": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::Sub": "shop-${Stage}"}, "Tags": [{"Ref": "Stage"}]}},
                    "Fn::ForEach::Logs": ["Kind", ["in", 7], {"Log${Kind}&{Stage}": {"Of": "${Stage}/${Kind}"}}],
                }],
                "Other": {"Ref": "Stage"},
            }
        });
        let expected = json!({
            "Sitetest": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::Sub": "shop-test"}, "Tags": ["test"]}},
            "Siteliveeu": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::Sub": "shop-live-eu"}, "Tags": ["live-eu"]}},
            "Logintest": {"Of": "test/in"}, "Log7test": {"Of": "test/7"},
            "Loginliveeu": {"Of": "live-eu/in"}, "Log7liveeu": {"Of": "live-eu/7"},
            "Other": {"Ref": "Stage"},
        });
        assert_eq!(of(&template).expect("loops")["Resources"], expected);
    }

    #[test]
    fn what_is_no_loop_or_runs_on_aws_only_is_refused() {
        let many: Vec<usize> = (0..100).collect();
        let inner = json!(["B", many, {"K${A}x${B}": 1}]);
        for (template, expected) in [
            (
                json!({"Resources": {"Fn::ForEach::X": ["A", ["b"]]}}),
                "Resources.Fn::ForEach::X should be [IDENTIFIER, LIST, {\"KEY${IDENTIFIER}\": …}]",
            ),
            (
                json!({"Resources": {"Fn::ForEach::X": ["A", ["b", "c"], {"Same": 1}]}}),
                "Resources.Fn::ForEach::X makes Same twice",
            ),
            (
                json!({"Resources": {"Fn::ForEach::X": ["A", many, {"Fn::ForEach::Y": inner}]}}),
                "the loops make more than 5000 members",
            ),
            (
                json!({"Resources": {"Fn::ForEach::X": ["A", {"Ref": "Nope"}, {"K${A}": 1}]}}),
                "Resources.Fn::ForEach::X: Nope is neither a parameter nor a resource of this template",
            ),
            (
                json!({"Transform": ["AWS::Serverless-2016-10-31", "Team"]}),
                "Transform: Team runs on AWS only: take the template that CloudFormation made with it",
            ),
            (
                json!({"Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://b/k"}}}),
                "Transform: AWS::Include runs on AWS only",
            ),
        ] {
            let told = of(&template).expect_err("a refusal");
            assert!(told.contains(expected), "{told}");
        }
    }
}
