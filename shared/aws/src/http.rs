//! The one HTTP client all AWS calls share, and the roots it trusts.

use std::{
    borrow::Cow,
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    time::Duration,
};

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{
    Builder, Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The five Amazon Trust Services roots: every AWS endpoint chains to one of them.
const AMAZON: &str = include_str!("../roots/amazon.pem");

/// All clients use the same connect and read timeouts, else they would not share connections.
pub(crate) const CONNECT: Duration = Duration::from_secs(3);
/// How long an answer's headers may take.
pub(crate) const READ: Duration = Duration::from_secs(20);

/// Why the roots cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file named by `AWS_CA_BUNDLE` or `SSL_CERT_FILE` cannot be read.
    #[error("the certificate file {path} cannot be read")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file holds nothing usable.
    #[error("the certificate file {path} holds no usable certificate in PEM form")]
    Empty {
        /// The file.
        path: String,
    },
}

/// Where root certificates come from. Reading a whole bundle and parsing waits for the first connection: init would
/// grow by a fifth.
#[derive(Debug, Clone)]
pub(crate) enum Roots {
    /// Nothing was configured.
    Embedded,
    /// The configured file.
    Bundle(PathBuf),
}

impl Roots {
    /// Looks at the configured file, if any: it must hold a certificate.
    pub(crate) fn load(bundle: Option<&Path>) -> Result<Self, RootsError> {
        let Some(path) = bundle else {
            return Ok(Self::Embedded);
        };
        let name = || path.display().to_string();
        let unreadable = |source| RootsError::Unreadable {
            path: name(),
            source,
        };
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        let mut line = Vec::new();
        while file.read_until(b'\n', &mut line).map_err(unreadable)? > 0 {
            if line.starts_with(BEGIN.as_bytes()) {
                return Ok(Self::Bundle(path.to_owned()));
            }
            line.clear();
        }
        Err(RootsError::Empty { path: name() })
    }

    fn pem(&self) -> Cow<'static, str> {
        match self {
            Self::Embedded => AMAZON.into(),
            Self::Bundle(path) => match std::fs::read(path) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
                Err(error) => {
                    tracing::error!(path = %path.display(), error = &error as &dyn std::error::Error, "the certificate file can no longer be read");
                    "".into()
                }
            },
        }
    }

    /// The PEM blocks that rustls accepts. A system bundle may hold a few it does not; the SDK's client would panic on those.
    fn usable(pem: &str) -> impl Iterator<Item = (&str, CertificateDer<'static>)> {
        blocks(pem).filter_map(|block| {
            let der = CertificateDer::from_pem_slice(block.as_bytes()).ok()?;
            RootCertStore::empty().add(der.clone()).ok()?;
            Some((block, der))
        })
    }

    /// The roots for calls to addresses that are not AWS's: the configured file, else the public web's roots.
    pub(crate) fn for_the_web(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        match self {
            Self::Embedded => store
                .roots
                .extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Self::Bundle(_) => {
                store.add_parsable_certificates(Self::usable(&self.pem()).map(|(_, der)| der));
            }
        }
        store
    }
}

/// Makes the client. Nothing connects and no TLS state is built before the first call.
pub(crate) fn client(roots: &Roots) -> SharedHttpClient {
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context(roots))
        .build_https()
}

/// A connector of its own for requests that no SDK client makes, with the same trust and timeouts.
pub(crate) fn connector(roots: &Roots) -> Connector {
    Connector::builder()
        .connector_settings(
            HttpConnectorSettings::builder()
                .connect_timeout(CONNECT)
                .read_timeout(READ)
                .build(),
        )
        .sleep_impl(TokioSleep::new())
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context(roots))
        .build()
}

fn context(roots: &Roots) -> TlsContext {
    let mut trust = TrustStore::empty();
    let mut count = 0_usize;
    let pem = roots.pem();
    for (block, _) in Roots::usable(&pem) {
        trust.add_pem_certificate(block.as_bytes());
        count += 1;
    }
    if let (0, Roots::Bundle(path)) = (count, roots) {
        tracing::error!(
            path = %path.display(),
            "no certificate in the configured file is usable; every TLS connection will be refused"
        );
    }
    TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .expect("a context of checked certificates always builds")
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

fn blocks(pem: &str) -> impl Iterator<Item = &str> {
    pem.split_inclusive(END)
        .filter_map(|part| part.find(BEGIN).map(|at| &part[at..]))
        .filter(|block| block.ends_with(END))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_embedded_roots_are_usable() {
        assert_eq!(Roots::usable(&Roots::Embedded.pem()).count(), 5);
        assert_eq!(
            Roots::Embedded.for_the_web().len(),
            webpki_roots::TLS_SERVER_ROOTS.len()
        );
    }

    #[test]
    fn a_bundle_replaces_them_and_its_bad_parts_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let good = blocks(AMAZON).next().unwrap();
        let text = format!("# a comment\n{BEGIN}\nAAAA\n{END}\n{good}\n");
        std::fs::write(&path, text).unwrap();
        let roots = Roots::load(Some(&path)).unwrap();
        assert_eq!(Roots::usable(&roots.pem()).count(), 1);
        assert_eq!(roots.for_the_web().len(), 1);
        let _builds = client(&roots);
    }

    #[test]
    fn a_useless_bundle_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("empty.pem");
        std::fs::write(&path, "nothing here").unwrap();
        let error = Roots::load(Some(&path)).unwrap_err().to_string();
        assert!(
            error.ends_with("empty.pem holds no usable certificate in PEM form"),
            "{error}"
        );
        assert!(matches!(
            Roots::load(Some(&dir.path().join("absent.pem"))),
            Err(RootsError::Unreadable { .. })
        ));
    }
}
