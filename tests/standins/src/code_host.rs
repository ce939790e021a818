//! GitHub and Bitbucket Cloud: statuses and check runs of commits they know, with their limits on lengths.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::{Asked, Reply, StandIn};

/// Both vendors with one repository, `shop/site`. The token is `planted-token`.
#[derive(Debug, Clone, Default)]
pub struct CodeHost {
    /// The commits there are.
    pub commits: BTreeSet<String>,
    /// GitHub's statuses, oldest first: commit, context, body.
    pub statuses: Vec<(String, String, Value)>,
    /// GitHub's check runs by id.
    pub checks: BTreeMap<u64, Value>,
    /// Bitbucket's build statuses by commit and key.
    pub builds: BTreeMap<(String, String), Value>,
    /// What answers say in place of the state that was set.
    pub contradicts: Option<String>,
    /// GitHub's App `12345`, where it is installed.
    pub app: Option<App>,
}

/// A GitHub App, as GitHub knows it.
#[derive(Debug, Clone, Default)]
pub struct App {
    /// Its public key (PKCS #1, DER); none: the signature `planted-signature` is taken.
    pub key: Option<Vec<u8>>,
    /// What it may write, as `statuses`.
    pub writes: Vec<&'static str>,
    /// Tokens given, each good for an hour: when, and what for.
    pub tokens: Vec<(Timestamp, Value)>,
}

impl App {
    /// Whether this is a token of the App itself, signed by its key and young.
    fn is(&self, jwt: &str, now: Timestamp) -> bool {
        let parts: Vec<&str> = jwt.split('.').collect();
        let [head, claims, signature] = parts[..] else {
            return false;
        };
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let json = |text: &str| serde_json::from_slice::<Value>(&decoded(text)).unwrap_or_default();
        let (said, claims) = (json(head), json(claims));
        let (issued, ends) = (claims["iat"].as_i64(), claims["exp"].as_i64());
        let (Some(issued), Some(ends)) = (issued, ends) else {
            return false;
        };
        let now = now.as_second();
        let young = issued <= now && now < ends && ends - now <= 600;
        let signed = jwt.rsplit_once('.').map_or("", |(signed, _)| signed);
        let signature = decoded(signature);
        let good = match &self.key {
            None => signature == b"planted-signature",
            Some(key) => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
                .verify(signed.as_bytes(), &signature)
                .is_ok(),
        };
        said["alg"] == "RS256" && claims["iss"] == "12345" && young && good
    }

