//! Which service a request is for, told from its head alone.

use http::{HeaderMap, Uri, header, request::Parts};
use shared::secret::Secret;

use super::call::{decode, form};

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A page of the engine itself.
    Page,
    /// A JSON service.
    Json {
        /// Its signing name.
        service: String,
        /// Named by `X-Amz-Target`.
        operation: String,
        /// `1.0` or `1.1`.
        version: &'static str,
    },
    /// A Query service: the operation is in the form. Empty service: not signed.
    Query {
        /// Its signing name.
        service: String,
    },
    /// A REST service other than S3.
    Rest {
        /// Its signing name.
        service: String,
    },
    /// S3, with the bucket when the host names it.
    S3 {
        /// The bucket of a virtual host.
        host_bucket: Option<String>,
    },
}

/// Who signed a request, as it says.
#[derive(Debug, Clone, Default)]
pub struct Signature {
    /// Access key id.
    pub access_key: String,
    /// Signing name of the service.
    pub service: String,
    /// Session token.
    pub session_token: Option<Secret>,
    /// When a presigned URL ends.
    pub presigned: Option<Presigned>,
}

/// The end of a presigned URL, as it says; not yet read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presigned {
    /// Signature version 4.
    V4 {
        /// `X-Amz-Date`.
        date: String,
        /// `X-Amz-Expires`: seconds from then.
        expires: String,
    },
    /// Signature version 2, which boto3 still makes by default.
    V2 {
        /// `Expires`: seconds since 1970.
        expires: String,
    },
}

/// JSON services by the prefix of `X-Amz-Target`: signing name, JSON version.
const TARGETS: [(&str, &str, &str); 13] = [
    ("CodePipeline_20150709", "codepipeline", "1.1"),
    ("DynamoDB_20120810", "dynamodb", "1.0"),
    ("DynamoDBStreams_20120810", "dynamodb", "1.0"),
    ("TrentService", "kms", "1.1"),
    ("AWSStepFunctions", "states", "1.0"),
    ("AWSEvents", "events", "1.1"),
    ("GraniteServiceVersion20100801", "monitoring", "1.0"),
    ("secretsmanager", "secretsmanager", "1.1"),
    ("AmazonSSM", "ssm", "1.1"),
    ("CodeBuild_20161006", "codebuild", "1.1"),
    ("CodeCommit_20150413", "codecommit", "1.1"),
    ("AmazonSQS", "sqs", "1.0"),
    ("Logs_20140328", "logs", "1.1"),
];

/// Decides; `own_host` is the host of the engine's public address, whose subdomains are buckets too.
pub fn route(head: &Parts, signature: Option<&Signature>, own_host: &str) -> Route {
    let service = signature.map_or("", |signature| signature.service.as_str());
    let path = head.uri.path();
    if service != "s3" && (path.starts_with("/_stagewright/") || path == "/_stagewright") {
        return Route::Page;
    }
    if let Some(target) = text(&head.headers, "x-amz-target") {
        return json(target, service);
    }
    match service {
        "" if is_query(head) => Route::Query {
            service: String::new(),
        },
        "" | "s3" => Route::S3 {
            host_bucket: host_bucket(head, own_host),
        },
        "lambda" => Route::Rest {
            service: service.to_owned(),
        },
        "ses" if path.starts_with("/v2/") => Route::Rest {
            service: service.to_owned(),
        },
        _ if is_query(head) => Route::Query {
            service: service.to_owned(),
        },
        _ => Route::Rest {
            service: service.to_owned(),
        },
    }
}

