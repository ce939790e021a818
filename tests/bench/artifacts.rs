//! What a large artifact costs a function: memory of a process that does nothing but write one and read a file of it, as
//! the artifact library of all functions does, against the engine's S3.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    process::{Command, ExitCode},
    time::Instant,
};

use harness::{
    engine::Engine,
    process::{finish, shown},
};
use shared::{
    job::ArtifactRef,
    port::{ArtifactFiles as _, Artifacts as _},
};
use shared_aws::{artifacts::S3Artifacts, environment::Environment, sdk::Aws};

use crate::memory;

/// The first argument of the process that is measured.
pub const CHILD: &str = "--artifact";
const SIZES: [u64; 2] = [64, 1024];
const FILE: &str = "small.json";
const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000";

/// Peak memory and time of writing and of reading, by size.
pub fn measure() -> Vec<(String, String)> {
    let engine = Engine::start("[bucket.artifacts]\n");
    let folder = tempfile::tempdir().expect("a folder");
    let mut rows = Vec::new();
    for megabytes in SIZES {
        let archive = archive(folder.path(), megabytes);
        for (verb, what) in [
            (
                "write",
                "artifact of {} MB, written in parts with a KMS key",
            ),
            ("read", "one file of an artifact of {} MB"),
        ] {
            let begin = Instant::now();
            let output = finish(
                Command::new(std::env::current_exe().expect("this program"))
                    .args([CHILD, verb, &format!("{megabytes}.tar")])
                    .arg(&archive)
                    .env("AWS_ENDPOINT_URL", &engine.server.url)
                    .env("AWS_REGION", "eu-west-1")
                    .env("AWS_ACCESS_KEY_ID", "any")
                    .env("AWS_SECRET_ACCESS_KEY", "any")
                    .env("TMPDIR", folder.path()),
            );
            assert!(output.status.success(), "{}", shown(&output));
            let peak = String::from_utf8_lossy(&output.stdout);
            let seconds = begin.elapsed().as_secs_f64();
            rows.push((
                what.replace("{}", &megabytes.to_string()),
                format!("{} MB, {seconds:.1} s", peak.trim()),
            ));
        }
    }
    rows
}

/// A tar archive of a large file that cannot be compressed and a small one after it.
fn archive(folder: &Path, megabytes: u64) -> std::path::PathBuf {
    let mut block = vec![0_u8; 1 << 20];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for byte in &mut block {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state.to_le_bytes()[0];
    }
    let mut large = File::create(folder.join("large.bin")).expect("a file");
    for _ in 0..megabytes {
        large.write_all(&block).expect("room for it");
    }
    drop(large);
    fs::write(folder.join(FILE), "{}").expect("a file");
    let archive = folder.join("archive.tar");
    let output = finish(Command::new("tar").current_dir(folder).args([
        "-cf",
        "archive.tar",
        "large.bin",
        FILE,
    ]));
    assert!(output.status.success(), "{}", shown(&output));
    archive
}

/// The process that is measured: writes or reads, and prints its peak memory in MB.
pub fn child(arguments: &[String]) -> ExitCode {
    let [verb, key, path] = arguments else {
        return ExitCode::FAILURE;
    };
    let environment = Environment::of_process().expect("the variables are set");
    let aws = Aws::new(environment).expect("no roots are needed");
    let artifacts = S3Artifacts::new(&aws);
    let artifact = ArtifactRef {
        name: "Built".to_owned().try_into().expect("a name"),
        bucket: "artifacts".to_owned().try_into().expect("a bucket"),
        key: key.clone().try_into().expect("a key"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        if verb == "write" {
            let written = artifacts.upload(None, &artifact, Some(KEY), Path::new(path));
            written.await.expect("written");
        } else {
            let read = artifacts.read(None, &artifact, FILE, 1024).await;
            assert_eq!(read.expect("read"), b"{}");
        }
    });
    println!("{:.1}", memory("self", "VmHWM:").expect("Linux"));
    ExitCode::SUCCESS
}
