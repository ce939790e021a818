//! `docs/threats.md` against the tests there are.

use std::{collections::BTreeSet, fs};

use harness::workspace::{files, root};

/// Every `threat_NN_…` function of the repository.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in files("", "rs") {
        let text = fs::read_to_string(&path).expect("a source file is text");
        for rest in text.split("fn threat_").skip(1) {
            let name = rest.split('(').next().unwrap_or_default();
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if name.chars().all(plain) {
                names.insert(format!("threat_{name}"));
            }
        }
    }
    names
}

#[test]
fn tidy_threats_and_their_tests_agree() {
    let page = fs::read_to_string(root().join("docs/threats.md")).expect("docs/threats.md");
    let tests = tests();
    let mut problems = Vec::new();
    let (mut rows, mut told, mut open) = (Vec::new(), BTreeSet::new(), Vec::new());
    for line in page.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, _, _, named] = cells[..] else {
            continue;
        };
        let Ok(number) = number.parse::<usize>() else {
            continue;
        };
        rows.push(number);
        let named: Vec<&str> = named
            .split('`')
            .filter(|w| w.starts_with("threat_"))
            .collect();
        if named.is_empty() {
            open.push(number);
        }
        for name in named {
            let of_row = name.contains(&format!("_{number:02}_"));
            if !of_row || !tests.contains(name) {
                problems.push(format!("row {number} names {name}, which is no test of it"));
            }
            told.insert(name.to_owned());
        }
    }
    assert_eq!(
        rows,
        (1..=49).collect::<Vec<_>>(),
        "one row for each threat"
    );
    let untold = tests.difference(&told);
    problems.extend(untold.map(|name| format!("{name} is in no row")));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    println!("threats without a test: {open:?}");
}