    /// Whether this is one of its installation tokens, and still good.
    fn gave(&self, token: &str, now: Timestamp) -> bool {
        let number = token.strip_prefix("planted-installation-");
        let number = number.and_then(|number| number.parse::<usize>().ok());
        let given = number.and_then(|number| self.tokens.get(number));
        given.is_some_and(|(at, _)| now < *at + HOUR)
    }
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The commit of tests without a repository of their own.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl CodeHost {
    /// Both vendors, where this commit is known.
    pub fn with(commit: &str) -> Self {
        Self {
            commits: BTreeSet::from([commit.to_owned()]),
            ..Self::default()
        }
    }

    /// What an App asks with its own token.
    fn of_app(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        let known = asked.bearer().unwrap_or_default();
        let Some(app) = &mut self.app else {
            return github(401, "A JSON web token could not be decoded");
        };
        if !app.is(known, now) {
            return github(401, "A JSON web token could not be decoded");
        }
        if asked.method == "GET" {
            return match asked.path.as_str() {
                "/repos/shop/site/installation" => Reply::json(
                    200,
                    &json!({"id": 77, "app_id": 12345, "account": {"login": "shop"}, "permissions": {"metadata": "read"}}),
                ),
                _ => github(404, "Not Found"),
            };
        }
        let wanted = asked.json();
        let permissions = wanted["permissions"].as_object().into_iter().flatten();
        let may =
            |(name, how): (&String, &Value)| how == "write" && app.writes.contains(&name.as_str());
        if !permissions.into_iter().all(may) || wanted["repositories"] != json!(["site"]) {
            return github(
                422,
                "The permissions requested are not granted to this installation.",
            );
        }
        let token = format!("planted-installation-{}", app.tokens.len());
        app.tokens.push((now, wanted.clone()));
        Reply::json(
            201,
            &json!({"token": token, "expires_at": now + HOUR, "permissions": wanted["permissions"], "repository_selection": "selected"}),
        )
    }

    fn github(&mut self, asked: &Asked, parts: &[&str], now: Timestamp) -> Reply {
        if asked.header("user-agent").is_none() {
            return Reply::text(403, "Request forbidden by administrative rules.");
        }
        if matches!(parts, [.., "installation"] | ["app", ..]) {
            return self.of_app(asked, now);
        }
        let token = asked.bearer().unwrap_or_default();
        let of_app = self.app.as_ref().is_some_and(|app| app.gave(token, now));
        if token != "planted-token" && !of_app {
            return github(401, "Bad credentials");
        }
        let body = asked.json();
        match (asked.method.as_str(), parts) {
            ("POST", ["shop", "site", "statuses", commit]) => self.status(commit, body),
            ("POST", ["shop", "site", "check-runs"]) => {
                let commit = text(&body, "head_sha");
                if !self.commits.contains(&commit) {
                    return github(422, &format!("No commit found for SHA: {commit}"));
                }
                let id = 9_000_000_000 + self.checks.len() as u64;
                self.checks.insert(id, body);
                self.check(201, id)
            }
            ("PATCH", ["shop", "site", "check-runs", id]) => {
                let id = id.parse().unwrap_or_default();
                let Some(known) = self.checks.get_mut(&id) else {
                    return github(404, "Not Found");
                };
                for (name, value) in body.as_object().into_iter().flatten() {
                    known[name] = value.clone();
                }
                self.check(200, id)
            }
            ("GET", ["shop", "site", "commits", commit, "check-runs"]) => {
                let name = asked.param("check_name");
                let ours = self.checks.iter().filter(|(_, check)| {
                    text(check, "head_sha") == **commit
                        && name.is_none_or(|name| text(check, "name") == name)
                });
                let found: Vec<Value> = ours.map(|(id, check)| shown(*id, check)).collect();
                Reply::json(
                    200,
                    &json!({"total_count": found.len(), "check_runs": found}),
                )
            }
            _ => github(404, "Not Found"),
        }
    }

    fn status(&mut self, commit: &str, body: Value) -> Reply {
        if !self.commits.contains(commit) {
            return github(422, &format!("No commit found for SHA: {commit}"));
        }
        let states = ["error", "failure", "pending", "success"];
        if !states.contains(&text(&body, "state").as_str()) {
            return github(422, "Validation Failed: state is not included in the list");
        }
        if text(&body, "description").chars().count() > 140 {
            let why = "Validation Failed: description is too long (maximum is 140 characters)";
            return github(422, why);
        }
        let context = text(&body, "context");
        let id = 35_000_000_000 + self.statuses.len() as u64;
        self.statuses
            .push((commit.to_owned(), context.clone(), body.clone()));
        let state = self.contradicts.clone().unwrap_or(text(&body, "state"));
        Reply::json(
            201,
            &json!({"id": id, "node_id": "SC_x", "state": state, "context": context, "description": body["description"],
                    "target_url": body["target_url"], "creator": {"login": "ci"}, "new": null,
                    "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z"}),
        )
    }

    fn check(&self, status: u16, id: u64) -> Reply {
        Reply::json(status, &shown(id, &self.checks[&id]))
    }

    fn bitbucket(&mut self, asked: &Asked, parts: &[&str]) -> Reply {
        let basic = asked.basic();
        let basic =
            basic.is_some_and(|(user, token)| user == "a@example.com" && token == "planted-token");
        if !basic && asked.bearer() != Some("planted-token") {
            return bitbucket(
                401,
                "Token is invalid or not supported for this endpoint.",
                &[],
            );
        }
        let ("POST", ["shop", "site", "commit", commit, "statuses", "build"]) =
            (asked.method.as_str(), parts)
        else {
            return bitbucket(404, "Repository not found", &[]);
        };
        if !self.commits.contains(*commit) {
            return bitbucket(404, "Commit not found", &[]);
        }
        let body = asked.json();
        let key = text(&body, "key");
        if key.chars().count() > 40 {
            let why = "Ensure this value has at most 40 characters";
            return bitbucket(400, "key: too long", &[("key", why)]);
        }
        let url = text(&body, "url");
        if !url.starts_with("http") {
            return bitbucket(
                400,
                "url: required",
                &[("url", "required key not provided")],
            );
        }
        let states = ["INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"];
        if !states.contains(&text(&body, "state").as_str()) {
            return bitbucket(400, "state: invalid", &[("state", "extraneous state")]);
        }
        let state = self.contradicts.clone().unwrap_or(text(&body, "state"));
        let reply = json!({"type": "build", "key": key, "state": state, "name": body["name"], "url": url,
            "description": body["description"], "refname": null, "links": {"self": {"href": "https://x"}}});
        self.builds.insert(((*commit).to_owned(), key), body);
        Reply::json(201, &reply)
    }
}

impl StandIn for CodeHost {
    fn handle(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        let parts = asked.segments();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match &parts[..] {
            ["repos", rest @ ..] => self.github(asked, rest, now),
            ["app", "installations", "77", "access_tokens"] => self.github(asked, &parts, now),
            ["2.0", "repositories", rest @ ..] => self.bitbucket(asked, rest),
            _ => github(404, "Not Found"),
        }
    }
}

fn shown(id: u64, check: &Value) -> Value {
    let mut shown = check.clone();
    shown["id"] = json!(id);
    shown["node_id"] = json!("CR_x");
    shown["app"] = json!({"id": 1, "slug": "ci"});
    shown
}

fn github(status: u16, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({"message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string()}),
    )
}

fn bitbucket(status: u16, message: &str, fields: &[(&str, &str)]) -> Reply {
    let fields: BTreeMap<&str, [&str; 1]> =
        fields.iter().map(|(name, why)| (*name, [*why])).collect();
    let mut error = json!({"message": message});
    if !fields.is_empty() {
        error["fields"] = json!(fields);
    }
    Reply::json(status, &json!({"type": "error", "error": error}))
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
