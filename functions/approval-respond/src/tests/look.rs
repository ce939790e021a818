//! Writes the pages as files, to be looked at.

use std::time::Duration;

use shared_testkit::{approval::sample_request, time::BEGINNING};

use super::{
    super::answer,
    scene::{get, post, scene_of},
};

/// Writes the pages as files, to be looked at: `STAGEWRIGHT_PAGES=folder cargo nextest run -p approval-respond look`.
#[tokio::test]
async fn look_at_the_pages() {
    let Some(folder) = std::env::var_os("STAGEWRIGHT_PAGES").map(std::path::PathBuf::from) else {
        return;
    };
    let base = "http://127.0.0.1:4599";
    let people = ["dana@example.com", "lee@example.com", "kim@example.com"];
    let scene = scene_of(8, base, sample_request(BEGINNING), 2, &people);
    scene.clock.step(Duration::from_secs(3 * 3600));
    assert_eq!(scene.vote(0, "approve").await.status, 303);
    let shown = scene.open(1).await;
    let wrong = post(&shown, &[("verdict", "reject"), ("code", "X")]);
    let mut pages = vec![
        ("open", scene.text(1).await),
        ("voted", scene.text(0).await),
        ("mistake", scene.send(&wrong).await.body),
        ("invalid", scene.send(&get("x")).await.body),
    ];
    assert_eq!(scene.vote(1, "reject").await.status, 303);
    pages.push(("rejected", scene.text(2).await));
    for (name, html) in pages {
        let style = format!("href=\"{base}/style.css\"");
        std::fs::write(
            folder.join(format!("{name}.html")),
            html.replace(&style, "href=\"style.css\""),
        )
        .unwrap();
    }
    std::fs::write(folder.join("style.css"), answer::style().body).unwrap();
}
