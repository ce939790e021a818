//! Settings of the approval functions: every variable, typed and checked before the first event.

mod address;
mod addresses;
mod base;
mod chat;
mod mailing;
mod revoked;
mod sign_in;
mod sweep;
mod whom;
mod zone;

use std::{fmt, str::FromStr};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

use crate::{
    approval::{link::KeyRing, rules::RuleSet},
    config::{self, ConfigError, Source, Variable},
    secret::SecretRef,
};

pub use base::BaseUrl;
pub use mailing::Mailing;
pub use revoked::{Revocation, Revoked};
pub use sign_in::{Issuer, SignInSettings};
pub use zone::Zone;

const BOTH: &[&str] = &["approval-notify", "approval-respond"];
const TABLED: &[&str] = &[
    "approval-notify",
    "approval-respond",
    "approval-sweep",
    "event-pipeline",
    "task-start-pipeline",
];
const NOTIFY: &[&str] = &["approval-notify"];
const RESPOND: &[&str] = &["approval-respond"];

pub use address::Address;
pub use addresses::Addresses;
pub use sweep::SweepSettings;

/// The table that holds requests (`docs/table.md`).
pub const TABLE: Variable = variable(
    "STAGEWRIGHT_TABLE",
    "name of the DynamoDB table that holds approval requests and tokens of tasks",
    None,
    TABLED,
);
/// Who must agree to what.
pub const RULES: Variable = optionally(
    "STAGEWRIGHT_APPROVAL_RULES",
    "who must agree to what: the JSON of docs/approval-rules.md itself, the path of a file with it, or ssm:NAME of a parameter with it; approval-respond asks it at every answer whether the person is still asked",
    BOTH,
);
/// Who is asked.
pub const APPROVERS: Variable = optionally(
    "STAGEWRIGHT_APPROVERS",
    "mail addresses of the approvers, separated by commas; without STAGEWRIGHT_APPROVAL_RULES",
    BOTH,
);
/// How many must agree.
pub const NEEDED: Variable = variable(
    "STAGEWRIGHT_APPROVALS_NEEDED",
    "how many approvers must approve; one rejection always decides",
    Some("1"),
    BOTH,
);
/// Public address of `approval-respond`.
pub const URL: Variable = variable(
    "STAGEWRIGHT_APPROVAL_URL",
    "public base URL of approval-respond: https, or http on a loopback address; may have a path",
    None,
    BOTH,
);
/// KMS key that signs links.
pub const KEY: Variable = variable(
    "STAGEWRIGHT_LINK_KEY_ID",
    "id or ARN of the KMS key (ECC_NIST_EDWARDS25519) that signs links",
    None,
    NOTIFY,
);
/// Name of that key in links.
pub const KID: Variable = variable(
    "STAGEWRIGHT_LINK_KID",
    "short name of the signing key, as in STAGEWRIGHT_LINK_KEYS: 1 to 16 of A-Z a-z 0-9 _ -",
    None,
    NOTIFY,
);
/// Topics whose messages are believed.
pub const TOPICS: Variable = optionally(
    "STAGEWRIGHT_APPROVAL_TOPICS",
    "ARNs of the SNS topics whose messages are believed, separated by commas; without it only state machines ask",
    NOTIFY,
);
/// Keys that links may be signed with.
pub const KEYS: Variable = variable(
    "STAGEWRIGHT_LINK_KEYS",
    "public keys that links may be signed with: kid:base64 of the 32 bytes or of the DER that KMS GetPublicKey gives, separated by commas",
    None,
    RESPOND,
);

/// How much of a voter's address is kept.
pub const ADDRESSES: Variable = variable(
    "STAGEWRIGHT_AUDIT_ADDRESSES",
    "how much of a voter's IP address the audit keeps: `full`, `short` (the network: 24 bits of IPv4, 48 of IPv6) or `none`",
    Some("short"),
    RESPOND,
);

