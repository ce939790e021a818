//! What is taken and what is refused.

use super::*;

fn read(value: Value) -> Result<Params, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn good() -> Value {
    let arn = |kind: &str| format!("arn:aws:devicefarm:us-west-2:123456789012:{kind}:0-1");
    json!({
        "projectArn": arn("project"), "devicePoolArn": arn("devicepool"), "appType": "Android",
        "app": "out/app.apk", "testType": "APPIUM_PYTHON", "testPackage": "Tests::tests.zip"
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut all = good();
    all[name] = value;
    all
}

#[test]
fn parts_are_files_or_uploads() {
    let upload = "arn:aws:devicefarm:us-west-2:123456789012:upload:0-1/2";
    let params = read(with("testSpec", json!(upload))).unwrap();
    let file = |artifact: Option<&str>, path: &str, kind: &str| Origin::File {
        artifact: artifact.map(str::to_owned),
        path: path.into(),
        kind: kind.into(),
    };
    assert_eq!(
        params.parts,
        [
            (Part::App, file(None, "out/app.apk", "ANDROID_APP")),
            (
                Part::TestPackage,
                file(Some("Tests"), "tests.zip", "APPIUM_PYTHON_TEST_PACKAGE")
            ),
            (Part::TestSpec, Origin::Arn(upload.into())),
        ]
    );
    let mut web = with("appType", json!("Web"));
    web["testType"] = json!("APPIUM_WEB_NODE");
    web["app"] = Value::Null;
    assert_eq!(read(web).unwrap().parts.len(), 1);
}

#[test]
fn what_is_wrong_is_named() {
    let without = |name: &str| with(name, Value::Null);
    let fuzz = with("testType", json!("BUILTIN_FUZZ"));
    let many: BTreeMap<String, &str> = (0..33).map(|n| (format!("N{n}"), "x")).collect();
    for (value, want) in [
        (json!({}), "missing field `projectArn`"),
        (
            with("projectArn", json!("0-1")),
            "projectArn must be an ARN of Device Farm with :project:",
        ),
        (with("projectArn", json!(7)), "expected a string"),
        (
            without("devicePoolArn"),
            "either devicePoolArn or deviceSelection",
        ),
        (
            with("deviceSelection", json!({})),
            "either devicePoolArn or deviceSelection",
        ),
        (
            with("devicePoolArn", json!("pool")),
            "devicePoolArn must be an ARN",
        ),
        (with("appType", json!("Windows")), "unknown variant"),
        (without("app"), "app must be given for Android and iOS"),
        (with("app", json!("app.ipa")), "app must end with .apk"),
        (
            with("app", json!("/etc/app.apk")),
            "app must be an upload's ARN, or PATH",
        ),
        (
            with("app", json!("x".repeat(1025))),
            "app must be an upload's ARN, or PATH",
        ),
        (
            with("app", json!("arn:aws:s3:::planted")),
            "app must be an ARN of Device Farm with :upload:",
        ),
        (
            with("testType", json!("CALABASH")),
            "testType must be one of BUILTIN_FUZZ",
        ),
        (
            with("testType", json!("APPIUM_WEB_NODE")),
            "testType and appType do not fit",
        ),
        (with("appType", json!("Web")), "a Web run has no app"),
        (
            without("testPackage"),
            "testPackage must be given for APPIUM_PYTHON",
        ),
        (fuzz, "BUILTIN_FUZZ has none"),
        (
            with("timeoutMinutes", json!(1441)),
            "timeoutMinutes must be from 1 to 1440",
        ),
        (
            with("jobTimeoutMinutes", json!(151)),
            "jobTimeoutMinutes must be from 1 to 150",
        ),
        (
            with("environment", json!({"1A": "x"})),
            "environment must be at most 32",
        ),
        (
            with("environment", json!(many)),
            "environment must be at most 32",
        ),
        (
            with("environment", json!({"A": ""})),
            "environment must be at most 32",
        ),
        (
            with("configuration", json!("planted")),
            "expected a JSON object",
        ),
        (with("recordVideo", json!("maybe")), "expected a boolean"),
        (with("planted", json!(1)), "unknown field `planted`"),
    ] {
        let error = read(value.clone()).unwrap_err();
        assert!(error.contains(want), "{want}: {error}");
    }
}
