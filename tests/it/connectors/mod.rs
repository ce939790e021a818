//! Connectors' own binaries under the engine, on three hosts, against stand-ins over HTTP.

mod alexa_skill;
mod aws;
mod blazemeter_monitoring;
pub mod commit_status;
mod deploys;
mod ghost_inspector;
mod jenkins;
mod judges;
mod loadrunner_cloud;
mod moto;
mod native;
mod race;
mod stop;
mod token;

use harness::connector::{Connector, Host};
use jiff::Timestamp;
use serde_json::json;
use stagewright_standins::{Asked, Reply, Stage, StandIn, Trick};

/// A site with one page.
#[derive(Default)]
struct Site;

impl StandIn for Site {
    fn handle(&mut self, _: &Asked, _: Timestamp) -> Reply {
        Reply::text(200, "fresh bread")
    }
}

#[test]
fn an_action_is_played_on_every_host() {
    let site = Stage::<Site>::default().serve();
    let check = Connector::of("action-http-check")
        .file("index.html", "fresh bread")
        .start();
    site.stage.trick("", "", 3, Trick::status(503));
    let parameters =
        json!({"url": site.url, "matchArtifactFile": "index.html", "timeoutSeconds": 60});
    check.on_every_host(&parameters, |host, ended| {
        assert!(ended.succeeded(), "{host:?}: {ended:?}");
        assert_eq!(ended.variables["BodyBytes"], "11", "{host:?}");
    });
    let failed = check.play(
        Host::Worker,
        &json!({"url": site.url, "expectText": "stale"}),
    );
    assert_eq!(
        (failed.status.as_str(), failed.failure.as_str()),
        ("Failed", "JobFailed")
    );
    assert!(
        failed
            .message
            .contains("the expected text is not in the page"),
        "{failed:?}"
    );
}