/// Where approvers are.
pub const ZONE: Variable = variable(
    "STAGEWRIGHT_APPROVAL_TIME_ZONE",
    "IANA name of the time zone that mails and pages tell times in, beside UTC",
    Some("UTC"),
    BOTH,
);

/// Links that hold no longer.
pub const REVOKED: Variable = optionally(
    "STAGEWRIGHT_REVOKED_LINKS",
    "links that open nothing any more, separated by commas: approval:ID, person:NAME, key:KID, before:2026-11-24T16:00:00Z; with @2026-11-24T16:00:00Z behind it approval and person mean the links made until then. Whoever may have a new link is mailed one",
    TABLED,
);

/// All of them, for `docs/configuration.md`.
pub const VARIABLES: &[Variable] = &[
    TABLE,
    RULES,
    APPROVERS,
    NEEDED,
    mailing::SENDER,
    URL,
    KEY,
    KID,
    TOPICS,
    KEYS,
    ADDRESSES,
    sweep::ROLE,
    sweep::NOTIFY,
    sweep::ALERTS,
    sweep::INSTALL,
    sweep::BUCKET,
    sweep::DAYS,
    sweep::MAIL,
    ZONE,
    REVOKED,
    sign_in::ISSUER,
    sign_in::CLIENT,
    sign_in::SECRET,
    chat::TOKEN,
    chat::SECRET,
    chat::API,
    chat::MAIL_TOPIC,
];

/// DER of an Ed25519 SubjectPublicKeyInfo up to the key's 32 bytes (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

const fn variable(
    name: &'static str,
    meaning: &'static str,
    default: Option<&'static str>,
    functions: &'static [&'static str],
) -> Variable {
    Variable {
        name,
        meaning,
        default,
        required: default.is_none(),
        functions,
    }
}

const fn optionally(
    name: &'static str,
    meaning: &'static str,
    functions: &'static [&'static str],
) -> Variable {
    Variable {
        name,
        meaning,
        default: None,
        required: false,
        functions,
    }
}

/// What `approval-notify` is told.
#[derive(Debug, Clone)]
pub struct NotifySettings {
    /// DynamoDB table.
    pub table: String,
    /// Who must agree to what.
    pub rules: RuleSet,
    /// How mails leave.
    pub mailing: Mailing,
    /// Base of links.
    pub base: BaseUrl,
    /// KMS key.
    pub key: String,
    /// Its name in links.
    pub kid: KeyId,
    /// Believed topics; none where only state machines ask.
    pub topics: Vec<String>,
    /// Where approvers are.
    pub zone: Zone,
    /// Bot token of the Slack app.
    pub slack_token: Option<SecretRef>,
    /// Slack's Web API.
    pub slack_api: String,
    /// Who is mailed where the audit chain stands.
    pub audit_mail: Vec<Address>,
}

/// What `approval-respond` is told.
#[derive(Debug, Clone)]
pub struct RespondSettings {
    /// DynamoDB table.
    pub table: String,
    /// Who must agree to what by now; `None`: as it was when the approval was asked.
    pub rules: Option<RuleSet>,
    /// Base of links, form action, redirect and cookie.
    pub base: BaseUrl,
    /// Keys that links may be signed with.
    pub keys: KeyRing,
    /// How much of a voter's address is kept.
    pub addresses: Addresses,
    /// Where approvers are.
    pub zone: Zone,
    /// Links that hold no longer.
    pub revoked: Revoked,
    /// Results are sent through this role.
    pub approver_role: Option<String>,
    /// Where approvers of level L3 sign in.
    pub sign_in: Option<SignInSettings>,
    /// Signing secret of the Slack app.
    pub slack_secret: Option<SecretRef>,
    /// Slack's Web API.
    pub slack_api: String,
}

