//! Batches into a real folder: what is there afterwards, also when it comes twice, is cut off, or something is in the way.

mod link;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    time::{Duration, SystemTime},
};

use fieldgate_kit::{Probe, Receipt, Refusal, RungState, SinkError};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::{
    keep::{Item, too_much},
    probe,
    settings::Keep,
};
use link::{TestLink, batch, clip, files, lines, reading};

fn settings(folder: &Path) -> Json {
    json!({ "folder": folder })
}

#[tokio::test]
async fn readings_are_lines_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut link = TestLink::connect(settings(folder.path())).await.unwrap();
    link.send(batch((1..=3).map(|seq| reading(seq, "Line/A"))))
        .await
        .unwrap();
    link.send(batch((4..=6).map(|seq| reading(seq, "B"))))
        .await
        .unwrap();
    link.send(batch((7..=9).map(|seq| reading(seq, "Line/A"))))
        .await
        .unwrap();
    assert_eq!(
        files(folder.path()),
        [
            "press/B/data/20260921T142640.004Z-a1b2c3d4-n-0000000000000004.jsonl",
            "press/Line/A/data/20260921T142640.001Z-a1b2c3d4-n-0000000000000001.jsonl",
        ]
    );
    assert_eq!(lines(&folder.path().join("press/Line")), [1, 2, 3, 7, 8, 9]);
    let text = fs::read_to_string(folder.path().join(&files(folder.path())[0])).unwrap();
    let first: Json = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["point"], &first["value"]),
        (&json!("press/B/p"), &json!(4))
    );
}

#[tokio::test]
async fn a_full_file_is_followed_by_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut by_size = settings(folder.path());
    by_size["rotate"] = json!({ "bytes": "64 KiB" });
    let mut link = TestLink::connect(by_size).await.unwrap();
    for first in [1, 1001, 2001] {
        link.send(batch((first..first + 1000).map(|seq| reading(seq, "A"))))
            .await
            .unwrap();
    }
    let names = files(folder.path());
    assert!(names.len() >= 5, "{names:?}");
    for name in &names {
        let bytes = fs::metadata(folder.path().join(name)).unwrap().len();
        assert!(bytes < (64 << 10) + 400, "{name} has {bytes}");
    }
    assert_eq!(lines(folder.path()), (1..=3000).collect::<Vec<u64>>());

    let folder = tempfile::tempdir().unwrap();
    let mut by_age = settings(folder.path());
    by_age["rotate"] = json!({ "age": "1 s" });
    let mut link = TestLink::connect(by_age).await.unwrap();
    // A reading each millisecond.
    link.send(batch((1..=2500).map(|seq| reading(seq, "A"))))
        .await
        .unwrap();
    assert_eq!(files(folder.path()).len(), 3);
}

#[tokio::test]
async fn what_comes_again_is_there_once_and_a_half_line_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let mut small = settings(folder.path());
    small["rotate"] = json!({ "bytes": "64 KiB" });
    let mut link = TestLink::connect(small.clone()).await.unwrap();
    link.send(batch((1..=1000).map(|seq| reading(seq, "A"))))
        .await
        .unwrap();
    link.send(batch((1..=5).map(|seq| reading(seq, "A").lane('c'))))
        .await
        .unwrap();
    drop(link);
    // As after a power cut: the last line is half there.
    let last = folder.path().join(files(folder.path()).last().unwrap());
    let text = fs::read(&last).unwrap();
    fs::write(&last, &text[..text.len() - 20]).unwrap();

    // The forwarder knows of the first 300, and cuts other batches than before.
    let mut link = TestLink::connect(small).await.unwrap();
    link.send(batch((301..=700).map(|seq| reading(seq, "A"))))
        .await
        .unwrap();
    link.send(batch((1..=5).map(|seq| reading(seq, "A").lane('c'))))
        .await
        .unwrap();
    link.send(batch((701..=1500).map(|seq| reading(seq, "A"))))
        .await
        .unwrap();
    link.send(batch((1501..=1600).map(|seq| reading(seq, "A"))))
        .await
        .unwrap();
    let mut all = lines(folder.path());
    all.sort_unstable();
    let mut expected: Vec<u64> = (1..=1600).chain(1..=5).collect();
    expected.sort_unstable();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn pictures_have_a_name_of_their_own_and_are_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut link = TestLink::connect(settings(folder.path())).await.unwrap();
    let picture = || {
        reading(7, "Gate")
            .point("snapshot")
            .picture(b"\xff\xd8jpeg")
    };
    for _ in 0..2 {
        link.send(batch([picture()])).await.unwrap();
    }
    let name = "press/Gate/snapshot/20260921T142640.007Z-a1b2c3d4-n-0000000000000007.jpg";
    assert_eq!(files(folder.path()), [name]);
    assert_eq!(fs::read(folder.path().join(name)).unwrap(), b"\xff\xd8jpeg");
}

