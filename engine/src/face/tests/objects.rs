//! Buckets, objects and sites over HTTP.

use super::*;

#[tokio::test]
async fn objects_go_in_and_out() {
    let engine = listening(|_| {}).await;
    let s3 = |method, path: &str| engine.signed(method, path, "s3");
    assert_eq!(status(s3(Method::PUT, "/bucket")).await, 200);
    let put = s3(Method::PUT, "/bucket/a%20b/%C3%BC.txt")
        .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", "5")
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .header("x-amz-meta-who", "me")
        .header("content-type", "text/plain");
    let broken = put
        .try_clone()
        .unwrap()
        .body("5\r\nhellO\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n");
    let (code, _, text) = answer(broken).await;
    assert!(
        code == 400 && text.contains("<Code>BadDigest</Code>"),
        "{text}"
    );
    let whole = put.body("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n");
    let (code, headers, _) = answer(whole).await;
    assert_eq!(
        (code, &headers["x-amz-checksum-crc32"]),
        (200.try_into().unwrap(), &"NhCmhg==".parse().unwrap())
    );

    let get = || s3(Method::GET, "/bucket/a%20b/%C3%BC.txt");
    let (_, headers, text) = answer(get()).await;
    assert_eq!(
        (text.as_str(), &headers["x-amz-meta-who"]),
        ("hello", &"me".parse().unwrap())
    );
    assert!(headers.get("content-encoding").is_none());
    let (code, headers, text) = answer(get().header("range", "bytes=1-3")).await;
    assert_eq!(
        (code.as_u16(), text.as_str(), &headers["content-range"]),
        (206, "ell", &"bytes 1-3/5".parse().unwrap())
    );
    assert_eq!(status(get().header("range", "bytes=5-")).await, 416);
    assert_eq!(
        status(get().header("if-none-match", &headers["etag"])).await,
        304
    );

    let (code, _, text) = answer(s3(Method::GET, "/absent/k")).await;
    assert!(
        code == 404 && text.contains("<Code>NoSuchBucket</Code>") && text.contains("absent"),
        "{text}"
    );
    let (code, _, text) = answer(s3(Method::GET, "/bucket?acl")).await;
    assert!(code == 501 && text.contains("GET /BUCKET?acl"), "{text}");
}

#[tokio::test]
async fn a_host_may_name_the_bucket() {
    let engine = listening(|_| {}).await;
    engine.bucket("my.bucket", BucketSettings::default()).await;
    let host = |request: RequestBuilder| request.header("host", "my.bucket.localhost:4599");
    assert_eq!(
        status(host(engine.signed(Method::PUT, "/k", "s3")).body("x")).await,
        200
    );
    let (_, _, text) = answer(engine.signed(Method::GET, "/my.bucket/k", "s3")).await;
    assert_eq!(text, "x");
}

#[tokio::test]
async fn presigned_urls_end() {
    let engine = listening(|_| {}).await;
    engine.bucket("bucket", BucketSettings::default()).await;
    assert_eq!(
        status(engine.signed(Method::PUT, "/bucket/k", "s3").body("x")).await,
        200
    );
    let now = engine.app.clock.now();
    let url = |from: i64, seconds: &str| {
        let date = (now + SignedDuration::from_secs(from)).strftime("%Y%m%dT%H%M%SZ");
        format!(
            "/bucket/k?X-Amz-Credential=AK%2FD%2FR%2Fs3%2Faws4_request&X-Amz-Date={date}&X-Amz-Expires={seconds}"
        )
    };
    let old = |from: i64| {
        format!(
            "/bucket/k?AWSAccessKeyId=AK&Signature=s&Expires={}",
            now.as_second() + from
        )
    };
    for (path, expected) in [
        (url(-5, "60"), 200),
        (url(-61, "60"), 403),
        (url(3600, "60"), 403),
        (url(0, "700000"), 400),
        (old(60), 200),
        (old(-1), 403),
    ] {
        assert_eq!(
            status(engine.request(Method::GET, &path)).await,
            expected,
            "{path}"
        );
    }
}

#[tokio::test]
async fn only_web_sites_are_open_to_all() {
    let engine = listening(|_| {}).await;
    engine
        .bucket(
            "site",
            BucketSettings {
                website: true,
                ..BucketSettings::default()
            },
        )
        .await;
    engine.bucket("closed", BucketSettings::default()).await;
    for path in [
        "/site/index.html",
        "/site/sub/index.html",
        "/site/404.html",
        "/closed/index.html",
    ] {
        let put = engine
            .signed(Method::PUT, path, "s3")
            .header("cache-control", "max-age=60");
        assert_eq!(
            status(
                put.header("content-type", "text/html")
                    .body(path.to_owned())
            )
            .await,
            200
        );
    }
    for (method, path, expected, text) in [
        (
            Method::GET,
            "/_stagewright/site/site/",
            200,
            "/site/index.html",
        ),
        (Method::GET, "/_stagewright/site/site", 302, ""),
        (Method::GET, "/_stagewright/site/site/sub", 302, ""),
        (
            Method::GET,
            "/_stagewright/site/site/sub/",
            200,
            "/site/sub/index.html",
        ),
        (
            Method::GET,
            "/_stagewright/site/site/none",
            404,
            "/site/404.html",
        ),
        (
            Method::GET,
            "/_stagewright/site/closed/",
            403,
            "AccessDenied",
        ),
        (Method::GET, "/_stagewright/site/none/", 404, "NoSuchBucket"),
        (Method::GET, "/site/index.html", 200, "/site/index.html"),
        (Method::GET, "/site", 403, "AccessDenied"),
        (Method::PUT, "/site/index.html", 403, "AccessDenied"),
        (Method::GET, "/closed/index.html", 403, "AccessDenied"),
    ] {
        let (code, headers, body) = answer(engine.request(method, path)).await;
        assert_eq!(code, expected, "{path}");
        assert!(body.contains(text), "{path}: {body}");
        if code == 200 {
            assert_eq!(
                (&headers["content-type"], &headers["cache-control"]),
                (
                    &"text/html".parse().unwrap(),
                    &"max-age=60".parse().unwrap()
                )
            );
            assert!(
                headers["content-security-policy"]
                    .to_str()
                    .unwrap()
                    .starts_with("sandbox"),
                "{path}"
            );
        }
    }
}