/// Whether a request's `Host` is a name of this engine. A web page that makes its own name resolve to this machine
/// (DNS rebinding) would otherwise read mail and links as if it were the engine's own page.
pub fn is_own_name(host: Option<&str>, own_host: &str) -> bool {
    let Some(host) = host else { return true };
    let host = without_port(host).to_ascii_lowercase();
    // Clients of Step Functions put it before the host of two operations.
    let host = host.strip_prefix("sync-").unwrap_or(&host);
    let own = without_port(own_host).to_ascii_lowercase();
    let below = |name: &str| {
        host.strip_suffix(name)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>()
        .is_ok();
    address
        || !host.contains('.')
        || (!own.is_empty() && below(&own))
        || [
            "localhost",
            "127.0.0.1",
            "amazonaws.com",
            "amazonaws.com.cn",
        ]
        .iter()
        .any(|name| below(name))
}

/// Reads the signature of a header or of a presigned URL, without verifying it.
pub fn signature(headers: &HeaderMap, uri: &Uri) -> Option<Signature> {
    if let Some(authorization) = text(headers, header::AUTHORIZATION.as_str()) {
        let credential = authorization
            .strip_prefix("AWS4-")?
            .split([' ', ','])
            .find_map(|part| part.strip_prefix("Credential="))?;
        let session_token =
            text(headers, "x-amz-security-token").map(|t| Secret::new(t.to_owned()));
        return Some(Signature {
            session_token,
            ..credential_scope(credential)?
        });
    }
    let query = form(uri.query()?.as_bytes());
    let get = |name: &str| {
        query
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.clone())
    };
    let read = |name: &str| get(name).unwrap_or_default();
    if let Some(access_key) = get("AWSAccessKeyId") {
        return Some(Signature {
            access_key,
            service: "s3".to_owned(),
            session_token: get("x-amz-security-token").map(Secret::new),
            presigned: Some(Presigned::V2 {
                expires: read("Expires"),
            }),
        });
    }
    Some(Signature {
        session_token: get("X-Amz-Security-Token").map(Secret::new),
        presigned: Some(Presigned::V4 {
            date: read("X-Amz-Date"),
            expires: read("X-Amz-Expires"),
        }),
        ..credential_scope(&get("X-Amz-Credential")?)?
    })
}

/// A header as text.
pub fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn credential_scope(credential: &str) -> Option<Signature> {
    let credential = decode(credential);
    let parts: Vec<&str> = credential.rsplitn(5, '/').collect();
    match parts.as_slice() {
        ["aws4_request", service, _region, _date, access_key] => Some(Signature {
            access_key: (*access_key).to_owned(),
            service: (*service).to_owned(),
            ..Signature::default()
        }),
        _ => None,
    }
}

fn json(target: &str, service: &str) -> Route {
    let (prefix, operation) = target.rsplit_once('.').unwrap_or(("", target));
    let known = TARGETS.iter().find(|(known, _, _)| *known == prefix);
    let (service, version) = match known {
        Some((_, service, version)) => (*service, *version),
        None if service.is_empty() => (prefix, "1.1"),
        None => (service, "1.1"),
    };
    Route::Json {
        service: service.to_owned(),
        operation: operation.to_owned(),
        version,
    }
}

