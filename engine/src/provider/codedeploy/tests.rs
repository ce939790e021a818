//! Deployments of bundles to folders.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{appspec::AppSpec, *};
use crate::{
    config::CodeDeployConfig,
    provider::workshop::tests::{Bench, task},
};

/// Two servers `a` and `b`, and a state folder.
struct Place {
    bench: Bench,
    stop: CancellationToken,
}

impl Place {
    async fn new(configuration: Configuration, rollback: bool) -> Self {
        let mut bench = Bench::new().await;
        let folder = bench.folder.path();
        let config = CodeDeployConfig {
            targets: vec![folder.join("a"), folder.join("b")],
            configuration,
            rollback,
        };
        bench
            .config
            .codedeploy
            .insert("shop/live".to_owned(), config);
        Self {
            bench,
            stop: CancellationToken::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bench.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Deploys these files; what the action ends with, in short.
    async fn deploy(&self, files: &[(&str, &str)]) -> String {
        let settings = [("ApplicationName", "shop"), ("DeploymentGroupName", "live")];
        let mut one = task("Deploy", &settings, &["App"], &[]);
        one.inputs[0].key = format!("P/App/{}", uuid::Uuid::new_v4());
        let tree = self.path(&uuid::Uuid::new_v4().to_string());
        for (name, text) in files {
            let path = tree.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let zip = self.path(&format!("{}.zip", uuid::Uuid::new_v4()));
        artifact::pack(&self.bench.objects, &one.inputs[0], None, &tree, &zip)
            .await
            .unwrap();
        let workshop = self.bench.workshop(&one);
        let deployment = Deployment::new(&one, &workshop, self.path("state")).unwrap();
        let told = match deployment.outcome(&one, &workshop, &self.stop).await {
            Outcome::Succeeded { details, .. } => details.summary.unwrap_or_default(),
            Outcome::Failed { code, message, .. } => format!("{code}: {message}"),
            Outcome::Stopped => "stopped".to_owned(),
        };
        told.replace(&self.bench.folder.path().display().to_string(), "")
    }
}

const SPEC: &str = "version: 0.0\nos: linux\nfiles:\n  - {source: site, destination: /var/www}\npermissions:\n  - {object: /var/www, pattern: '*.sh', mode: 750, owner: root, type: [file]}\nhooks:\n  ApplicationStop: [{location: note.sh}]\n  BeforeInstall: [{location: note.sh}]\n  AfterInstall: [{location: note.sh, timeout: 10, runas: root}]\n  ApplicationStart: [{location: /note.sh}]\n  ValidateService: [{location: check.sh}]\n";
const NOTE: &str = "#!/bin/sh\necho \"$LIFECYCLE_EVENT $APPLICATION_NAME $DEPLOYMENT_GROUP_NAME\" >> \"$STAGEWRIGHT_SERVER/events\"\ncase $DEPLOYMENT_ID in d-?????????) ;; *) exit 3 ;; esac\n[ -z \"$AWS_SECRET_ACCESS_KEY\" ]\n";

fn revision<'a>(text: &'a str, check: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("appspec.yml", SPEC),
        ("note.sh", NOTE),
        ("check.sh", check),
        ("site/index.html", text),
        ("site/bin/run.sh", "#!/bin/sh\n"),
    ]
}

#[tokio::test]
async fn hooks_run_in_order_and_files_are_replaced() {
    let place = Place::new(Configuration::OneAtATime, false).await;
    let told = place.deploy(&revision("one", "#!/bin/sh\n")).await;
    assert!(told.ends_with("succeeded on 2 of 2 servers"), "{told}");
    assert_eq!(place.text("a/var/www/index.html"), "one");
    assert_eq!(place.text("b/var/www/index.html"), "one");
    let mode = fs::metadata(place.path("a/var/www/bin/run.sh"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o750);
    let first = "BeforeInstall shop live\nAfterInstall shop live\nApplicationStart shop live\n";
    assert_eq!(place.text("a/events"), first);
    fs::write(place.path("a/var/www/upload.txt"), "a visitor's").unwrap();

    let mut second = revision("two", "#!/bin/sh\n");
    second.truncate(4);
    let told = place.deploy(&second).await;
    assert!(told.ends_with("succeeded on 2 of 2 servers"), "{told}");
    assert_eq!(place.text("a/var/www/index.html"), "two");
    assert!(
        !place.path("a/var/www/bin").exists(),
        "of the revision before"
    );
    assert_eq!(place.text("a/var/www/upload.txt"), "a visitor's");
    assert_eq!(
        place.text("a/events"),
        format!("{first}ApplicationStop shop live\n{first}")
    );
}

#[tokio::test]
async fn a_failure_names_event_server_and_script_and_is_rolled_back() {
    let place = Place::new(Configuration::OneAtATime, true).await;
    place.deploy(&revision("one", "#!/bin/sh\n")).await;
    let bad =
        "#!/bin/sh\n[ \"$(cat \"$STAGEWRIGHT_SERVER/var/www/index.html\")\" = one ] || exit 7\n";
    let told = place.deploy(&revision("two", bad)).await;
    assert!(
        told.starts_with("JobFailed: Deployment d-")
            && told.contains("failed: ValidateService on /a: script check.sh: failed with exit code 7; /a is back"),
        "{told}"
    );
    assert!(told.ends_with("/a is back at its last revision"), "{told}");
    assert_eq!(place.text("a/var/www/index.html"), "one");
    assert_eq!(place.text("b/var/www/index.html"), "one");
}

#[tokio::test]
async fn a_deployment_ends_as_soon_as_too_few_stay_healthy() {
    let place = Place::new(Configuration::AllAtOnce, false).await;
    let only_a = "#!/bin/sh\ncase $STAGEWRIGHT_SERVER in */a) ;; *) exit 1 ;; esac\n";
    let told = place.deploy(&revision("one", only_a)).await;
    assert!(told.ends_with("succeeded on 1 of 2 servers"), "{told}");
    let place = Place::new(Configuration::OneAtATime, false).await;
    let told = place.deploy(&revision("one", "#!/bin/sh\nexit 1\n")).await;
    assert!(!told.contains("/b"), "only the last may fail: {told}");
}

#[tokio::test]
async fn what_is_in_the_way_decides() {
    for (behavior, says, index) in [
        (
            "DISALLOW",
            "Install on /a: The deployment failed because a specified file already exists at this location: /a/var/www/index.html",
            "before",
        ),
        ("OVERWRITE", "succeeded on 2 of 2", "one"),
        ("RETAIN", "succeeded on 2 of 2", "before"),
    ] {
        let place = Place::new(Configuration::OneAtATime, false).await;
        for server in ["a", "b"] {
            fs::create_dir_all(place.path(server).join("var/www")).unwrap();
            fs::write(place.path(server).join("var/www/index.html"), "before").unwrap();
        }
        let spec = format!("{SPEC}file_exists_behavior: {behavior}\n");
        let mut files = revision("one", "#!/bin/sh\n");
        files[0].1 = &spec;
        let told = place.deploy(&files).await;
        assert!(told.contains(says), "{behavior}: {told}");
        assert_eq!(place.text("a/var/www/index.html"), index, "{behavior}");
    }
}

#[tokio::test]
async fn a_script_that_hangs_is_ended() {
    let place = Place::new(Configuration::AllAtOnce, false).await;
    let spec = SPEC.replace("check.sh}", "check.sh, timeout: 1}");
    let mut files = revision("one", "#!/bin/sh\nsleep 600 & wait\n");
    files[0].1 = &spec;
    let told = place.deploy(&files).await;
    assert!(told.contains("did not end within 1 s"), "{told}");

    let place = Place::new(Configuration::AllAtOnce, false).await;
    let stop = place.stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.cancel();
    });
    let told = place
        .deploy(&revision("one", "#!/bin/sh\nsleep 600\n"))
        .await;
    assert_eq!(told, "stopped");
}

