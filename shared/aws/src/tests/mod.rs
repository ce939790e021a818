//! The ports against a server on this machine: what goes over the wire, and what becomes of odd answers.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::{
    id::{BucketName, JobId, ObjectKey},
    job::{ArtifactRef, Details, FailureKind, Report},
    port::{
        Artifacts, CacheInvalidator, JobReporter, PageFetcher, PortError, SiteBucket, SiteHeaders,
    },
};

use self::stub::{Answer, Stub, job_credentials};
use crate::{
    artifacts::S3Artifacts, cloudfront::CloudFront, codepipeline::CodePipeline, page::Web,
    site_bucket::S3Site,
};

mod approver;
mod hosting;
mod mail;
mod provider;
mod rest;
mod services;
mod stub;

fn job() -> JobId {
    "11111111-abcd-1111-abcd-111111abcdef".parse().unwrap()
}

fn success() -> Report {
    Report::Success {
        details: Details {
            summary: Some("fine".into()),
            external_id: None,
            percent: Some(100),
            link: None,
        },
        variables: BTreeMap::from([("Url".to_owned(), "u".to_owned())]),
    }
}

fn artifact() -> ArtifactRef {
    ArtifactRef {
        name: "Built".parse().unwrap(),
        bucket: "store".parse().unwrap(),
        key: "pipe/Built/abc".parse().unwrap(),
    }
}

fn bucket() -> BucketName {
    "live".parse().unwrap()
}

#[tokio::test]
async fn a_result_goes_to_the_endpoint_of_the_environment_with_the_functions_credentials() {
    let stub = Stub::start(|_, _| Answer::of(200, "{}"));
    let reporter = CodePipeline::new(&stub.aws());
    reporter.report(&job(), &success()).await.unwrap();
    let failure = Report::Failure {
        kind: FailureKind::PermissionError,
        message: "no".into(),
        external_id: None,
    };
    reporter.report(&job(), &failure).await.unwrap();

    let [good, bad] = stub.asked().try_into().unwrap();
    let target = "CodePipeline_20150709.PutJobSuccessResult";
    assert_eq!(good.header("x-amz-target"), target);
    assert_eq!(good.signer(), "AKIDFUNCTION");
    let body: Value = serde_json::from_str(&good.body).unwrap();
    assert_eq!(
        body,
        json!({"jobId": job().as_str(), "outputVariables": {"Url": "u"},
               "executionDetails": {"summary": "fine", "percentComplete": 100}})
    );
    let body: Value = serde_json::from_str(&bad.body).unwrap();
    assert_eq!(
        body["failureDetails"],
        json!({"type": "PermissionError", "message": "no"})
    );
}

