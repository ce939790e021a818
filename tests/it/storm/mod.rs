//! Kills at seeded random moments, in succession: what was promised before a kill holds after it.
//!
//! A failing seed is repeated with `STAGEWRIGHT_TEST_SEED=…`, as far as the machine's own timing allows.

use harness::http::codepipeline;
use serde_json::Value;

mod flight;
mod records;
mod run;
mod serve;

/// All pages of a list.
fn list(url: &str, operation: &str, member: &str, mut input: Value) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let answer = codepipeline(url, operation, &input).expect("an answer");
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
        let page = answer.json();
        all.extend(page[member].as_array().cloned().unwrap_or_default());
        match page.get("nextToken").and_then(Value::as_str) {
            Some(token) => input["nextToken"] = token.into(),
            None => return all,
        }
    }
}
