//! Cache invalidation in CloudFront: one request, signed by hand.
//!
//! `aws-sdk-cloudfront` is among the largest SDK crates (over 150 operations, a minute to build, and XML parsers
//! for all of them); this needs one operation with a body of four elements, so `aws-sigv4` and the shared HTTP
//! settings do.

use std::{sync::OnceLock, time::Duration};

use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::http::StatusCode;
use shared::port::{CacheInvalidator, PortError};

use crate::{
    error::{by_answer, unavailable},
    http, rpc,
    sdk::Aws,
};

/// `CreateInvalidation`, with the function's own role.
#[derive(Debug)]
pub struct CloudFront {
    aws: Aws,
    connector: OnceLock<Connector>,
}

/// The one region CloudFront is signed for.
const REGION: &str = "us-east-1";
const HOST: &str = "https://cloudfront.amazonaws.com";
/// The API version in its paths and namespace.
const VERSION: &str = "2020-05-31";
const ATTEMPTS: u32 = 3;
const BACKOFF: Duration = Duration::from_millis(50);

impl CloudFront {
    /// Makes no connector yet.
    pub fn new(aws: &Aws) -> Self {
        Self {
            aws: aws.clone(),
            connector: OnceLock::new(),
        }
    }

    async fn send(&self, url: &str, body: &str, what: &str) -> Result<String, PortError> {
        let headers = [("content-type", "text/xml")];
        let request = rpc::signed(&self.aws, url, REGION, "cloudfront", &headers, body);
        let request = request.map_err(|message| PortError::Invalid {
            what: what.to_owned(),
            message,
        })?;
        let connector = self
            .connector
            .get_or_init(|| http::connector(self.aws.roots()));
        let (status, text) = rpc::exchange(connector, request, what).await?;
        answered(what, status, &text)
    }
}

impl CacheInvalidator for CloudFront {
    async fn invalidate(
        &self,
        distribution: &str,
        paths: &[String],
        caller_reference: &str,
    ) -> Result<String, PortError> {
        let what = format!("invalidating the distribution {distribution}");
        if distribution.is_empty() || !distribution.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(PortError::Invalid {
                what,
                message: "a distribution's id is letters and digits".to_owned(),
            });
        }
        let host = self
            .aws
            .environment()
            .endpoint("CLOUDFRONT")
            .unwrap_or(HOST);
        let host = host.trim_end_matches('/');
        let url = format!("{host}/{VERSION}/distribution/{distribution}/invalidation");
        let body = batch(paths, caller_reference);
        let mut attempt = 1;
        loop {
            let done = self
                .aws
                .within(&what, self.send(&url, &body, &what))
                .await?;
            match done {
                Err(PortError::Unavailable { .. }) if attempt < ATTEMPTS => {
                    tokio::time::sleep(BACKOFF * attempt).await;
                    attempt += 1;
                }
                done => return done,
            }
        }
    }
}

fn batch(paths: &[String], caller_reference: &str) -> String {
    let items: String = paths
        .iter()
        .map(|path| format!("<Path>{}</Path>", escaped(path)))
        .collect();
    format!(
        "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/{VERSION}/\"><Paths><Quantity>{}</Quantity>\
         <Items>{items}</Items></Paths><CallerReference>{}</CallerReference></InvalidationBatch>",
        paths.len(),
        escaped(caller_reference),
    )
}

fn answered(what: &str, status: StatusCode, body: &str) -> Result<String, PortError> {
    if !status.is_success() {
        let code = element(body, "Code").unwrap_or_default();
        let message = element(body, "Message").unwrap_or_default();
        return Err(by_answer(what, status, code, message));
    }
    element(body, "Id")
        .map(str::to_owned)
        .ok_or_else(|| unavailable(what, "the answer names no invalidation id"))
}

/// The text of the first element of this name; ids and codes hold no entities.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_is_escaped() {
        assert_eq!(
            batch(&["/a&b/*".into(), "/<".into()], "run-1"),
            "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Paths><Quantity>2</Quantity>\
             <Items><Path>/a&amp;b/*</Path><Path>/&lt;</Path></Items></Paths><CallerReference>run-1</CallerReference></InvalidationBatch>"
        );
    }

    #[test]
    fn answers_are_read() {
        let status = |code: u16| StatusCode::try_from(code).unwrap();
        let good =
            "<Invalidation><Id>I2J0I21PCUYOIK</Id><Status>InProgress</Status></Invalidation>";
        assert_eq!(answered("x", status(201), good).unwrap(), "I2J0I21PCUYOIK");
        let bad = "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchDistribution</Code><Message>no</Message></Error></ErrorResponse>";
        assert!(matches!(
            answered("x", status(404), bad),
            Err(PortError::NotFound { .. })
        ));
        assert!(matches!(
            answered("x", status(201), "<other/>"),
            Err(PortError::Unavailable { .. })
        ));
    }
}
