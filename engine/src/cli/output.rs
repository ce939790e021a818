//! Which lines of a build or function a person wants to see while it runs; the log keeps all. Pure.

use serde_json::Value;

/// CodeBuild's own remarks.
const CONTAINER: &str = "[Container] ";
/// Lambda's own remarks.
const LAMBDA: [&str; 3] = ["START RequestId: ", "END RequestId: ", "REPORT RequestId: "];

/// The line as it is shown, or nothing: commands as `$ command` (of a batch with the build's name), warnings of functions as their message.
pub fn worth_showing(line: &str) -> Option<String> {
    let (build, remark) = match line.split_once(": ") {
        Some((build, rest)) if rest.starts_with(CONTAINER) => (format!("{build}: "), rest),
        _ => (String::new(), line),
    };
    if let Some(remark) = remark.strip_prefix(CONTAINER) {
        return remark
            .split_once("Running command ")
            .map(|(_, command)| format!("{build}$ {command}"));
    }
    if LAMBDA.iter().any(|start| line.starts_with(start)) {
        return None;
    }
    if let Some(object) = line
        .starts_with('{')
        .then(|| serde_json::from_str::<Value>(line).ok())
        .flatten()
        && let (Some(level), Some(message)) = (object["level"].as_str(), object["message"].as_str())
    {
        let matters = matches!(level, "WARN" | "ERROR" | "FATAL");
        return matters.then(|| format!("{}: {message}", level.to_lowercase()));
    }
    Some(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_commands_output_and_warnings() {
        let cases = [
            (
                "[Container] 2026/11/23 05:51:07 Running command sh build.sh",
                Some("$ sh build.sh"),
            ),
            ("[Container] 2026/11/23 05:51:07 Entering phase BUILD", None),
            (
                "lib: [Container] 2026/11/23 05:51:07 Running command make",
                Some("lib: $ make"),
            ),
            (
                "lib: [Container] 2026/11/23 05:51:07 Entering phase BUILD",
                None,
            ),
            ("lib: built", Some("lib: built")),
            ("START RequestId: 1 Version: $LATEST", None),
            (r#"{"level":"INFO","message":"the job is reported"}"#, None),
            (
                r#"{"level":"ERROR","message":"no table"}"#,
                Some("error: no table"),
            ),
            (r#"{"some":"output"}"#, Some(r#"{"some":"output"}"#)),
            ("built index.html", Some("built index.html")),
        ];
        for (line, expected) in cases {
            assert_eq!(worth_showing(line).as_deref(), expected, "{line}");
        }
    }
}
