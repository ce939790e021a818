//! Jenkins' test report as JUnit XML, which other tools read. Pure.

use std::fmt::Write as _;

use crate::wire::{Case, Report, Suite};

/// The report of all suites, those of child builds included.
pub fn xml(report: &Report) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let children = report.children.iter().map(|child| &child.result);
    for suite in report
        .suites
        .iter()
        .chain(children.flat_map(|report| &report.suites))
    {
        write_suite(&mut out, suite);
    }
    out.push_str("</testsuites>\n");
    out
}

fn write_suite(out: &mut String, suite: &Suite) {
    let count = |kind: fn(&Case) -> bool| suite.cases.iter().filter(|case| kind(case)).count();
    let _ = writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{}\">",
        escaped(&suite.name),
        suite.cases.len(),
        count(is_failed),
        count(is_skipped),
        seconds(suite.duration),
    );
    for case in &suite.cases {
        write_case(out, case);
    }
    out.push_str("  </testsuite>\n");
}

fn write_case(out: &mut String, case: &Case) {
    let (class, name) = (escaped(&case.class_name), escaped(&case.name));
    let time = seconds(case.duration);
    let _ = write!(
        out,
        "    <testcase classname=\"{class}\" name=\"{name}\" time=\"{time}\""
    );
    let said = |text: &Option<String>| escaped(text.as_deref().unwrap_or_default());
    if is_failed(case) {
        let (message, stack) = (said(&case.error_details), said(&case.error_stack_trace));
        let _ = writeln!(
            out,
            "><failure message=\"{message}\">{stack}</failure></testcase>"
        );
    } else if is_skipped(case) {
        let why = said(&case.skipped_message);
        let _ = writeln!(out, "><skipped message=\"{why}\"/></testcase>");
    } else {
        out.push_str("/>\n");
    }
}

fn is_failed(case: &Case) -> bool {
    ["FAILED", "REGRESSION"].contains(&case.status.as_str())
}

fn is_skipped(case: &Case) -> bool {
    case.status == "SKIPPED"
}

fn seconds(time: Option<f64>) -> f64 {
    time.filter(|time| time.is_finite() && *time >= 0.0)
        .unwrap_or_default()
}

/// A text as XML takes it in attributes and between tags; characters that XML 1.0 does not know are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() && c < ' ' => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_written_as_junit_writes_it() {
        let report = json!({
            "suites": [{"name": "shop", "duration": 1.5, "cases": [
                {"className": "shop.CartTest", "name": "adds", "status": "PASSED", "duration": 0.25},
                {"className": "shop.CartTest", "name": "a < \"b\" & c", "status": "REGRESSION", "duration": null,
                 "errorDetails": "expected <1>\u{1b}[0m", "errorStackTrace": "at A\nat B"},
                {"className": "shop.CartTest", "name": "later", "status": "SKIPPED", "skippedMessage": null}
            ]}],
            "childReports": [{"child": {"number": 7}, "result": {"suites": [
                {"name": "child", "cases": [{"className": "c", "name": "fixed", "status": "FIXED", "duration": 1}]}
            ]}}]
        });
        let report: Report = serde_json::from_value(report).unwrap();
        assert_eq!(
            xml(&report),
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="shop" tests="3" failures="1" skipped="1" time="1.5">
    <testcase classname="shop.CartTest" name="adds" time="0.25"/>
    <testcase classname="shop.CartTest" name="a &lt; &quot;b&quot; &amp; c" time="0"><failure message="expected &lt;1&gt;[0m">at A&#10;at B</failure></testcase>
    <testcase classname="shop.CartTest" name="later" time="0"><skipped message=""/></testcase>
  </testsuite>
  <testsuite name="child" tests="1" failures="0" skipped="0" time="0">
    <testcase classname="c" name="fixed" time="1"/>
  </testsuite>
</testsuites>
"#
        );
        let empty: Report = serde_json::from_value(json!({})).unwrap();
        assert!(xml(&empty).ends_with("<testsuites>\n</testsuites>\n"));
    }
}
