//! The vendors' own descriptions of their APIs judge what functions send and what stand-ins answer. Without the packages,
//! which `make test` fetches, these tests say that they are skipped.

use std::fs;

use harness::{
    connector::{Connector, Host},
    workspace::root,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use stagewright_standins::{
    Asked, Stage, StandIn,
    alexa::{Alexa, CLIENT, SKILL},
    code_host::{COMMIT, CodeHost},
};

/// A description in Swagger 2 or OpenAPI 3.
struct Judge {
    spec: Value,
    base: &'static str,
}

impl Judge {
    /// `None`, said aloud, when the package is not there.
    fn of(file: &str, base: &'static str) -> Option<Self> {
        let path = root().join("target/clients/specs").join(file);
        let Ok(text) = fs::read_to_string(path) else {
            println!("SKIPPED: {file} is not there; make test fetches it");
            return None;
        };
        let spec = serde_json::from_str(&text).expect("a description is JSON");
        Some(Self { spec, base })
    }

    fn operation(&self, method: &str, path: &str) -> Result<&Value, String> {
        let path = path.strip_prefix(self.base).unwrap_or(path);
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |template: &str| {
            let wanted: Vec<&str> = template.split('/').collect();
            let pairs = wanted.iter().zip(&parts);
            wanted.len() == parts.len()
                && pairs
                    .into_iter()
                    .all(|(want, is)| want.starts_with('{') || want == is)
        };
        let method = method.to_lowercase();
        let paths = self.spec["paths"].as_object().into_iter().flatten();
        let fixed = |template: &&String| template.matches('{').count();
        let found = paths
            .filter(|(template, about)| fits(template) && about.get(&method).is_some())
            .min_by_key(|(template, _)| fixed(template));
        found
            .map(|(_, about)| &about[&method])
            .ok_or_else(|| format!("there is no {method} {path}"))
    }

    /// What is wrong with a request.
    fn request(&self, asked: &Asked) -> Vec<String> {
        let operation = match self.operation(&asked.method, &asked.path) {
            Ok(operation) => operation,
            Err(problem) => return vec![problem],
        };
        let parameters = operation["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let parameters: Vec<Value> = parameters
            .iter()
            .map(|one| self.meant(one).clone())
            .collect();
        let mut wrong = Vec::new();
        for (name, _) in &asked.query {
            if !parameters
                .iter()
                .any(|one| one["in"] == "query" && one["name"] == *name)
            {
                wrong.push(format!("there is no query parameter {name}"));
            }
        }
        let old = parameters
            .iter()
            .find(|one| one["in"] == "body")
            .map(|one| one["schema"].clone());
        let new = &self.meant(&operation["requestBody"])["content"]["application/json"]["schema"];
        let schema = old.unwrap_or(new.clone());
        if !schema.is_null() && !asked.body.is_empty() {
            self.check(&schema, &asked.json(), "body", &mut wrong);
        }
        wrong
    }

    /// What is wrong with the answer to a request.
    fn answer(&self, asked: &Asked, status: u16, body: &[u8]) -> Vec<String> {
        let operation = match self.operation(&asked.method, &asked.path) {
            Ok(operation) => operation,
            Err(problem) => return vec![problem],
        };
        let responses = &operation["responses"];
        let Some(response) = responses.get(status.to_string()) else {
            return vec![format!("there is no status {status}")];
        };
        let response = self.meant(response);
        let new = &response["content"]["application/json"]["schema"];
        let schema = if new.is_null() {
            &response["schema"]
        } else {
            new
        };
        let mut wrong = Vec::new();
        if !schema.is_null() {
            let body = serde_json::from_slice(body).unwrap_or_default();
            self.check(schema, &body, "answer", &mut wrong);
        }
        wrong
    }

    fn meant<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"]
            .as_str()
            .and_then(|name| name.strip_prefix('#'))
        {
            Some(pointer) => self.spec.pointer(pointer).unwrap_or(&Value::Null),
            None => value,
        }
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        let schema = self.meant(schema);
        for word in ["oneOf", "anyOf"] {
            let Some(all) = schema[word].as_array() else {
                continue;
            };
            let fits = all.iter().any(|one| {
                let mut own = Vec::new();
                self.check(one, value, at, &mut own);
                own.is_empty()
            });
            if !fits {
                wrong.push(format!("{at} is none of those it may be"));
            }
        }
        for one in schema["allOf"].as_array().into_iter().flatten() {
            self.check(one, value, at, wrong);
        }
        if value.is_null() {
            return;
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => vec![],
        };
        let is = |kind: &&str| match *kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            _ => true,
        };
        if !kinds.is_empty() && !kinds.iter().any(is) {
            wrong.push(format!("{at} is no {}", kinds.join(" or ")));
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            wrong.push(format!("{at} is {value}, none of {words:?}"));
        }
        if let (Some(most), Some(text)) = (schema["maxLength"].as_u64(), value.as_str())
            && text.chars().count() as u64 > most
        {
            wrong.push(format!("{at} is longer than {most}"));
        }
        // Stand-ins answer what functions read; requests must be whole.
        let required = schema["required"]
            .as_array()
            .filter(|_| at.starts_with("body"));
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            // What tells kinds of objects apart is in answers; Bitbucket's own examples do not send it.
            if value.get(name).is_none() && schema["discriminator"]["propertyName"] != name {
                wrong.push(format!("{at} lacks {name}"));
            }
        }
        for (name, member) in value.as_object().into_iter().flatten() {
            if let Some(known) = schema["properties"].get(name) {
                self.check(known, member, &format!("{at}.{name}"), wrong);
            }
        }
        for item in value.as_array().into_iter().flatten() {
            self.check(&schema["items"], item, &format!("{at}[]"), wrong);
        }
    }
}

