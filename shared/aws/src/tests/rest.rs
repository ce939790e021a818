//! Requests without an SDK client: anchors into S3 Object Lock, calls of functions.

use shared::{
    approval::{audit::port::Witness, id::ApprovalId, port::Postman},
    port::PortError,
};

use super::stub::{Answer, Stub};
use crate::{invoke::Notifier, witness::LockedBucket};

#[tokio::test]
async fn an_anchor_is_locked_until_its_time_and_checked_on_arrival() {
    let stub = Stub::start(|_, _| Answer::of(200, ""));
    let bucket = LockedBucket::of(&stub.aws(), Some("audit-bucket")).unwrap();
    let until = "2033-11-23T10:00:00Z".parse().unwrap();
    let key = "audit/main/2026-11/000000001.json";
    bucket.keep(key, "{}", until).await.unwrap();
    let asked = &stub.asked()[0];
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("PUT", "/audit-bucket/audit/main/2026-11/000000001.json")
    );
    for (name, value) in [
        ("x-amz-object-lock-mode", "COMPLIANCE"),
        (
            "x-amz-object-lock-retain-until-date",
            "2033-11-23T10:00:00Z",
        ),
        // SHA-256 of {}
        (
            "x-amz-checksum-sha256",
            "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=",
        ),
        (
            "x-amz-content-sha256",
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        ),
    ] {
        assert_eq!(asked.header(name), value, "{name}");
    }
    assert!(asked.header("authorization").contains("/s3/aws4_request"));
    assert_eq!(asked.body, "{}");
    let refused = Stub::start(|_, _| {
        Answer::of(
            403,
            "<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
        )
    });
    let bucket = LockedBucket::of(&refused.aws(), Some("b")).unwrap();
    let error = bucket.keep(key, "{}", until).await.unwrap_err();
    assert!(matches!(error, PortError::Denied { .. }), "{error:?}");
}

#[tokio::test]
async fn mails_are_asked_for_and_not_waited_for() {
    let stub = Stub::start(|_, _| Answer::of(202, ""));
    let notifier = Notifier::new(&stub.aws(), "approval-notify");
    notifier
        .send_due(&ApprovalId::from_random([7; 16]))
        .await
        .unwrap();
    let asked = &stub.asked()[0];
    assert_eq!(
        asked.path,
        "/2015-03-31/functions/approval-notify/invocations"
    );
    assert_eq!(asked.header("x-amz-invocation-type"), "Event");
    assert_eq!(
        asked.body,
        r#"{"stagewright":{"mailsDueOf":"BwcHBwcHBwcHBwcHBwcHBw"}}"#
    );
}
