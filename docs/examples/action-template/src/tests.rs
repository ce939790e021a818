//! The action on every host, every call failed, lost, cut off and repeated.

use serde_json::json;
use shared::job::Report;
use shared_testkit::{
    Failing, Mode, World, describes, events,
    memory::{MemoryPages, Page},
    repeat_and_fail,
};

use crate::Template;

const URL: &str = "https://example.com/state";

#[test]
fn the_description_agrees_with_the_parameters() {
    describes::<Template<Failing<MemoryPages>>>(&json!({"url": URL}));
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let event = events::job(&json!({"url": URL}));
    let make = |world: &World| {
        let pages = [Page::ok("not yet"), Page::ok("done")];
        world.pages.inner.set(URL, pages);
        Template(world.pages.clone())
    };
    repeat_and_fail(&event, make, |_, report, mode| match report {
        Report::Success { .. } => {}
        // One lost answer of the page ends this action: say `Step::Wait` where it should not.
        other => assert_ne!(mode, Mode::Work, "{other:?}"),
    })
    .await;
}