/// What the judge says of all requests that came to a stage.
fn requests<S: StandIn>(judge: &Judge, stage: &Stage<S>, part: &str) {
    let records = stage.records();
    let ours: Vec<&Asked> = records
        .iter()
        .map(|record| &record.asked)
        .filter(|asked| asked.path.contains(part))
        .collect();
    assert!(!ours.is_empty(), "nothing came to {part}");
    for asked in ours {
        assert_eq!(judge.request(asked), Vec::<String>::new(), "{asked:?}");
    }
}

/// Asks a stand-in and gives its answer to the judge.
fn answers(judge: &Judge, stand_in: &mut impl StandIn, asked: &Asked, status: u16, now: Timestamp) {
    let reply = stand_in.handle(asked, now);
    let said = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(reply.status, status, "{asked:?}: {said}");
    let wrong = judge.answer(asked, reply.status, &reply.body);
    assert_eq!(wrong, Vec::<String>::new(), "{asked:?}: {said}");
}

fn asked(method: &str, path: &str, token: &str, body: &Value) -> Asked {
    let headers = [
        ("authorization", format!("Bearer {token}")),
        ("user-agent", "judge".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value));
    Asked::new(method, path, headers.into(), body.to_string().into_bytes())
}

#[test]
fn skill_management_is_as_its_model_says() {
    let Some(judge) = Judge::of("spec.json", "") else {
        return;
    };
    let vendor = Stage::<Alexa>::default().serve();
    vendor
        .stage
        .with(|vendor| vendor.takes = jiff::SignedDuration::from_millis(100));
    let connector = Connector::of("action-alexa-skill")
        .secret("client", "planted-client")
        .secret("refresh", "planted-refresh")
        .file("skill.json", "{}")
        .start();
    let parameters = json!({
        "skillId": SKILL, "clientId": CLIENT, "clientSecret": "ssm:client", "refreshToken": "ssm:refresh", "certify": true,
        "baseUrl": vendor.url, "tokenUrl": format!("{}/auth/o2/token", vendor.url)
    });
    let ended = connector.play(Host::Task, &parameters);
    assert!(ended.succeeded(), "{ended:?}");
    requests(&judge, &vendor.stage, "/v1/skills");

    let now = Timestamp::UNIX_EPOCH;
    let later = now + jiff::SignedDuration::from_mins(2);
    let mut alexa = Alexa::default();
    alexa.tokens.push(("t".to_owned(), Timestamp::MAX));
    alexa.uploads.insert("u".to_owned(), b"PK".to_vec());
    let import = json!({"location": "https://x.example.com/signed/u?X-Amz-Signature=s"});
    let imports = format!("/v1/skills/{SKILL}/imports");
    let status = "/v1/skills/imports/amzn1.ask-package.import.0";
    for (method, path, token, body, code, when) in [
        ("POST", "/v1/skills/uploads", "t", &Value::Null, 201, now),
        ("POST", "/v1/skills/uploads", "old", &Value::Null, 401, now),
        ("POST", &imports, "t", &import, 202, now),
        ("POST", &imports, "t", &import, 409, now),
        ("POST", &imports, "t", &json!({"location": "x"}), 400, now),
        ("GET", status, "t", &Value::Null, 200, now),
        ("GET", status, "t", &Value::Null, 200, later),
        (
            "GET",
            "/v1/skills/imports/none",
            "t",
            &Value::Null,
            404,
            now,
        ),
        (
            "POST",
            &format!("/v1/skills/{SKILL}/submit"),
            "t",
            &json!({}),
            202,
            now,
        ),
        (
            "POST",
            &format!("/v1/skills/{SKILL}/submit"),
            "t",
            &json!({}),
            400,
            now,
        ),
    ] {
        answers(
            &judge,
            &mut alexa,
            &asked(method, path, token, body),
            code,
            when,
        );
    }
}

