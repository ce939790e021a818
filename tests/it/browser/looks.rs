//! Pictures of every page and of the mail, on a phone and a desk, by day and by night; and what axe-core has against
//! them. The pictures lie in `target/browser/pictures`.

use approval_notify::letter::{self, Occasion};
use harness::{
    browser::{Browser, SCREENS, axe},
    workspace::root,
};

use shared::{
    approval::{
        code::Code, id::RecipientId, link::Purpose, port::Entropy, request::Record, rules::RuleSet,
        settings::NotifySettings,
    },
    port::Clock,
    secret::Secret,
};
use shared_testkit::{
    FixedClock,
    approval::{ApprovalWorld, KID, sample_history, sample_request},
    time::BEGINNING,
};

use super::{asked, link, rule};

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

/// The mail of this level, as Dana gets it.
fn mail(level: &str) -> String {
    let (world, clock) = (ApprovalWorld::new(1), FixedClock::default());
    let mut request = sample_request(BEGINNING);
    request.facts.history = sample_history(BEGINNING);
    let record = Record::opened(request, rule(level), || {
        (RecipientId::from_random(world.bytes()), world.bytes())
    });
    let settings = NotifySettings {
        table: "unused".to_owned(),
        rules: RuleSet::simple(["dana@example.com"], 1).expect("a rule"),
        mailing: shared::approval::settings::Mailing::Ses {
            from: "pipelines@example.com".parse().expect("an address"),
        },
        base: "https://approve.example.com".parse().expect("a base"),
        key: "unused".to_owned(),
        kid: KID.parse().expect("a kid"),
        topics: Vec::new(),
        zone: "Europe/Berlin".parse().expect("a zone"),
        slack_token: None,
        slack_api: "https://slack.com/api".to_owned(),
        audit_mail: Vec::new(),
    };
    let links: Vec<(Purpose, Secret)> = record
        .rule
        .level
        .purposes()
        .iter()
        .map(|purpose| (*purpose, Secret::new("v4.public.example".to_owned())))
        .collect();
    let code = Code::from_random([20, 3, 9, 28, 17, 5, 30, 11]);
    let letter = letter::compose(
        &record,
        &record.recipients[0],
        &settings,
        &links,
        &code,
        Occasion::First,
        clock.now(),
    );
    let mail = letter.expect("a mail");
    assert!(
        mail.html.reveal().len() < 90_000,
        "mail programs cut longer ones"
    );
    mail.html.reveal().clone()
}

#[test]
fn the_mail_looks_right_to_axe() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let axe = axe();
    for level in ["L1", "L2", "L3"] {
        let file = browser.file("mail.html", &mail(level));
        browser.open(&file);
        look(&mut browser, axe.as_deref(), &format!("mail-{level}"));
        // A finger fits.
        let small = browser.eval("[...document.querySelectorAll('a.button')].filter(a => a.getBoundingClientRect().height < 44).length");
        assert_eq!(small, 0);
        assert_eq!(browser.eval("document.images.length"), 0);
    }
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
