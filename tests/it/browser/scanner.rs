//! A hostile scanner: a browser that holds the link and nothing else, and does everything a browser can.

use std::time::Duration;

use harness::{browser::Browser, chance::Chance, site::Site};
use serde_json::json;

use super::{asked, link};

/// What is filled in; some of it looks like a code.
const TEXTS: [&str; 6] = [
    "ABCD-EFGH",
    "2345-6789",
    "yes",
    "approve",
    "x@example.com",
    "' OR 1=1 --",
];
fn text(chance: &mut Chance) -> &'static str {
    TEXTS[usize::try_from(chance.below(TEXTS.len() as u64)).unwrap_or(0)]
}

/// Scripts that send the form without anybody.
const SUBMITS: [&str; 4] = [
    "document.querySelector('form')?.submit()",
    "document.querySelector('form')?.requestSubmit()",
    "document.querySelectorAll('[required]').forEach(e => e.removeAttribute('required')); document.querySelector('form')?.requestSubmit()",
    "document.querySelector('button')?.click()",
];

pub fn undecided(site: &Site) {
    assert_eq!(site.world.results(), [], "a decision");
    assert!(site.world.records()[0].votes.is_empty(), "a vote");
    let posts = site.posts();
    // 409: the same form sent twice, before the answer came
    assert!(
        posts.iter().all(|status| [422, 403, 409].contains(status)),
        "{posts:?}"
    );
}

/// Fills every field with something, chooses every choice.
fn fill(browser: &mut Browser, chance: &mut Chance) {
    let fields =
        browser.eval("document.querySelectorAll('input:not([type=hidden]), textarea').length");
    for at in 0..fields.as_u64().unwrap_or(0) {
        let text = text(chance);
        browser.eval(&format!(
            "(() => {{ const e = document.querySelectorAll('input:not([type=hidden]), textarea')[{at}]; \
             if (e.type === 'radio') e.checked = {}; else e.value = {text:?}; }})()",
            chance.below(2) == 1
        ));
    }
}

/// Everything, at the level.
fn attack(browser: &mut Browser, site: &Site, url: &str, chance: &mut Chance) {
    // Opens it and waits: nothing on the page acts by itself.
    browser.open(url);
    browser.leave_alone(Duration::from_secs(10));
    assert_eq!(site.posts(), Vec::<u16>::new(), "a POST from opening");
    assert_eq!(browser.eval("document.scripts.length"), 0);

    // Clicks everything, with the fields filled in and without. Where that leads does not matter.
    let selector = "a, button, input:not([type=hidden]), textarea, label, summary, [role]";
    let count = browser.eval(&format!("document.querySelectorAll({selector:?}).length"));
    let elsewhere = json!({"urls": ["https://*"]});
    browser.call("Network.setBlockedURLs", elsewhere);
    for at in 0..count.as_u64().unwrap_or(0) {
        browser.open(url);
        if at % 2 == 0 {
            fill(browser, chance);
        }
        let place = browser.eval(&format!(
            "(() => {{ const e = document.querySelectorAll({selector:?})[{at}]; if (!e) return null; \
             e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        if let (Some(x), Some(y)) = (place[0].as_f64(), place[1].as_f64()) {
            browser.click_at(x, y);
        }
    }
    for submit in SUBMITS {
        browser.open(url);
        fill(browser, chance);
        browser.eval(&format!("{submit}; true"));
    }
    // Presses Enter, again and again, wherever the focus lands.
    browser.open(url);
    for round in 0..200 {
        if round % 10 == 0 {
            browser.open(url);
            fill(browser, chance);
        }
        let at = chance.below(8);
        browser.eval(&format!(
            "(() => {{ const all = document.querySelectorAll('a, button, input:not([type=hidden]), textarea'); \
             const e = all[{at} % Math.max(all.length, 1)]; e?.focus(); }})()"
        ));
        browser.call("Input.insertText", json!({"text": text(chance)}));
        browser.enter();
    }
    browser.open(url);
}

#[test]
fn threat_03_a_machine_that_clicks_and_fills_in_everything_decides_nothing() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (site, invited) = asked("L2");
    let mut chance = Chance::new("threat_03");
    attack(
        &mut browser,
        &site,
        &link(&site, &invited[0].token),
        &mut chance,
    );
    undecided(&site);
    assert!(
        site.posts().len() >= 4,
        "it did send forms: {:?}",
        site.posts()
    );
    // Lee, who holds the mail, still decides.
    browser.new_page();
    browser.open(&link(&site, &invited[1].token));
    super::person::decide(&mut browser, "approve", Some(&invited[1].code), "");
    assert_eq!(site.world.results().len(), 1);
}

/// Known and told (docs/threats.md): level L1 is not for production.
#[test]
fn threat_03_at_the_lowest_level_a_machine_that_fills_in_forms_decides() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (site, invited) = asked("L1");
    browser.open(&link(&site, &invited[0].token));
    assert_eq!(
        site.posts(),
        Vec::<u16>::new(),
        "opening alone decides nothing here either"
    );
    assert!(browser.click("input[type=radio]"));
    browser.leads(|b| assert!(b.click("button")));
    assert_eq!(site.world.records()[0].votes.len(), 1);
}
