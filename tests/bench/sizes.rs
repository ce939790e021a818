//! Sizes of the packaged functions, where `make package` has made them, and of the engine.

use harness::workspace::root;

const FUNCTIONS: [&str; 5] = [
    "action-http-check",
    "action-publish-site",
    "approval-notify",
    "approval-respond",
    "approval-sweep",
];

/// Megabytes of each binary that is there.
pub fn measure() -> Vec<(String, String)> {
    let folder = root().join("target/dist");
    let mut rows: Vec<(String, String)> = FUNCTIONS
        .iter()
        .filter_map(|name| {
            let bytes = std::fs::metadata(folder.join(name)).ok()?.len();
            Some((format!("size of {name} (dist)"), megabytes(bytes)))
        })
        .collect();
    if rows.is_empty() {
        eprintln!("no packaged functions under target/dist: `make package` makes them");
    }
    if let Ok(engine) = std::fs::metadata(root().join("target/release/stagewright")) {
        rows.push((
            "size of stagewright (release)".to_owned(),
            megabytes(engine.len()),
        ));
    }
    rows
}

fn megabytes(bytes: u64) -> String {
    format!("{:.2} MB", bytes as f64 / 1e6)
}
