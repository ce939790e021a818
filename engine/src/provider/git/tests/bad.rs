//! Repositories that are not as they should be: packed as they are, or refused by name.

use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, fs::symlink},
};

use super::*;

#[tokio::test]
async fn bad_repositories_are_named_clearly() {
    let repo = Repo::new();
    repo.git(&["branch", "next"]);
    let bench = repo.bench().await;
    let message = failure(&bench, &commit_task(&[("BranchName", "gone")])).await;
    assert!(
        message.ends_with("has no branch gone; it has main, next"),
        "{message}"
    );
    let message = failure(&bench, &commit_task(&[("BranchName", "--upload-pack=x")])).await;
    assert!(message.contains("is not a branch name"), "{message}");
    let bench = Repo::empty().bench().await;
    // The folder of the empty repository is gone by now.
    let message = failure(&bench, &commit_task(&[])).await;
    assert!(
        message.contains("cannot be read as a git repository"),
        "{message}"
    );
    let repo = Repo::empty();
    let message = failure(&repo.bench().await, &commit_task(&[])).await;
    assert!(
        message.contains("nothing was committed to it yet"),
        "{message}"
    );
    let message = failure(&Bench::new().await, &commit_task(&[])).await;
    assert!(
        message.contains("add [codecommit.shop] git = "),
        "{message}"
    );
    let mut bench = Bench::new().await;
    for git in [
        "ext::sh -c touch% /tmp/x",
        "https://dana:planted@127.0.0.1:1/x.git",
    ] {
        let remote = GitRemote {
            git: git.to_owned(),
            secret: None,
        };
        bench.config.codecommit.insert("shop".to_owned(), remote);
        let message = failure(&bench, &commit_task(&[])).await;
        assert!(
            message.contains("cannot be read") && !message.contains("planted"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn pointers_and_submodules_are_noted() {
    let repo = Repo::new();
    repo.write(".gitattributes", "*.bin filter=lfs\n");
    repo.write("big.bin", "version https://git-lfs.github.com/spec/v1\n");
    repo.commit("Large files");
    let head = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{head},vendor/lib"),
    ]);
    repo.git(&["commit", "-q", "-m", "Submodule"]);
    let bench = repo.bench().await;
    let one = commit_task(&[]);
    assert!(matches!(run(&bench, &one).await, Outcome::Succeeded { .. }));
    let log = bench.log(&one);
    assert!(
        log.contains("submodules are left out, as AWS does: vendor/lib"),
        "{log}"
    );
    assert!(
        log.contains("1 files are kept with Git LFS") && log.contains("content: big.bin"),
        "{log}"
    );
}

/// What a push or a clone made elsewhere would look like to the source action.
fn shallow(of: &Repo) -> Repo {
    let repo = Repo(tempfile::tempdir().unwrap());
    let from = format!("file://{}", of.0.path().display());
    repo.git(&["clone", "-q", "--depth=1", &from, "."]);
    repo
}

#[tokio::test]
async fn of_a_shallow_clone_there_is_what_it_has() {
    let whole = Repo::new();
    let old = whole.git(&["rev-parse", "HEAD~1"]);
    let repo = shallow(&whole);
    let bench = repo.bench().await;
    let newest = commit_task(&[]);
    assert!(matches!(
        run(&bench, &newest).await,
        Outcome::Succeeded { .. }
    ));
    let mut one = commit_task(&[]);
    one.source_revision = Some(SourceRevisionOverride {
        action_name: "Fetch".to_owned(),
        revision_type: "COMMIT_ID".to_owned(),
        revision_value: old.clone(),
    });
    let message = failure(&bench, &one).await;
    let expected = format!("has no commit {old} on branch main; it is a shallow clone");
    assert!(message.contains(&expected), "{message}");

    let one = commit_task(&[("OutputArtifactFormat", "CODEBUILD_CLONE_REF")]);
    assert!(matches!(run(&bench, &one).await, Outcome::Succeeded { .. }));
    let file = artifact::file(&bench.objects, &one.outputs[0])
        .await
        .unwrap();
    let workshop = bench.workshop(&one);
    let tree = workshop.scratch("clone");
    let cloned = clone_reference(&workshop, &file, &tree, &CancellationToken::new()).await;
    assert!(matches!(cloned, Ok(true)), "{cloned:?}");
    assert!(tree.join("run.sh").is_file());
    let log = bench.log(&one);
    assert!(
        log.contains("is a shallow clone: the history ends"),
        "{log}"
    );
}

#[tokio::test]
async fn a_damaged_pack_is_told_as_damage() {
    let repo = Repo::new();
    repo.git(&["gc", "-q"]);
    let packs = repo.0.path().join(".git/objects/pack");
    for file in fs::read_dir(packs).unwrap().flatten() {
        if file.path().extension() == Some(OsStr::new("pack")) {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
            let mut bytes = fs::read(file.path()).unwrap();
            bytes[20..80].fill(0x5a);
            fs::write(file.path(), bytes).unwrap();
        }
    }
    let message = failure(&repo.bench().await, &commit_task(&[])).await;
    let shown = repo.0.path().display();
    let expected = format!("{shown} has a branch main, but it could not be read: ");
    assert!(
        message.starts_with(&expected) && message.contains("git fsck"),
        "{message}"
    );
}

#[tokio::test]
async fn a_tree_that_cannot_lie_in_a_folder_is_refused_with_its_branch() {
    let repo = Repo::new();
    let long = format!("{}.txt", "n".repeat(300));
    let blob = repo.git(&["hash-object", "-w", "old.txt"]);
    for (name, expected) in [
        (".git", "invalid path '.git'"),
        (&long, "File name too long"),
    ] {
        let listed = repo.0.path().join("listed");
        fs::write(&listed, format!("100644 blob {blob}\t{name}\n")).unwrap();
        let script = "git mktree < listed";
        let tree = repo.git(&["-c", &format!("alias.t=!{script}"), "t"]);
        let commit = repo.git(&["commit-tree", &tree, "-m", "Odd"]);
        repo.git(&["update-ref", "refs/heads/odd", &commit]);
        let message = failure(&repo.bench().await, &commit_task(&[("BranchName", "odd")])).await;
        let place = format!("odd of {} cannot be checked out: ", repo.0.path().display());
        assert!(
            message.starts_with(&place) && message.contains(expected),
            "{message}"
        );
    }
}

/// A repository with one more file in the index, as `put` makes it.
async fn with(put: impl FnOnce(&Path)) -> (Bench, String, Repo) {
    let repo = Repo::new();
    put(repo.0.path());
    repo.commit("One more");
    let place = format!(
        "{} at commit {}: ",
        repo.0.path().display(),
        repo.git(&["rev-parse", "HEAD"])
    );
    (repo.bench().await, place, repo)
}

#[tokio::test]
async fn odd_names_are_packed() {
    let (bench, _, _repo) = with(|folder| {
        fs::write(folder.join("-rf"), "dash").unwrap();
        fs::write(folder.join("ü b#{x}.txt"), "letters").unwrap();
        fs::write(folder.join("n".repeat(255)), "long").unwrap();
    })
    .await;
    let outcome = run(&bench, &commit_task(&[])).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let files = bench.zip("Code").await;
    assert_eq!(files["-rf"], "dash");
    assert_eq!(files["ü b#{x}.txt"], "letters");
    assert_eq!(files[&"n".repeat(255)], "long");
}

#[tokio::test]
async fn names_that_an_artifact_cannot_hold_are_refused_with_their_commit() {
    for (name, expected) in [
        (
            &b"two\nlines"[..],
            "the entry \"two\\nlines\" is refused: its name holds a control character",
        ),
        (b"a\\b", "its name holds a backslash"),
        (b"caf\xe9", "its name is not UTF-8"),
    ] {
        let (bench, place, _repo) = with(|folder| {
            fs::write(folder.join(OsStr::from_bytes(name)), "x").unwrap();
        })
        .await;
        let message = failure(&bench, &commit_task(&[])).await;
        assert!(
            message.starts_with(&place) && message.contains(expected),
            "{message}"
        );
    }
    let deep = format!("{}/x", vec!["d".repeat(200); 6].join("/"));
    let (bench, place, _repo) = with(|folder| {
        fs::create_dir_all(folder.join(&deep).parent().unwrap()).unwrap();
        fs::write(folder.join(&deep), "x").unwrap();
    })
    .await;
    let message = failure(&bench, &commit_task(&[])).await;
    assert!(
        message.starts_with(&place) && message.contains("its name is too long"),
        "{message}"
    );
}

#[tokio::test]
async fn links_are_kept_inside_and_refused_outside() {
    let (bench, _, _repo) = with(|folder| {
        symlink("b", folder.join("a")).unwrap();
        symlink("a", folder.join("b")).unwrap();
        symlink(".", folder.join("sub/round")).unwrap();
        symlink("gone", folder.join("dangling")).unwrap();
    })
    .await;
    let one = commit_task(&[]);
    let outcome = run(&bench, &one).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    artifact::unpack(&bench.objects, &one.outputs[0], &out)
        .await
        .unwrap();
    for (link, target) in [
        ("a", "b"),
        ("b", "a"),
        ("sub/round", "."),
        ("dangling", "gone"),
    ] {
        assert_eq!(fs::read_link(out.join(link)).unwrap(), Path::new(target));
    }
    for target in ["/etc/passwd", "../../x"] {
        let (bench, place, _repo) =
            with(|folder| symlink(target, folder.join("sub/out")).unwrap()).await;
        let message = failure(&bench, &commit_task(&[])).await;
        let expected = format!(
            "the symbolic link \"sub/out\" leads out of the folder that is packed: {target:?}"
        );
        assert!(
            message.starts_with(&place) && message.contains(&expected),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_submodule_that_leads_nowhere_is_left_out() {
    let repo = Repo::new();
    let config =
        "[submodule \"x\"]\n\tpath = ../x\n\turl = -upload-pack=touch\n\tupdate = !false\n";
    repo.write(".gitmodules", config);
    repo.git(&["add", "-A"]);
    let gone = "0123456789".repeat(4);
    repo.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{gone},lib"),
    ]);
    repo.git(&["commit", "-q", "-m", "Bad submodule"]);
    let bench = repo.bench().await;
    let one = commit_task(&[]);
    assert!(matches!(run(&bench, &one).await, Outcome::Succeeded { .. }));
    assert!(
        bench
            .log(&one)
            .contains("submodules are left out, as AWS does: lib")
    );
    assert_eq!(bench.zip("Code").await[".gitmodules"], config);
}