impl NotifySettings {
    /// Reads and checks all of them; `file` reads the rules file where the settings name one.
    pub fn read(
        source: &impl Source,
        file: impl FnOnce(&str) -> Result<String, String>,
    ) -> Result<Self, ConfigError> {
        let rules = whom::rules(source, file)?;
        let topics: Vec<String> = config::list(source, &TOPICS)?;
        if let Some(bad) = topics
            .iter()
            .position(|t| !t.starts_with("arn:") || t.split(':').count() != 6)
        {
            return Err(wrong(
                &TOPICS,
                format!("entry {} is not a topic ARN", bad + 1),
            ));
        }
        let kid = config::parsed_required(source, &KID)?;
        if revoked::read(source)?.key(&kid) {
            let problem = format!(
                "{} revokes it: make another key and sign with that",
                REVOKED.name
            );
            return Err(wrong(&KID, problem));
        }
        Ok(Self {
            table: config::required(source, &TABLE)?,
            rules,
            mailing: Mailing::read(source)?,
            base: config::parsed_required(source, &URL)?,
            key: config::required(source, &KEY)?,
            kid,
            topics,
            zone: config::parsed_required(source, &ZONE)?,
            slack_token: chat::secret(source, &chat::TOKEN)?,
            slack_api: chat::api(source)?,
            audit_mail: sweep::auditors(source)?,
        })
    }
}

impl RespondSettings {
    /// Reads and checks all of them; `file` reads the rules where the settings name a place.
    pub fn read(
        source: &impl Source,
        file: impl FnOnce(&str) -> Result<String, String>,
    ) -> Result<Self, ConfigError> {
        let entries: Vec<String> = some(source, &KEYS)?;
        let revoked = revoked::read(source)?;
        let mut pairs = entries
            .iter()
            .map(|entry| public_key(entry))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|problem| wrong(&KEYS, problem))?;
        pairs.retain(|(kid, _)| !revoked.key(kid));
        let keys = KeyRing::new(pairs)
            .map_err(|kid| wrong(&KEYS, format!("key {kid} is not an Ed25519 public key")))?;
        Ok(Self {
            table: config::required(source, &TABLE)?,
            rules: whom::known_rules(source, file)?,
            base: config::parsed_required(source, &URL)?,
            keys,
            addresses: config::parsed_required(source, &ADDRESSES)?,
            zone: config::parsed_required(source, &ZONE)?,
            revoked,
            approver_role: sweep::role(source)?,
            sign_in: SignInSettings::read(source)?,
            slack_secret: chat::secret(source, &chat::SECRET)?,
            slack_api: chat::api(source)?,
        })
    }
}

/// A list that must not be empty.
fn some<V>(source: &impl Source, variable: &Variable) -> Result<Vec<V>, ConfigError>
where
    V: FromStr<Err: fmt::Display>,
{
    let values = config::list(source, variable)?;
    if values.is_empty() {
        return Err(ConfigError::Missing {
            name: variable.name,
            meaning: variable.meaning,
        });
    }
    Ok(values)
}

fn wrong(variable: &Variable, problem: String) -> ConfigError {
    ConfigError::Wrong {
        name: variable.name,
        problem,
    }
}

fn public_key(entry: &str) -> Result<(KeyId, Vec<u8>), String> {
    let (kid, text) = entry
        .split_once(':')
        .ok_or_else(|| "an entry has no colon between kid and key".to_owned())?;
    let kid: KeyId = kid.trim().parse()?;
    let text = text.trim();
    let bytes = STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE_NO_PAD.decode(text))
        .map_err(|_| format!("key {kid} is not base64"))?;
    let key = bytes.strip_prefix(&SPKI_PREFIX).unwrap_or(&bytes);
    Ok((kid, key.to_vec()))
}

