//! What is logged and printed at the finest level holds no secret.

use std::sync::Arc;

use shared_testkit::{Fate, Mode, Plan};

use super::{
    super::form,
    scene::{BASE, CODEPIPELINE_TOKEN, get, now, page_at, post, scene},
    sign_in,
};

/// Collects everything that is logged at the finest level.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn threat_22_nothing_secret_is_logged_or_printed() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let mut secrets = vec![CODEPIPELINE_TOKEN.to_owned()];
    let mut printed = String::new();
    // For the whole process: under one that a thread has to itself, events that another test's thread reaches first
    // stay silent everywhere.
    tracing::subscriber::set_global_default(subscriber).expect("the only test that sets one");
    tracing::callsite::rebuild_interest_cache();
    for mode in [
        Mode::Work,
        Mode::At(1, Fate::FailBefore),
        Mode::At(3, Fate::FailBefore),
    ] {
        let scene = scene();
        let shown = now(scene.open(0));
        let form = scene.ballot(0, &shown, "approve");
        let page = page_at(&scene.world.under(&Plan::new(mode)), &scene.clock, BASE);
        let wrong = post(&shown, &[("verdict", "approve"), ("code", "QQQQ-QQQQ")]);
        for request in [&get("v4.public.x"), &wrong, &form, &form] {
            let answer = now(page.handle(request));
            printed.push_str(&format!(
                "{request:?} {answer:?} {:?} {page:?}",
                form::read(request)
            ));
        }
        let record = &scene.world.records()[0];
        printed.push_str(&format!("{record:?}"));
        secrets.extend([
            shown.token,
            shown.nonce,
            shown.cookie,
            scene.invitations[0].code.clone(),
        ]);
    }
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    secrets.extend(runtime.block_on(sign_in::whole_way(&mut printed)));
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("a form was answered"), "{logged}");
    for secret in secrets.iter().map(String::as_str).chain(["QQQQ"]) {
        assert!(!logged.contains(secret), "logged: {secret}");
        assert!(!printed.contains(secret), "printed: {secret}");
    }
}