#[tokio::test]
async fn a_clip_is_joined_verified_and_named_and_its_parts_may_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let (parts, whole) = clip(10, "c-1", 5, 3000);
    let mut link = TestLink::connect(settings(folder.path())).await.unwrap();
    link.send(batch(parts[..2].to_vec())).await.unwrap();
    let clips = folder.path().join("press/Gate/clip");
    assert_eq!(files(&clips), ["gate.mp4.json", "gate.mp4.partial"]);
    drop(link);
    // Cut here; the second one was written, and the word of it lost.
    let mut link = TestLink::connect(settings(folder.path())).await.unwrap();
    let receipt = link.send(batch(parts[1..].to_vec())).await.unwrap();
    assert_eq!(receipt, Receipt::default());
    for again in [&parts[3..], &parts[..]] {
        assert_eq!(
            link.send(batch(again.to_vec())).await.unwrap(),
            Receipt::default()
        );
        assert_eq!(files(&clips), ["gate.mp4", "gate.mp4.json"]);
        assert!(fs::read(clips.join("gate.mp4")).unwrap() == whole);
    }
    let about: Json =
        serde_json::from_slice(&fs::read(clips.join("gate.mp4.json")).unwrap()).unwrap();
    assert_eq!(
        (&about["clip"], &about["bytes"]),
        (&json!("c-1"), &json!(15_000))
    );

    // Another clip of the same name stands beside it, and somebody's own file stays.
    let (other, other_whole) = clip(20, "c-2", 2, 10);
    link.send(batch(other)).await.unwrap();
    assert!(fs::read(clips.join("gate-c-2.mp4")).unwrap() == other_whole);
    fs::write(clips.join("gate-c-3.mp4"), "mine").unwrap();
    let (third, _) = clip(30, "c-3", 2, 10);
    let receipt = link.send(batch(third)).await.unwrap();
    assert_eq!(receipt.rejected.len(), 2);
    assert!(
        receipt.rejected[0].why.contains("move them away"),
        "{receipt:?}"
    );
    assert_eq!(fs::read(clips.join("gate-c-3.mp4")).unwrap(), b"mine");
}

#[tokio::test]
async fn a_clip_that_is_damaged_or_has_a_gap_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut link = TestLink::connect(settings(folder.path())).await.unwrap();
    let (mut damaged, _) = clip(10, "c-1", 3, 100);
    damaged[1] = clip(11, "c-1", 3, 100).0[2].clone().seq(11).part(1, 100);
    let receipt = link.send(batch(damaged)).await.unwrap();
    let [refused] = &receipt.rejected[..] else {
        panic!("{receipt:?}");
    };
    assert_eq!((refused.seq, refused.refusal), (12, Refusal::Final));
    assert!(
        refused.why.contains("should be") && refused.why.contains("damaged"),
        "{refused:?}"
    );

    let (gap, _) = clip(20, "c-2", 3, 100);
    let receipt = link.send(batch(gap[1..].to_vec())).await.unwrap();
    assert_eq!(receipt.rejected.len(), 2);
    assert!(
        receipt.rejected[0]
            .why
            .contains("a part before it is missing"),
        "{receipt:?}"
    );
    // When the missing one comes, as a dead letter that is sent again, the rest can follow.
    let (gap, whole) = clip(20, "c-2", 3, 100);
    assert_eq!(link.send(batch(gap)).await.unwrap(), Receipt::default());
    let there = fs::read(folder.path().join("press/Gate/clip/gate-c-2.mp4")).unwrap();
    assert!(there == whole);
}

#[tokio::test]
async fn what_is_in_the_way_is_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let lost = TestLink::connect(settings(&gone)).await.map(drop);
    assert!(
        matches!(&lost, Err(SinkError::Unreachable(words)) if words.contains("mounted")),
        "{lost:?}"
    );
    fs::write(&gone, "a file").unwrap();
    let denied = TestLink::connect(settings(&gone)).await.map(drop);
    assert!(
        matches!(&denied, Err(SinkError::Denied(words)) if words.contains("is no folder")),
        "{denied:?}"
    );

    // Whoever may write in the folder cannot have us write elsewhere.
    let elsewhere = tempfile::tempdir().unwrap();
    let root = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), root.path().join("press")).unwrap();
    let mut link = TestLink::connect(settings(root.path())).await.unwrap();
    let denied = link.send(batch([reading(1, "A")])).await;
    assert!(
        matches!(&denied, Err(SinkError::Denied(words)) if words.contains("symbolic link")),
        "{denied:?}"
    );
    assert!(files(elsewhere.path()).is_empty());

    let root = tempfile::tempdir().unwrap();
    let mut link = TestLink::connect(settings(root.path())).await.unwrap();
    let path = root.path().to_owned();
    drop(root);
    let lost = link.send(batch([reading(1, "A")])).await;
    assert!(
        matches!(&lost, Err(SinkError::Unreachable(words)) if words.contains("is not there")),
        "{lost:?}"
    );
    assert!(!path.exists(), "a folder that is gone is not made again");
}

