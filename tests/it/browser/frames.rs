//! The page in a frame, and what another site learns of the link.

use base64::{Engine, prelude::BASE64_STANDARD};
use harness::browser::Browser;
use serde_json::json;

use super::{asked, link};

#[test]
fn threat_19_the_page_stays_out_of_frames() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (site, invited) = asked("L2");
    let url = link(&site, &invited[0].token);
    let frame = browser.file(
        "frame.html",
        &format!("<!DOCTYPE html><title>x</title><iframe src=\"{url}\"></iframe>"),
    );
    browser.open(&frame);
    assert!(site.asked() > 0, "it was asked for");
    let tree = browser.call("Page.getFrameTree", json!({}));
    let child = &tree["frameTree"]["childFrames"][0]["frame"];
    let shown = child["url"].as_str().unwrap_or_default();
    assert!(!shown.starts_with(&url), "{tree}");
}

#[test]
fn threat_20_another_site_does_not_learn_the_link() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (site, invited) = asked("L2");
    // The sink: every page asked of it stops here and is answered here.
    let pages = json!({"urlPattern": "https://*", "resourceType": "Document"});
    browser.call("Fetch.enable", json!({"patterns": [pages]}));
    browser.open(&link(&site, &invited[0].token));
    for selector in ["a[href^='https://git.']", "a[href^='https://staging.']"] {
        browser.open(&link(&site, &invited[0].token));
        assert!(browser.click(selector), "{selector}");
        let paused = browser.event("Fetch.requestPaused");
        let headers = &paused["request"]["headers"];
        assert!(
            headers["Referer"].is_null() && headers["Origin"].is_null(),
            "{headers}"
        );
        let body = BASE64_STANDARD
            .encode("<!DOCTYPE html><title>sink</title><link rel=\"icon\" href=\"data:,\">sink");
        let answer = json!({"requestId": paused["requestId"], "responseCode": 200, "body": body,
            "responseHeaders": [{"name": "content-type", "value": "text/html"}]});
        browser.leads(|b| {
            b.call("Fetch.fulfillRequest", answer);
        });
        assert_eq!(browser.text(), "sink");
        assert_eq!(browser.eval("document.referrer"), "");
        assert_eq!(browser.eval("window.opener === null"), true);
    }
}
