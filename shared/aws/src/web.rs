//! HTTP clients for addresses that are not AWS's: trust, timeouts, no redirects.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{Client, NoProxy, Proxy, redirect::Policy};

use crate::{environment::Environment, error::chain, http::Roots, sdk::Aws};

/// A site that does not take a connection in this time is not up.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next call. A function is frozen between two events, and a connection that died
/// meanwhile would look like a lost answer.
const IDLE: Duration = Duration::from_secs(5);

/// Whether proxies are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Straight to the address.
    Direct,
    /// Through the proxy that the environment names, if it names one.
    ByEnvironment,
}

/// A client made at its first use.
#[derive(Debug)]
pub(crate) struct Clients {
    aws: Aws,
    route: Route,
    client: OnceLock<Client>,
}

impl Clients {
    pub(crate) fn new(aws: &Aws, route: Route) -> Self {
        Self {
            aws: aws.clone(),
            route,
            client: OnceLock::new(),
        }
    }

    /// The client; the error says why there is none.
    pub(crate) fn client(&self) -> Result<&Client, String> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = build(self.aws.roots(), self.route, self.aws.environment())?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn build(roots: &Roots, route: Route, environment: &Environment) -> Result<Client, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| chain(&error))?
        .with_root_certificates(roots.for_the_web())
        .with_no_client_auth();
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        // Without this reqwest reads the process's environment.
        .no_proxy()
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("stagewright/", env!("CARGO_PKG_VERSION")));
    if route == Route::ByEnvironment {
        for proxy in proxies(environment)? {
            builder = builder.proxy(proxy);
        }
    }
    builder.build().map_err(|error| chain(&error))
}

/// The proxies that the environment names, as curl reads it: lower case wins, `HTTP_PROXY` counts in lower case only.
fn proxies(environment: &Environment) -> Result<Vec<Proxy>, String> {
    let value = |names: &[&str]| {
        let mut values = names.iter().filter_map(|name| environment.variable(name));
        values.next().map(str::to_owned)
    };
    let except = value(&["no_proxy", "NO_PROXY"]);
    let except = except.and_then(|list| NoProxy::from_string(&list));
    let all = value(&["all_proxy", "ALL_PROXY"]);
    let http = value(&["http_proxy"]).or_else(|| all.clone());
    let https = value(&["https_proxy", "HTTPS_PROXY"]).or(all);
    let proxy = |address: Option<String>, make: fn(String) -> reqwest::Result<Proxy>| {
        let proxy = address.map(make).transpose();
        // The address stays out of the text: it may hold a password.
        proxy.map_err(|_| "a proxy variable of the environment holds no usable address".to_owned())
    };
    let http = proxy(http, Proxy::http)?;
    let https = proxy(https, Proxy::https)?;
    let both = http.into_iter().chain(https);
    Ok(both.map(|proxy| proxy.no_proxy(except.clone())).collect())
}
