//! Tar and tar.gz archives: read like zips, with the same limits.

use std::{
    fs,
    io::{Cursor, Write},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use shared::archive::{ArchiveError, Limits, Symlinks, extract, names, read_one};
use tar::{Builder, EntryType, Header};

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header
}

fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = header(EntryType::Regular, text.len() as u64);
        if name.ends_with(".sh") {
            header.set_mode(0o755);
        }
        tar.append_data(&mut header, name, text.as_bytes())
            .expect("memory takes it");
    }
    tar.into_inner().expect("memory takes it")
}

/// One entry with any name, written as it is.
fn raw(name: &[u8], kind: EntryType, target: &str) -> Vec<u8> {
    let mut header = header(kind, 0);
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_cksum();
    let mut tar = Builder::new(Vec::new());
    tar.append(&header, std::io::empty())
        .expect("memory takes it");
    tar.into_inner().expect("memory takes it")
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    gz.write_all(bytes).expect("memory takes it");
    gz.finish().expect("memory takes it")
}

fn unpack(bytes: &[u8], limits: &Limits) -> Result<tempfile::TempDir, ArchiveError> {
    let folder = tempfile::tempdir().expect("memory takes it");
    extract(Cursor::new(bytes), folder.path(), limits)?;
    Ok(folder)
}

fn refusal(bytes: &[u8], limits: &Limits) -> String {
    unpack(bytes, limits)
        .map(drop)
        .expect_err("a refusal")
        .to_string()
}

#[test]
fn both_forms_are_unpacked_listed_and_read_singly() {
    let long = format!("{}/{}", "d".repeat(90), "f".repeat(90));
    let plain = tar(&[
        ("a/b.txt", "hello"),
        ("run.sh", "#!"),
        (&long, "far"),
        ("empty", ""),
    ]);
    for bytes in [plain.clone(), gz(&plain)] {
        let folder = unpack(&bytes, &Limits::DEFAULT).unwrap();
        let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(
            (
                text("a/b.txt").as_str(),
                text(&long).as_str(),
                text("empty").as_str()
            ),
            ("hello", "far", "")
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |name: &str| {
                fs::metadata(folder.path().join(name))
                    .unwrap()
                    .permissions()
                    .mode()
                    & 0o111
            };
            assert!(mode("run.sh") != 0 && mode("a/b.txt") == 0);
        }
        let listed = names(Cursor::new(&bytes), &Limits::DEFAULT).unwrap();
        assert_eq!(listed, ["a/b.txt", "run.sh", long.as_str(), "empty"]);
        assert_eq!(read_one(Cursor::new(&bytes), "run.sh", 2).unwrap(), b"#!");
        let too_long = read_one(Cursor::new(&bytes), "a/b.txt", 4);
        assert!(matches!(too_long, Err(ArchiveError::TooMuch { .. })));
        let missing = read_one(Cursor::new(&bytes), "no", 4);
        assert!(matches!(missing, Err(ArchiveError::Missing { .. })));
    }
}

#[test]
fn an_archive_of_the_system_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("{}/ü.txt", "deep/".repeat(40).trim_end_matches('/'));
    let file = folder.path().join("in").join(&name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "bread").unwrap();
    for format in ["gnu", "pax", "ustar"] {
        let made = std::process::Command::new("tar")
            .args(["--format", format, "-czf", "out.tgz", "-C", "in", "."])
            .current_dir(folder.path())
            .output();
        let Ok(made) = made else {
            eprintln!("SKIPPED: there is no tar here");
            return;
        };
        if !made.status.success() {
            continue;
        }
        let bytes = fs::read(folder.path().join("out.tgz")).unwrap();
        let out = unpack(&bytes, &Limits::DEFAULT).unwrap();
        assert_eq!(
            fs::read_to_string(out.path().join(&name)).unwrap(),
            "bread",
            "{format}"
        );
    }
}

#[test]
fn names_and_kinds_that_would_harm_are_refused() {
    use EntryType as T;
    for (name, kind, target, expected) in [
        (&b"../x"[..], T::Regular, "", "leads out of the archive"),
        (b"/etc/passwd", T::Regular, "", "is absolute"),
        (b"a\\b", T::Regular, "", "holds a backslash"),
        (b"a\xff", T::Regular, "", "is no UTF-8"),
        (b"l", T::Symlink, "../../x", "leads out of the archive"),
        (b"l", T::Symlink, "/etc", "leads out of the archive"),
        (b"h", T::Link, "a", "a hard link"),
        (b"d", T::Char, "", "no file"),
        (b"f", T::Fifo, "", "no file"),
    ] {
        for bytes in [raw(name, kind, target), gz(&raw(name, kind, target))] {
            let text = refusal(&bytes, &Limits::DEFAULT);
            assert!(text.contains(expected), "{name:?}: {text}");
        }
    }
    let refuse = Limits {
        symlinks: Symlinks::Refuse,
        ..Limits::DEFAULT
    };
    assert!(refusal(&raw(b"l", T::Symlink, "a"), &refuse).contains("links are not taken"));
    let folder = unpack(&raw(b"l", T::Symlink, "a"), &Limits::DEFAULT).unwrap();
    assert_eq!(
        fs::read_link(folder.path().join("l")).unwrap(),
        Path::new("a")
    );
    assert!(matches!(
        unpack(&tar(&[("a", "1"), ("a", "2")]), &Limits::DEFAULT),
        Err(ArchiveError::Duplicate)
    ));
}

#[test]
fn limits_hold_for_every_byte_of_the_stream() {
    let few = Limits {
        entries: 2,
        ..Limits::DEFAULT
    };
    assert!(
        refusal(&tar(&[("a", ""), ("b", ""), ("c", "")]), &few).contains("more than 2 entries")
    );
    let small = Limits {
        bytes: 9,
        ..Limits::DEFAULT
    };
    assert!(refusal(&tar(&[("a", "12345"), ("b", "12345")]), &small).contains("more than 9 bytes"));

    // A bomb: 24 MiB of zeros in some 24 KB, as a file, as a file that nobody asks for, as a name.
    let zeros = 24 * 1024 * 1024;
    for kind in [
        EntryType::Regular,
        EntryType::GNULongName,
        EntryType::XHeader,
    ] {
        let mut header = header(kind, zeros);
        header.set_path("zeros").unwrap();
        header.set_cksum();
        let mut bomb = Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
        bomb.append(&header, std::io::Read::take(std::io::repeat(0), zeros))
            .unwrap();
        let bomb = bomb.into_inner().unwrap().finish().unwrap();
        let text = refusal(&bomb, &Limits::DEFAULT);
        assert!(
            text.contains("more than") || text.contains("cut off"),
            "{text}"
        );
        assert!(read_one(Cursor::new(&bomb), "other", 10).is_err());
    }
}

#[test]
fn damage_is_told_as_such() {
    let good = tar(&[("a", &"x".repeat(2000))]);
    let zipped = gz(&good);
    for bad in [
        &good[..1000],
        &zipped[..zipped.len() / 2],
        b"\x1f\x8bplanted",
    ] {
        let text = refusal(bad, &Limits::DEFAULT);
        assert!(
            text.contains("cannot be read") || text.contains("cut off"),
            "{text}"
        );
    }
}
