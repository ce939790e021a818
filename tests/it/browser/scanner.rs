//! A hostile scanner: a browser that holds the link and nothing else, and does everything a browser can.
//!
//! What it does may lead anywhere, or nowhere: each act has a page of its own, which is closed afterwards.

use std::time::Duration;

use harness::{
    browser::{Browser, tabs::Acted},
    chance::Chance,
    site::Site,
};
use serde_json::json;

use super::{asked, link, person::decide, sign_in::sign_in};

/// What is filled in; some of it looks like a code.
const TEXTS: [&str; 6] = [
    "ABCD-EFGH",
    "2345-6789",
    "yes",
    "approve",
    "x@example.com",
    "' OR 1=1 --",
];
/// Everything that may be clicked.
const CONTROLS: &str = "a, button, input:not([type=hidden]), textarea, label, summary, [role]";

/// Scripts that send the form without anybody.
const SUBMITS: [&str; 4] = [
    "document.querySelector('form')?.submit()",
    "document.querySelector('form')?.requestSubmit()",
    "document.querySelectorAll('[required]').forEach(e => e.removeAttribute('required')); document.querySelector('form')?.requestSubmit()",
    "document.querySelector('button')?.click()",
];

fn text(chance: &mut Chance) -> &'static str {
    TEXTS[usize::try_from(chance.below(TEXTS.len() as u64)).unwrap_or(0)]
}

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

/// Where each attack begins.
struct Start<'a> {
    url: &'a str,
    /// Whether the way leads over "Sign in", to the provider's form.
    signs_in: bool,
    /// How often Enter is pressed.
    enters: usize,
}

impl Start<'_> {
    fn open(&self, browser: &mut Browser) {
        browser.open_beside(self.url);
        browser.call("Network.setBlockedURLs", json!({"urls": ["https://*"]}));
        if self.signs_in {
            browser.tried("document.querySelector('a.button').click(); true");
            browser.until("document.querySelector('input[name=password]') !== null");
        }
    }
}

/// Fills every field with something, chooses every choice.
fn fill(browser: &mut Browser, chance: &mut Chance) {
    let fields =
        browser.tried("document.querySelectorAll('input:not([type=hidden]), textarea').length");
    for at in 0..fields.and_then(|count| count.as_u64()).unwrap_or(0) {
        let text = text(chance);
        browser.tried(&format!(
            "(() => {{ const e = document.querySelectorAll('input:not([type=hidden]), textarea')[{at}]; \
             if (e.type === 'radio') e.checked = {}; else e.value = {text:?}; return true; }})()",
            chance.below(2) == 1
        ));
    }
}

/// Clicks everything, with the fields filled in and without; how many controls there are.
fn click_everything(browser: &mut Browser, start: &Start<'_>, chance: &mut Chance) -> u64 {
    start.open(browser);
    let count = browser.eval(&format!("document.querySelectorAll({CONTROLS:?}).length"));
    let count = count.as_u64().unwrap_or(0);
    for at in 0..count {
        start.open(browser);
        if at % 2 == 0 {
            fill(browser, chance);
        }
        let place = browser.eval(&format!(
            "(() => {{ const e = document.querySelectorAll({CONTROLS:?})[{at}]; e.scrollIntoView({{block: 'center'}}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        if let (Some(x), Some(y)) = (place[0].as_f64(), place[1].as_f64()) {
            browser.poke(x, y);
        }
    }
    count
}

/// Types and presses Enter, wherever the focus lands and wherever that leads; how often the page was answered or left.
fn press_enter(browser: &mut Browser, start: &Start<'_>, chance: &mut Chance) -> usize {
    let mut acted = 0;
    for round in 0..start.enters {
        if round % 10 == 0 {
            start.open(browser);
            fill(browser, chance);
        }
        let at = chance.below(8);
        let focused = browser.tried(&format!(
            "(() => {{ const all = document.querySelectorAll('a, button, input:not([type=hidden]), textarea'); \
             const e = all[{at} % Math.max(all.length, 1)]; e?.focus(); return true; }})()"
        ));
        if focused.is_none() {
            // The page before is on its way to nowhere.
            start.open(browser);
        }
        match browser.poke_keys(text(chance)) {
            Acted::Answered | Acted::Left => acted += 1,
            Acted::Silent => start.open(browser),
        }
    }
    acted
}

/// Everything.
fn attack(browser: &mut Browser, site: &Site, start: &Start<'_>, chance: &mut Chance) {
    // Opens it and waits: nothing on the page acts by itself.
    start.open(browser);
    browser.leave_alone(Duration::from_secs(10));
    assert_eq!(site.posts(), Vec::<u16>::new(), "a POST from opening");
    assert_eq!(browser.eval("document.scripts.length"), 0);
    let controls = click_everything(browser, start, chance);
    assert!(controls > 0);
    for submit in SUBMITS {
        start.open(browser);
        fill(browser, chance);
        browser.tried(&format!("{submit}; true"));
    }
    let acted = press_enter(browser, start, chance);
    assert!(acted > start.enters / 4, "keys arrive: {acted}");
    // What is still on its way arrives before this is answered.
    start.open(browser);
}

#[test]
fn threat_03_a_machine_that_clicks_and_fills_in_everything_decides_nothing() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (site, invited) = asked("L2");
    let mut chance = Chance::new("threat_03");
    let url = link(&site, &invited[0].token);
    let start = Start {
        url: &url,
        signs_in: false,
        enters: 200,
    };
    attack(&mut browser, &site, &start, &mut chance);
    undecided(&site);
    assert!(
        site.posts().len() >= 4,
        "it did send forms: {:?}",
        site.posts()
    );
    // Lee, who holds the mail, still decides.
    browser.new_page();
    browser.open(&link(&site, &invited[1].token));
    decide(&mut browser, "approve", Some(&invited[1].code), "");
    assert_eq!(site.world.results().len(), 1);
}

/// The page leads to the provider's form, and there it ends for whoever has no password.
#[test]
fn threat_03_a_machine_that_follows_the_sign_in_decides_nothing_at_level_l3() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (site, invited) = asked("L3");
    let mut chance = Chance::new("threat_03 L3");
    let url = link(&site, &invited[0].token);
    for signs_in in [false, true] {
        let start = Start {
            url: &url,
            signs_in,
            enters: 100,
        };
        attack(&mut browser, &site, &start, &mut chance);
        undecided(&site);
    }
    let provider = &site.provider.stage;
    let asked = provider.records();
    let forms = asked.iter().filter(|r| r.asked.param("mail").is_some());
    let forms = forms.count();
    assert!(forms >= 4, "it sent the provider's form: {forms}");
    assert_eq!(provider.count("POST", "/token"), 0, "nobody signed in");
    assert_eq!(site.posts(), Vec::<u16>::new(), "there is no form to send");
    // Dana, who has a password, still decides.
    browser.new_page();
    browser.open(&url);
    sign_in(&mut browser, &site, "dana@example.com");
    decide(&mut browser, "approve", None, "");
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
