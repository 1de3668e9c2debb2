//! Paths are what their templates say, and hostile values stay names.

use std::path::{Component, Path};

use fieldgate_model::escape_segment;
use proptest::prelude::*;

use super::*;

fn template(text: &str) -> PathTemplate {
    text.parse().unwrap()
}

fn plain(text: &str, path: &mut String) {
    path.push_str(text);
}

fn values<'a>(device: &'a str, name: &'a str) -> PathValues<'a> {
    PathValues {
        of: TopicValues {
            gateway: "line-4",
            source: "gate",
            device,
            dataset: "data",
            point: "snapshot",
            format: "json",
        },
        name,
        at: Timestamp::parse("2026-11-29T18:30:00.25Z").unwrap(),
    }
}

#[test]
fn values_stand_where_their_placeholders_were() {
    for (text, expected) in [
        ("{source}/{device}/{name}", "gate/Hall/Door/a.jpg"),
        (
            "/in/{date}/{point}?by={gateway}",
            "/in/2026-11-29/snapshot?by=line-4",
        ),
        ("{dataset}-{format}", "data-json"),
        ("plain", "plain"),
    ] {
        let path = template(text).render(&values("Hall%2FDoor", "a.jpg"), plain);
        assert_eq!(path, expected);
    }
}

#[test]
fn hostile_values_stay_names() {
    for (device, expected) in [
        ("..", "%2E."),
        (".", "%2E"),
        ("", "%"),
        ("..%2F..%2Fetc", "..%2F..%2Fetc"),
        ("%2Fetc", "%2Fetc"),
        ("a%2F%2Fb", "a%2F%2Fb"),
        ("a\\b", "a%5Cb"),
        ("a\0b\n", "a%00b%0A"),
        ("a/b", "a%2Fb"),
        ("...", "..."),
    ] {
        let path = template("{device}").render(&values(device, "n"), plain);
        assert_eq!(path, expected, "{device:?}");
    }
    let long = "x".repeat(1000);
    let [one, other] = ["a", "b"].map(|end| level(&format!("{long}{end}")).into_owned());
    assert!(one.len() <= MAX_LEVEL_BYTES && one != other, "{one}");
}

#[test]
fn what_is_no_template_is_explained() {
    for (text, words) in [
        ("", "the path is empty"),
        ("a/{devise}", "`{devise}` is no placeholder"),
        ("a/{device", "has no partner"),
        ("a/device}", "has no partner"),
        ("a\0", "control characters"),
        (&"x".repeat(5000), "shorten it"),
    ] {
        let error = text.parse::<PathTemplate>().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_file_is_named_by_time_and_id() {
    let at = Timestamp::parse("2026-11-29T18:30:00.250123Z").unwrap();
    let name = file_name(at, "a1b2c3d4-n-0000000000000007", "image/jpeg; q=1");
    assert_eq!(name, "20261129T183000.250Z-a1b2c3d4-n-0000000000000007.jpg");
    let time = name.split('-').next().unwrap();
    assert_eq!(from_compact(time).unwrap().millis(), at.millis());
    for text in [
        "",
        "T",
        "2026",
        "20261129T18",
        "ééééTéééé",
        "20261329T183000.250Z",
    ] {
        assert_eq!(from_compact(text), None, "{text}");
    }
    assert_eq!(extension("application/x-unknown"), "bin");
}

proptest! {
    #[test]
    fn no_value_leaves_the_folder(device in "(\\PC|[./\\\\%\0]|\\.\\.){0,40}", name in "(\\PC|[./\\\\\0]){0,300}") {
        let device = escape_segment(&device);
        let path = template("{source}/{device}/{point}/{name}").render(&values(&device, &name), plain);
        let path = Path::new(&path);
        prop_assert!(path.components().all(|part| matches!(part, Component::Normal(name) if name.len() <= 255)), "{path:?}");
        prop_assert!(path.components().count() >= 4);
    }

    #[test]
    fn different_devices_get_different_paths(a in "[ab/%.]{1,6}", b in "[ab/%.]{1,6}") {
        let path = |raw: &str| template("{device}").render(&values(&escape_segment(raw), ""), plain);
        prop_assert_eq!(path(&a) == path(&b), a == b);
    }
}
