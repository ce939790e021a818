//! Every parser over its seeds and over changed ones: it may refuse, but neither panic nor dawdle.
//!
//! The targets are also those of `fuzz/` and `fuzz/functions`. Choices are the same in every run unless `STAGEWRIGHT_TEST_SEED` names others.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use harness::{chance::Chance, targets as functions, workspace::root};
use shared::job::RawParameters;
use targets::Target;

/// Changed seeds for each target.
const CHANGED: usize = 1_500;
/// Longest input.
const SIZE: usize = 64 * 1024;
/// No parser may take longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Texts that parsers stumble over.
const SPICE: [&[u8]; 30] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"\xff\xfe",
    b"\r\n",
    b"\n  - ",
    b": ",
    b"#{",
    b"#{a.b}",
    b"${",
    b"${!a}",
    b"!Ref x",
    b"&a [*a]",
    b"-1",
    b"18446744073709551616",
    b"1e999",
    b"null",
    b"true",
    b"../",
    b"%",
    b"%00",
    b"\xf0\x9f\x8d\x9e",
    b"\xe2\x80\xae",
    b"99999999999999999999-99-99T99:99Z",
];

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = root().join("fuzz/seeds").join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .flatten()
        .map(|e| e.path())
        .collect();
    paths.sort();
    paths.iter().map(|p| fs::read(p).expect("a seed")).collect()
}

/// A few random changes, so that most of an input stays meaningful.
fn change(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let pick = |chance: &mut Chance| chance.below(seeds.len() as u64) as usize;
    let mut bytes = seeds[pick(chance)].clone();
    for _ in 0..=chance.below(5) {
        let at = chance.below(bytes.len() as u64 + 1) as usize;
        let length = (chance.below(24) as usize).min(bytes.len() - at);
        match chance.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 if at < bytes.len() => bytes[at] = chance.any() as u8,
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let piece = bytes[at..at + length].to_vec();
                let times = 1 + chance.below(40) as usize;
                bytes.splice(at..at, piece.repeat(times));
            }
            4 => {
                let other = &seeds[pick(chance)];
                let from = chance.below(other.len() as u64 + 1) as usize;
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            5 => {
                let spice = SPICE[chance.below(SPICE.len() as u64) as usize];
                bytes.splice(at..at + length, spice.repeat(1 << chance.below(13)));
            }
            _ => {
                let spice = SPICE[chance.below(SPICE.len() as u64) as usize];
                bytes.splice(at..at + length, spice.iter().copied());
            }
        }
    }
    bytes.truncate(SIZE);
    bytes
}

/// Time that this thread was given; a busy machine does not count against a parser. Elsewhere than on Linux, any time.
fn worked(begun: Instant) -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|t| t.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| begun.elapsed(), Duration::from_nanos)
}

/// What went wrong with an input, if something did.
fn trouble(target: Target, bytes: &[u8]) -> Option<String> {
    let begun = Instant::now();
    let timed = || {
        let before = worked(begun);
        catch_unwind(AssertUnwindSafe(|| target(bytes))).ok()?;
        Some(worked(begun).saturating_sub(before))
    };
    match timed() {
        None => Some("it panicked".to_owned()),
        Some(took) => (took > PATIENCE).then(|| format!("it took {took:?}")),
    }
}

fn keep(name: &str, bytes: &[u8], what: &str) -> String {
    let file = root().join("target").join(format!("garbage-{name}"));
    fs::write(&file, bytes).expect("written");
    format!("{name}: {what}: the input is in {}", file.display())
}

#[test]
fn no_parser_panics_or_dawdles_over_garbage() {
    let mut chance = match std::env::var_os("STAGEWRIGHT_TEST_SEED") {
        Some(_) => Chance::new("garbage"),
        None => Chance::seeded(20_261_123),
    };
    let mut found = Vec::new();
    for (name, target) in targets::ALL.into_iter().chain(functions::ALL) {
        let seeds = seeds(name);
        let mut inputs = seeds.clone();
        inputs.extend([
            Vec::new(),
            vec![b'['; SIZE],
            vec![b'{'; SIZE],
            b"- ".repeat(SIZE / 2),
            vec![b'&'; SIZE],
        ]);
        inputs.extend((0..CHANGED).map(|_| change(&seeds, &mut chance)));
        let bad = inputs
            .iter()
            .find_map(|bytes| Some((bytes, trouble(target, bytes)?)));
        found.extend(bad.map(|(bytes, what)| keep(name, bytes, &what)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn each_connector_takes_its_seed_and_no_unknown_field() {
    for (name, takes) in functions::CONNECTORS {
        let file = root().join(format!("fuzz/seeds/connector_parameters/{name}.json"));
        let seed = fs::read_to_string(file).expect("a seed");
        assert!(takes(&RawParameters::Text(seed.clone())), "{name}");
        let unknown = seed.replacen('{', "{\"planted\": 1, ", 1);
        assert!(!takes(&RawParameters::Text(unknown)), "{name}");
    }
}

#[test]
fn every_target_is_fuzzed() {
    for (folder, all) in [
        ("fuzz", &targets::ALL[..]),
        ("fuzz/functions", &functions::ALL[..]),
    ] {
        let manifest: toml::Table = fs::read_to_string(root().join(folder).join("Cargo.toml"))
            .expect("a manifest")
            .parse()
            .expect("TOML");
        let mut fuzzed: Vec<&str> = manifest["bin"]
            .as_array()
            .expect("bins")
            .iter()
            .filter_map(|b| b["name"].as_str())
            .collect();
        let mut all: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        fuzzed.sort_unstable();
        all.sort_unstable();
        assert_eq!(fuzzed, all, "{folder}");
    }
}
