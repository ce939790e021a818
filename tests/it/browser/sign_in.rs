//! Level L3: signing in at an identity provider, with real clicks and keys.

use harness::{browser::Browser, site::Site};
use stagewright_standins::identity::PASSWORD;

use super::{asked, link, person::decide, scanner::undecided};

/// The provider's form, filled in with real keys and sent with a real click.
pub fn sign_in(browser: &mut Browser, site: &Site, mail: &str) {
    browser.leads(|b| assert!(b.click("a.button"), "the way to the provider"));
    assert!(browser.address().starts_with(&site.provider.url));
    browser.write("input[name=mail]", mail);
    browser.write("input[name=password]", PASSWORD);
    browser.leads(|b| assert!(b.click("form button"), "the provider's button"));
}

#[test]
fn threat_42_a_person_signs_in_with_a_browser_and_decides_at_level_l3() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (site, invited) = asked("L3");
    let url = link(&site, &invited[0].token);
    browser.open(&url);
    assert!(
        browser.text().contains("Please sign in"),
        "{}",
        browser.text()
    );
    sign_in(&mut browser, &site, "dana@example.com");
    assert_eq!(browser.address(), url, "back on the page of the link");
    assert_eq!(
        browser.eval("document.querySelector('input[name=code]') === null"),
        true,
        "the sign-in stands in for the code"
    );
    decide(&mut browser, "approve", None, "");
    assert!(browser.text().contains("Approved"), "{}", browser.text());
    assert_eq!((site.posts(), site.world.results().len()), (vec![303], 1));
}

#[test]
fn threat_42_a_browser_signed_in_as_somebody_else_shows_and_decides_nothing() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (site, invited) = asked("L3");
    browser.open(&link(&site, &invited[0].token));
    sign_in(&mut browser, &site, "lee@example.com");
    let text = browser.text();
    assert!(text.contains("This link is for somebody else"), "{text}");
    assert_eq!(browser.eval("document.forms.length"), 0);
    // Dana's browser is signed in; the same link in another browser is not.
    browser.new_page();
    browser.open(&link(&site, &invited[0].token));
    sign_in(&mut browser, &site, "dana@example.com");
    assert_eq!(browser.eval("document.forms.length > 0"), true);
    browser.new_page();
    browser.open(&link(&site, &invited[0].token));
    assert_eq!(browser.eval("document.forms.length"), 0);
    undecided(&site);
}
