//! Small JSON services: where a call goes, how it is signed, and when it is sent again.

use serde_json::{Value, json};
use shared::port::{PortError, Service, ServiceCall, Services};

use super::stub::{Answer, Stub};
use crate::{environment::Environment, rpc::JsonServices, sdk::Aws};

const FARM: Service = Service {
    region: Some("us-west-2"),
    ..Service::json11("DEVICE_FARM", "devicefarm", "DeviceFarm_20150623")
};

fn call<'a>(region: Option<&'a str>) -> ServiceCall<'a> {
    ServiceCall {
        region,
        ..ServiceCall::new(FARM, "GetRun", "the run", json!({"arn": "a"}))
    }
}

/// The scope a request was signed for, without its date.
fn scope(stub: &Stub, number: usize) -> String {
    let asked = stub.asked()[number].clone();
    let authorization = asked.header("authorization");
    let (_, rest) = authorization.split_once("Credential=").unwrap();
    let scope: Vec<&str> = rest.split(',').next().unwrap().split('/').collect();
    scope[2..].join("/")
}

#[tokio::test]
async fn a_service_of_one_region_is_signed_for_it_and_has_an_endpoint_of_its_own() {
    let stub = Stub::start(|_, _| Answer::of(200, r#"{"run":{}}"#));
    let variables = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDFUNCTION"),
        ("AWS_SECRET_ACCESS_KEY", "planted-function-secret"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL_DEVICE_FARM", &stub.address),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()));
    let aws = Aws::new(Environment::from_variables(variables).unwrap()).unwrap();
    let services = JsonServices::new(&aws);
    services.call(&call(None)).await.unwrap();
    services.call(&call(Some("us-east-1"))).await.unwrap();
    let asked = &stub.asked()[0];
    assert_eq!(asked.header("x-amz-target"), "DeviceFarm_20150623.GetRun");
    assert_eq!(asked.header("content-type"), "application/x-amz-json-1.1");
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body, json!({"arn": "a"}));
    assert_eq!(scope(&stub, 0), "us-west-2/devicefarm/aws4_request");
    assert_eq!(scope(&stub, 1), "us-east-1/devicefarm/aws4_request");
}

#[tokio::test]
async fn only_what_may_be_repeated_is_sent_again() {
    let stub = Stub::start(|_, _| Answer::of(500, "<html>"));
    let services = JsonServices::new(&stub.aws());
    let lost = services.call(&call(None).once()).await;
    assert!(
        matches!(lost, Err(PortError::Unavailable { .. })),
        "{lost:?}"
    );
    assert_eq!(stub.asked().len(), 1);
    assert!(services.call(&call(None)).await.is_err());
    assert_eq!(stub.asked().len(), 4);
}
