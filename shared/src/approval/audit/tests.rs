//! Every way of editing a chain is found, and the first bad record named.

use serde_json::json;

use super::{
    verify::{Anchors, verify},
    *,
};
use crate::approval::{
    request::Artifact,
    stored,
    trail::{Entry, Kind},
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn happened(number: u64) -> Happened {
    Happened {
        at: at("2026-11-23T10:00:00Z"),
        kind: "voted",
        approval: None,
        what: tell::object(
            json!({"comment": format!("number {number}"), "z": 1, "a": [true, null]}),
        ),
    }
}

/// Two months of a chain and their anchors, two records each.
fn chain() -> (Vec<Line>, Vec<Line>, Anchors) {
    let (mut head, mut months, mut anchors) = (None, Vec::new(), Anchors::default());
    for month in ["2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z"] {
        let mut lines = Vec::new();
        for round in 0..3 {
            let two = [happened(round * 2), happened(round * 2 + 1)];
            let (after, more) = extend(head.as_ref(), "main", at(month), &two);
            let (key, anchor) = anchor("main", &after.month, &more).unwrap();
            assert_eq!(
                key,
                format!("audit/main/{}/{:09}.json", after.month, round * 2 + 1)
            );
            anchors.add(&anchor).unwrap();
            lines.extend(more);
            head = Some(after);
        }
        months.push(lines);
    }
    let december = months.pop().unwrap();
    (months.pop().unwrap(), december, anchors)
}

fn file(name: &str, lines: &[Line]) -> (String, String) {
    let text: String = lines.iter().map(|l| format!("{}\n", l.text)).collect();
    (name.to_owned(), text)
}

fn first_bad(november: &[Line], december: &[Line], anchors: &Anchors) -> String {
    let files = [file("11", november), file("12", december)];
    match verify(&files, anchors) {
        Ok(records) => format!("{} records", records.len()),
        Err(broken) => broken.to_string(),
    }
}

#[test]
fn threat_47_every_edit_of_the_audit_names_the_first_bad_record() {
    let (november, december, anchors) = chain();
    let none = Anchors::default();
    assert_eq!(first_bad(&november, &december, &anchors), "12 records");
    assert_eq!(first_bad(&november, &december, &none), "12 records");

    let mut flipped = november.clone();
    flipped[2].text = flipped[2].text.replace("number 2", "number 3");
    assert_eq!(
        first_bad(&flipped, &december, &none),
        "record 3 of 2026-11 (11, line 3): it was changed: its hash is not that of its content"
    );

    let mut dropped = november.clone();
    dropped.remove(3);
    assert_eq!(
        first_bad(&dropped, &december, &none),
        "record 5 of 2026-11 (11, line 4): record 4 should be here: records were dropped, moved or repeated"
    );

    let mut swapped = november.clone();
    swapped.swap(1, 2);
    assert_eq!(
        first_bad(&swapped, &december, &none),
        "record 3 of 2026-11 (11, line 2): record 2 should be here: records were dropped, moved or repeated"
    );

    // The month after it holds the last hash; the last month's end only its anchor.
    let cut = &november[..5];
    assert_eq!(
        first_bad(cut, &december, &none),
        "record 1 of 2026-12 (12, line 1): it does not follow the record before it"
    );
    assert_eq!(first_bad(&november, &december[..4], &none), "10 records");
    assert_eq!(
        first_bad(&november, &december[..4], &anchors),
        "record 5 of 2026-12 (after 12): it is missing, and its anchor in S3 says that it was written: the end was cut off"
    );

    // Everything from December's second record on written anew, hashes and all.
    let head = Head {
        month: "2026-12".to_owned(),
        seq: 1,
        hash: december[0].hash.clone(),
        anchored: 0,
    };
    let (_, forged) = extend(
        Some(&head),
        "main",
        at("2026-12-02T00:00:00Z"),
        &[happened(77), happened(78)],
    );
    let rewritten: Vec<Line> = december[..1].iter().cloned().chain(forged).collect();
    assert_eq!(first_bad(&november, &rewritten, &none), "9 records");
    assert_eq!(
        first_bad(&november, &rewritten, &anchors),
        "record 2 of 2026-12 (12, line 2): its anchor in S3 has another hash: the chain was written anew from here"
    );
}

#[test]
fn every_byte_of_every_record_is_covered() {
    let (november, _, _) = chain();
    let good = file("f", &november).1;
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        if bytes[at] == b'\n' {
            continue;
        }
        bytes[at] ^= 1;
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        assert!(
            verify(&[("f".to_owned(), text)], &Anchors::default()).is_err(),
            "byte {at}"
        );
    }
}

#[test]
fn a_request_is_told_for_auditors_without_its_secrets() {
    let mut record = stored::decode(include_str!("../stored.golden.json")).unwrap();
    let facts = &mut record.request.facts;
    facts.attempt = Some(2);
    facts.artifacts = vec![Artifact {
        name: "Image".to_owned(),
        location: Some("s3://artifacts/site/Image/abc".to_owned()),
        digest: Some("sha256:8c1f".to_owned()),
    }];
    let tell = |kind, who: Option<usize>| {
        let entry = Entry {
            means: None,
            at: record.request.asked_at,
            kind,
            recipient: who.map(|at| record.recipients[at].id.clone()),
            detail: (kind == Kind::Delivered).then(|| "r-1".to_owned()),
        };
        canonical::text(&Value::Object(tell::tell(&record, &entry).what))
    };
    let asked = tell(Kind::Asked, None);
    for part in [
        "\"execution\":\"8f0c3a52-6a0e-4b8c-9a55-0f3f2b1c7d10\"",
        "\"revisions\":[{\"author\":\"Dana\",\"branch\":\"main\",\"id\":\"4be2f8c0\"",
        "\"ruleSha256\":\"",
        "\"attempt\":2",
        "\"artifacts\":[{\"digest\":\"sha256:8c1f\",\"location\":\"s3://artifacts/site/Image/abc\",\"name\":\"Image\"}]",
        "\"snapshot\":\"",
        "\"startedBy\":\"a change of the source\"",
    ] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    let voted = tell(Kind::Voted, Some(0));
    for part in [
        "\"person\":\"dana@example.com\"",
        "\"verdict\":\"Rejected\"",
        "\"comment\":\"not today\"",
        "\"channel\":\"page\"",
        "\"level\":\"L2\"",
    ] {
        assert!(voted.contains(part), "{part}: {voted}");
    }
    let decided = tell(Kind::Decided, None);
    assert!(
        decided.contains("\"decision\":\"CAgICAgICAgICAgI\""),
        "{decided}"
    );
    assert!(decided.contains("\"breakGlass\":false"), "{decided}");
    let delivered = tell(Kind::Delivered, None);
    assert!(delivered.contains("\"awsRequest\":\"r-1\""), "{delivered}");
    for told in [asked, voted, decided, delivered] {
        assert!(
            !told.contains("1a2b3c4d") && !told.contains("CQkJ"),
            "{told}"
        );
    }
}
