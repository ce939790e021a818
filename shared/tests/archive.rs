//! Archives, good ones and hostile ones.

use std::{
    fs,
    io::{Cursor, Write},
    path::{Path, PathBuf},
};

use shared::archive::{
    ArchiveError, Extracted, Limits, RATIO_FLOOR, Symlinks, extract, files_below, names, pack,
    read_one,
};
use shared_testkit::proptest::prelude::*;
use zip::{ZipWriter, write::SimpleFileOptions};

type Writer = ZipWriter<Cursor<Vec<u8>>>;

fn zip_with(fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    fill(&mut zip);
    zip.finish().expect("written").into_inner()
}

fn file(zip: &mut Writer, name: &str, bytes: &[u8]) {
    zip.start_file(name, SimpleFileOptions::default())
        .expect("started");
    zip.write_all(bytes).expect("written");
}

fn link(zip: &mut Writer, name: &str, target: &str) {
    zip.add_symlink(name, target, SimpleFileOptions::default())
        .expect("added");
}

/// Unpacks into a folder inside an empty one; nothing may ever appear beside it.
fn unpack(archive: &[u8], limits: &Limits) -> (Result<Extracted, ArchiveError>, tempfile::TempDir) {
    let outer = tempfile::tempdir().expect("a folder");
    let result = extract(Cursor::new(archive), &outer.path().join("in"), limits);
    let beside: Vec<_> = fs::read_dir(outer.path())
        .expect("listed")
        .map(|entry| entry.expect("listed").file_name())
        .filter(|name| name != "in")
        .collect();
    assert!(beside.is_empty(), "escaped: {beside:?}");
    (result, outer)
}

fn refusal(archive: &[u8], limits: &Limits) -> String {
    let (result, _) = unpack(archive, limits);
    result.expect_err("a refusal").to_string()
}

#[test]
fn names_that_would_leave_the_folder_are_refused() {
    let cases = [
        ("../evil", "leads out of the archive"),
        ("a/../../evil", "leads out of the archive"),
        ("a/..", "leads out of the archive"),
        ("/etc/evil", "is absolute"),
        ("C:/evil", "starts with a drive letter"),
        ("C:evil", "starts with a drive letter"),
        ("..\\evil", "holds a backslash"),
        ("a//b", "has an empty part"),
        ("a\nb", "holds a control character"),
        (".", "is empty"),
    ];
    for (name, problem) in cases {
        let archive = zip_with(|zip| file(zip, name, b"x"));
        let expected = format!("the entry {name:?} is refused: its name {problem}");
        assert_eq!(refusal(&archive, &Limits::DEFAULT), expected);
        let listed = names(Cursor::new(&archive), &Limits::DEFAULT);
        assert_eq!(listed.expect_err("a refusal").to_string(), expected);
    }
    let long = "x".repeat(1025);
    let archive = zip_with(|zip| file(zip, &long, b"x"));
    assert!(refusal(&archive, &Limits::DEFAULT).ends_with("its name is too long"));
}

#[test]
fn links_that_would_leave_the_folder_are_refused() {
    let keep = Limits::DEFAULT;
    let refuse = Limits {
        symlinks: Symlinks::Refuse,
        ..keep
    };
    for target in [
        "/etc/passwd",
        "..",
        "../x",
        "../../x",
        "down/../../x",
        "down/..",
        "",
        "a\\b",
    ] {
        let archive = zip_with(|zip| link(zip, "link", target));
        assert_eq!(
            refusal(&archive, &keep),
            "the entry \"link\" is refused: it is a symbolic link that leads out of the archive",
            "{target}"
        );
    }
    let inside = zip_with(|zip| link(zip, "a/link", "../b"));
    assert!(refusal(&inside, &refuse).contains("and links are not taken"));
}

