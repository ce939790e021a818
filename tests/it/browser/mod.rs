//! Pages and mails in a real browser: what machines do to them, what people do with them, and how they look.

mod frames;
mod looks;
mod mails;
mod person;
mod scanner;
mod sign_in;

use harness::site::Site;
use shared::approval::rules::{Rule, RuleSet};
use shared_testkit::{
    approval::{Invitation, sample_history, sample_request},
    time::BEGINNING,
};

/// One of Dana and Lee decides, at this level.
fn rule(level: &str) -> Rule {
    let file = format!(
        r#"{{"version":1,"people":{{"dana":{{"name":"Dana","mail":"dana@example.com"}},"lee":{{"name":"Lee","mail":"lee@example.com"}}}},
        "groups":{{"release":["dana","lee"]}},
        "rules":[{{"name":"release","needs":[{{"group":"release","approvals":1}}],"fourEyes":{{"trigger":false,"authors":false}},"level":"{level}"}}]}}"#
    );
    RuleSet::parse(&file)
        .and_then(RuleSet::into_only)
        .expect("a good rule")
}

/// A site with one open request; Dana's and Lee's invitations.
fn asked(level: &str) -> (Site, Vec<Invitation>) {
    let site = Site::start(1);
    let mut request = sample_request(BEGINNING);
    request.facts.history = sample_history(BEGINNING);
    request.facts.revisions[0].url =
        Some("https://git.example.com/shop/site/commit/4be2f8c0".to_owned());
    let invited = site
        .world
        .ask_by(request, rule(level), &site.base, BEGINNING);
    (
        site,
        invited
            .into_iter()
            .map(|(_, invitation)| invitation)
            .collect(),
    )
}

fn link(site: &Site, token: &str) -> String {
    format!("{}/a/{token}", site.base)
}
