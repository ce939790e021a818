//! What is found in templates of SAM and plain ones.

use serde_json::json;

use super::*;

fn of(template: &Value) -> Found {
    let choice = Choice {
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
        ..Choice::default()
    };
    found(template, &choice).unwrap()
}

#[test]
fn what_a_sam_template_defines_is_found() {
    let template = json!({
        "Globals": {"Function": {"Runtime": "python3.11", "CodeUri": "src/"}},
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {
            "Site": {"Type": "AWS::S3::Bucket", "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}},
            "Gone": {"Type": "AWS::S3::Bucket", "Condition": "Never"},
            "Told": {"Type": "AWS::SNS::Topic", "Properties": {"Subscription": [{"Protocol": "email", "Endpoint": "dana@example.com"}]}},
            "More": {"Type": "AWS::SNS::Subscription", "Properties": {"TopicArn": {"Ref": "Told"}, "Protocol": "lambda", "Endpoint": {"Fn::GetAtt": ["Check", "Arn"]}}},
            "Check": {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "app.handler", "Timeout": 30,
                "Environment": {"Variables": {"SITE": {"Ref": "Site"}, "LEVEL": 3}}}},
            "Build": {"Type": "AWS::CodeBuild::Project", "Properties": {"Source": {"BuildSpec": "{\"version\": 0.2}"},
                "Environment": {"Image": "node:20", "EnvironmentVariables": [{"Name": "A", "Value": {"Ref": "AWS::Region"}}, {"Name": "S", "Type": "SECRETS_MANAGER", "Value": "x"}, {"Name": "V", "Type": "VAULT", "Value": "x"}]}, "Cache": {"Type": "LOCAL"}}},
            "Machine": {"Type": "AWS::Serverless::StateMachine", "Properties": {"Type": "EXPRESS", "DefinitionUri": "m.asl.json",
                "DefinitionSubstitutions": {"Check": {"Fn::GetAtt": ["Check", "Arn"]}}}},
            "Wild": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::ImportValue": "x"}}},
        }
    });
    let all = of(&template);
    assert!(all.buckets["stagewright-site"].versioned);
    assert_eq!(all.buckets.len(), 1, "a condition that does not hold");
    let told = [("email", "dana@example.com"), ("lambda", "Check")];
    let told = told.map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(all.topics["Told"], told);
    let check = &all.functions["Check"];
    assert_eq!(check.code, Code::Folder("src/".to_owned()));
    assert_eq!(
        (check.runtime.as_str(), check.timeout_seconds),
        ("python3.11", 30)
    );
    assert_eq!(check.environment["SITE"], "stagewright-site");
    assert_eq!(check.environment["LEVEL"], "3");
    let build = &all.builds["Build"];
    assert_eq!(build.buildspec.as_deref(), Some("{\"version\": 0.2}\n"));
    assert_eq!(build.environment["A"], "eu-west-1");
    assert_eq!(build.image.as_deref(), Some("node:20"));
    assert_eq!(
        (build.secrets_manager["S"].as_str(), build.cache),
        ("x", true)
    );
    let Definition::File(file, by) = &all.machines["Machine"].definition else {
        panic!("a file")
    };
    assert_eq!(file, "m.asl.json");
    assert_eq!(
        by["Check"],
        "arn:aws:lambda:eu-west-1:123456789012:function:Check"
    );
    assert!(all.machines["Machine"].express);
    let notes = all.notes.join("\n");
    assert!(
        notes.contains("Wild is left out: ") && notes.contains("V of type VAULT"),
        "{notes}"
    );
}

#[test]
fn code_and_definitions_of_a_plain_template_are_found() {
    let template = json!({"Resources": {
        "F": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "check", "Runtime": "nodejs20.x", "Handler": "index.handler", "Code": {"ZipFile": "x"}}},
        "Asset": {"Type": "AWS::Lambda::Function", "Metadata": {"aws:asset:path": "asset.1"}, "Properties": {"Code": {"S3Bucket": "b", "S3Key": "k"}}},
        "Far": {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"S3Bucket": "b", "S3Key": "k"}}},
        "M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"StateMachineName": "m", "DefinitionString": {"Fn::Sub": "{\"StartAt\":\"${F}\"}"}}},
    }});
    let all = of(&template);
    assert_eq!(all.functions["check"].code, Code::Inline("x".to_owned()));
    assert_eq!(
        all.functions["Asset"].code,
        Code::Folder("asset.1".to_owned())
    );
    assert_eq!(all.functions["Far"].code, Code::Elsewhere);
    let text = Definition::Text("{\"StartAt\":\"check\"}".to_owned());
    assert_eq!(all.machines["m"].definition, text);
}