#[tokio::test]
async fn a_bundle_that_is_none_is_named() {
    let place = Place::new(Configuration::OneAtATime, false).await;
    for (files, says) in [
        (
            vec![("index.html", "x")],
            "The revision has no AppSpec file",
        ),
        (
            vec![(
                "appspec.yml",
                "version: 0.0\nos: linux\nfiles:\n  - {source: no, destination: /x}\n",
            )],
            "the bundle has no no",
        ),
        (
            vec![(
                "appspec.yml",
                "version: 0.0\nos: linux\nhooks: {AfterInstall: [{location: no.sh}]}\n",
            )],
            "script no.sh: the bundle has no such file",
        ),
    ] {
        let told = place.deploy(&files).await;
        assert!(told.contains(says), "{told}");
    }
}

#[test]
fn bad_appspecs_name_file_and_place() {
    let ok = "version: 0.0\nos: linux\n";
    for (text, says) in [
        (
            "version: 0.0\n",
            "appspec.yml: missing field `os` at line 1",
        ),
        (
            "version: 1.0\nos: linux\n",
            "appspec.yml: version: is 1.0, and CodeDeploy knows only 0.0 at line 1",
        ),
        (
            "version: 0.0\nos: windows\n",
            "appspec.yml: os: is 'windows': the engine deploys to linux only at line 2",
        ),
        (&format!("{ok}hook: {{}}\n"), "at line 3"),
        (
            &format!("{ok}hooks: {{Install: []}}\n"),
            "unknown variant `Install`",
        ),
        (
            &format!("{ok}hooks:\n  AfterInstall:\n    - {{location: ../x.sh}}\n"),
            "appspec.yml: hooks.AfterInstall[0].location: '../x.sh' leads out of the bundle at line 5",
        ),
        (
            &format!("{ok}hooks:\n  AfterInstall:\n    - {{location: x.sh, timeout: 3601}}\n"),
            "hooks.AfterInstall[0].timeout: is 3601, and must be 1 to 3600 s at line 5",
        ),
        (
            &format!("{ok}files: [{{source: /, destination: var}}]\n"),
            "files[0].destination: 'var' is no absolute path at line 3",
        ),
        (
            &format!("{ok}files: [{{source: /, destination: /var/../etc}}]\n"),
            "is no absolute path",
        ),
        (
            &format!("{ok}permissions: [{{object: /x, mode: 999}}]\n"),
            "permissions[0].mode: must be octal digits, as 755 or '0644' at line 3",
        ),
        ("a: [", "at line 1"),
        (
            &format!("{ok}files:\n  - source: ../up\n    destination: /x\n"),
            "files[0].source: '../up' leads out of the bundle at line 4",
        ),
        (
            &format!("{ok}files:\n  - source: up\n"),
            "files[0]: missing field `destination` at line 4",
        ),
        (
            &format!("{ok}hooks:\n  AfterInstall:\n    - location: x.sh\n      timeout: soon\n"),
            "timeout: is soon, and must be 1 to 3600 s at line 6",
        ),
    ] {
        let told = AppSpec::parse("appspec.yml", text).unwrap_err().to_string();
        assert!(told.contains(says), "{told}");
    }
    AppSpec::parse("appspec.yml", SPEC).unwrap();
}