#[tokio::test]
async fn one_500_is_retried_and_a_job_that_has_its_result_is_a_conflict() {
    let stub = Stub::start(|number, _| match number {
        0 => Answer::of(500, "{}"),
        1 => Answer::of(200, "{}"),
        _ => Answer::of(
            400,
            r#"{"__type":"InvalidJobStateException","message":"no"}"#,
        ),
    });
    let aws = stub.aws();
    let backoff = aws.config("X").retry_config().unwrap().initial_backoff();
    assert_eq!(backoff, Duration::from_millis(50));
    let reporter = CodePipeline::new(&aws);
    reporter.report(&job(), &success()).await.unwrap();
    assert_eq!(stub.asked().len(), 2);
    let again = reporter.report(&job(), &success()).await;
    assert!(
        matches!(again, Err(PortError::Conflict { .. })),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_silent_service_is_left_at_the_deadline() {
    let stub = Stub::start(|_, _| Answer::Silence);
    let aws = stub.aws();
    aws.deadline()
        .set(Timestamp::now() + Duration::from_millis(100));
    let result = CodePipeline::new(&aws).report(&job(), &success()).await;
    let Err(PortError::Unavailable { source, .. }) = result else {
        unreachable!("{result:?}");
    };
    assert!(source.unwrap().to_string().contains("deadline"));
}

#[tokio::test]
async fn an_artifact_is_read_with_the_jobs_credentials() {
    let stub = Stub::start(|_, _| Answer::of(200, "zip bytes"));
    let artifacts = S3Artifacts::new(&stub.aws());
    let file = tempfile::NamedTempFile::new().unwrap();
    let credentials = job_credentials();
    let size = artifacts
        .download(Some(&credentials), &artifact(), file.path(), 9)
        .await
        .unwrap();
    assert_eq!(size, 9);
    assert_eq!(std::fs::read(file.path()).unwrap(), b"zip bytes");

    let asked = &stub.asked()[0];
    assert!(
        asked.path.starts_with("/store/pipe/Built/abc"),
        "{}",
        asked.path
    );
    assert_eq!(asked.signer(), "AKIDJOB");
    assert_eq!(asked.header("x-amz-security-token"), "planted-job-token");

    let small = artifacts
        .download(Some(&credentials), &artifact(), file.path(), 8)
        .await;
    assert!(matches!(small, Err(PortError::Invalid { .. })), "{small:?}");
}

#[tokio::test]
async fn a_body_cut_off_is_asked_for_again_and_then_unavailable() {
    let always = Stub::start(|_, _| Answer::CutOff("half".into(), 8));
    let file = tempfile::NamedTempFile::new().unwrap();
    let result = S3Artifacts::new(&always.aws())
        .download(None, &artifact(), file.path(), 100)
        .await;
    assert!(
        matches!(result, Err(PortError::Unavailable { .. })),
        "{result:?}"
    );
    assert_eq!(always.asked().len(), 3);

    let once = Stub::start(|number, _| match number {
        0 => Answer::CutOff("half".into(), 8),
        _ => Answer::of(200, "complete"),
    });
    S3Artifacts::new(&once.aws())
        .download(None, &artifact(), file.path(), 100)
        .await
        .unwrap();
    assert_eq!(std::fs::read(file.path()).unwrap(), b"complete");
}

#[tokio::test]
async fn missing_and_refused_artifacts_are_told_apart() {
    for (status, code) in [(404, "NoSuchKey"), (403, "AccessDenied")] {
        let body = format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
        let stub = Stub::start(move |_, _| Answer::of(status, &body));
        let file = tempfile::NamedTempFile::new().unwrap();
        let result = S3Artifacts::new(&stub.aws())
            .download(None, &artifact(), file.path(), 100)
            .await;
        match status {
            404 => assert!(
                matches!(result, Err(PortError::NotFound { .. })),
                "{result:?}"
            ),
            _ => assert!(
                matches!(result, Err(PortError::Denied { .. })),
                "{result:?}"
            ),
        }
        assert_eq!(stub.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_small_artifact_goes_up_at_once_with_the_pipelines_key() {
    let stub = Stub::start(|_, _| Answer::of(200, ""));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "zip bytes").unwrap();
    let key = "arn:aws:kms:eu-west-1:111111111111:key/k";
    S3Artifacts::new(&stub.aws())
        .upload(
            Some(&job_credentials()),
            &artifact(),
            Some(key),
            file.path(),
        )
        .await
        .unwrap();
    let asked = &stub.asked()[0];
    assert_eq!(asked.method, "PUT");
    assert_eq!(asked.header("x-amz-server-side-encryption"), "aws:kms");
    let key_header = "x-amz-server-side-encryption-aws-kms-key-id";
    assert_eq!(asked.header(key_header), key);
    assert_eq!(asked.signer(), "AKIDJOB");
    assert!(asked.body.contains("zip bytes"), "{}", asked.body);
}

#[tokio::test]
async fn a_large_artifact_goes_up_in_parts_which_are_given_up_on_failure() {
    let begun =
        "<InitiateMultipartUploadResult><UploadId>u-1</UploadId></InitiateMultipartUploadResult>";
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(9 * 1024 * 1024).unwrap();
    let methods = |stub: &Stub| {
        let asked = stub.asked().into_iter();
        asked.map(|asked| asked.method).collect::<Vec<_>>()
    };

    let good = Stub::start(move |number, _| match number {
        0 => Answer::of(200, begun),
        1 | 2 => Answer::Full(200, vec![("etag", "\"e\"".into())], String::new()),
        _ => Answer::of(200, "<CompleteMultipartUploadResult/>"),
    });
    let upload = S3Artifacts::new(&good.aws());
    upload
        .upload(None, &artifact(), None, file.path())
        .await
        .unwrap();
    assert_eq!(methods(&good), ["POST", "PUT", "PUT", "POST"]);
    assert!(good.asked()[3].body.contains("<PartNumber>2</PartNumber>"));

    let bad = Stub::start(move |number, asked| match (number, asked.method.as_str()) {
        (0, _) => Answer::of(200, begun),
        (_, "DELETE") => Answer::of(204, ""),
        _ => Answer::of(403, "<Error><Code>AccessDenied</Code></Error>"),
    });
    let result = S3Artifacts::new(&bad.aws())
        .upload(None, &artifact(), None, file.path())
        .await;
    assert!(
        matches!(result, Err(PortError::Denied { .. })),
        "{result:?}"
    );
    assert_eq!(methods(&bad), ["POST", "PUT", "DELETE"]);
}

#[tokio::test]
async fn a_site_is_listed_page_by_page_and_deletion_errors_are_seen() {
    let stub = Stub::start(|number, _| match number {
        0 => Answer::of(
            200,
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>\
             <Contents><Key>a</Key><ETag>&quot;e1&quot;</ETag><Size>3</Size></Contents></ListBucketResult>",
        ),
        1 => Answer::of(
            200,
            "<ListBucketResult><IsTruncated>false</IsTruncated>\
             <Contents><Key>b</Key><ETag>\"e2\"</ETag><Size>4</Size></Contents></ListBucketResult>",
        ),
        _ => Answer::of(
            200,
            "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code></Error></DeleteResult>",
        ),
    });
    let site = S3Site::new(&stub.aws());
    let found = site.list(&bucket(), "docs/").await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|one| (one.key.as_str(), one.etag.as_str(), one.size))
        .collect();
    assert_eq!(found, [("a", "e1", 3), ("b", "e2", 4)]);
    let asked = stub.asked();
    assert!(
        asked[0].path.contains("prefix=docs%2F"),
        "{}",
        asked[0].path
    );
    assert!(
        asked[1].path.contains("continuation-token=t"),
        "{}",
        asked[1].path
    );

    let keys: Vec<ObjectKey> = vec!["a".parse().unwrap()];
    let result = site.delete(&bucket(), &keys).await;
    assert!(
        matches!(result, Err(PortError::Denied { .. })),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_sites_file_is_put_and_looked_at_with_its_headers() {
    let stub = Stub::start(|number, _| match number {
        0 => Answer::of(200, ""),
        _ => Answer::Full(
            200,
            vec![
                ("content-type", "text/css".into()),
                ("cache-control", "no-store".into()),
                ("x-amz-meta-digest", "d".into()),
            ],
            String::new(),
        ),
    });
    let site = S3Site::new(&stub.aws());
    let file = tempfile::NamedTempFile::new().unwrap();
    let headers = SiteHeaders {
        content_type: "text/css".into(),
        cache_control: Some("no-store".into()),
        metadata: vec![("digest".into(), "d".into())],
    };
    let key = "a b.css".parse().unwrap();
    site.put(&bucket(), &key, &headers, file.path())
        .await
        .unwrap();
    assert_eq!(site.head(&bucket(), &key).await.unwrap(), headers);
    let put = &stub.asked()[0];
    assert!(put.path.starts_with("/live/a%20b.css"), "{}", put.path);
    assert_eq!(put.header("content-type"), "text/css");
    assert_eq!(put.header("x-amz-meta-digest"), "d");
}

#[tokio::test]
async fn an_invalidation_is_signed_and_sent_again_after_a_503() {
    let stub = Stub::start(|number, _| match number {
        0 => Answer::of(503, ""),
        _ => Answer::of(201, "<Invalidation><Id>I1</Id></Invalidation>"),
    });
    let id = CloudFront::new(&stub.aws())
        .invalidate("E2EXAMPLE1OAB", &["/*".to_owned()], "run-1")
        .await
        .unwrap();
    assert_eq!(id, "I1");
    let asked = &stub.asked()[1];
    let path = "/2020-05-31/distribution/E2EXAMPLE1OAB/invalidation";
    assert_eq!(asked.path, path);
    let signature = asked.header("authorization");
    assert!(
        signature.contains("/us-east-1/cloudfront/aws4_request"),
        "{signature}"
    );
    assert!(
        asked
            .body
            .contains("<CallerReference>run-1</CallerReference>")
    );
}

#[tokio::test]
async fn a_page_is_fetched_as_it_is() {
    let stub = Stub::start(|_, asked| match asked.path.as_str() {
        "/moved" => Answer::Full(301, vec![("location", "/".into())], String::new()),
        _ => Answer::of(200, "hello, page"),
    });
    let web = Web::new(&stub.aws());
    let get = async |path: &str, limit| {
        let url = format!("{}{path}", stub.address);
        web.get(&url, Duration::from_secs(10), limit).await.unwrap()
    };
    assert_eq!(get("/moved", 100).await.status, 301);
    assert_eq!(get("/", 100).await.body, b"hello, page");
    assert_eq!(get("/", 5).await.body, b"hello");
    assert_eq!(stub.asked().len(), 3);
}

#[tokio::test]
async fn a_page_that_is_not_there_is_unavailable_without_its_address_in_the_text() {
    let stub = Stub::start(|_, _| Answer::Silence);
    let web = Web::new(&stub.aws());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = format!("http://{}/?token=planted", free.local_addr().unwrap());
    drop(free);
    let silent = format!("{}/?token=planted", stub.address);
    for url in [refused, silent] {
        let result = web.get(&url, Duration::from_millis(200), 100).await;
        let Err(error @ PortError::Unavailable { .. }) = result else {
            unreachable!("{result:?}");
        };
        let text = format!("{error:?}");
        assert!(!text.contains("planted"), "{text}");
    }
    let wrong = web.get("http://[", Duration::from_secs(1), 1).await;
    assert!(matches!(wrong, Err(PortError::Invalid { .. })), "{wrong:?}");
}
