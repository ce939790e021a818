//! Values that must never be printed, and references to where they lie.

use std::fmt;

use sha2::{Digest, Sha256};

/// A value without readable `Debug` or `Display` text and without `Serialize`.
///
/// Reading it takes the explicit call [`Secret::reveal`], so that every use can be found.
#[derive(Clone, Default, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret<T = String>(T);

impl<T: AsRef<[u8]>> PartialEq for Secret<T> {
    /// Compares digests: the time tells nothing of where the values differ.
    fn eq(&self, other: &Self) -> bool {
        Sha256::digest(self.0.as_ref()) == Sha256::digest(other.0.as_ref())
    }
}

impl<T: AsRef<[u8]>> Eq for Secret<T> {}

impl<T> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that must send it.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

/// Where a secret lies: `secretsmanager:NAME`, `secretsmanager:NAME#FIELD` (a field of a JSON secret) or `ssm:NAME`
/// (a parameter, decrypted). What a parameter holds in place of a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretRef {
    /// Which service.
    pub store: Store,
    /// Name or ARN.
    pub name: String,
    /// The field of a JSON secret.
    pub field: Option<String>,
}

/// Services that hold secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Store {
    /// Secrets Manager.
    SecretsManager,
    /// Systems Manager's parameters.
    Parameters,
}

/// A text that refers to no secret. It may be the secret itself, so it is not in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a reference is needed, never the value: secretsmanager:NAME, secretsmanager:NAME#FIELD or ssm:NAME"
)]
pub struct SecretRefError;

/// Longest name: a secret's ARN with a name of 512 characters.
const LONGEST_NAME: usize = 640;

impl std::str::FromStr for SecretRef {
    type Err = SecretRefError;

    fn from_str(text: &str) -> Result<Self, SecretRefError> {
        let (store, rest) = text.split_once(':').ok_or(SecretRefError)?;
        let (store, name, field) = match store {
            "secretsmanager" => match rest.split_once('#') {
                Some((name, field)) => (Store::SecretsManager, name, Some(field)),
                None => (Store::SecretsManager, rest, None),
            },
            "ssm" => (Store::Parameters, rest, None),
            _ => return Err(SecretRefError),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-:".contains(c);
        let good = (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(allowed);
        if !good || field.is_some_and(str::is_empty) {
            return Err(SecretRefError);
        }
        Ok(Self {
            store,
            name: name.to_owned(),
            field: field.map(str::to_owned),
        })
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = match self.store {
            Store::SecretsManager => "secretsmanager",
            Store::Parameters => "ssm",
        };
        write!(f, "{store}:{}", self.name)?;
        self.field
            .iter()
            .try_for_each(|field| write!(f, "#{field}"))
    }
}

impl<'de> serde::Deserialize<'de> for SecretRef {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_40_secrets_are_equal_by_their_whole_value() {
        let long = "a".repeat(100);
        for (one, other) in [("", ""), ("a", "a"), (long.as_str(), long.as_str())] {
            assert_eq!(Secret::new(one.to_owned()), Secret::new(other.to_owned()));
        }
        let changed = format!("{}b", &long[1..]);
        for (one, other) in [("", "a"), ("a", "b"), ("a", "ab"), (&long, &changed)] {
            assert_ne!(Secret::new(one.to_owned()), Secret::new(other.to_owned()));
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(
            format!("{:?}", Secret::new("planted".to_owned())),
            "[redacted]"
        );
    }

    #[test]
    fn references_are_read_and_values_refused_without_showing_them() {
        for text in [
            "secretsmanager:jenkins/token",
            "secretsmanager:arn:aws:secretsmanager:eu-west-1:111122223333:secret:ci-AbCdEf#token",
            "ssm:/ci/token",
        ] {
            let reference: SecretRef = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
        }
        for bad in [
            "planted",
            "",
            "ssm:",
            "secretsmanager:a#",
            "ssm:a b",
            "https://planted",
        ] {
            let error = serde_json::from_value::<SecretRef>(bad.into())
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("a reference is needed") && !error.contains("planted"),
                "{error}"
            );
        }
    }
}
