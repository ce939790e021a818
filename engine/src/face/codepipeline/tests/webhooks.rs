//! Webhooks through the API (`codepipeline.md` 2.2 and 8.4); their deliveries are tested over the wire.

use super::*;

fn hook(name: &str) -> Value {
    json!({
        "name": name, "targetPipeline": "shop", "targetAction": "Code",
        "filters": [{"jsonPath": "$.ref", "matchEquals": "refs/heads/{S3Bucket}"}],
        "authentication": "GITHUB_HMAC", "authenticationConfiguration": {"SecretToken": "PLANTED"},
    })
}

async fn session() -> Session {
    let mut client = Session::new();
    client
        .call("CreatePipeline", json!({"pipeline": definition()}))
        .await;
    client
}

#[tokio::test]
async fn s2_2_webhooks_are_put_listed_and_deleted() {
    let mut client = session().await;
    let tags = json!([{"key": "team", "value": "web"}]);
    let put = client
        .call("PutWebhook", json!({"webhook": hook("push"), "tags": tags}))
        .await;
    let item = &put["webhook"];
    let mut masked = hook("push");
    masked["authenticationConfiguration"]["SecretToken"] = json!("****");
    assert_eq!(item["definition"], masked);
    assert_eq!(item["tags"], tags);
    let arn = "arn:aws:codepipeline:eu-west-1:123456789012:webhook:push";
    assert_eq!(item["arn"], arn);
    let url = item["url"].as_str().unwrap();
    let key = url
        .strip_prefix("http://127.0.0.1:4599/_stagewright/webhook/")
        .unwrap();
    assert_eq!(key.len(), 32);
    assert!(item.get("errorMessage").is_none() && item.get("lastTriggered").is_none());

    // the mask that was read keeps the secret
    client.call("PutWebhook", json!({"webhook": masked})).await;
    client.desk.read(|state| {
        let kept = &state.webhooks["push"].definition.authentication;
        let engine_plan::webhook::Authentication::GithubHmac { secret_token } = kept else {
            panic!("{kept:?}");
        };
        assert_eq!(secret_token.reveal(), "PLANTED");
    });
    for name in ["a", "b"] {
        let mut open = hook(name);
        open["authentication"] = json!("UNAUTHENTICATED");
        open["authenticationConfiguration"] = json!({});
        client.call("PutWebhook", json!({"webhook": open})).await;
    }
    let first = client.call("ListWebhooks", json!({"MaxResults": 2})).await;
    assert_eq!(first["webhooks"].as_array().unwrap().len(), 2);
    let next = json!({"NextToken": first["NextToken"]});
    let last = client.call("ListWebhooks", next).await;
    assert_eq!(last["webhooks"][0]["url"], url);
    assert!(last.get("NextToken").is_none());

    // registering says what is to be done by hand
    let by_name = json!({"webhookName": "push"});
    let none = client
        .call("RegisterWebhookWithThirdParty", by_name.clone())
        .await;
    assert_eq!(none, json!({}));
    let listed = client.call("ListWebhooks", json!({})).await;
    let said = &listed["webhooks"][2]["errorMessage"];
    assert!(said.as_str().unwrap().contains("POST requests"), "{said}");
    client
        .call("DeregisterWebhookWithThirdParty", by_name)
        .await;
    let listed = client.call("ListWebhooks", json!({})).await;
    assert!(listed["webhooks"][2].get("errorMessage").is_none());

    let more = json!({"resourceArn": arn, "tags": [{"key": "cost", "value": "7"}]});
    client.call("TagResource", more).await;
    let less = json!({"resourceArn": arn, "tagKeys": ["team"]});
    client.call("UntagResource", less).await;
    let tags = client
        .call("ListTagsForResource", json!({"resourceArn": arn}))
        .await;
    assert_eq!(tags["tags"], json!([{"key": "cost", "value": "7"}]));
    for _ in 0..2 {
        let gone = client.call("DeleteWebhook", json!({"name": "push"})).await;
        assert_eq!(gone, json!({}));
    }
    let again = client
        .call("PutWebhook", json!({"webhook": hook("push")}))
        .await;
    assert_ne!(again["webhook"]["url"], url);
    let answers = client
        .transcript
        .lines()
        .filter(|line| !line.contains("PutWebhook {"));
    assert!(answers.into_iter().all(|line| !line.contains("PLANTED")));
}

