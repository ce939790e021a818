//! Pictures of every page and mail, on a phone and a desk, by day and by night; and what axe-core has against
//! them. The pictures lie in `target/browser/pictures`.

use harness::{
    browser::{Browser, SCREENS, axe},
    workspace::root,
};
use serde_json::json;

use super::{asked, link, mails};

/// Takes the pictures of what is open and asks axe-core.
fn look(browser: &mut Browser, axe: Option<&str>, name: &str) {
    let folder = root().join("target/browser/pictures");
    for screen in SCREENS {
        browser.screen(screen);
        let mode = if screen.dark { "dark" } else { "light" };
        browser.picture(&folder.join(format!("{name}-{}-{mode}.png", screen.width)));
        let wide = browser
            .eval("document.documentElement.scrollWidth")
            .as_u64()
            .unwrap_or(u64::MAX);
        assert!(
            wide <= u64::from(screen.width),
            "{name}: {wide} px wide on {} px",
            screen.width
        );
        if let Some(axe) = axe {
            let found = browser.judged(axe);
            assert!(
                found.is_empty(),
                "{name}, {screen:?}:\n{}",
                found.join("\n")
            );
        }
    }
}

#[test]
fn every_mail_looks_right_to_axe() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let axe = axe();
    for (name, mail) in mails::all() {
        assert!(mail.len() < 90_000, "{name}: mail programs cut longer ones");
        let file = browser.file("mail.html", &mail);
        browser.open(&file);
        look(&mut browser, axe.as_deref(), &format!("mail-{name}"));
        // A finger fits.
        let small = browser.eval("[...document.querySelectorAll('a.button, a.hollow')].filter(a => a.getBoundingClientRect().height < 44).length");
        assert_eq!(small, 0, "{name}");
        assert_eq!(browser.eval("document.images.length"), 0, "{name}");
    }
}

/// What auditors get from `stagewright audit export`, on screens and on paper.
#[test]
fn the_page_of_the_audit_looks_right_to_axe() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let chain = folder.path().join("chain.jsonl");
    std::fs::write(&chain, mails::audit()).expect("written");
    let mut export = std::process::Command::new(harness::workspace::stagewright());
    export
        .args(["audit", "export", "--format", "html"])
        .arg(&chain);
    let made = export.output().expect("stagewright is built");
    let page = String::from_utf8(made.stdout).expect("UTF-8");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let file = browser.file("audit.html", &page);
    browser.open(&file);
    look(&mut browser, axe().as_deref(), "audit");
    printed(&mut browser, "audit");
}

/// The page on paper.
fn printed(browser: &mut Browser, name: &str) {
    browser.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    let folder = root().join("target/browser/pictures");
    browser.picture(&folder.join(format!("{name}-print.png")));
    let forms = browser
        .eval("[...document.forms].filter(f => f.getBoundingClientRect().height > 0).length");
    assert_eq!(forms, 0, "{name}: paper holds no form");
    browser.call("Emulation.setEmulatedMedia", json!({"media": ""}));
}

#[test]
fn every_page_looks_right_to_axe() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let axe = axe();
    let axe = axe.as_deref();
    let (site, invited) = asked("L2");
    let (dana, lee) = (&invited[0], &invited[1]);
    site.clock.step(std::time::Duration::from_secs(2 * 3600));
    browser.open(&link(&site, &dana.token));
    look(&mut browser, axe, "page");
    assert_eq!(browser.eval("document.forms.length"), 1);
    printed(&mut browser, "page");
    // Sent with everything wrong.
    browser.eval(
        "document.querySelectorAll('[required]').forEach(e => e.removeAttribute('required'))",
    );
    browser.leads(|b| assert!(b.click("form button")));
    look(&mut browser, axe, "mistakes");
    super::person::decide(&mut browser, "approve", Some("WRNG-CDEE"), "");
    look(&mut browser, axe, "wrong-code");
    browser.open(&link(&site, "nonsense"));
    look(&mut browser, axe, "invalid");
    browser.open(&link(&site, &lee.token));
    super::person::decide(
        &mut browser,
        "reject",
        Some(&lee.code),
        "The opening hours on Sunday are wrong.",
    );
    look(&mut browser, axe, "rejected");
    printed(&mut browser, "rejected");
    let text = browser.text();
    for fact in [
        "Rejected on",
        "The opening hours on Sunday are wrong.",
        "CET (",
        "Request",
    ] {
        assert!(text.contains(fact), "{fact}: {text}");
    }
    let (site, invited) = asked("L1");
    browser.open(&link(&site, &invited[0].token));
    look(&mut browser, axe, "level-1");
    super::person::decide(&mut browser, "approve", None, "");
    look(&mut browser, axe, "held");
    let (site, invited) = asked("L2");
    browser.open(&link(&site, &invited[0].token));
    site.clock.step(std::time::Duration::from_hours(49));
    browser.open(&link(&site, &invited[0].token));
    look(&mut browser, axe, "expired");
}

#[test]
fn every_page_of_the_sign_in_looks_right_to_axe() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let axe = axe();
    let axe = axe.as_deref();
    let (site, invited) = asked("L3");
    let url = link(&site, &invited[0].token);
    browser.open(&url);
    look(&mut browser, axe, "sign-in");
    super::sign_in::sign_in(&mut browser, &site, "lee@example.com");
    look(&mut browser, axe, "other-person");
    browser.new_page();
    browser.open(&url);
    super::sign_in::sign_in(&mut browser, &site, "dana@example.com");
    look(&mut browser, axe, "level-3");
}
