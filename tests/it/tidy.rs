//! The repository's own rules: rooms, names, directions, sizes, bans.

use std::{collections::BTreeSet, fs, path::Path};

use harness::workspace::{files, relative, root};

/// Lines before the tests begin.
fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod ")
        .map_or(text, |at| &text[..at])
}

fn sources() -> Vec<(String, String)> {
    files("", "rs")
        .into_iter()
        .map(|p| {
            (
                relative(&p),
                fs::read_to_string(&p).expect("a source file is text"),
            )
        })
        .collect()
}

/// Production code: not tests, not the testkit.
fn product() -> Vec<(String, String)> {
    sources()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("tests/") && !name.starts_with("shared/testkit/"))
        .filter(|(name, _)| !name.ends_with("tests.rs") && !name.contains("/tests/"))
        .collect()
}

fn none(what: &str, offenders: &[String]) {
    assert!(
        offenders.is_empty(),
        "{what}:\n  {}",
        offenders.join("\n  ")
    );
}

fn manifest(path: &str) -> toml::Table {
    let text = fs::read_to_string(root().join(path).join("Cargo.toml")).expect("a manifest");
    text.parse().expect("a manifest is TOML")
}

fn keys(manifest: &toml::Table, table: &str) -> BTreeSet<String> {
    manifest
        .get(table)
        .and_then(toml::Value::as_table)
        .map(|t| t.keys().cloned().collect())
        .unwrap_or_default()
}

fn functions() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join("functions"))
        .expect("functions/")
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn every_file_says_what_it_is_for() {
    let offenders: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(name, _)| name)
        .collect();
    none("files that do not open with `//! …`", &offenders);
}

#[test]
fn files_stay_readable() {
    let offenders: Vec<String> = product()
        .into_iter()
        .map(|(name, text)| (name, without_tests(&text).lines().count()))
        .filter(|(_, lines)| *lines > 400)
        .map(|(name, lines)| format!("{name}: {lines} lines without tests"))
        .collect();
    none("files to split", &offenders);
}

#[test]
fn entry_points_hold_no_logic() {
    let offenders: Vec<String> = sources()
        .into_iter()
        .filter(|(name, text)| {
            name.starts_with("functions/")
                && name.ends_with("/main.rs")
                && text.lines().count() > 40
        })
        .map(|(name, _)| name)
        .collect();
    none("main.rs longer than 40 lines", &offenders);
}

#[test]
fn one_name_in_every_place() {
    for name in functions() {
        let kind = name.split('-').next().unwrap_or_default();
        assert!(
            ["action", "approval", "event", "task"].contains(&kind),
            "{name}: unknown kind {kind}"
        );
        let manifest = manifest(&format!("functions/{name}"));
        assert_eq!(
            manifest["package"]["name"].as_str(),
            Some(name.as_str()),
            "package of functions/{name}"
        );
        assert!(
            manifest.get("bin").is_none(),
            "functions/{name}: the binary takes the package's name"
        );
    }
}

#[test]
fn dependencies_follow_the_map() {
    let sdk = |name: &str| name.starts_with("aws") || name.starts_with("lambda");
    let check = |package: &str, forbidden: &dyn Fn(&str) -> bool| {
        let bad: Vec<String> = keys(&manifest(package), "dependencies")
            .into_iter()
            .filter(|d| forbidden(d))
            .collect();
        none(&format!("{package} may not use"), &bad);
    };
    let runtime = |d: &str| ["tokio", "axum", "hyper", "reqwest", "rusqlite"].contains(&d);
    check("shared", &|d| {
        sdk(d) || runtime(d) || d.starts_with("engine") || d == "shared-aws"
    });
    for pure in ["engine/plan", "engine/events", "engine/states"] {
        check(pure, &|d| sdk(d) || runtime(d) || d.starts_with("shared"));
    }
    check("engine", &|d| {
        sdk(d) || d == "shared-aws" || functions().iter().any(|f| f == d)
    });
    check("shared/aws", &|d| d.starts_with("engine"));
    for name in functions() {
        check(&format!("functions/{name}"), &|d| {
            sdk(d) || d.starts_with("engine") || functions().iter().any(|f| f == d)
        });
    }
}

#[test]
fn pure_rooms_stay_pure() {
    let banned = [
        "std::env",
        "SystemTime::now",
        "Timestamp::now",
        "Instant::now",
        "rand::",
        "TcpStream",
        "UdpSocket",
        "std::process",
    ];
    let offenders: Vec<String> = product()
        .into_iter()
        .filter(|(name, _)| {
            [
                "shared/src/",
                "engine/plan/src/",
                "engine/events/src/",
                "engine/states/src/",
            ]
            .iter()
            .any(|room| name.starts_with(room))
        })
        .flat_map(|(name, text)| {
            let code = without_tests(&text).to_owned();
            banned
                .iter()
                .filter(|b| {
                    code.lines()
                        .any(|l| !l.trim_start().starts_with("//") && l.contains(**b))
                })
                .map(|b| format!("{name}: {b}"))
                .collect::<Vec<_>>()
        })
        .collect();
    none("effects in pure code", &offenders);
}