#[test]
fn no_file_is_written_through_a_link() {
    let sly = zip_with(|zip| {
        link(zip, "door", "room");
        file(zip, "door/evil", b"x");
        file(zip, "room/fine", b"x");
    });
    let (result, _outer) = unpack(&sly, &Limits::DEFAULT);
    assert!(matches!(result, Err(ArchiveError::Io { .. })), "{result:?}");
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    let good = zip_with(|zip| file(zip, "a", &[7; 5000]));
    for bad in [
        &b""[..],
        b"hello",
        &[0; 4096],
        &good[..good.len() / 2],
        &good[..good.len() - 1],
        &good[1..],
    ] {
        let (result, _outer) = unpack(bad, &Limits::DEFAULT);
        assert!(result.is_err(), "{} bytes were taken", bad.len());
    }
    assert_eq!(
        refusal(b"hello", &Limits::DEFAULT),
        "it is not a zip archive, or it is cut off"
    );

    let mut damaged = zip_with(|zip| file(zip, "a", &(0..=255).collect::<Vec<u8>>()));
    damaged[60] ^= 0xff;
    assert_eq!(
        refusal(&damaged, &Limits::DEFAULT),
        "the entry \"a\" cannot be read"
    );
}

#[test]
fn limits_are_named() {
    let two = zip_with(|zip| {
        file(zip, "a", &[1; 600]);
        file(zip, "b", &[2; 600]);
    });
    let few = Limits {
        entries: 1,
        ..Limits::DEFAULT
    };
    assert_eq!(
        refusal(&two, &few),
        "the archive is refused at \"table of contents\": more than 1 entries"
    );
    let small = Limits {
        bytes: 1000,
        ..Limits::DEFAULT
    };
    assert_eq!(
        refusal(&two, &small),
        "the archive is refused at \"b\": more than 1000 bytes unpacked"
    );

    let zeros = vec![0; usize::try_from(RATIO_FLOOR).expect("fits") + 1];
    let bomb = zip_with(|zip| file(zip, "zeros", &zeros));
    assert!(bomb.len() < 100_000);
    assert_eq!(
        refusal(&bomb, &Limits::DEFAULT),
        "the archive is refused at \"zeros\": more than 200 bytes out of each byte of the archive"
    );
}

#[test]
fn too_many_entries_are_counted_before_their_table_is_read() {
    // More than 65,535 need the zip64 records; half of the table is cut out, so that reading it would fail.
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut archive = zip_with(|zip| {
        for number in 0..65_600 {
            zip.start_file(format!("{number}"), options)
                .expect("started");
        }
    });
    let limits = |entries| Limits {
        entries,
        ..Limits::DEFAULT
    };
    let listed = names(Cursor::new(&archive), &limits(65_600)).expect("listed");
    assert_eq!(listed.len(), 65_600);
    let start = archive.len() / 2;
    let end = archive.len() - 1000;
    archive[start..end].fill(0);
    let refused = names(Cursor::new(&archive), &limits(65_599)).expect_err("too many");
    assert!(
        matches!(refused, ArchiveError::TooMuch { limit: 65_599, .. }),
        "{refused}"
    );
    let unread = names(Cursor::new(&archive), &limits(65_600)).expect_err("damaged");
    assert!(matches!(unread, ArchiveError::NotZip { .. }), "{unread}");
}

#[test]
fn a_size_that_lies_is_not_believed() {
    let mut bomb = zip_with(|zip| file(zip, "a", &[0; 100_000]));
    let size = 100_000_u32.to_le_bytes();
    let mut lies = 0;
    for at in 0..bomb.len() - 4 {
        if bomb[at..at + 4] == size {
            bomb[at..at + 4].copy_from_slice(&10_u32.to_le_bytes());
            lies += 1;
        }
    }
    assert_eq!(lies, 2, "local header and table of contents");
    let limits = Limits {
        bytes: 1000,
        ..Limits::DEFAULT
    };
    let (result, _outer) = unpack(&bomb, &limits);
    assert!(result.is_err());
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let mut twice = zip_with(|zip| {
        file(zip, "a", b"1");
        file(zip, "b", b"2");
    });
    for byte in twice.iter_mut().filter(|byte| **byte == b'b') {
        *byte = b'a';
    }
    assert_eq!(
        refusal(&twice, &Limits::DEFAULT),
        "the archive holds two entries of one name"
    );
}