#[tokio::test]
async fn a_test_says_how_far_it_gets() {
    let folder = tempfile::tempdir().unwrap();
    let mut probe = Probe::default();
    let good = serde_json::from_value(settings(folder.path())).unwrap();
    probe::climb(std::sync::Arc::new(good), &mut probe).await;
    let rungs = probe.rungs();
    let names: Vec<&str> = rungs.iter().map(|rung| &*rung.name).collect();
    assert_eq!(names, ["Folder", "Write", "Room"]);
    assert!(files(folder.path()).is_empty());
    let mut probe = Probe::default();
    let bad = serde_json::from_value(settings(&folder.path().join("no"))).unwrap();
    probe::climb(std::sync::Arc::new(bad), &mut probe).await;
    let rungs = probe.rungs();
    assert_eq!((rungs.len(), rungs[0].state), (1, RungState::Failed));
}

#[tokio::test]
async fn retention_removes_the_oldest_of_ours_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut link = TestLink::connect(settings(path)).await.unwrap();
    let pictures = (1..=5).map(|seq| {
        reading(seq, "Gate")
            .point("snapshot")
            .picture(b"0123456789")
    });
    link.send(batch(pictures)).await.unwrap();
    link.send(batch(clip(10, "c-1", 2, 100).0)).await.unwrap();
    link.send(batch([reading(20, "A")])).await.unwrap();
    drop(link);
    let theirs = [
        "mine.jpg",
        "press/Gate/snapshot/20260921T142640.001Z-ffffffff-n-0000000000000001.jpg",
        "press/Gate/clip/other.mp4",
        "press/Gate/clip/other.mp4.json",
    ];
    for name in theirs {
        fs::write(path.join(name), "{\"by\":\"somebody\"}").unwrap();
    }
    let long_ago = SystemTime::now() - Duration::from_secs(40 * 24 * 3600);
    for name in files(path) {
        let file = fs::File::options()
            .write(true)
            .open(path.join(&name))
            .unwrap();
        file.set_modified(long_ago + Duration::from_secs(name.len() as u64))
            .unwrap();
    }
    let mut limited = settings(path);
    limited["keep"] = json!({ "age": "30 d" });
    let mut link = TestLink::connect(limited).await.unwrap();
    link.send(batch([reading(21, "B")])).await.unwrap();
    link.until(|| files(path).len() <= theirs.len() + 1).await;
    let mut left = files(path);
    left.retain(|name| !name.contains("press/B/"));
    let mut expected = theirs.to_vec();
    expected.sort_unstable();
    assert_eq!(left, expected);
}

#[test]
fn no_permission_is_a_matter_for_a_person() {
    // Root may write everywhere, so what can be told here is told of the words; see `words.rs`.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let opened = crate::folder::Folder::open(folder.path());
    let is_root = fs::write(folder.path().join("x"), "").is_ok();
    assert_eq!(opened.is_ok(), is_root);
    if let Err(error) = opened {
        assert!(
            matches!(&error, SinkError::Denied(words) if words.contains("may not write")),
            "{error}"
        );
    }
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = (0u64..100, 0u64..1000, prop::bool::ANY, 0u32..1000);
    let item = item.prop_map(|(bytes, age, partial, number)| Item {
        files: vec![number.to_string().into()],
        bytes,
        age: Duration::from_secs(age),
        for_at_least: Duration::from_secs(if partial { 500 } else { 0 }),
    });
    prop::collection::vec(item, 0..40)
}

proptest! {
    #[test]
    fn what_stays_is_within_the_limits_and_newer_than_what_goes(
        items in items(),
        most in (prop::option::of(0u64..2000), prop::option::of(0u64..1000), prop::option::of(1u64..40)),
    ) {
        let (bytes, age, files) = most;
        let keep = Keep {
            bytes: bytes.map(fieldgate_kit::settings::ByteSize),
            age: age.map(|age| fieldgate_kit::settings::Span(Duration::from_secs(age))),
            files,
        };
        let going = too_much(items.clone(), &keep);
        let mut staying = items;
        for gone in &going {
            let at = staying.iter().position(|item| item == gone).unwrap();
            staying.remove(at);
            prop_assert!(gone.age >= gone.for_at_least);
        }
        let free: Vec<&Item> = staying.iter().filter(|item| item.age >= item.for_at_least).collect();
        if let Some(age) = keep.age {
            prop_assert!(free.iter().all(|item| item.age <= age.0));
        }
        let held = free.len() < staying.len();
        if let Some(files) = keep.files {
            prop_assert!(staying.len() as u64 <= files || free.is_empty() || held);
        }
        if let Some(bytes) = keep.bytes {
            let sum: u64 = staying.iter().map(|item| item.bytes).sum();
            prop_assert!(sum <= bytes.0 || free.is_empty() || held);
        }
        let youngest = going.iter().map(|item| item.age).min();
        if let Some(youngest) = youngest {
            prop_assert!(free.iter().all(|item| item.age <= youngest));
        }
    }
}
