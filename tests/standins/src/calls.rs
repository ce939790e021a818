//! What functions ask a stand-in of AWS for, beside what they ask the engine: `STAGEWRIGHT_CALLS`, docs/configuration.md.

use std::{fs::File, io::Write as _};

use crate::Asked;

/// The session token of a function's role under the engine.
const ROLE: &str = "function-role/";

/// Adds a signed request of a function's role to the file.
pub fn note(asked: &Asked) {
    let Some(line) = line(asked) else {
        return;
    };
    if let Some(file) = std::env::var_os("STAGEWRIGHT_CALLS") {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(file)
            .expect("the file of calls");
        file.write_all(line.as_bytes()).expect("a line of calls");
    }
}

fn line(asked: &Asked) -> Option<String> {
    let function = asked.header("x-amz-security-token")?.strip_prefix(ROLE)?;
    // Credential=KEY/DAY/REGION/SERVICE/aws4_request
    let (_, scope) = asked.header("authorization")?.split_once("Credential=")?;
    let service = match scope.split('/').nth(3)? {
        "monitoring" => "cloudwatch",
        service => service,
    };
    let target = asked.header("x-amz-target");
    let operation = match target.and_then(|target| target.split_once('.')) {
        Some((_, operation)) => operation.to_owned(),
        None => match asked.path.split_once("/operation/") {
            Some((_, operation)) => operation.to_owned(),
            None => format!("{} {}", asked.method, asked.path),
        },
    };
    Some(format!("{function} {service}:{operation}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roles_request_is_told_and_nobody_elses() {
        let asked = |token: &str| {
            let headers = [
                ("x-amz-security-token", token),
                (
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=A/20260101/eu-west-1/monitoring/aws4_request, Signature=0",
                ),
                (
                    "x-amz-target",
                    "GraniteServiceVersion20100801.DescribeAlarms",
                ),
            ];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
            Asked::new("POST", "/", headers.to_vec(), Vec::new())
        };
        assert_eq!(
            line(&asked("function-role/action-gate")).as_deref(),
            Some("action-gate cloudwatch:DescribeAlarms\n")
        );
        assert_eq!(line(&asked("somebody's")), None);
    }
}