#[test]
fn github_is_as_its_description_says() {
    let file = "api.github.com.json";
    let Some(judge) = Judge::of(file, "") else {
        return;
    };
    let vendor = Stage::new(CodeHost::with(COMMIT)).serve();
    let connector = Connector::of("action-commit-status")
        .secret("token", "planted-token")
        .start();
    for provider in ["github", "github-check"] {
        let ended = connector.play(Host::Task, &json!({
            "provider": provider, "repository": "shop/site", "commit": COMMIT, "state": "failure", "token": "ssm:token",
            "targetUrl": "https://ci.example.com/7", "description": "x".repeat(200), "baseUrl": vendor.url
        }));
        assert!(ended.succeeded(), "{ended:?}");
    }
    requests(&judge, &vendor.stage, "/repos");

    let mut host = CodeHost::with(COMMIT);
    let status = format!("/repos/shop/site/statuses/{COMMIT}");
    let runs = format!("/repos/shop/site/commits/{COMMIT}/check-runs?check_name=ci&filter=all");
    let run =
        json!({"name": "ci", "head_sha": COMMIT, "external_id": "k", "status": "in_progress"});
    for (method, path, body, code) in [
        (
            "POST",
            status.as_str(),
            &json!({"state": "success", "context": "ci"}),
            201,
        ),
        ("POST", "/repos/shop/site/check-runs", &run, 201),
        ("GET", &runs, &Value::Null, 200),
        (
            "PATCH",
            "/repos/shop/site/check-runs/9000000000",
            &json!({"status": "completed", "conclusion": "success"}),
            200,
        ),
    ] {
        answers(
            &judge,
            &mut host,
            &asked(method, path, "planted-token", body),
            code,
            Timestamp::UNIX_EPOCH,
        );
    }
}

#[test]
fn a_judge_finds_what_is_wrong() {
    let Some(judge) = Judge::of("api.github.com.json", "") else {
        return;
    };
    let status = format!("/repos/shop/site/statuses/{COMMIT}");
    let request = |path: &str, body: Value| judge.request(&asked("POST", path, "t", &body));
    assert_eq!(request(&status, json!({})), ["body lacks state"]);
    let green = request(&status, json!({"state": "green", "context": 7}));
    assert_eq!(green.len(), 2, "{green:?}");
    assert_eq!(
        request("/repos/shop", json!({})),
        ["there is no post /repos/shop"]
    );
    let query = request(&format!("{status}?a=b"), json!({"state": "error"}));
    assert_eq!(query, ["there is no query parameter a"]);
    let list = format!("/repos/shop/site/commits/{COMMIT}/check-runs");
    let answer = |body: &str| {
        judge.answer(
            &asked("GET", &list, "t", &Value::Null),
            200,
            body.as_bytes(),
        )
    };
    let mut wrong = answer(r#"{"total_count": "1", "check_runs": [{"id": "x"}]}"#);
    // the order of a map's members is not the judge's
    wrong.sort();
    assert_eq!(
        wrong,
        [
            "answer.check_runs[].id is no integer",
            "answer.total_count is no integer"
        ]
    );
}

#[test]
fn bitbucket_is_as_its_description_says() {
    let Some(judge) = Judge::of("bitbucket.org.json", "/2.0") else {
        return;
    };
    let vendor = Stage::new(CodeHost::with(COMMIT)).serve();
    let connector = Connector::of("action-commit-status")
        .secret("token", "planted-token")
        .start();
    let ended = connector.play(Host::Task, &json!({
        "provider": "bitbucket", "repository": "shop/site", "commit": COMMIT, "state": "stopped", "token": "ssm:token",
        "targetUrl": "https://ci.example.com/7", "baseUrl": format!("{}/2.0", vendor.url)
    }));
    assert!(ended.succeeded(), "{ended:?}");
    requests(&judge, &vendor.stage, "/2.0");

    let mut host = CodeHost::with(COMMIT);
    let good =
        json!({"key": "ci", "state": "FAILED", "name": "ci", "url": "https://ci.example.com/7"});
    let build =
        |commit: &str| format!("/2.0/repositories/shop/site/commit/{commit}/statuses/build");
    for (path, token, code) in [
        (build(COMMIT), "planted-token", 201),
        (build(COMMIT), "other", 401),
        (build("none"), "planted-token", 404),
    ] {
        answers(
            &judge,
            &mut host,
            &asked("POST", &path, token, &good),
            code,
            Timestamp::UNIX_EPOCH,
        );
    }
}
