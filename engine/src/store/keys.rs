//! KMS keys: Ed25519 for signing, AES-256-GCM for data; one file that only its owner can read.

mod blob;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use ring::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use serde::{Deserialize, Serialize};

use crate::{clock::Clock, config::Config, vault::write_private};

/// DER prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410); the 32 key bytes follow.
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// All keys; clones share them.
#[derive(Clone)]
pub struct Keys {
    inner: Arc<Inner>,
}

struct Inner {
    file: PathBuf,
    config: Arc<Config>,
    clock: Clock,
    kept: Mutex<Kept>,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeySpec {
    /// Signs with Ed25519.
    #[serde(rename = "ECC_NIST_EDWARDS25519")]
    Ed25519,
    /// Encrypts with AES-256-GCM.
    #[serde(rename = "SYMMETRIC_DEFAULT")]
    Symmetric,
}

/// What everybody may know of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// A UUID.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// What it is for.
    pub spec: KeySpec,
    /// When it was made.
    pub created: Timestamp,
    /// As given to CreateKey.
    pub description: String,
}

/// A refused KMS request, with KMS's own code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct KeyError {
    /// `NotFoundException`, ….
    pub code: &'static str,
    /// One sentence.
    pub message: String,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Kept {
    keys: BTreeMap<String, StoredKey>,
    /// `alias/NAME` -> key id.
    aliases: BTreeMap<String, String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct StoredKey {
    spec: KeySpec,
    created: Timestamp,
    description: String,
    /// Base64 of the PKCS#8 document or of the 32 bytes.
    material: String,
}

impl Keys {
    /// Opens `keys.json` in `folder` (made with mode 0600 when the first key is).
    ///
    /// # Errors
    /// When the file cannot be read or is not ours.
    pub fn open(folder: &Path, config: Arc<Config>, clock: Clock) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = folder.join("keys.json");
        let kept = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let text = format!("{} is not a file of keys: {error}", file.display());
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                file,
                config,
                clock,
                kept: Mutex::new(kept),
            }),
        })
    }

    /// Makes a key.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn create(&self, spec: KeySpec, description: &str) -> Result<KeyFacts, KeyError> {
        self.change(|kept| {
            let id = self.add(kept, spec, description)?;
            self.facts(kept, &id)
        })
    }

    /// The Ed25519 key of an alias (`alias/NAME`), made when it is missing: its id and its 32 public bytes.
    ///
    /// # Errors
    /// When it cannot be stored, or the alias names a key of another kind.
    pub fn ensure_signing_key(&self, alias: &str) -> Result<(String, [u8; 32]), KeyError> {
        let known = self.lock().aliases.get(alias).cloned();
        let id = match known {
            Some(id) => id,
            None => self.change(|kept| {
                if let Some(id) = kept.aliases.get(alias) {
                    return Ok(id.clone());
                }
                let id = self.add(kept, KeySpec::Ed25519, alias)?;
                kept.aliases.insert(checked_alias(alias)?, id.clone());
                Ok(id)
            })?,
        };
        let public = self.public_key(&id)?;
        Ok((id, public))
    }

    /// Points an alias (`alias/NAME`) at a key.
    ///
    /// # Errors
    /// `InvalidAliasNameException`, `AlreadyExistsException`, `NotFoundException`.
    pub fn create_alias(&self, alias: &str, key: &str) -> Result<(), KeyError> {
        self.change(|kept| {
            let alias = checked_alias(alias)?;
            if kept.aliases.contains_key(&alias) {
                let text = format!("An alias with the name {alias} already exists");
                return Err(refuse("AlreadyExistsException", text));
            }
            let id = find(kept, key)?;
            kept.aliases.insert(alias, id);
            Ok(())
        })
    }

    /// All keys by id.
    pub fn list(&self) -> Vec<KeyFacts> {
        let kept = self.lock();
        let ids: Vec<String> = kept.keys.keys().cloned().collect();
        ids.iter()
            .filter_map(|id| self.facts(&kept, id).ok())
            .collect()
    }

    /// All aliases with their key ids.
    pub fn aliases(&self) -> BTreeMap<String, String> {
        self.lock().aliases.clone()
    }

    /// Facts of a key by id, ARN or alias.
    ///
    /// # Errors
    /// `NotFoundException`.
    pub fn describe(&self, key: &str) -> Result<KeyFacts, KeyError> {
        let kept = self.lock();
        let id = find(&kept, key)?;
        self.facts(&kept, &id)
    }

    /// The 32 public bytes of a signing key.
    ///
    /// # Errors
    /// `NotFoundException`, `UnsupportedOperationException` for a symmetric key.
    pub fn public_key(&self, key: &str) -> Result<[u8; 32], KeyError> {
        let pair = self.pair(key)?;
        let public = pair.public_key().as_ref();
        public.try_into().map_err(|_| broken(key))
    }

    /// The public key as a DER SubjectPublicKeyInfo, as GetPublicKey answers it.
    ///
    /// # Errors
    /// As [`Keys::public_key`].
    pub fn public_key_der(&self, key: &str) -> Result<Vec<u8>, KeyError> {
        let public = self.public_key(key)?;
        Ok([SPKI_PREFIX.as_slice(), &public].concat())
    }

    /// Signs a message (ED25519_SHA_512 over the raw message): 64 bytes.
    ///
    /// # Errors
    /// `NotFoundException`, `InvalidKeyUsageException`.
    pub fn sign(&self, key: &str, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(self.pair(key)?.sign(message).as_ref().to_vec())
    }

    /// Whether the signature is the key's.
    ///
    /// # Errors
    /// `NotFoundException`, `InvalidKeyUsageException`.
    pub fn verify(&self, key: &str, message: &[u8], signature: &[u8]) -> Result<bool, KeyError> {
        let public = self.public_key(key)?;
        let public = UnparsedPublicKey::new(&ED25519, public);
        Ok(public.verify(message, signature).is_ok())
    }

    /// Encrypts; the blob names its key. `context` must be given again to decrypt.
    ///
    /// # Errors
    /// `NotFoundException`, `InvalidKeyUsageException`.
    pub fn encrypt(
        &self,
        key: &str,
        plaintext: &[u8],
        context: &BTreeMap<String, String>,
    ) -> Result<Vec<u8>, KeyError> {
        let id = self.describe(key)?.id;
        let cipher = self.cipher(&id)?;
        blob::seal(&cipher, &id, random()?, plaintext, context).ok_or_else(|| broken(&id))
    }

    /// Decrypts a blob: the key's id and the plaintext.
    ///
    /// # Errors
    /// `InvalidCiphertextException` when the blob or the context is not the one encrypted.
    pub fn decrypt(
        &self,
        blob: &[u8],
        context: &BTreeMap<String, String>,
    ) -> Result<(String, Vec<u8>), KeyError> {
        let invalid = || refuse("InvalidCiphertextException", String::new());
        let blob = blob::split(blob).ok_or_else(invalid)?;
        let cipher = self.cipher(blob.key).map_err(|_| invalid())?;
        let plaintext = blob.open(&cipher, context).ok_or_else(invalid)?;
        Ok((blob.key.to_owned(), plaintext))
    }

    fn add(&self, kept: &mut Kept, spec: KeySpec, description: &str) -> Result<String, KeyError> {
        let material = match spec {
            KeySpec::Ed25519 => {
                let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                    .map_err(|_| refuse("KMSInternalException", "no random numbers"))?;
                document.as_ref().to_vec()
            }
            KeySpec::Symmetric => random::<32>()?.to_vec(),
        };
        let id = uuid::Uuid::new_v4().to_string();
        let key = StoredKey {
            spec,
            created: self.inner.clock.now(),
            description: description.to_owned(),
            material: BASE64_STANDARD.encode(material),
        };
        kept.keys.insert(id.clone(), key);
        Ok(id)
    }

    fn facts(&self, kept: &Kept, id: &str) -> Result<KeyFacts, KeyError> {
        let key = kept.keys.get(id).ok_or_else(|| unknown(id))?;
        let engine = &self.inner.config.engine;
        Ok(KeyFacts {
            id: id.to_owned(),
            arn: format!("arn:aws:kms:{}:{}:key/{id}", engine.region, engine.account),
            spec: key.spec,
            created: key.created,
            description: key.description.clone(),
        })
    }

    fn pair(&self, key: &str) -> Result<Ed25519KeyPair, KeyError> {
        let material = self.material(key, KeySpec::Ed25519)?;
        Ed25519KeyPair::from_pkcs8(&material).map_err(|_| broken(key))
    }

    fn cipher(&self, key: &str) -> Result<LessSafeKey, KeyError> {
        let material = self.material(key, KeySpec::Symmetric)?;
        let key = UnboundKey::new(&AES_256_GCM, &material).map_err(|_| broken(key))?;
        Ok(LessSafeKey::new(key))
    }

    fn material(&self, key: &str, spec: KeySpec) -> Result<Vec<u8>, KeyError> {
        let kept = self.lock();
        let id = find(&kept, key)?;
        let stored = kept.keys.get(&id).ok_or_else(|| unknown(&id))?;
        if stored.spec != spec {
            let text = format!("key {id} is not of the kind this operation needs");
            return Err(refuse("InvalidKeyUsageException", text));
        }
        BASE64_STANDARD
            .decode(&stored.material)
            .map_err(|_| broken(&id))
    }

    /// Stores before it counts: a change that cannot be written did not happen.
    fn change<R>(
        &self,
        change: impl FnOnce(&mut Kept) -> Result<R, KeyError>,
    ) -> Result<R, KeyError> {
        let mut kept = self.lock();
        let mut next = kept.clone();
        let answer = change(&mut next)?;
        let bytes = serde_json::to_vec(&next)
            .map_err(|error| refuse("KMSInternalException", error.to_string()))?;
        write_private(&self.inner.file, &bytes)
            .map_err(|error| refuse("KMSInternalException", error.to_string()))?;
        *kept = next;
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        let kept = &self.inner.kept;
        kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// The id behind an id, a key ARN, an alias or an alias ARN.
fn find(kept: &Kept, key: &str) -> Result<String, KeyError> {
    let name = match key.strip_prefix("arn:") {
        Some(rest) => rest.rsplit(':').next().unwrap_or(rest),
        None => key,
    };
    let id = match name.strip_prefix("alias/") {
        Some(_) => kept.aliases.get(name).cloned(),
        None => Some(name.strip_prefix("key/").unwrap_or(name).to_owned()),
    };
    id.filter(|id| kept.keys.contains_key(id))
        .ok_or_else(|| unknown(key))
}

fn checked_alias(alias: &str) -> Result<String, KeyError> {
    let good = alias.strip_prefix("alias/").is_some_and(|name| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/_-".contains(&b);
        !name.is_empty()
            && name.len() <= 250
            && name.bytes().all(plain)
            && !name.starts_with("aws/")
    });
    if good {
        return Ok(alias.to_owned());
    }
    let text = format!("Alias {alias} is not alias/NAME with letters, digits, /, _ and -");
    Err(refuse("InvalidAliasNameException", text))
}

fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| refuse("KMSInternalException", "no random numbers"))?;
    Ok(bytes)
}

fn refuse(code: &'static str, message: impl Into<String>) -> KeyError {
    KeyError {
        code,
        message: message.into(),
    }
}

fn unknown(key: &str) -> KeyError {
    refuse("NotFoundException", format!("Key '{key}' does not exist"))
}

fn broken(key: &str) -> KeyError {
    refuse("KMSInternalException", format!("key {key} cannot be used"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn open(folder: &Path) -> Keys {
        Keys::open(folder, Arc::default(), Clock::real()).expect("keys")
    }

    #[test]
    fn signatures_verify_and_survive_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = open(folder.path());
        let (id, public) = keys.ensure_signing_key("alias/links").expect("a key");
        let signature = keys.sign("alias/links", b"message").expect("a signature");
        UnparsedPublicKey::new(&ED25519, public)
            .verify(b"message", &signature)
            .expect("ring agrees");
        let again = open(folder.path());
        assert_eq!(
            again.ensure_signing_key("alias/links"),
            Ok((id.clone(), public))
        );
        assert_eq!(again.verify(&id, b"message", &signature), Ok(true));
        assert_eq!(again.verify(&id, b"other", &signature), Ok(false));
        let arn = again.describe(&id).expect("facts").arn;
        let der = again.public_key_der(&arn).expect("a document");
        assert_eq!((der.len(), &der[12..]), (44, public.as_slice()));
        let mode = fs::metadata(folder.path().join("keys.json"))
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_blob_opens_with_its_context_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = open(folder.path());
        let key = keys.create(KeySpec::Symmetric, "data").expect("a key");
        let context: BTreeMap<_, _> = [("app".to_owned(), "x".to_owned())].into();
        let blob = keys.encrypt(&key.id, b"plain", &context).expect("a blob");
        assert_eq!(
            keys.decrypt(&blob, &context),
            Ok((key.id.clone(), b"plain".to_vec()))
        );
        let mut changed = blob.clone();
        let last = changed.len() - 1;
        changed[last] ^= 1;
        for (blob, context) in [
            (&blob, &BTreeMap::new()),
            (&changed, &context),
            (&vec![1, 2], &context),
        ] {
            let refusal = keys.decrypt(blob, context).expect_err("refused");
            assert_eq!(refusal.code, "InvalidCiphertextException");
        }
        assert_eq!(
            keys.sign(&key.id, b"m").expect_err("refused").code,
            "InvalidKeyUsageException"
        );
        assert_eq!(
            keys.describe("alias/none").expect_err("refused").code,
            "NotFoundException"
        );
    }
}
