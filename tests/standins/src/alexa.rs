//! Login with Amazon and the Skill Management API: tokens for an hour, signed uploads, one import at a time, eTags.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{Asked, Reply, StandIn};

/// The vendor, with one skill.
#[derive(Debug, Clone)]
pub struct Alexa {
    /// The refresh token that is accepted.
    pub refresh_token: String,
    /// Tokens given, and until when they are good.
    pub tokens: Vec<(String, Timestamp)>,
    /// Packages by upload.
    pub uploads: BTreeMap<String, Vec<u8>>,
    /// All imports, in order.
    pub imports: Vec<Import>,
    /// Changed by each import, and by people.
    pub etag: String,
    /// What becomes of imports.
    pub fate: Fate,
    /// From start to end.
    pub takes: SignedDuration,
    /// Submissions for certification.
    pub submissions: usize,
}

/// One import.
#[derive(Debug, Clone)]
pub struct Import {
    /// Its id.
    pub id: String,
    /// When it began.
    pub began: Timestamp,
    /// The package.
    pub package: Vec<u8>,
    /// What the request matched.
    pub if_match: Option<String>,
}

/// What becomes of imports.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// They end with this status; a good one names a warning.
    Ends(&'static str),
    /// They never end.
    Never,
    /// They answer this.
    Says(Value),
}

/// The skill there is.
pub const SKILL: &str = "amzn1.ask.skill.11111111-2222-3333-4444-555555555555";
/// The client whose secret is `planted-client`.
pub const CLIENT: &str = "amzn1.application-oa2-client.1234";

impl Default for Alexa {
    fn default() -> Self {
        Self {
            refresh_token: "planted-refresh".to_owned(),
            tokens: Vec::new(),
            uploads: BTreeMap::new(),
            imports: Vec::new(),
            etag: "etag-0".to_owned(),
            fate: Fate::Ends("SUCCEEDED"),
            takes: SignedDuration::from_secs(40),
            submissions: 0,
        }
    }
}

impl StandIn for Alexa {
    fn handle(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        let parts = asked.segments();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (asked.method.as_str(), &parts[..]) {
            ("POST", ["auth", "o2" | "O2", "token"]) => return self.token(asked, now),
            ("PUT", ["signed", upload]) => return self.put(upload, asked),
            _ => {}
        }
        let authorization = asked.header("authorization").unwrap_or_default();
        let token = authorization
            .strip_prefix("Bearer ")
            .unwrap_or(authorization);
        if !self
            .tokens
            .iter()
            .any(|(known, until)| known == token && now < *until)
        {
            return error(401, "UNAUTHORIZED", "Token is invalid/expired")
                .header("WWW-Authenticate", "Bearer realm=\"SMAPI\"");
        }
        match (asked.method.as_str(), &parts[..]) {
            ("POST", ["v1", "skills", "uploads"]) => self.place(asked, now),
            ("POST", ["v1", "skills", SKILL, "imports"]) => self.import(asked, now),
            ("GET", ["v1", "skills", "imports", id]) => self.status(id, now),
            ("POST", ["v1", "skills", SKILL, "submit"]) => {
                self.submissions += 1;
                match self.submissions {
                    1 => Reply::empty(202).header("Location", "/v1/skills/status"),
                    _ => error(400, "BAD_REQUEST", "The skill is in certification"),
                }
            }
            _ => error(404, "NOT_FOUND", "Resource not found"),
        }
    }
}

impl Alexa {
    /// Somebody changes the skill in the console.
    pub fn change(&mut self) {
        self.etag = "etag-of-somebody".to_owned();
    }

    fn token(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        let form: BTreeMap<String, String> = match asked.header("content-type") {
            Some(kind) if kind.contains("json") => {
                serde_json::from_slice(&asked.body).unwrap_or_default()
            }
            _ => asked.form().into_iter().collect(),
        };
        let is = |name: &str, value: &str| form.get(name).is_some_and(|given| given == value);
        let refused = |error: &str, why: &str| {
            Reply::json(
                400,
                &json!({"error": error, "error_description": why, "request_id": "r-1"}),
            )
        };
        if !is("grant_type", "refresh_token") {
            return refused(
                "unsupported_grant_type",
                "The authorization grant type is not supported",
            );
        }
        if !is("client_id", CLIENT) || !is("client_secret", "planted-client") {
            return Reply::json(
                401,
                &json!({"error": "invalid_client", "error_description": "Client authentication failed"}),
            );
        }
        if !is("refresh_token", &self.refresh_token) {
            let given = form.get("refresh_token").cloned().unwrap_or_default();
            let why = format!("The request has an invalid grant parameter : refresh_token {given}");
            return refused("invalid_grant", &why);
        }
        let token = format!("planted-access-{}", self.tokens.len());
        self.tokens
            .push((token.clone(), now + SignedDuration::from_hours(1)));
        Reply::json(
            200,
            &json!({"access_token": token, "refresh_token": self.refresh_token, "token_type": "bearer", "expires_in": 3600}),
        )
    }

