//! The page of a request that a state machine made.

use shared::approval::task_answer::TaskAnswer;
use shared_testkit::{approval::sample_task, time::BEGINNING};

use super::scene::{BASE, scene_of};

#[tokio::test]
async fn the_page_says_who_waits_and_a_rejection_fails_its_task() {
    let scene = scene_of(3, BASE, sample_task(BEGINNING), 1, &["dana@example.com"]);
    let page = scene.text(0).await;
    for words in [
        "Release version 42 of the shop",
        "The state machine goes on.",
        "Shown in the state machine.",
        "v42",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(
        !page.contains("The pipeline") && !page.contains("planted-task-token"),
        "{page}"
    );
    let answer = scene.vote(0, "reject").await;
    assert_eq!(answer.status, 303);
    let told = scene.world.told_tasks();
    let [TaskAnswer::Failure { error, cause }] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(*error, "ApprovalRejected");
    assert!(cause.contains("not today"), "{cause}");
    let end = scene.text(0).await;
    assert!(
        end.contains("Rejected on") && end.contains("The state fails with ApprovalRejected"),
        "{end}"
    );
}