#[test]
fn only_shared_aws_knows_the_sdk() {
    let offenders: Vec<String> = product()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("shared/aws/"))
        .filter(|(_, text)| text.contains("aws_sdk_") || text.contains("lambda_runtime::"))
        .map(|(name, _)| name)
        .collect();
    none("SDK calls outside shared/aws", &offenders);
}

#[test]
fn nothing_is_silenced_or_left_out() {
    let banned = [
        "#[allow(",
        "#![allow(",
        "todo!(",
        "unimplemented!(",
        "#[ignore",
        "dbg!(",
    ];
    let offenders: Vec<String> = sources()
        .into_iter()
        .filter(|(name, _)| name != "tests/it/tidy.rs")
        .flat_map(|(name, text)| {
            banned
                .iter()
                .filter(|b| text.contains(**b))
                .map(|b| format!("{name}: {b}"))
                .collect::<Vec<_>>()
        })
        .collect();
    none("silenced lints, stubs, ignored tests", &offenders);
}

#[test]
fn forbidden_crates_stay_out() {
    let lock: toml::Table = fs::read_to_string(root().join("Cargo.lock"))
        .expect("Cargo.lock")
        .parse()
        .expect("TOML");
    let packages = lock["package"].as_array().expect("packages");
    let text = |p: &toml::Value, key: &str| p[key].as_str().unwrap_or_default().to_owned();
    let offenders: Vec<String> = packages
        .iter()
        .map(|p| (text(p, "name"), text(p, "version")))
        .filter(|(name, version)| match name.as_str() {
            "aws-lc-sys" | "aws-lc-rs" | "openssl-sys" | "native-tls" | "serde_yaml" => true,
            "rustls" => version.starts_with("0.21"),
            "hyper" => version.starts_with("0."),
            "h2" => version.starts_with("0.3"),
            _ => false,
        })
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    none("crates that cost start time or are unkept", &offenders);
}

#[test]
fn every_dependency_has_a_reason() {
    let reasons =
        fs::read_to_string(root().join("docs/decisions/dependencies.md")).expect("dependencies.md");
    let workspace = manifest("");
    let declared = workspace["workspace"]["dependencies"]
        .as_table()
        .expect("dependencies");
    let offenders: Vec<String> = declared
        .iter()
        .filter(|(_, value)| value.get("path").is_none())
        .map(|(name, _)| name.clone())
        .filter(|name| !reasons.contains(&format!("`{name}`")))
        .collect();
    none(
        "dependencies without a reason in docs/decisions/dependencies.md",
        &offenders,
    );
}

#[test]
fn recorded_events_say_where_they_come_from() {
    let provenance =
        fs::read_to_string(root().join("tests/events/README.md")).expect("tests/events/README.md");
    let offenders: Vec<String> = files("tests/events", "json")
        .iter()
        .filter_map(|p| {
            Path::new(p)
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
        })
        .filter(|name| !provenance.contains(name.as_str()))
        .collect();
    none("events without provenance", &offenders);
}

#[test]
fn every_setting_is_documented() {
    let page = fs::read_to_string(root().join("docs/configuration.md")).expect("configuration.md");
    let names = |text: &str| -> BTreeSet<String> {
        text.split('"')
            .filter(|w| {
                w.starts_with("STAGEWRIGHT_")
                    && w.chars().all(|c| c.is_ascii_uppercase() || c == '_')
            })
            .map(str::to_owned)
            .collect()
    };
    let offenders: Vec<String> = product()
        .iter()
        .flat_map(|(_, text)| names(text))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    none("variables missing in docs/configuration.md", &offenders);
    let config = fs::read_to_string(root().join("engine/src/config.rs")).expect("config.rs");
    let keys: Vec<String> = without_tests(&config)
        .lines()
        .filter_map(|l| {
            l.trim()
                .strip_prefix("pub ")?
                .split_once(':')
                .map(|(key, _)| key.to_owned())
        })
        .filter(|key| !key.contains(['(', ' ']) && !["folder", "sources"].contains(&key.as_str()))
        .filter(|key| !page.contains(key.as_str()) && !page.contains(&key.replace('_', "-")))
        .collect();
    none(
        "keys of stagewright.toml missing in docs/configuration.md",
        &keys,
    );
}
