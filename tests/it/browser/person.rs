//! A person's way: the mail, the link, the code, the choice.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use harness::{
    browser::{Browser, SCREENS},
    example::Example,
    process::PATIENCE,
    workspace::{root, stagewright},
};
use serde_json::Value;

/// Fills in the form with real clicks and keys, and sends it.
pub fn decide(browser: &mut Browser, verdict: &str, code: Option<&str>, reason: &str) {
    assert!(
        browser.click(&format!("input[value={verdict}]")),
        "the choice"
    );
    if !reason.is_empty() {
        browser.write("textarea", reason);
    }
    if let Some(code) = code {
        browser.write("input[name=code]", code);
    }
    browser.leads(|b| assert!(b.click("form button"), "the button"));
}

#[test]
fn a_person_decides_by_mail_link_code_and_choice() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let example = Example::new();
    let mut arguments = example.run_arguments(&[]);
    let at = arguments
        .iter()
        .position(|a| a == "yes")
        .expect("--approve yes");
    arguments[at] = "ask".to_owned();
    let mut run = Command::new(stagewright())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("stagewright is built");
    let until = Instant::now() + PATIENCE;
    let mail = loop {
        let mails = fs::read_dir(example.state().join("mail"));
        let mail = mails.into_iter().flatten().flatten().find_map(|entry| {
            let text = fs::read_to_string(entry.path()).ok()?;
            serde_json::from_str::<Value>(&text)
                .ok()
                .filter(|m| m["html"].is_string())
        });
        if let Some(mail) = mail {
            break mail;
        }
        assert!(Instant::now() < until, "no mail");
        std::thread::sleep(Duration::from_millis(20));
    };
    let page = browser.file("mail.html", mail["html"].as_str().unwrap_or_default());
    browser.screen(SCREENS[0]);
    browser.open(&page);
    let code = browser
        .eval("document.querySelector('td.code')?.innerText.match(/[2-9A-Z]{4}-[2-9A-Z]{4}/)?.[0]");
    let code = code.as_str().expect("the mail shows a code").to_owned();
    browser.leads(|b| assert!(b.click("a.button"), "the button of the mail"));
    let folder = root().join("target/browser/pictures");
    browser.picture(&folder.join("person-1-page.png"));
    // Nothing is sent before there is a choice.
    let asked = browser.asked.len();
    browser.write("input[name=code]", &code);
    assert!(browser.click("form button"));
    assert_eq!(
        browser.eval("document.querySelector('input[type=radio]').validity.valueMissing"),
        true
    );
    assert_eq!(
        browser.asked.len(),
        asked,
        "the browser sent a form without a choice"
    );
    browser.asked.clear();
    decide(
        &mut browser,
        "approve",
        Some(&code),
        "Looks good on staging.",
    );
    let post = browser
        .asked
        .iter()
        .find(|r| r["method"] == "POST")
        .cloned()
        .expect("a POST");
    assert!(
        !post["url"].as_str().unwrap_or_default().contains(&code),
        "the code is in no address"
    );
    // What the page says then, other tests see: here the engine ends with its pipeline, perhaps before the page is read.
    let status = loop {
        if let Some(status) = run.try_wait().expect("it can be waited for") {
            break status;
        }
        if Instant::now() > until {
            let _ = run.kill();
            panic!("the pipeline does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(0), "the pipeline went on");
}

#[test]
fn threat_17_a_real_browser_sends_the_form_as_our_own_page() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (site, invited) = super::asked("L2");
    browser.open(&super::link(&site, &invited[0].token));
    browser.asked.clear();
    decide(&mut browser, "reject", Some(&invited[0].code), "not today");
    assert_eq!(site.posts(), [303]);
    let sent = browser.event("Network.requestWillBeSentExtraInfo");
    assert_eq!(sent["headers"]["Sec-Fetch-Site"], "same-origin", "{sent}");
    assert_eq!(sent["headers"]["Origin"], site.base.to_string(), "{sent}");
    assert!(browser.text().contains("Rejected"));
}