    fn place(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        let name = format!("upload-{}", self.uploads.len());
        self.uploads.insert(name.clone(), Vec::new());
        let host = match asked.header("host") {
            Some(host) => format!("http://{host}"),
            None => "https://uploads.example.com".to_owned(),
        };
        let expires = now + SignedDuration::from_mins(15);
        Reply::json(
            201,
            &json!({"uploadUrl": format!("{host}/signed/{name}?X-Amz-Signature=planted-signature"), "expiresAt": expires}),
        )
    }

    fn put(&mut self, upload: &str, asked: &Asked) -> Reply {
        let signed = asked.param("X-Amz-Signature") == Some("planted-signature");
        let place = self.uploads.get_mut(upload);
        let (Some(place), true, None) = (place, signed, asked.header("authorization")) else {
            let body = "<Error><Code>AccessDenied</Code></Error>";
            return Reply::of_type(403, "application/xml", body);
        };
        place.clone_from(&asked.body);
        Reply::empty(200).header("ETag", "\"x\"")
    }

    fn import(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        let location = asked.json()["location"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let upload = location.split('?').next().unwrap_or_default();
        let upload = upload.rsplit('/').next().unwrap_or_default();
        let package = self
            .uploads
            .get(upload)
            .filter(|package| !package.is_empty());
        let Some(package) = package.cloned() else {
            return Reply::json(
                400,
                &json!({"message": "The location is not valid", "violations": [{"message": "no package"}]}),
            );
        };
        let running = self.imports.last().is_some_and(|last| {
            self.fate == Fate::Never || now.duration_since(last.began) < self.takes
        });
        if running {
            return error(409, "CONFLICT", "An import is in progress for this skill");
        }
        let if_match = asked.header("if-match").map(str::to_owned);
        if if_match.as_ref().is_some_and(|tag| *tag != self.etag) {
            return error(412, "PRECONDITION_FAILED", "The eTag does not match");
        }
        let id = format!("amzn1.ask-package.import.{}", self.imports.len());
        self.etag = format!("etag-{}", self.imports.len() + 1);
        let place = format!("/v1/skills/imports/{id}");
        self.imports.push(Import {
            id,
            began: now,
            package,
            if_match,
        });
        Reply::empty(202).header("Location", &place)
    }

    fn status(&self, id: &str, now: Timestamp) -> Reply {
        let Some(import) = self.imports.iter().find(|import| import.id == id) else {
            return error(404, "NOT_FOUND", "Import not found");
        };
        if let Fate::Says(value) = &self.fate {
            return Reply::json(200, value);
        }
        let over = now.duration_since(import.began) >= self.takes;
        let status = match &self.fate {
            Fate::Ends(status) if over => status,
            _ => "IN_PROGRESS",
        };
        let part = |name: &str, status: &str| json!({"name": name, "status": status, "action": "UPDATE", "errors": [], "warnings": []});
        let mut resources = vec![
            part("Manifest", "SUCCEEDED"),
            part("InteractionModel.en_US", status),
        ];
        match status {
            "SUCCEEDED" => {
                resources[0]["warnings"] = json!([{"code": "W", "message": "the icon is small"}]);
            }
            "IN_PROGRESS" => {}
            _ => {
                resources[1]["status"] = json!("FAILED");
                resources[1]["errors"] =
                    json!([{"code": "INVALID_DATA_TYPE", "message": "AMAZON.Foo is no slot type"}]);
            }
        }
        Reply::json(
            200,
            &json!({"status": status, "errors": [], "warnings": [], "newInTheApi": {"x": 1},
                    "skill": {"skillId": SKILL, "eTag": self.etag, "resources": resources}}),
        )
    }
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({"code": code, "message": message, "validationDetails": null}),
    )
}
