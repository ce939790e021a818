//! Temporary credentials that open exactly one job's artifacts.
//!
//! A session token holds its scope and end, sealed with a key of this state folder: nothing is kept in
//! memory, and credentials handed out before a restart are still judged after it.

use std::{fs, io, path::Path, sync::Arc};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use jiff::Timestamp;
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize};
use shared::secret::Secret;

/// First characters of every access key id issued here.
const KEY_PREFIX: &str = "ASIASTGW";
/// First characters of every session token issued here.
const TOKEN_PREFIX: &str = "stagewright/1/";

/// The objects that credentials open. What may be written may be read as well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Bucket and key of what may be read, any version.
    pub read: Vec<(String, String)>,
    /// Bucket and key of what may be written.
    pub write: Vec<(String, String)>,
}

/// Credentials as a job carries them.
#[derive(Debug, Clone)]
pub struct IssuedCredentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token.
    pub session_token: Secret,
    /// When they stop working.
    pub expires: Timestamp,
}

/// Why credentials that look issued here open nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// After their end.
    #[error("The provided token has expired.")]
    Expired,
    /// The token is missing, changed, or belongs to another access key.
    #[error("The provided token is malformed or otherwise invalid.")]
    Invalid,
}

/// Issues and judges credentials; clones share the key.
#[derive(Clone)]
pub struct Vault {
    key: Arc<hmac::Key>,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    access_key_id: String,
    expires: Timestamp,
    scope: Scope,
}

impl Scope {
    /// Whether the object may be read.
    pub fn may_read(&self, bucket: &str, key: &str) -> bool {
        let is = |(b, k): &(String, String)| b == bucket && k == key;
        self.read.iter().any(is) || self.write.iter().any(is)
    }

    /// Whether the object may be written.
    pub fn may_write(&self, bucket: &str, key: &str) -> bool {
        self.write.iter().any(|(b, k)| b == bucket && k == key)
    }
}

impl Vault {
    /// Opens the key file of a state folder, making it (readable by its owner only) the first time.
    ///
    /// # Errors
    /// The file cannot be read or made.
    pub fn open(file: &Path) -> io::Result<Self> {
        match fs::read(file) {
            Ok(bytes) if bytes.len() == 32 => Ok(Self::with_key(&bytes)),
            Ok(_) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{} is not a vault key; delete it to get a new one",
                    file.display()
                ),
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes = random();
                write_private(file, &bytes)?;
                Ok(Self::with_key(&bytes))
            }
            Err(error) => Err(error),
        }
    }

    /// Credentials for these objects until `expires`.
    pub fn issue(&self, scope: Scope, expires: Timestamp) -> IssuedCredentials {
        let tail: String = random().iter().take(12).map(|b| base32(*b)).collect();
        let access_key_id = format!("{KEY_PREFIX}{tail}");
        let secret = hmac::sign(&self.key, format!("secret {access_key_id}").as_bytes());
        let sealed = Sealed {
            access_key_id: access_key_id.clone(),
            expires,
            scope,
        };
        let payload = serde_json::to_vec(&sealed).expect("strings and times are always JSON");
        let tag = hmac::sign(&self.key, &payload);
        let token = format!(
            "{TOKEN_PREFIX}{}.{}",
            BASE64.encode(tag.as_ref()),
            BASE64.encode(&payload)
        );
        IssuedCredentials {
            access_key_id,
            secret_access_key: Secret::new(BASE64.encode(&secret.as_ref()[..30])),
            session_token: Secret::new(token),
            expires,
        }
    }

    /// What credentials open: `None` is everything (any credentials that were not issued here).
    ///
    /// # Errors
    /// Issued here, and expired or not with their own token.
    pub fn scope_of(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Scope>, Refused> {
        let token = session_token.and_then(|token| token.strip_prefix(TOKEN_PREFIX));
        let Some(token) = token else {
            let ours = access_key_id.starts_with(KEY_PREFIX);
            return if ours {
                Err(Refused::Invalid)
            } else {
                Ok(None)
            };
        };
        let sealed = self.unseal(token).ok_or(Refused::Invalid)?;
        if sealed.access_key_id != access_key_id {
            return Err(Refused::Invalid);
        }
        if sealed.expires <= now {
            return Err(Refused::Expired);
        }
        Ok(Some(sealed.scope))
    }

    fn unseal(&self, token: &str) -> Option<Sealed> {
        let (tag, payload) = token.split_once('.')?;
        let tag = BASE64.decode(tag).ok()?;
        let payload = BASE64.decode(payload).ok()?;
        hmac::verify(&self.key, &payload, &tag).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    fn with_key(bytes: &[u8]) -> Self {
        Self {
            key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, bytes)),
        }
    }
}

impl Default for Vault {
    /// A vault whose credentials end with the process.
    fn default() -> Self {
        Self::with_key(&random())
    }
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system's random numbers do not fail once it runs");
    bytes
}

fn base32(byte: u8) -> char {
    char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(byte % 32)])
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let unique = random()
        .iter()
        .take(8)
        .map(|b| base32(*b))
        .collect::<String>();
    let temporary = file.with_extension(unique);
    let mut open = fs::OpenOptions::new();
    open.write(true).create_new(true).mode(0o600);
    let mut handle = open.open(&temporary)?;
    handle.write_all(bytes)?;
    handle.sync_all()?;
    fs::rename(temporary, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope {
            read: vec![("b".into(), "in".into())],
            write: vec![("b".into(), "out".into())],
        }
    }

    #[test]
    fn a_scope_opens_its_objects_only() {
        let scope = scope();
        assert!(
            scope.may_read("b", "in") && scope.may_read("b", "out") && scope.may_write("b", "out")
        );
        assert!(
            !scope.may_write("b", "in") && !scope.may_read("b", "i") && !scope.may_read("c", "in")
        );
    }

    #[test]
    fn credentials_are_judged_across_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("vault.key");
        let now = Timestamp::from_second(1_000).unwrap();
        let end = Timestamp::from_second(2_000).unwrap();
        let vault = Vault::open(&file).unwrap();
        let issued = vault.issue(scope(), end);
        let (id, token) = (
            issued.access_key_id.as_str(),
            issued.session_token.reveal().as_str(),
        );

        let again = Vault::open(&file).unwrap();
        assert_eq!(again.scope_of(id, Some(token), now), Ok(Some(scope())));
        assert_eq!(again.scope_of(id, Some(token), end), Err(Refused::Expired));
        assert_eq!(again.scope_of(id, None, now), Err(Refused::Invalid));
        assert_eq!(
            again.scope_of("AKIAOTHER", Some(token), now),
            Err(Refused::Invalid)
        );
        assert_eq!(again.scope_of("AKIAANY", Some("any"), now), Ok(None));
        let changed = format!("{}A", token);
        assert_eq!(
            again.scope_of(id, Some(&changed), now),
            Err(Refused::Invalid)
        );
        assert_eq!(
            Vault::default().scope_of(id, Some(token), now),
            Err(Refused::Invalid)
        );
    }

    #[test]
    fn nothing_secret_is_printed() {
        let issued = Vault::default().issue(scope(), Timestamp::UNIX_EPOCH);
        let text = format!("{issued:?}");
        assert!(!text.contains(issued.secret_access_key.reveal()));
        assert!(!text.contains(issued.session_token.reveal()));
    }
}
