//! What a mocked result of an integration may look like: the answers of the operations this engine knows.

use serde_json::{Map, Value};

use crate::resource::{Pattern, Resource};

/// How strict a mocked result is looked at (`fieldValidationMode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Required members are there, and what is there is of its type.
    Strict,
    /// What is there is of its type.
    Present,
    /// Anything goes.
    None,
}

enum Shape {
    Text,
    Number,
    Object(&'static [Field]),
    List(&'static [Field]),
}

struct Field {
    name: &'static str,
    required: bool,
    shape: Shape,
}

const fn must(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        required: true,
        shape,
    }
}

const fn may(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        required: false,
        shape,
    }
}

const START: [Field; 2] = [
    must("ExecutionArn", Shape::Text),
    must("StartDate", Shape::Text),
];
const DESCRIBE: [Field; 6] = [
    must("ExecutionArn", Shape::Text),
    must("StateMachineArn", Shape::Text),
    must("StartDate", Shape::Text),
    must("Status", Shape::Text),
    may("Name", Shape::Text),
    may("StopDate", Shape::Text),
];
const ENTRY: [Field; 3] = [
    may("EventId", Shape::Text),
    may("ErrorCode", Shape::Text),
    may("ErrorMessage", Shape::Text),
];
const PUT_EVENTS: [Field; 2] = [
    may("FailedEntryCount", Shape::Number),
    may("Entries", Shape::List(&ENTRY)),
];
const INVOKE: [Field; 4] = [
    may("StatusCode", Shape::Number),
    may("FunctionError", Shape::Text),
    may("LogResult", Shape::Text),
    may("ExecutedVersion", Shape::Text),
];
const PUBLISH: [Field; 2] = [
    may("MessageId", Shape::Text),
    may("SequenceNumber", Shape::Text),
];
const SEND: [Field; 5] = [
    may("MD5OfMessageBody", Shape::Text),
    may("MD5OfMessageAttributes", Shape::Text),
    may("MD5OfMessageSystemAttributes", Shape::Text),
    may("MessageId", Shape::Text),
    may("SequenceNumber", Shape::Text),
];
const CAPACITY: [Field; 4] = [
    may("TableName", Shape::Text),
    may("CapacityUnits", Shape::Number),
    may("ReadCapacityUnits", Shape::Number),
    may("WriteCapacityUnits", Shape::Number),
];
const ITEM: [Field; 1] = [may("ConsumedCapacity", Shape::Object(&CAPACITY))];

/// Members and types are those of botocore's service models, names begun with a capital letter.
fn fields(resource: &Resource) -> &'static [Field] {
    let Resource::Service {
        service,
        action,
        pattern,
    } = resource
    else {
        return &[];
    };
    match (service.as_str(), action.as_str(), pattern) {
        ("states", "startExecution", Pattern::Response)
        | ("aws-sdk:sfn", "startExecution", Pattern::Response) => &START,
        ("states", "startExecution", Pattern::Sync | Pattern::SyncJson) => &DESCRIBE,
        ("events" | "aws-sdk:eventbridge", "putEvents", Pattern::Response) => &PUT_EVENTS,
        ("lambda" | "aws-sdk:lambda", "invoke", Pattern::Response) => &INVOKE,
        ("sns" | "aws-sdk:sns", "publish", Pattern::Response) => &PUBLISH,
        ("sqs" | "aws-sdk:sqs", "sendMessage", Pattern::Response) => &SEND,
        (
            "dynamodb" | "aws-sdk:dynamodb",
            "getItem" | "putItem" | "updateItem" | "deleteItem",
            Pattern::Response,
        ) => &ITEM,
        _ => &[],
    }
}

/// What is wrong with a mocked result, in AWS's words.
pub fn fault(resource: &Resource, result: &Value, mode: Mode) -> Option<String> {
    if mode == Mode::None {
        return None;
    }
    let found = object(fields(resource), result.as_object()?, mode)?;
    Some(format!("Mock result schema validation error: {found}"))
}

fn object(fields: &[Field], value: &Map<String, Value>, mode: Mode) -> Option<String> {
    fields.iter().find_map(|field| {
        let name = field.name;
        let must_be = |what: &str| Some(format!("Field '{name}' must be {what}"));
        match (value.get(name), &field.shape) {
            (None, _) if field.required && mode == Mode::Strict => {
                Some(format!("Required field '{name}' is missing"))
            }
            (Some(Value::Object(inner)), Shape::Object(fields)) => object(fields, inner, mode),
            (Some(Value::Array(items)), Shape::List(fields)) => items
                .iter()
                .find_map(|item| object(fields, item.as_object()?, mode)),
            (None, _)
            | (Some(Value::String(_)), Shape::Text)
            | (Some(Value::Number(_)), Shape::Number) => None,
            (Some(_), Shape::Text) => must_be("a string"),
            (Some(_), Shape::Number) => must_be("a number"),
            (Some(_), Shape::Object(_)) => must_be("an object"),
            (Some(_), Shape::List(_)) => must_be("an array"),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(resource: &str, result: &Value, mode: Mode, wanted: Option<&str>) {
        let resource = format!("arn:aws:states:::{resource}").parse().unwrap();
        let found = fault(&resource, result, mode);
        let wanted = wanted.map(|w| format!("Mock result schema validation error: {w}"));
        assert_eq!(found, wanted, "{resource:?} {result}");
    }

    #[test]
    fn a_mocked_result_has_the_types_of_the_api() {
        use Mode::{None as Never, Present, Strict};
        let missing = Some("Required field 'ExecutionArn' is missing");
        check("states:startExecution", &json!({}), Strict, missing);
        check(
            "states:startExecution",
            &json!({"executionArn": "x"}),
            Strict,
            missing,
        );
        check("states:startExecution", &json!({}), Present, None);
        check("states:startExecution", &json!({}), Never, None);
        let date = json!({"ExecutionArn": "x", "StartDate": true});
        let wanted = Some("Field 'StartDate' must be a string");
        check("states:startExecution", &date, Strict, wanted);
        check("states:startExecution", &date, Present, wanted);
        check("states:startExecution", &date, Never, None);
        let second = json!({"Entries": [{"EventId": "1"}, {"EventId": 2}]});
        check(
            "events:putEvents",
            &second,
            Strict,
            Some("Field 'EventId' must be a string"),
        );
        let list = Some("Field 'Entries' must be an array");
        check("events:putEvents", &json!({"Entries": {}}), Strict, list);
        check("events:putEvents", &json!({"random": "json"}), Strict, None);
        let units = json!({"ConsumedCapacity": {"CapacityUnits": "1"}});
        let wanted = Some("Field 'CapacityUnits' must be a number");
        check("dynamodb:putItem", &units, Strict, wanted);
        check("glue:startJobRun", &json!({"JobRunId": 1}), Strict, None);
    }
}