#[tokio::test]
async fn s2_2_wrong_webhooks_are_refused() {
    let client = session().await;
    let with = |change: fn(&mut Value)| {
        let mut webhook = hook("w");
        change(&mut webhook);
        json!({"webhook": webhook})
    };
    let parameters = "InvalidWebhookAuthenticationParametersException";
    let pattern = "InvalidWebhookFilterPatternException";
    for (operation, body, exception) in [
        ("PutWebhook", json!({}), "ValidationException"),
        (
            "PutWebhook",
            with(|it| it["name"] = json!("a b")),
            "ValidationException",
        ),
        (
            "PutWebhook",
            with(|it| it["filters"] = json!([1, 2, 3, 4, 5, 6].map(|_| json!({"jsonPath": "$"})))),
            "ValidationException",
        ),
        (
            "PutWebhook",
            with(|it| it["authentication"] = json!("TOKEN")),
            "ValidationException",
        ),
        (
            "PutWebhook",
            with(|it| {
                it["authenticationConfiguration"]["SecretToken"] = json!("PLANTED".repeat(20))
            }),
            "ValidationException",
        ),
        (
            "PutWebhook",
            with(|it| it["authenticationConfiguration"] = json!({})),
            parameters,
        ),
        (
            "PutWebhook",
            with(|it| it["authenticationConfiguration"]["AllowedIPRange"] = json!("10.0.0.0/8")),
            parameters,
        ),
        (
            "PutWebhook",
            with(|it| it["authentication"] = json!("UNAUTHENTICATED")),
            parameters,
        ),
        (
            "PutWebhook",
            with(|it| {
                it["authentication"] = json!("IP");
                it["authenticationConfiguration"] = json!({"AllowedIPRange": "10.0.0.0/33"});
            }),
            parameters,
        ),
        (
            "PutWebhook",
            with(|it| it["filters"][0]["jsonPath"] = json!("ref")),
            pattern,
        ),
        (
            "PutWebhook",
            with(|it| it["filters"][0]["matchEquals"] = json!("{Branch}")),
            pattern,
        ),
        (
            "PutWebhook",
            with(|it| it["targetPipeline"] = json!("none")),
            "PipelineNotFoundException",
        ),
        (
            "PutWebhook",
            with(|it| it["targetAction"] = json!("Compile")),
            "ValidationException",
        ),
        (
            "ListWebhooks",
            json!({"NextToken": "?"}),
            "InvalidNextTokenException",
        ),
        (
            "ListWebhooks",
            json!({"MaxResults": 101}),
            "ValidationException",
        ),
        ("DeleteWebhook", json!({}), "ValidationException"),
        (
            "RegisterWebhookWithThirdParty",
            json!({}),
            "WebhookNotFoundException",
        ),
        (
            "DeregisterWebhookWithThirdParty",
            json!({"webhookName": "none"}),
            "WebhookNotFoundException",
        ),
        (
            "ListTagsForResource",
            json!({"resourceArn": "arn:aws:codepipeline:eu-west-1:123456789012:webhook:none"}),
            "ResourceNotFoundException",
        ),
        (
            "TagResource",
            json!({"resourceArn": "arn:aws:codepipeline:eu-west-1:123456789012:actionType:Custom/Build/None/1", "tags": []}),
            "ResourceNotFoundException",
        ),
    ] {
        let text = body.to_string();
        let refusal = client.ask(operation, text.as_bytes()).await.unwrap_err();
        assert_eq!(
            refusal.exception, exception,
            "{operation} {body}: {refusal}"
        );
        assert!(!refusal.message.contains("PLANTED"), "{refusal}");
    }
    assert!(client.desk.read(|state| state.webhooks.is_empty()));
}