/// Short name of a signing key: 1 to 16 of `[A-Za-z0-9_-]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (1..=16).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a kid is 1 to 16 of A-Z a-z 0-9 _ -".to_owned())
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Map(BTreeMap<&'static str, String>);
    impl Source for Map {
        fn get(&self, name: &str) -> Option<String> {
            self.0.get(name).cloned()
        }
    }

    fn good() -> Map {
        Map([
            ("STAGEWRIGHT_TABLE", "t"),
            ("STAGEWRIGHT_APPROVERS", "dana@example.com, lee@example.com"),
            ("STAGEWRIGHT_APPROVALS_NEEDED", "2"),
            ("STAGEWRIGHT_APPROVAL_SENDER", "pipelines@example.com"),
            ("STAGEWRIGHT_APPROVAL_URL", "https://approve.example.com/x/"),
            ("STAGEWRIGHT_LINK_KEY_ID", "alias/links"),
            ("STAGEWRIGHT_LINK_KID", "k1"),
            ("STAGEWRIGHT_APPROVAL_TOPICS", "arn:aws:sns:eu-west-1:123456789012:approvals"),
            ("STAGEWRIGHT_LINK_KEYS", "k1:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=,k0:MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
        ]
        .map(|(k, v)| (k, v.to_owned()))
        .into())
    }

    fn no_file(path: &str) -> Result<String, String> {
        Err(format!("{path} cannot be read"))
    }

    #[test]
    fn rules_come_from_text_or_file_and_are_served_whole_or_refused() {
        let guide = include_str!("../../../docs/approval-rules.md");
        let examples: Vec<&str> = guide
            .split("```json\n")
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap())
            .collect();
        let read = |rules: &str| {
            let mut map = good();
            map.0.remove("STAGEWRIGHT_APPROVERS");
            map.0.insert(RULES.name, rules.to_owned());
            let file = |path: &str| match path {
                "rules.json" | "ssm:/rules" => Ok(examples[0].to_owned()),
                other => no_file(other),
            };
            let settings = NotifySettings::read(&map, file).map_err(|e| e.to_string());
            settings.map(|s| s.rules.rules().next().unwrap().name.clone())
        };
        for good in [examples[0], "rules.json"] {
            assert_eq!(read(good).as_deref(), Ok("everywhere"));
        }
        assert_eq!(read(examples[1]).as_deref(), Ok("production"));
        assert_eq!(read("ssm:/rules").as_deref(), Ok("everywhere"));
        let signed = examples[0].replace("\"rules\": [\n    { ", "\"rules\": [{\"level\":\"L3\", ");
        let error = "STAGEWRIGHT_APPROVAL_RULES is wrong: the rule \"everywhere\" wants level L3, and STAGEWRIGHT_OIDC_ISSUER does not say where people sign in";
        assert_eq!(read(&signed), Err(error.to_owned()));
        for (rules, problem) in [
            ("other.json", "other.json cannot be read"),
            ("ssm:/other", "ssm:/other cannot be read"),
            (
                "arn:aws:ssm:eu-west-1:123456789012:parameter/rules",
                "an ARN is not read: write ssm: and the parameter's name",
            ),
            ("{}", "the file: missing field `version` at line 1 column 2"),
        ] {
            let error = format!("STAGEWRIGHT_APPROVAL_RULES is wrong: {problem}");
            assert_eq!(read(rules), Err(error), "{rules}");
        }
        let mut both = good();
        both.0.insert(RULES.name, examples[0].to_owned());
        let error = NotifySettings::read(&both, no_file)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("STAGEWRIGHT_APPROVERS is set too"),
            "{error}"
        );
    }

    #[test]
    fn what_only_some_installs_use_is_asked_of_them_alone() {
        let read = |gone: &[&str], set: &[(&'static str, &str)]| {
            let mut map = good();
            map.0.retain(|name, _| !gone.contains(name));
            map.0.extend(set.iter().map(|(k, v)| (*k, (*v).to_owned())));
            NotifySettings::read(&map, no_file).map_err(|e| e.to_string())
        };
        let arn = "arn:aws:sns:eu-west-1:123456789012:mails";
        let topic = [("STAGEWRIGHT_APPROVAL_MAIL_TOPIC", arn)];
        let (topics, sender) = (TOPICS.name, "STAGEWRIGHT_APPROVAL_SENDER");
        let machines_only = read(&[topics, sender], &topic).unwrap();
        assert_eq!(machines_only.topics, [""; 0]);
        assert_eq!(machines_only.mailing, Mailing::Topic(arn.to_owned()));
        let error = read(&[sender], &[]).unwrap_err();
        assert!(
            error.starts_with(sender) && error.contains("STAGEWRIGHT_APPROVAL_MAIL_TOPIC"),
            "{error}"
        );
        let revoked = read(&[], &[(REVOKED.name, "key:k1")]).unwrap_err();
        assert_eq!(
            revoked,
            "STAGEWRIGHT_LINK_KID is wrong: STAGEWRIGHT_REVOKED_LINKS revokes it: make another key and sign with that"
        );
    }

    #[test]
    fn a_revoked_key_opens_nothing_although_it_is_in_the_ring() {
        let mut map = good();
        let both = RespondSettings::read(&map, no_file).unwrap();
        map.0.insert(REVOKED.name, "key:k0".to_owned());
        let one = RespondSettings::read(&map, no_file).unwrap();
        let has = |settings: &RespondSettings, kid: &str| {
            format!("{:?}", settings.keys).contains(&format!("{kid:?}"))
        };
        assert!(has(&both, "k0") && has(&both, "k1"));
        assert!(!has(&one, "k0") && has(&one, "k1"));
    }

    #[test]
    fn good_settings_are_read() {
        let notify = NotifySettings::read(&good(), no_file).unwrap();
        let rule = notify.rules.rules().next().unwrap();
        assert_eq!((rule.people.len(), rule.needed()), (2, 2));
        assert!(rule.is_simple());
        let respond = RespondSettings::read(&good(), no_file).unwrap();
        assert_eq!(respond.base.path(), "/x");
        assert_eq!(respond.base.host(), "approve.example.com");
    }

    #[test]
    fn each_bad_setting_is_named() {
        for (name, value) in [
            ("STAGEWRIGHT_TABLE", ""),
            ("STAGEWRIGHT_APPROVERS", " , "),
            ("STAGEWRIGHT_APPROVERS", "Dana <dana@example.com>"),
            (
                "STAGEWRIGHT_APPROVERS",
                "dana@example.com,Dana+x@Example.com",
            ),
            ("STAGEWRIGHT_APPROVALS_NEEDED", "0"),
            ("STAGEWRIGHT_APPROVALS_NEEDED", "3"),
            ("STAGEWRIGHT_APPROVAL_SENDER", "a@b\r\nBcc: c@d"),
            ("STAGEWRIGHT_APPROVAL_URL", "http://approve.example.com"),
            ("STAGEWRIGHT_APPROVAL_URL", "https://a@approve.example.com"),
            ("STAGEWRIGHT_APPROVAL_URL", "http://127.evil.example.com"),
            ("STAGEWRIGHT_APPROVAL_URL", "ftp://localhost"),
            ("STAGEWRIGHT_LINK_KID", "a.b"),
            ("STAGEWRIGHT_APPROVAL_TOPICS", "approvals"),
            ("STAGEWRIGHT_LINK_KEYS", "k1"),
            ("STAGEWRIGHT_LINK_KEYS", "k1:AAAA"),
            ("STAGEWRIGHT_SLACK_TOKEN", "xoxb-planted"),
            ("STAGEWRIGHT_SLACK_SIGNING_SECRET", "planted"),
            ("STAGEWRIGHT_SLACK_API", "http://slack.example.com"),
            ("STAGEWRIGHT_APPROVAL_MAIL_TOPIC", "mails"),
        ] {
            let mut map = good();
            map.0.insert(name, value.to_owned());
            let error = match NotifySettings::read(&map, no_file) {
                Err(error) => error.to_string(),
                Ok(_) => RespondSettings::read(&map, no_file)
                    .unwrap_err()
                    .to_string(),
            };
            assert!(error.starts_with(name), "{name}={value}: {error}");
            assert!(!error.contains("planted"), "{error}");
        }
    }
}
