//! Where approvers of level L3 sign in.

use std::str::FromStr;

use super::{BOTH, RESPOND, optionally, wrong};
use crate::{
    approval::rules::gate,
    config::{self, ConfigError, Source, Variable},
    secret::SecretRef,
};

/// The provider.
pub(super) const ISSUER: Variable = optionally(
    "STAGEWRIGHT_OIDC_ISSUER",
    "issuer of the OpenID Connect provider where approvers of level L3 sign in, exactly as it writes it: https, or http on a loopback address",
    BOTH,
);
/// Our name there.
pub(super) const CLIENT: Variable = optionally(
    "STAGEWRIGHT_OIDC_CLIENT_ID",
    "id of this install as a client of that provider; its redirect URI is STAGEWRIGHT_APPROVAL_URL with /a/signed-in",
    RESPOND,
);
/// Our secret there.
pub(super) const SECRET: Variable = optionally(
    "STAGEWRIGHT_OIDC_CLIENT_SECRET",
    "where that client's secret lies: secretsmanager:NAME, secretsmanager:NAME#FIELD or ssm:NAME; without it the client is a public one, with PKCE alone",
    RESPOND,
);

/// A provider and what this install is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInSettings {
    /// The provider.
    pub issuer: Issuer,
    /// `client_id`.
    pub client: String,
    /// `client_secret`.
    pub secret: Option<SecretRef>,
}

/// An issuer, exactly as it writes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer(String);

impl Issuer {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Address of its description.
    pub fn description(&self) -> String {
        let base = self.0.trim_end_matches('/');
        format!("{base}/.well-known/openid-configuration")
    }
}

impl FromStr for Issuer {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if gate::is_address(text) && !text.contains('?') {
            Ok(Self(text.to_owned()))
        } else {
            Err("it is no https address without user, query and fragment".to_owned())
        }
    }
}

impl SignInSettings {
    /// Reads and checks them; `None`: nobody signs in at this install.
    pub(super) fn read(source: &impl Source) -> Result<Option<Self>, ConfigError> {
        let client = config::optional(source, &CLIENT);
        let secret = config::parsed(source, &SECRET)?;
        let Some(issuer) = config::parsed(source, &ISSUER)? else {
            let alone = [(&CLIENT, client.is_some()), (&SECRET, secret.is_some())];
            return match alone.into_iter().find(|(_, set)| *set) {
                Some((variable, _)) => {
                    let problem = format!("it is set without {}", ISSUER.name);
                    Err(wrong(variable, problem))
                }
                None => Ok(None),
            };
        };
        let client = client.ok_or(ConfigError::Missing {
            name: CLIENT.name,
            meaning: CLIENT.meaning,
        })?;
        Ok(Some(Self {
            issuer,
            client,
            secret,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Map<'a>(&'a [(&'a str, &'a str)]);
    impl Source for Map<'_> {
        fn get(&self, name: &str) -> Option<String> {
            let found = self.0.iter().find(|(have, _)| *have == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn a_provider_is_named_whole_or_not_at_all() {
        let (issuer, client, secret) = (ISSUER.name, CLIENT.name, SECRET.name);
        let read = |pairs: &[(&str, &str)]| SignInSettings::read(&Map(pairs));
        assert_eq!(read(&[]).unwrap(), None);
        let good = read(&[(issuer, "https://id.example.com/"), (client, "c")]);
        let good = good.unwrap().unwrap();
        assert_eq!(good.issuer.as_str(), "https://id.example.com/");
        assert_eq!(
            good.issuer.description(),
            "https://id.example.com/.well-known/openid-configuration"
        );
        for (pairs, named) in [
            (&[(issuer, "https://id.example.com")][..], client),
            (&[(client, "c")], client),
            (&[(secret, "ssm:/x")], secret),
            (&[(issuer, "http://id.example.com"), (client, "c")], issuer),
            (
                &[(issuer, "https://id.example.com?a=b"), (client, "c")],
                issuer,
            ),
            (
                &[(issuer, "https://a"), (client, "c"), (secret, "planted")],
                secret,
            ),
        ] {
            let error = read(pairs).unwrap_err().to_string();
            assert!(
                error.contains(named) && !error.contains("planted"),
                "{error}"
            );
        }
    }
}