fn is_query(head: &Parts) -> bool {
    let content_type = text(&head.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let in_body = head.method == http::Method::POST
        && content_type.starts_with("application/x-www-form-urlencoded")
        && head.uri.path() == "/";
    let query = head.uri.query().unwrap_or_default();
    in_body || (head.uri.path() == "/" && query.split('&').any(|pair| pair.starts_with("Action=")))
}

/// The bucket that the host names: `BUCKET.localhost`, `BUCKET.s3.…`, `BUCKET.s3-REGION.…`, or a subdomain of the
/// engine's own host.
fn host_bucket(head: &Parts, own_host: &str) -> Option<String> {
    let host = text(&head.headers, header::HOST.as_str()).or_else(|| head.uri.host())?;
    let host = without_port(host).to_ascii_lowercase();
    let own = without_port(own_host).to_ascii_lowercase();
    if host == own {
        return None;
    }
    let by_marker = [".s3.", ".s3-"]
        .iter()
        .find_map(|marker| host.split_once(marker))
        .map(|(b, _)| b);
    let by_suffix = [own.as_str(), "localhost", "127.0.0.1"]
        .iter()
        .filter(|suffix| !suffix.is_empty())
        .find_map(|suffix| host.strip_suffix(suffix)?.strip_suffix('.'));
    let bucket = by_marker.or(by_suffix)?;
    let is_service = ["s3", "s3.", "s3-"].contains(&bucket) || bucket.is_empty();
    (!is_service).then(|| bucket.to_owned())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(method: &str, uri: &str, headers: &[(&str, &str)]) -> Route {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let signature = signature(&head.headers, &head.uri);
        route(&head, signature.as_ref(), "127.0.0.1:4599")
    }

    fn signed(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIA/20261123/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
        )
    }

    #[test]
    fn services_are_told_apart() {
        let s3 = |bucket: Option<&str>| Route::S3 {
            host_bucket: bucket.map(str::to_owned),
        };
        let json = |service: &str, operation: &str, version| Route::Json {
            service: service.into(),
            operation: operation.into(),
            version,
        };
        let form = (
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        let check = |method: &str, uri: &str, headers: &[(&str, &str)], expected: Route| {
            assert_eq!(
                routed(method, uri, headers),
                expected,
                "{method} {uri} {headers:?}"
            );
        };
        check("GET", "/_stagewright/mail", &[], Route::Page);
        check(
            "POST",
            "/",
            &[("x-amz-target", "CodePipeline_20150709.ListPipelines")],
            json("codepipeline", "ListPipelines", "1.1"),
        );
        check(
            "POST",
            "/",
            &[
                ("x-amz-target", "Odd_2020.Do"),
                ("authorization", &signed("odd")),
            ],
            json("odd", "Do", "1.1"),
        );
        check(
            "POST",
            "/",
            &[("authorization", &signed("sns")), form],
            Route::Query {
                service: "sns".into(),
            },
        );
        check(
            "POST",
            "/",
            &[form],
            Route::Query {
                service: String::new(),
            },
        );
        check(
            "POST",
            "/v2/email/outbound-emails",
            &[("authorization", &signed("ses"))],
            Route::Rest {
                service: "ses".into(),
            },
        );
        check(
            "POST",
            "/",
            &[("authorization", &signed("ses")), form],
            Route::Query {
                service: "ses".into(),
            },
        );
        check(
            "GET",
            "/b/_stagewright/x",
            &[("authorization", &signed("s3"))],
            s3(None),
        );
        check(
            "GET",
            "/_stagewright/x",
            &[("authorization", &signed("s3"))],
            s3(None),
        );
        check("GET", "/b/k", &[], s3(None));
        check("GET", "/k", &[("host", "b.localhost:4599")], s3(Some("b")));
        check(
            "GET",
            "/k",
            &[("host", "my.b.127.0.0.1:4599")],
            s3(Some("my.b")),
        );
        check(
            "GET",
            "/k",
            &[("host", "b.s3.localhost:4599")],
            s3(Some("b")),
        );
        check(
            "GET",
            "/k",
            &[("host", "b.s3.eu-west-1.amazonaws.com")],
            s3(Some("b")),
        );
        check("GET", "/k", &[("host", "s3.localhost")], s3(None));
        check("GET", "/k", &[("host", "127.0.0.1:4599")], s3(None));
        check(
            "GET",
            "/k?X-Amz-Credential=AKIA%2F20261123%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Expires=60",
            &[("host", "b.localhost")],
            s3(Some("b")),
        );
    }

    #[test]
    fn foreign_names_are_told() {
        for (host, own) in [
            (Some("127.0.0.1:4599"), true),
            (Some("[::1]:4599"), true),
            (Some("192.168.0.7"), true),
            (Some("stagewright:4599"), true),
            (Some("bucket.localhost"), true),
            (Some("b.127.0.0.1:4599"), true),
            (Some("b.s3.eu-west-1.amazonaws.com"), true),
            (Some("ci.example.com:80"), true),
            (Some("bucket.ci.example.com"), true),
            (Some("sync-127.0.0.1:4599"), true),
            (Some("sync-ci.example.com"), true),
            (Some("sync-example.com"), false),
            (None, true),
            (Some("example.com"), false),
            (Some("evil-localhost.example.org"), false),
            (Some("notamazonaws.com"), false),
            (Some("127.0.0.1.example.org"), false),
        ] {
            assert_eq!(is_own_name(host, "ci.example.com"), own, "{host:?}");
        }
    }

    #[test]
    fn a_signature_is_read_without_printing_its_token() {
        let request = http::Request::builder()
            .uri("/b/k?X-Amz-Credential=AK%2FD%2FR%2Fs3%2Faws4_request&X-Amz-Date=D&X-Amz-Expires=9&X-Amz-Security-Token=planted")
            .body(())
            .unwrap();
        let read = signature(request.headers(), request.uri()).unwrap();
        assert_eq!(
            (read.access_key.as_str(), read.service.as_str()),
            ("AK", "s3")
        );
        assert_eq!(
            read.presigned,
            Some(Presigned::V4 {
                date: "D".to_owned(),
                expires: "9".to_owned()
            })
        );
        assert!(!format!("{read:?}").contains("planted"));
    }
}
