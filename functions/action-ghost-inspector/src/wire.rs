//! JSON as Ghost Inspector sends it. Fields that it leaves out or nulls are `None`.

use serde::Deserialize;
use serde_json::Value;

/// What wraps every answer but the xUnit report. An error comes with HTTP status 200 as well.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// `SUCCESS` or `ERROR`.
    pub code: String,
    /// What was asked for.
    #[serde(default)]
    pub data: Value,
    /// Of an error.
    pub message: Option<String>,
    /// As `VALIDATION_ERROR`.
    pub error_type: Option<String>,
}

/// A result of a suite or of a test.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunResult {
    /// 24 hexadecimal digits.
    #[serde(rename = "_id")]
    pub id: String,
    /// Of the suite or test.
    #[serde(default, alias = "testName")]
    pub name: Option<String>,
    /// `None` while it goes on, and for ever in a cancelled one.
    #[serde(default)]
    pub passing: Option<bool>,
    /// `None` without comparison.
    #[serde(default)]
    pub screenshot_compare_passing: Option<bool>,
    /// Tests.
    #[serde(default)]
    pub count_passing: Option<u64>,
    /// Tests.
    #[serde(default)]
    pub count_failing: Option<u64>,
    /// Tests without a result yet.
    #[serde(default)]
    pub count_unknown: Option<u64>,
    /// When it was asked for.
    #[serde(default)]
    pub date_created: Option<String>,
    /// When it ended; 1970 when it never ran.
    #[serde(default)]
    pub date_execution_finished: Option<String>,
    /// Milliseconds.
    #[serde(default)]
    pub execution_time: Option<f64>,
    /// What the run was given, in test results only.
    #[serde(default)]
    pub variables: Option<Value>,
}

/// One result, or one for each browser and row of data.
pub fn results(data: Value) -> Result<Vec<RunResult>, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        Many(Vec<RunResult>),
        One(Box<RunResult>),
    }
    Ok(match OneOrMany::deserialize(data)? {
        OneOrMany::Many(all) => all,
        OneOrMany::One(one) => vec![*one],
    })
}

impl RunResult {
    /// Whether the vendor says when it ended.
    pub fn has_ended(&self) -> bool {
        time(self.date_execution_finished.as_deref()).is_some()
    }

    /// When it was asked for.
    pub fn created(&self) -> Option<jiff::Timestamp> {
        time(self.date_created.as_deref())
    }

    /// A variable's value. `Some(None)`: the run shows its variables, and this one is not among them.
    ///
    /// The reference shows no example: both `{name: value}` and `[{name, value}]` are read.
    pub fn variable(&self, name: &str) -> Option<Option<&str>> {
        match self.variables.as_ref()? {
            Value::Object(map) => Some(map.get(name).and_then(Value::as_str)),
            Value::Array(all) => {
                let named = all.iter().find(|one| one["name"] == name);
                Some(named.and_then(|one| one["value"].as_str()))
            }
            _ => None,
        }
    }
}

/// A time; those of something that never was are in 1970.
fn time(text: Option<&str>) -> Option<jiff::Timestamp> {
    let time: jiff::Timestamp = text?.parse().ok()?;
    (time.as_second() > YEAR).then_some(time)
}

const YEAR: i64 = 366 * 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_result_or_many() {
        let one = json!({"_id": "a", "passing": null, "planted": {"x": 1}});
        assert_eq!(results(one.clone()).unwrap().len(), 1);
        assert_eq!(
            results(json!([one, {"_id": "b", "passing": true}]))
                .unwrap()
                .len(),
            2
        );
        assert!(results(json!({"passing": true})).is_err());
    }

    #[test]
    fn what_never_ran_never_ended() {
        let read = |date: Value| {
            results(json!({"_id": "a", "dateExecutionFinished": date})).unwrap()[0].has_ended()
        };
        assert!(read(json!("2026-01-02T03:04:05.678Z")));
        for date in [
            json!(null),
            json!("1970-01-01T00:00:00.000Z"),
            json!("soon"),
        ] {
            assert!(!read(date.clone()), "{date}");
        }
    }

    #[test]
    fn variables_are_read_in_both_shapes() {
        let of = |variables: Value| {
            results(json!({"_id": "a", "variables": variables}))
                .unwrap()
                .remove(0)
        };
        for shape in [
            json!({"cpJobId": "7"}),
            json!([{"name": "cpJobId", "value": "7"}]),
        ] {
            assert_eq!(
                of(shape.clone()).variable("cpJobId"),
                Some(Some("7")),
                "{shape}"
            );
            assert_eq!(of(shape).variable("other"), Some(None));
        }
        assert_eq!(of(json!(null)).variable("cpJobId"), None);
    }
}
