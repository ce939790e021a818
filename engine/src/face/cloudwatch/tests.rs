//! The protocols, and what a face with alarms says in each of them. Real clients come in the system tests.

use serde_json::{Value, json};

use super::*;

fn form(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn a_query_is_read_as_the_json_it_stands_for() {
    let call = form(&[
        ("Action", "PutMetricAlarm"),
        ("Version", "2010-08-01"),
        ("AlarmName", "5"),
        ("Threshold", "0.5"),
        ("Period", "60"),
        ("ActionsEnabled", "true"),
        ("AlarmActions.member.1", "arn:a"),
        ("AlarmActions.member.2", "arn:b"),
        ("Dimensions.member.1.Name", "n"),
        ("Dimensions.member.1.Value", "7"),
        ("Metrics.member.1.MetricStat.Metric.MetricName", "m"),
    ]);
    let expected = json!({
        "AlarmName": "5", "Threshold": 0.5, "Period": 60, "ActionsEnabled": true,
        "AlarmActions": ["arn:a", "arn:b"],
        "Dimensions": [{"Name": "n", "Value": "7"}],
        "Metrics": [{"MetricStat": {"Metric": {"MetricName": "m"}}}],
    });
    assert_eq!(query::read(&call), Ok(expected));
    for bad in [
        ("Period", "soon"),
        ("ActionsEnabled", "yes"),
        ("AlarmNames.member.2", "b"),
        ("AlarmNames.member.0", "b"),
        ("a.b.c.d.e.f.g.h.i", "b"),
    ] {
        let fault = query::read(&form(&[("AlarmName", "1"), bad]));
        assert!(
            fault.is_err_and(|fault| fault.code == "MalformedInput"),
            "{bad:?}"
        );
    }
    assert!(query::read(&form(&[("A", "1"), ("A.B", "2")])).is_err());
}

#[test]
fn replies_are_written_in_each_protocol() {
    let reply = json!({"MetricAlarms": [{"AlarmName": "a<b", "Threshold": 0.5, "Period": 60, "ActionsEnabled": true, "StateUpdatedTimestamp": 1.25}]});
    let text = query::write("DescribeAlarms", &reply, "id");
    let alarm = "<MetricAlarms><member><AlarmName>a&lt;b</AlarmName><Threshold>0.5</Threshold><Period>60</Period><ActionsEnabled>true</ActionsEnabled><StateUpdatedTimestamp>1970-01-01T00:00:01.250Z</StateUpdatedTimestamp></member></MetricAlarms>";
    // members come in no certain order
    assert_eq!(text.len(), "<DescribeAlarmsResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\"><DescribeAlarmsResult></DescribeAlarmsResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DescribeAlarmsResponse>".len() + alarm.len(), "{text}");
    assert!(
        text.contains("<StateUpdatedTimestamp>1970-01-01T00:00:01.250Z<"),
        "{text}"
    );
    assert!(text.contains("<AlarmName>a&lt;b<"), "{text}");
    assert!(!query::write("DeleteAlarms", &json!({}), "id").contains("Result>"));

    let bytes = cbor::write(&reply);
    assert_eq!(cbor::read(&bytes), Ok(reply));
    let tagged = b"StateUpdatedTimestamp\xc1\xfb";
    assert!(bytes.windows(tagged.len()).any(|part| part == tagged));
}

#[test]
fn cbor_is_read_in_all_its_forms() {
    for (bytes, expected) in [
        (&b""[..], Some(json!({}))),
        (b"\xa1\x61a\x01", Some(json!({"a": 1}))),
        // of no announced length
        (
            b"\xbf\x61a\x9f\x01\x20\xff\xff",
            Some(json!({"a": [1, -1]})),
        ),
        (b"\xa1\x7f\x61a\x61b\xff\xf5", Some(json!({"ab": true}))),
        (
            b"\xa1\x61a\xfb\x3f\xe0\x00\x00\x00\x00\x00\x00",
            Some(json!({"a": 0.5})),
        ),
        (b"\xa1\x61a\xf6", Some(json!({"a": null}))),
        (b"\xa1\x61a", None),
        (b"\xa1\x01\x01", None),
        (b"\xa1\x61a\x41\x00", None),
        (b"\xff", None),
        (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", None),
        (&[0x81; 64], None),
    ] {
        assert_eq!(cbor::read(bytes).ok(), expected, "{bytes:02x?}");
    }
}

#[test]
fn what_no_alarm_can_be_made_of_is_refused() {
    let good = json!({"AlarmName": "a", "MetricName": "m", "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 1});
    assert!(put(&good).is_ok());
    for (without, says) in [
        ("MetricName", "MetricName and Metrics"),
        ("EvaluationPeriods", "'evaluationPeriods'"),
        ("ComparisonOperator", "'comparisonOperator'"),
        ("Threshold", "'threshold'"),
    ] {
        let mut request = good.clone();
        request.as_object_mut().unwrap().remove(without);
        let fault = put(&request).unwrap_err();
        assert_eq!(
            (fault.status, fault.code.as_str()),
            (400, "ValidationError")
        );
        assert!(fault.message.contains(says), "{}", fault.message);
    }
    let long = "a".repeat(256);
    for (request, says) in [
        (json!({}), "must not be null"),
        (json!({"AlarmName": ""}), "greater than or equal to 1"),
        (json!({"AlarmName": long}), "less than or equal to 255"),
        (json!({"AlarmName": 7}), "not a string"),
    ] {
        let fault = name(&request, "AlarmName").unwrap_err();
        assert!(fault.message.contains(says), "{}", fault.message);
    }
    let many: Vec<Value> = (0..101).map(|n| json!(n.to_string())).collect();
    assert!(texts(&json!({"AlarmNames": many}), "AlarmNames").is_err());
}

#[test]
fn a_refusal_carries_the_code_of_the_query_protocol() {
    let fault = || Fault::new(404, "ResourceNotFound", "gone");
    for protocol in [Protocol::Json, Protocol::Cbor] {
        let response = refuse(protocol, fault());
        let code = response.headers().get("x-amzn-query-error");
        assert_eq!(code.unwrap(), "ResourceNotFound;Sender");
        assert_eq!(response.status(), 404);
    }
}
