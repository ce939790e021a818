//! Deployments against a scripted Elastic Beanstalk.

use tokio_util::sync::CancellationToken;

use super::*;
use crate::provider::bench::{Answers, Bench, told};

const KEYS: [(&str, &str); 2] = [
    ("ApplicationName", "shop"),
    ("EnvironmentName", "shop-live"),
];

/// An environment that goes through these states; the last one stays. `takes`: whether it has the new version then.
fn beanstalk(mut states: Vec<&'static str>, takes: bool, made: bool) -> Option<Answers> {
    let (mut label, mut events) = ("old".to_owned(), 0);
    Some(Box::new(move |operation, input| {
        let inner = match operation {
            "PutObject" => return (200, String::new()),
            "CreateApplicationVersion" if made => {
                return (400, "<ErrorResponse><Error><Code>InvalidParameterValue</Code><Message>Application Version code-pipeline-1 already exists.</Message></Error></ErrorResponse>".to_owned());
            }
            "UpdateEnvironment" if takes => {
                label = input["VersionLabel"].as_str().unwrap().to_owned();
                String::new()
            }
            "DescribeEnvironments" => {
                let state = match states.len() {
                    1 => states[0],
                    _ => states.remove(0),
                };
                format!(
                    "<Environments><member><Status>{state}</Status><VersionLabel>{label}</VersionLabel><Health>Green</Health></member></Environments>"
                )
            }
            "DescribeEvents" => {
                events += 1;
                let news = "<member><EventDate>2</EventDate><Severity>ERROR</Severity><Message>Out of bread.</Message></member>";
                let old = "<member><EventDate>1</EventDate><Severity>ERROR</Severity><Message>Long ago.</Message></member>";
                format!(
                    "<Events>{}{old}</Events>",
                    if events > 1 { news } else { "" }
                )
            }
            _ => String::new(),
        };
        (
            200,
            format!("<R><{operation}Result>{inner}</{operation}Result></R>"),
        )
    }))
}

async fn deploy(answers: Option<Answers>, stop: &CancellationToken) -> (Bench, String, String) {
    let bench = Bench::new(&["elasticbeanstalk", "s3"], answers).await;
    bench.put("App", &[("index.html", "bread")]).await;
    let (outcome, log) = bench.run(&Beanstalk, &KEYS, &["App"], stop.clone()).await;
    (bench, told(&outcome), log)
}

#[tokio::test]
async fn an_environment_gets_a_version_and_is_watched_until_it_is_ready() {
    for made in [false, true] {
        let answers = beanstalk(vec!["Updating", "Ready"], true, made);
        let (bench, told, log) = deploy(answers, &CancellationToken::new()).await;
        let version = bench.input("CreateApplicationVersion");
        let label = version["VersionLabel"].as_str().unwrap();
        assert_eq!(told, format!("shop-live runs {label}, health Green"));
        assert_eq!(version["SourceBundle.S3Key"], "P/App/abc");
        let object = bench.input("PutObject");
        assert_eq!(object["path"], "/artifacts/P/App/abc");
        assert!(object["bytes"].as_u64().unwrap() > 0);
        assert_eq!(bench.input("UpdateEnvironment")["VersionLabel"], label);
        assert!(
            log.contains("shop-live is Updating") && log.contains("ERROR Out of bread."),
            "{log}"
        );
        assert!(!log.contains("Long ago"), "{log}");
    }
}

#[tokio::test]
async fn an_environment_that_does_not_take_it_says_why() {
    let forever = CancellationToken::new();
    let answers = beanstalk(vec!["Updating", "Ready"], false, false);
    let (_, told, _) = deploy(answers, &forever).await;
    assert!(
        told.starts_with("JobFailed: shop-live did not take code-pipeline-")
            && told.ends_with(": Out of bread."),
        "{told}"
    );
    let (_, told, _) = deploy(beanstalk(vec!["Terminating"], true, false), &forever).await;
    assert_eq!(told, "JobFailed: shop-live is Terminating");
    let (_, told, log) = deploy(None, &forever).await;
    assert_eq!(told, "Simulated: shop-live of shop would get a new version");
    assert!(
        log.contains("SIMULATED: no endpoint of elasticbeanstalk"),
        "{log}"
    );
    let stop = CancellationToken::new();
    stop.cancel();
    let (bench, told, _) = deploy(beanstalk(vec!["Updating"], true, false), &stop).await;
    assert_eq!(told, "stopped");
    assert_eq!(
        bench.input("AbortEnvironmentUpdate")["EnvironmentName"],
        "shop-live"
    );
}