#[test]
fn one_file_is_read_up_to_its_limit() {
    let archive = zip_with(|zip| file(zip, "dir/a.json", b"{\"x\":1}"));
    let read = |name, max| read_one(Cursor::new(&archive), name, max);
    assert_eq!(read("dir/a.json", 7).expect("read"), b"{\"x\":1}");
    let long = read("dir/a.json", 6).expect_err("too long").to_string();
    assert_eq!(
        long,
        "the archive is refused at \"dir/a.json\": more than 6 bytes in this file"
    );
    let missing = read("a.json", 6).expect_err("missing").to_string();
    assert_eq!(missing, "the archive has no entry \"a.json\"");
}

#[cfg(unix)]
#[test]
fn a_folder_comes_back_as_it_was() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let from = tempfile::tempdir().expect("a folder");
    let at = |name: &str| from.path().join(name);
    fs::create_dir_all(at("bin/deep")).expect("made");
    fs::write(at("bin/run"), "#!/bin/sh\n").expect("written");
    fs::set_permissions(at("bin/run"), fs::Permissions::from_mode(0o755)).expect("set");
    fs::write(at("bin/deep/ü.txt"), vec![9; 200_000]).expect("written");
    symlink("../run", at("bin/deep/link")).expect("linked");

    let files = files_below(from.path()).expect("listed");
    assert_eq!(
        files,
        ["bin/deep/link", "bin/deep/ü.txt", "bin/run"].map(PathBuf::from)
    );
    let packed = |files: &[PathBuf]| {
        let mut out = Cursor::new(Vec::new());
        let packed = pack(from.path(), files, &mut out).expect("packed");
        (packed, out.into_inner())
    };
    let (counts, archive) = packed(&files);
    assert_eq!((counts.files, counts.bytes), (3, 200_010));
    assert_eq!(
        packed(&files).1,
        archive,
        "the same files give the same bytes"
    );
    assert_eq!(
        names(Cursor::new(&archive), &Limits::DEFAULT)
            .expect("listed")
            .len(),
        3
    );

    let (result, outer) = unpack(&archive, &Limits::DEFAULT);
    assert_eq!(result.expect("unpacked").files, 3);
    let to = |name: &str| outer.path().join("in").join(name);
    assert_eq!(
        fs::read(to("bin/deep/ü.txt")).expect("read"),
        vec![9; 200_000]
    );
    assert_eq!(
        fs::read(to("bin/deep/link")).expect("read through the link"),
        b"#!/bin/sh\n"
    );
    let mode = |name: &str| fs::metadata(to(name)).expect("there").permissions().mode();
    assert_ne!(mode("bin/run") & 0o100, 0);
    assert_eq!(mode("bin/deep/ü.txt") & 0o111, 0);

    for outside in ["../x", "/etc/passwd", ""] {
        let result = pack(
            from.path(),
            &[PathBuf::from(outside)],
            Cursor::new(Vec::new()),
        );
        assert!(
            matches!(result, Err(ArchiveError::Outside { .. })),
            "{outside:?}"
        );
    }
    assert!(matches!(
        pack(from.path(), &[PathBuf::from("absent")], Cursor::new(Vec::new())),
        Err(ArchiveError::Io { path, .. }) if path == Path::new("absent")
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Whatever is flipped in an archive with links and folders: no panic, and nothing beside the folder.
    #[test]
    fn a_damaged_archive_never_escapes(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut archive = zip_with(|zip| {
            file(zip, "a/b.txt", b"hello hello hello");
            link(zip, "a/link", "b.txt");
            zip.add_directory("c", SimpleFileOptions::default()).expect("added");
        });
        for (at, byte) in flips {
            let at = at.index(archive.len());
            archive[at] = byte;
        }
        let (result, _outer) = unpack(&archive, &Limits { bytes: 1 << 20, ..Limits::DEFAULT });
        if let Ok(done) = result {
            prop_assert!(done.files <= 3);
        }
    }
}