#[test]
fn ids_and_places_stay_the_same() {
    assert_eq!(id("a"), id("a"));
    assert_ne!(id("a"), id("b"));
    assert_eq!(id("a").len(), 11);
    let place = |group: &str| server::memory(Path::new("/s"), group, 1);
    assert_eq!(place("shop/live"), place("shop/live"));
    assert_ne!(place("shop_live/a"), place("shop/live_a"));
    assert_eq!(
        place("../..").parent().and_then(Path::parent),
        Some(Path::new("/s/codedeploy"))
    );
}

#[tokio::test]
async fn servers_that_nobody_named_are_deployed_to_by_the_service() {
    use crate::provider::bench::{self, json_answers};
    let mut states = vec!["Created", "InProgress", "Succeeded"];
    let answers = json_answers(move |operation, _| {
        let answer = match operation {
            "CreateDeployment" => serde_json::json!({"deploymentId": "d-1"}),
            "GetDeployment" => serde_json::json!({"deploymentInfo": {"status": states.remove(0)}}),
            _ => serde_json::json!({}),
        };
        (200, answer)
    });
    let keys = [("ApplicationName", "shop"), ("DeploymentGroupName", "live")];
    for (services, answers, expected) in [
        (
            &["codedeploy", "s3"][..],
            Some(answers),
            "Deployment d-1 succeeded",
        ),
        (
            &[],
            None,
            "ConfigurationError: action Deploy: the servers of the deployment group shop/live are not known: ",
        ),
    ] {
        let real = answers.is_some();
        let bench = bench::Bench::new(services, answers).await;
        bench
            .put("App", &[("appspec.yml", "version: 0.0\nos: linux\n")])
            .await;
        let (outcome, log) = bench
            .run(&CodeDeploy, &keys, &["App"], CancellationToken::new())
            .await;
        assert!(
            bench::told(&outcome).starts_with(expected),
            "{outcome:?}\n{log}"
        );
        let revision = &bench.input("CreateDeployment")["revision"]["s3Location"];
        assert_eq!(revision["key"] == "P/App/abc", real, "{revision}");
        assert_eq!(
            bench.input("PutObject")["path"] == "/artifacts/P/App/abc",
            real
        );
        assert_eq!(log.contains("Deployment d-1 is InProgress"), real, "{log}");
    }
}
