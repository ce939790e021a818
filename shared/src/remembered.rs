//! Secrets read once in a process's life: each reference is asked for at its first use.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use crate::{
    port::{PortError, SecretStore},
    secret::{Secret, SecretRef},
};

/// A store of secrets that asks once. A changed secret is seen by the next process; failures are not remembered.
pub struct Remembered<S> {
    store: S,
    known: Mutex<BTreeMap<SecretRef, Secret>>,
}

impl<S> Remembered<S> {
    /// Remembers what this store says.
    pub fn new(store: S) -> Self {
        Self {
            store,
            known: Mutex::default(),
        }
    }
}

impl<S: SecretStore> SecretStore for Remembered<S> {
    async fn read(&self, secret: &SecretRef) -> Result<Secret, PortError> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = known().get(secret) {
            return Ok(value.clone());
        }
        let value = self.store.read(secret).await?;
        known().insert(secret.clone(), value.clone());
        Ok(value)
    }
}

impl<S> fmt::Debug for Remembered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Counting(AtomicU32);
    impl SecretStore for Counting {
        async fn read(&self, secret: &SecretRef) -> Result<Secret, PortError> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Err(PortError::NotFound {
                    what: secret.to_string(),
                }),
                number => Ok(Secret::new(format!("planted-{number}"))),
            }
        }
    }

    #[tokio::test]
    async fn a_value_is_asked_for_once_and_a_failure_again() {
        let store = Remembered::new(Counting(AtomicU32::new(0)));
        let reference: SecretRef = "ssm:/ci/token".parse().unwrap();
        assert!(store.read(&reference).await.is_err());
        for _ in 0..2 {
            let value = store.read(&reference).await.unwrap();
            assert_eq!(value.reveal(), "planted-1");
        }
        assert!(!format!("{store:?}").contains("planted"));
    }
}
