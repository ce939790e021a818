//! Patterns against events, and texts that are no patterns.

use serde_json::{Value, json};

use super::Pattern;

fn event() -> Value {
    json!({
        "version": "0", "source": "aws.codepipeline", "account": "123456789012", "region": "eu-west-1",
        "detail-type": "CodePipeline Action Execution State Change",
        "resources": ["arn:aws:codepipeline:eu-west-1:123456789012:shop", "arn:second"],
        "detail": {
            "pipeline": "Shop", "state": "FAILED", "version": 4.0, "count": 300, "price": -1.5, "big": 123456789012_i64,
            "empty": "", "nothing": null, "yes": true, "list": [], "numbers": [1, 20],
            "ip": "10.0.1.7", "ip6": "2001:db8::7", "file": "src/lib/a.rs", "star": "a*b\\c",
            "result": {"error-code": "JobFailed"},
            "parts": [{"name": "a", "size": 1}, {"name": "b", "size": 2}, {"other": true}],
            "deep": [[{"x": "y"}], ["z"]]
        }
    })
}

/// What a field of `detail` is compared with, and whether it fits.
#[test]
fn conditions_of_a_field() {
    for (field, conditions, fits) in [
        // exact values
        ("state", json!(["FAILED"]), true),
        ("state", json!(["STARTED", "FAILED"]), true),
        ("state", json!(["failed"]), false),
        ("state", json!(["FAIL"]), false),
        ("state", json!([{"exactly": "FAILED"}]), true),
        ("gone", json!(["FAILED"]), false),
        ("count", json!([300]), true),
        ("count", json!([3.0e2]), true),
        ("count", json!(["300"]), false),
        ("version", json!([4]), true),
        ("big", json!([123456789012_i64]), true),
        ("big", json!([123456789013_i64]), false),
        ("yes", json!([true]), true),
        ("yes", json!([false]), false),
        ("yes", json!(["true"]), false),
        // null and the empty text are values
        ("nothing", json!([null]), true),
        ("gone", json!([null]), false),
        ("empty", json!([null]), false),
        ("empty", json!([""]), true),
        // arrays: any element
        ("numbers", json!([20]), true),
        ("numbers", json!([2]), false),
        ("list", json!(["x"]), false),
        // prefix, suffix, case
        ("state", json!([{"prefix": "FA"}]), true),
        ("state", json!([{"prefix": "fa"}]), false),
        (
            "state",
            json!([{"prefix": {"equals-ignore-case": "fa"}}]),
            true,
        ),
        ("state", json!([{"suffix": "LED"}]), true),
        ("state", json!([{"suffix": "led"}]), false),
        (
            "state",
            json!([{"suffix": {"equals-ignore-case": "lEd"}}]),
            true,
        ),
        ("state", json!([{"equals-ignore-case": "fAiled"}]), true),
        ("state", json!([{"equals-ignore-case": "fail"}]), false),
        ("count", json!([{"prefix": "3"}]), false),
        ("empty", json!([{"prefix": ""}]), true),
        // anything-but
        ("state", json!([{"anything-but": "STARTED"}]), true),
        ("state", json!([{"anything-but": "FAILED"}]), false),
        (
            "state",
            json!([{"anything-but": ["STARTED", "FAILED"]}]),
            false,
        ),
        (
            "state",
            json!([{"anything-but": ["STARTED", "SUCCEEDED"]}]),
            true,
        ),
        ("count", json!([{"anything-but": 300}]), false),
        ("count", json!([{"anything-but": [100, 200]}]), true),
        ("count", json!([{"anything-but": "300"}]), true),
        ("state", json!([{"anything-but": {"prefix": "FA"}}]), false),
        ("state", json!([{"anything-but": {"prefix": "ST"}}]), true),
        (
            "state",
            json!([{"anything-but": {"prefix": ["ST", "FA"]}}]),
            false,
        ),
        ("state", json!([{"anything-but": {"suffix": "ED"}}]), false),
        ("state", json!([{"anything-but": {"suffix": "ING"}}]), true),
        (
            "state",
            json!([{"anything-but": {"equals-ignore-case": "failed"}}]),
            false,
        ),
        (
            "state",
            json!([{"anything-but": {"equals-ignore-case": ["x", "y"]}}]),
            true,
        ),
        (
            "file",
            json!([{"anything-but": {"wildcard": "*/lib/*"}}]),
            false,
        ),
        (
            "file",
            json!([{"anything-but": {"wildcard": ["*/bin/*", "*.py"]}}]),
            true,
        ),
        ("gone", json!([{"anything-but": "x"}]), false),
        ("numbers", json!([{"anything-but": 1}]), true),
        ("numbers", json!([{"anything-but": [1, 20]}]), false),
        // exists
        ("state", json!([{"exists": true}]), true),
        ("state", json!([{"exists": false}]), false),
        ("gone", json!([{"exists": false}]), true),
        ("gone", json!([{"exists": true}]), false),
        ("nothing", json!([{"exists": true}]), true),
        ("list", json!([{"exists": false}]), true),
        ("result", json!([{"exists": true}]), false),
        ("gone", json!(["x", {"exists": false}]), true),
        // numeric
        ("count", json!([{"numeric": ["=", 300]}]), true),
        ("count", json!([{"numeric": [">", 299.9]}]), true),
        ("count", json!([{"numeric": [">", 300]}]), false),
        ("count", json!([{"numeric": [">=", 300]}]), true),
        ("count", json!([{"numeric": ["<", 300]}]), false),
        ("count", json!([{"numeric": ["<=", 300]}]), true),
        ("price", json!([{"numeric": [">", -2, "<", -1]}]), true),
        ("count", json!([{"numeric": [">=", 0, "<", 300]}]), false),
        ("state", json!([{"numeric": [">", 0]}]), false),
        ("numbers", json!([{"numeric": [">", 10]}]), true),
        // wildcard
        ("file", json!([{"wildcard": "src/*.rs"}]), true),
        ("file", json!([{"wildcard": "*/lib/*"}]), true),
        ("file", json!([{"wildcard": "src/lib/a.rs*"}]), true),
        ("file", json!([{"wildcard": "src/*/b.rs"}]), false),
        ("file", json!([{"wildcard": "src/lib/a.r*rs"}]), false),
        ("file", json!([{"wildcard": "src"}]), false),
        ("star", json!([{"wildcard": "a\\*b\\\\c"}]), true),
        ("file", json!([{"wildcard": "src\\*"}]), false),
        // cidr
        ("ip", json!([{"cidr": "10.0.0.0/16"}]), true),
        ("ip", json!([{"cidr": "10.1.0.0/16"}]), false),
        ("ip", json!([{"cidr": "10.0.1.7/32"}]), true),
        ("ip", json!([{"cidr": "0.0.0.0/0"}]), true),
        ("ip6", json!([{"cidr": "2001:db8::/32"}]), true),
        ("ip6", json!([{"cidr": "::/0"}]), true),
        ("ip6", json!([{"cidr": "0.0.0.0/0"}]), false),
        ("state", json!([{"cidr": "10.0.0.0/8"}]), false),
        // one of several
        (
            "count",
            json!(["x", {"numeric": ["<", 5]}, {"anything-but": [1]}]),
            true,
        ),
    ] {
        let pattern = json!({"detail": {field: conditions}}).to_string();
        let compiled = Pattern::compile(&pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        assert_eq!(compiled.matches(&event()), fits, "{pattern}");
    }
}

#[test]
fn whole_patterns() {
    for (pattern, fits) in [
        (
            json!({"source": ["aws.codepipeline"], "detail": {"state": ["FAILED"]}}),
            true,
        ),
        (
            json!({"source": ["aws.s3"], "detail": {"state": ["FAILED"]}}),
            false,
        ),
        (json!({"resources": [{"suffix": ":shop"}]}), true),
        (
            json!({"detail": {"result": {"error-code": ["JobFailed"]}}}),
            true,
        ),
        (
            json!({"detail": {"state": {"error-code": ["JobFailed"]}}}),
            false,
        ),
        (
            json!({"detail": {"gone": {"deeper": [{"exists": false}]}}}),
            true,
        ),
        (json!({"gone": {"deeper": ["x"]}}), false),
        // fields asked together stand in the same object of an array
        (
            json!({"detail": {"parts": {"name": ["a"], "size": [1]}}}),
            true,
        ),
        (
            json!({"detail": {"parts": {"name": ["a"], "size": [2]}}}),
            false,
        ),
        (
            json!({"detail": {"parts": {"name": [{"exists": false}]}}}),
            false,
        ),
        (json!({"detail": {"deep": {"x": ["y"]}}}), true),
        (json!({"detail": {"deep": ["z"]}}), true),
        // $or, beside other fields, below one, nested
        (
            json!({"$or": [{"source": ["aws.s3"]}, {"detail": {"count": [300]}}]}),
            true,
        ),
        (
            json!({"$or": [{"source": ["aws.s3"]}, {"detail": {"count": [301]}}]}),
            false,
        ),
        (
            json!({"source": ["aws.s3"], "$or": [{"region": ["eu-west-1"]}, {"account": ["1"]}]}),
            false,
        ),
        (
            json!({"detail": {"$or": [{"count": [{"numeric": [">", 1000]}]}, {"price": [{"numeric": ["<", 0]}]}]}}),
            true,
        ),
        (
            json!({"detail": {"$or": [{"count": [1]}, {"state": ["FAILED"], "$or": [{"price": [0]}, {"yes": [true]}]}]}}),
            true,
        ),
        (
            json!({"detail": {"$or": [{"count": [1]}, {"state": ["FAILED"], "$or": [{"price": [0]}, {"yes": [false]}]}]}}),
            false,
        ),
    ] {
        let compiled =
            Pattern::compile(&pattern.to_string()).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        assert_eq!(compiled.matches(&event()), fits, "{pattern}");
    }
}

#[test]
fn what_is_no_pattern_is_refused_in_awss_words() {
    for (pattern, reason) in [
        ("[]", "Filter is not an object"),
        ("{}", "Empty objects are not allowed"),
        (r#"{"a": {}}"#, "Empty objects are not allowed"),
        (r#"{"a": []}"#, "Empty arrays are not allowed"),
        (r#"{"a": "x"}"#, "\"a\" must be an object or an array"),
        (r#"{"a": 1}"#, "\"a\" must be an object or an array"),
        (
            r#"{"a": [["x"]]}"#,
            "Match value must be String, number, true, false, or null",
        ),
        (r#"{"a": [{}]}"#, "Match expression name not found"),
        (r#"{"a": [{"like": "x"}]}"#, "Unrecognized match type like"),
        (
            r#"{"a": [{"prefix": 1}]}"#,
            "prefix match pattern must be a string",
        ),
        (
            r#"{"a": [{"suffix": ["x"]}]}"#,
            "suffix match pattern must be a string",
        ),
        (
            r#"{"a": [{"prefix": {"equals-ignore-case": 1}}]}"#,
            "equals-ignore-case match pattern must be a string",
        ),
        (
            r#"{"a": [{"equals-ignore-case": null}]}"#,
            "equals-ignore-case match pattern must be a string",
        ),
        (
            r#"{"a": [{"prefix": "x", "suffix": "y"}]}"#,
            "Only one key allowed in match expression",
        ),
        (
            r#"{"a": [{"exists": "yes"}]}"#,
            "exists match pattern must be either true or false.",
        ),
        (
            r#"{"a": [{"anything-but": null}]}"#,
            "Value of anything-but must be an array or single string/number value.",
        ),
        (
            r#"{"a": [{"anything-but": [null]}]}"#,
            "Inside anything but list, start|null|boolean is not supported.",
        ),
        (
            r#"{"a": [{"anything-but": ["x", 1]}]}"#,
            "Inside anything but list, either all values are number or string, mixed type is not supported",
        ),
        (
            r#"{"a": [{"anything-but": []}]}"#,
            "Inside anything but list, either all values are number or string, mixed type is not supported",
        ),
        (
            r#"{"a": [{"anything-but": {"exists": true}}]}"#,
            "Unsupported anything-but pattern: exists",
        ),
        (
            r#"{"a": [{"anything-but": {"prefix": ""}}]}"#,
            "Null prefix/suffix not allowed",
        ),
        (
            r#"{"a": [{"numeric": 5}]}"#,
            "Value of numeric must be an array.",
        ),
        (
            r#"{"a": [{"numeric": [5]}]}"#,
            "Invalid member in numeric match: 5",
        ),
        (
            r#"{"a": [{"numeric": ["!", 5]}]}"#,
            "Unrecognized numeric range operator: !",
        ),
        (
            r#"{"a": [{"numeric": ["=", "5"]}]}"#,
            "Value of equals must be numeric",
        ),
        (
            r#"{"a": [{"numeric": [">"]}]}"#,
            "Value of > must be numeric",
        ),
        (
            r#"{"a": [{"numeric": ["<", 5, ">", 1]}]}"#,
            "Too many elements in numeric expression",
        ),
        (
            r#"{"a": [{"numeric": [">", 5, ">", 1]}]}"#,
            "Bad numeric range operator: >",
        ),
        (
            r#"{"a": [{"numeric": [">", 5, "<", 1]}]}"#,
            "Bottom must be less than top",
        ),
        (
            r#"{"a": [{"numeric": [">", 1, "<", 5, "<", 9]}]}"#,
            "Too many terms in numeric range expression",
        ),
        (
            r#"{"a": [{"numeric": [">", 6000000000]}]}"#,
            "Value must be between -5.0E9 and 5.0E9, inclusive",
        ),
        (
            r#"{"a": [{"cidr": "10.0.0.0"}]}"#,
            "Malformed CIDR, one '/' required",
        ),
        (
            r#"{"a": [{"cidr": "10.0.0.0/x"}]}"#,
            "Malformed CIDR, mask bits must be an integer",
        ),
        (
            r#"{"a": [{"cidr": "10.0.0.0/33"}]}"#,
            "Malformed CIDR, mask bits must not exceed 32",
        ),
        (
            r#"{"a": [{"cidr": "10.0.0/8"}]}"#,
            "Nonstandard IP address: 10.0.0",
        ),
        (
            r#"{"a": [{"wildcard": "a**"}]}"#,
            "Consecutive wildcard characters at pos 2",
        ),
        (
            r#"{"a": [{"wildcard": "a\\n"}]}"#,
            "Invalid escape character at pos 1",
        ),
        (
            r#"{"$or": {"a": ["x"]}}"#,
            "It must be an Array followed with $or.",
        ),
        (
            r#"{"$or": [{"a": ["x"]}]}"#,
            "There must have at least 2 Objects in $or relationship.",
        ),
        (
            r#"{"$or": [{"a": ["x"]}, "b"]}"#,
            "Only JSON object is allowed in array of $or relationship.",
        ),
        (
            r#"{"$or": [{"prefix": ["x"]}, {"b": ["x"]}]}"#,
            "prefix is Ruler reserved fieldName which cannot be used inside $or.",
        ),
    ] {
        let error = Pattern::compile(pattern).expect_err(pattern);
        assert_eq!(error.reason, reason, "{pattern}");
    }
    assert!(Pattern::compile("{\"a\": [").is_err());
    let said = Pattern::compile(r#"{"source": ["aws.health"], "detail": {}}"#).unwrap_err();
    assert_eq!(
        said.to_string(),
        r#"Event pattern is not valid. Reason: Empty objects are not allowed at [Source: (String)"{"source": ["aws.health"], "detail": {}}"; line: 1, column: 40]"#
    );
}

/// A pattern of the greatest length must not be slow whatever it says.
#[test]
fn stars_do_not_explode() {
    let stars = "*a".repeat(1_900);
    let pattern = json!({"x": [{"wildcard": stars}]}).to_string();
    assert!(pattern.len() <= 4_096);
    let compiled = Pattern::compile(&pattern).unwrap();
    let began = std::time::Instant::now();
    assert!(!compiled.matches(&json!({"x": "ab".repeat(100_000)})));
    assert!(compiled.matches(&json!({"x": "ba".repeat(1_900)})));
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}
