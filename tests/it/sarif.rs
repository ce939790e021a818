//! What `check --output sarif` prints is valid by the schema of SARIF, as Microsoft's package carries it.

use std::{fs, process::Command};

use harness::{
    process::{client, finish, shown},
    workspace::{root, stagewright},
};
use serde_json::Value;

const VALIDATE: &str = "
import json, sys
from jsonschema import Draft7Validator
schema, log = (json.load(open(name)) for name in sys.argv[1:])
problems = [f'{list(e.absolute_path)}: {e.message}' for e in Draft7Validator(schema).iter_errors(log)]
sys.exit('\\n'.join(problems) or 0)
";

#[test]
fn findings_are_valid_sarif() {
    let folder = root().join("tests/scenarios/check-sarif");
    let arguments = ["check", "pipeline.yaml", "--output", "sarif"];
    let output = finish(
        Command::new(stagewright())
            .args(arguments)
            .current_dir(folder),
    );
    let log: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert!(results.len() > 3, "{log:#}");
    let schema = root().join("target/clients/specs/sarif-2.1.0-rtm.5.json");
    let Some(python) = client("python3").filter(|_| schema.exists()) else {
        eprintln!(
            "SKIPPED: the schema of SARIF is not installed under target/clients (`make test` installs it where npm is)"
        );
        return;
    };
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), log.to_string()).expect("written");
    let valid = finish(
        Command::new(python)
            .args(["-c", VALIDATE])
            .arg(&schema)
            .arg(file.path()),
    );
    assert!(valid.status.success(), "{}", shown(&valid));
}
