//! An OpenID Connect provider: description, keys, the code flow with PKCE, and people with passwords.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};

use crate::{Asked, Reply, StandIn};

/// The one client's id.
pub const CLIENT: &str = "stagewright-test";
/// And its secret.
pub const SECRET: &str = "planted-client-secret";
/// Everybody's password.
pub const PASSWORD: &str = "planted-password";

/// Changes header and claims of the ID tokens that are given out.
pub type Bend = fn(&mut Value, &mut Value);

/// The provider.
#[derive(Debug)]
pub struct Identity {
    issuer: String,
    /// Who sits at the browser; `None`: a form asks for name and password.
    pub person: Option<String>,
    /// What is wrong with its tokens.
    pub bend: Option<Bend>,
    /// Given out in place of a signed token.
    pub token: Option<String>,
    /// Whether the client must show its secret.
    pub confidential: bool,
    kid: u32,
    pair: EcdsaKeyPair,
    codes: BTreeMap<String, Grant>,
    given: u32,
}

/// What a code stands for; it is good for once.
#[derive(Debug)]
struct Grant {
    person: String,
    nonce: String,
    challenge: String,
    back: String,
}

impl Identity {
    /// A provider that calls itself so, under a fresh key.
    pub fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            person: None,
            bend: None,
            token: None,
            confidential: false,
            kid: 1,
            pair: pair(),
            codes: BTreeMap::new(),
            given: 0,
        }
    }

    /// From now on it signs with another key, under another id.
    pub fn rotate(&mut self) {
        self.kid += 1;
        self.pair = pair();
    }

    /// From now on it signs with another key, under the same id: as somebody else would.
    pub fn forge(&mut self) {
        self.pair = pair();
    }

    fn authorize(&mut self, asked: &Asked) -> Reply {
        let param = |name: &str| asked.param(name).unwrap_or_default().to_owned();
        let fits = [
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("code_challenge_method", "S256"),
        ];
        if let Some((name, _)) = fits.iter().find(|(name, want)| param(name) != *want) {
            return Reply::html(400, &format!("Bad {name}"));
        }
        if !param("scope").split(' ').any(|scope| scope == "openid") {
            return Reply::html(400, "Bad scope");
        }
        let typed = (param("password") == PASSWORD).then(|| param("mail"));
        let Some(person) = self.person.clone().or(typed) else {
            return form(asked);
        };
        self.given += 1;
        let code = format!("planted-code-{}", self.given);
        let back = param("redirect_uri");
        let answer = shared::provider::query(&[
            ("code", code.as_str()),
            ("state", param("state").as_str()),
            ("iss", self.issuer.as_str()),
        ]);
        let to = format!("{back}?{answer}");
        self.codes.insert(
            code,
            Grant {
                person,
                nonce: param("nonce"),
                challenge: param("code_challenge"),
                back,
            },
        );
        Reply::empty(302).header("location", &to)
    }

    fn redeem(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        let form = asked.form();
        let field = |name: &str| {
            let found = form.iter().find(|(have, _)| have == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let refuse = |error: &str| Reply::json(400, &json!({"error": error}));
        if field("grant_type") != "authorization_code" {
            return refuse("unsupported_grant_type");
        }
        if field("client_id") != CLIENT || self.confidential && field("client_secret") != SECRET {
            return Reply::json(401, &json!({"error": "invalid_client"}));
        }
        let Some(grant) = self.codes.remove(field("code")) else {
            return refuse("invalid_grant");
        };
        let verifier = digest(&SHA256, field("code_verifier").as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(verifier);
        if challenge != grant.challenge || field("redirect_uri") != grant.back {
            return refuse("invalid_grant");
        }
        let token = match &self.token {
            Some(token) => token.clone(),
            None => self.sign(&grant, now),
        };
        Reply::json(
            200,
            &json!({"access_token": "planted-access", "token_type": "Bearer", "expires_in": 300, "id_token": token}),
        )
    }

    fn sign(&self, grant: &Grant, now: Timestamp) -> String {
        let mut header = json!({"alg": "ES256", "typ": "JWT", "kid": self.kid.to_string()});
        let now = now.as_second();
        let mut claims = json!({
            "iss": self.issuer, "sub": format!("sub-{}", grant.person), "aud": CLIENT,
            "exp": now + 300, "iat": now, "nonce": grant.nonce,
            "email": grant.person, "email_verified": true,
        });
        if let Some(bend) = self.bend {
            bend(&mut header, &mut claims);
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = self
            .pair
            .sign(&SystemRandom::new(), message.as_bytes())
            .expect("it signs");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn keys(&self) -> Reply {
        let point = self.pair.public_key().as_ref();
        let key = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid.to_string(),
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        });
        Reply::json(200, &json!({"keys": [key]}))
    }
}

/// Name and password, and everything that was asked with.
fn form(asked: &Asked) -> Reply {
    let hidden: String = asked
        .query
        .iter()
        .filter(|(name, _)| name != "mail" && name != "password")
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">"))
        .collect();
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><title>Sign in</title></head><body><main><h1>Sign in</h1><form action=\"/authorize\">{hidden}\
         <label>Mail <input name=\"mail\"></label> <label>Password <input name=\"password\" type=\"password\"></label> \
         <button>Sign in</button></form></main></body></html>"
    );
    Reply::of_type(200, "text/html;charset=utf-8", page)
}

fn pair() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    let key = key.expect("a key is made");
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random)
        .expect("a key that was made is one")
}

impl StandIn for Identity {
    fn handle(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        let at = |path: &str| format!("{}{path}", self.issuer);
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/.well-known/openid-configuration") => Reply::json(
                200,
                &json!({
                    "issuer": self.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
                    "jwks_uri": at("/keys"), "response_types_supported": ["code"],
                    "id_token_signing_alg_values_supported": ["ES256"],
                }),
            ),
            ("GET", "/authorize") => self.authorize(asked),
            ("POST", "/token") => self.redeem(asked, now),
            ("GET", "/keys") => self.keys(),
            _ => Reply::html(404, "Not Found"),
        }
    }
}
