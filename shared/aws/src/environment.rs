//! What the Lambda environment says about AWS: region, credentials, endpoints, trust. Read once.

use std::{collections::BTreeMap, path::PathBuf};

use shared::{config::Source, secret::Secret};

/// The variables a function is started with, with the AWS part parsed.
///
/// There is no credential chain and no profile file: Lambda puts everything into variables, and reading
/// nothing else is what keeps the first event fast.
#[derive(Debug, Clone)]
pub struct Environment {
    region: String,
    credentials: Credentials,
    ca_bundle: Option<PathBuf>,
    variables: Variables,
}

/// The function's own credentials.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: Secret,
    pub(crate) secret_access_key: Secret,
    pub(crate) session_token: Option<Secret>,
}

#[derive(Clone)]
struct Variables(BTreeMap<String, String>);

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// A variable that Lambda always sets is missing.
    #[error("the environment variable {name} is not set: {hint}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// Who sets it.
        hint: &'static str,
    },
    /// An endpoint is not an address.
    #[error("the environment variable {name} is not an http:// or https:// address")]
    BadEndpoint {
        /// The variable.
        name: String,
    },
}

impl Environment {
    /// Reads the environment of this process.
    pub fn of_process() -> Result<Self, EnvironmentError> {
        Self::from_variables(
            std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
        )
    }

    /// Reads the given variables; an empty value counts as unset.
    pub fn from_variables(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, EnvironmentError> {
        let variables = Variables(
            variables
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        );
        let lambda = "Lambda sets it, and so does `stagewright`";
        let need = |name| {
            let hint = lambda;
            variables
                .get(name)
                .ok_or(EnvironmentError::Missing { name, hint })
        };
        let region = match variables.get("AWS_REGION") {
            Some(region) => region,
            None => need("AWS_DEFAULT_REGION").map_err(|_| EnvironmentError::Missing {
                name: "AWS_REGION",
                hint: lambda,
            })?,
        };
        for (name, value) in &variables.0 {
            let endpoint = name == ENDPOINT || name.starts_with(ENDPOINT_OF);
            if endpoint && !value.starts_with("http://") && !value.starts_with("https://") {
                return Err(EnvironmentError::BadEndpoint { name: name.clone() });
            }
        }
        Ok(Self {
            region: region.to_owned(),
            credentials: Credentials {
                access_key_id: Secret::new(need("AWS_ACCESS_KEY_ID")?.to_owned()),
                secret_access_key: Secret::new(need("AWS_SECRET_ACCESS_KEY")?.to_owned()),
                session_token: variables
                    .get("AWS_SESSION_TOKEN")
                    .map(|token| Secret::new(token.to_owned())),
            },
            ca_bundle: variables
                .get("AWS_CA_BUNDLE")
                .or_else(|| variables.get("SSL_CERT_FILE"))
                .map(PathBuf::from),
            variables,
        })
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name)
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// A PEM file that replaces the embedded roots: `AWS_CA_BUNDLE`, else `SSL_CERT_FILE`.
    pub(crate) fn ca_bundle(&self) -> Option<&PathBuf> {
        self.ca_bundle.as_ref()
    }

    /// The address that calls to a service go to, when it is not AWS's own: `AWS_ENDPOINT_URL_<SERVICE>`, else
    /// `AWS_ENDPOINT_URL`; both are off with `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true`.
    ///
    /// `service` is the service id in capitals with underscores, as `CODEPIPELINE`.
    pub(crate) fn endpoint(&self, service: &str) -> Option<&str> {
        let ignored = self.variables.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        if ignored.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return None;
        }
        self.variables
            .get(&format!("{ENDPOINT_OF}{service}"))
            .or_else(|| self.variables.get(ENDPOINT))
    }
}

/// The function's own settings come from the same variables.
impl Source for Environment {
    fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(str::to_owned)
    }
}

const ENDPOINT: &str = "AWS_ENDPOINT_URL";
const ENDPOINT_OF: &str = "AWS_ENDPOINT_URL_";

impl Variables {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(extra: &[(&str, &str)]) -> Result<Environment, EnvironmentError> {
        let base = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDPLANTED"),
            ("AWS_SECRET_ACCESS_KEY", "planted"),
        ];
        Environment::from_variables(
            base.iter()
                .chain(extra)
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        )
    }

    #[test]
    fn endpoints_go_from_special_to_general() {
        let general = ("AWS_ENDPOINT_URL", "http://a:1");
        let special = ("AWS_ENDPOINT_URL_S3", "http://b:2");
        let off = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        let endpoint = |vars: &[_], service| {
            let environment = environment(vars).unwrap();
            environment.endpoint(service).map(str::to_owned)
        };
        assert_eq!(endpoint(&[], "S3"), None);
        assert_eq!(endpoint(&[general], "SNS"), Some("http://a:1".into()));
        assert_eq!(
            endpoint(&[general, special], "S3"),
            Some("http://b:2".into())
        );
        assert_eq!(
            endpoint(&[general, special], "SNS"),
            Some("http://a:1".into())
        );
        assert_eq!(endpoint(&[general, special, off], "S3"), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let missing = Environment::from_variables([("AWS_REGION".to_owned(), "x".to_owned())]);
        assert_eq!(
            missing.unwrap_err().to_string(),
            "the environment variable AWS_ACCESS_KEY_ID is not set: Lambda sets it, and so does `stagewright`"
        );
        let bad = environment(&[("AWS_ENDPOINT_URL_SNS", "localhost:1")]);
        assert_eq!(
            bad.unwrap_err().to_string(),
            "the environment variable AWS_ENDPOINT_URL_SNS is not an http:// or https:// address"
        );
    }

    #[test]
    fn debug_text_has_names_but_no_values() {
        let text = format!("{:?}", environment(&[("OTHER", "planted")]).unwrap());
        assert!(
            text.contains("OTHER") && !text.to_lowercase().contains("planted"),
            "{text}"
        );
    }
}
