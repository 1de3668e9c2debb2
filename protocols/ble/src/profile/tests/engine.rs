//! The engine: what profiles can say, and how mistakes are told.

use fieldgate_model::Value;

use super::*;
use crate::{Address, Field, uuid16};

fn heard(company: u16, bytes: &[u8]) -> Advertisement {
    let mut advertisement = Advertisement::new(Address([1, 2, 3, 4, 5, 6]), false);
    advertisement.manufacturer.push((company, bytes.to_vec()));
    advertisement
}

fn profile(points: &str) -> Profile {
    let text = format!("title = \"T\"\nmatch = {{ manufacturer = 1 }}\n{points}");
    Profile::parse("t", &text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn fields(decoded: Decoded) -> Vec<Field> {
    match decoded {
        Decoded::Fields { fields, .. } => fields,
        other => panic!("{other:?}"),
    }
}

fn read(points: &str, bytes: &[u8]) -> Vec<(String, Value)> {
    let decoded = profile(points).decode(&heard(1, bytes), None, &mut Memory::default());
    let fields = fields(decoded).into_iter();
    fields
        .map(|field| (field.id.to_string(), field.value))
        .collect()
}

fn check(point: &str, bytes: &[u8], expected: Option<Value>) {
    let points = format!("points = [{{ id = \"x\", {point} }}]");
    let found = read(&points, bytes).pop().map(|(_, value)| value);
    assert_eq!(found, expected, "{point} {bytes:02x?}");
}

#[test]
fn a_point_is_a_place_and_a_meaning() {
    check(
        "at = 1, type = \"i16be\", scale = 0.005",
        &[5, 0x12, 0xFC],
        Some(Value::Float(24.3)),
    );
    check("at = -2, type = \"u8\"", &[1, 2, 3], Some(Value::UInt(2)));
    check(
        "at = 0, type = \"i8\", offset = -10",
        &[3],
        Some(Value::Int(-7)),
    );
    check(
        "type = \"u16be\", bits = [5, 11]",
        &[0xFF, 0xE0],
        Some(Value::UInt(2047)),
    );
    check(
        "type = \"i16le\", bits = [0, 12]",
        &[0xFF, 0x0F],
        Some(Value::Int(-1)),
    );
    check("type = \"i16be\", absent = 0x8000", &[0x80, 0], None);
    check("type = \"i16be\", absent = -32768", &[0x80, 0], None);
    check("type = \"u8\", absent = [0xFF, 0xFE]", &[0xFE], None);
    check("type = \"bool\"", &[2], Some(Value::Bool(true)));
    check(
        "type = \"u8\", bits = [3, 1], true_when = 0",
        &[8],
        Some(Value::Bool(false)),
    );
    check(
        "type = \"u8\", words = { 0 = \"closed\", 1 = \"open\" }",
        &[1],
        Some("open".into()),
    );
    check(
        "type = \"u8\", words = { 0 = \"closed\" }",
        &[7],
        Some("7".into()),
    );
    check(
        "type = \"hex\", at = 1",
        &[1, 0xAB, 0xCD],
        Some("abcd".into()),
    );
    check("type = \"hex\", length = 1", &[1, 0xAB], Some("01".into()));
    check("type = \"text\"", b"hi\0there", Some("hi".into()));
    check(
        "type = \"mac_le\"",
        &[6, 5, 4, 3, 2, 1],
        Some("01:02:03:04:05:06".into()),
    );
    check(
        "type = \"uuid\"",
        &[0x11; 16],
        Some("11111111-1111-1111-1111-111111111111".into()),
    );
    check(
        "type = \"u8\", at = 1, when = { equals = 3 }",
        &[3, 9],
        Some(Value::UInt(9)),
    );
    check(
        "type = \"u8\", at = 1, when = { equals = 3 }",
        &[4, 9],
        None,
    );
    check(
        "type = \"u8\", at = 1, when = { least = 4, not = [5] }",
        &[4, 9],
        Some(Value::UInt(9)),
    );
    check("type = \"u8\", at = 9, optional = true", &[4], None);
}

#[test]
fn nonsense_is_told_with_its_byte() {
    let points = "points = [{ id = \"t\", at = 1, type = \"u16le\", valid = [0, 10] }]";
    let unfit =
        |bytes: &[u8]| match profile(points).decode(&heard(1, bytes), None, &mut Memory::default())
        {
            Decoded::Unfit(what) => what,
            other => panic!("{other:?}"),
        };
    assert_eq!(unfit(&[1, 2]), "`t` is bytes 1 to 2, and there are 2 bytes");
    assert_eq!(
        unfit(&[1, 2, 3]),
        "`t` reads 770, which is not between 0 and 10 (at byte 1)"
    );
    // One value of several that cannot be is left out alone.
    let two = "points = [{ id = \"t\", type = \"u8\", valid = [0, 10] }, { id = \"u\", at = 1, type = \"u8\" }]";
    assert_eq!(read(two, &[11, 2]), [("u".to_owned(), Value::UInt(2))]);
}

#[test]
fn a_packet_that_is_sent_again_is_no_news() {
    let profile = profile(
        "counter = { at = 0 }\npoints = [{ id = \"b\", at = 1, type = \"u8\", nature = \"happened\" }]",
    );
    let mut memory = Memory::default();
    let mut decode = |bytes: &[u8]| profile.decode(&heard(1, bytes), None, &mut memory);
    assert_eq!(fields(decode(&[1, 7])).len(), 1);
    assert_eq!(decode(&[1, 7]), Decoded::Repeated);
    assert_eq!(fields(decode(&[2, 7])).len(), 1);
}

#[test]
fn without_its_number_nothing_happened() {
    for of in ["packet", "events"] {
        let profile = profile(&format!(
            "counter = {{ at = 1, of = \"{of}\" }}\npoints = [{{ id = \"b\", type = \"u8\", nature = \"happened\" }}, {{ id = \"t\", type = \"u8\" }}]",
        ));
        let mut memory = Memory::default();
        let mut decode =
            |bytes: &[u8]| fields(profile.decode(&heard(1, bytes), None, &mut memory)).len();
        decode(&[7, 1]);
        assert_eq!(decode(&[7]), 1, "nothing tells it from the one before");
        assert_eq!(decode(&[7]), 1);
        assert_eq!(decode(&[7, 2]), 2);
    }
}

/// A characteristic's float may be anything.
#[test]
fn a_number_beyond_all_floats_is_none() {
    let huge = 1e300_f64.to_le_bytes();
    check("type = \"f64le\", scale = 1000000000000", &huge, None);
    check("type = \"f64le\", scale = 1e200", &huge, None);
    check("type = \"f64le\"", &huge, Some(Value::Float(1e300)));
}

#[test]
fn a_counter_of_events_keeps_measurements_coming() {
    let profile = profile(
        "counter = { at = 0, of = \"events\" }\npoints = [{ id = \"b\", at = 1, type = \"u8\", nature = \"happened\" }, { id = \"t\", at = 2, type = \"u8\" }]",
    );
    let mut memory = Memory::default();
    let mut count =
        |bytes: &[u8]| fields(profile.decode(&heard(1, bytes), None, &mut memory)).len();
    assert_eq!(count(&[1, 7, 20]), 1);
    assert_eq!(count(&[1, 7, 21]), 1);
    assert_eq!(count(&[2, 7, 21]), 2);
}

#[test]
fn points_may_be_in_other_parts_of_the_advertisement() {
    let profile = profile(
        "points = [{ id = \"t\", type = \"u8\", from = { service_data = \"2a6e\" } }, { id = \"n\", type = \"text\", from = \"name\" }]",
    );
    let mut advertisement = heard(1, &[]);
    assert_eq!(
        fields(profile.decode(&advertisement, None, &mut Memory::default())),
        []
    );
    advertisement.service_data.push((uuid16(0x2A6E), vec![22]));
    advertisement.name = Some("S1".to_owned());
    let read = fields(profile.decode(&advertisement, None, &mut Memory::default()));
    assert_eq!(read[0].value, Value::UInt(22));
    assert_eq!(read[1].value, "S1".into());
}

#[test]
fn the_company_identifier_may_hold_values() {
    let text = "title = \"T\"\nmatch = { manufacturer = \"any\", name = \"sps\", company_is_data = true, length = 4 }\npoints = [{ id = \"t\", type = \"i16le\", scale = 0.01 }]";
    let profile = Profile::parse("t", text).unwrap();
    let mut advertisement = heard(0x0906, &[1, 2]);
    advertisement.name = Some("sps".to_owned());
    let profiles = Profiles::default().with(profile);
    let found = profiles.find(&advertisement).unwrap();
    let read = fields(found.decode(&advertisement, None, &mut Memory::default()));
    assert_eq!(read[0].value, Value::Float(23.1));
}

#[test]
fn whoever_asks_for_more_is_asked_first_and_ones_own_before_all() {
    let one = |id: &str, found: &str| {
        let text = format!(
            "title = \"T\"\nmatch = {found}\npoints = [{{ type = \"text\", from = \"name\" }}]"
        );
        Profile::parse(id, &text).unwrap()
    };
    let any = one("any", "{ manufacturer = 1 }");
    let five = one(
        "five",
        "{ manufacturer = 1, starts_with = \"05\", length = [2, 9] }",
    );
    let all = Profiles::of(vec![Arc::new(any), Arc::new(five)], 0);
    let id = |all: &Profiles, bytes: &[u8]| all.find(&heard(1, bytes)).unwrap().id().to_owned();
    assert_eq!(id(&all, &[5, 0]), "five");
    assert_eq!(id(&all, &[5]), "any");
    let all = all.with(one(
        "own",
        "{ manufacturer = 1, starts_with = \"04\", mask = \"0c\" }",
    ));
    assert_eq!(id(&all, &[5, 0]), "own");
    assert_eq!(id(&all, &[9, 0]), "any");
    let all = all.with(one("own", "{ service = \"180f\" }"));
    assert_eq!(id(&all, &[5, 0]), "five");
    assert!(all.find(&heard(2, &[5, 0])).is_none());
    assert_eq!(all.all().len(), 3);
}

#[test]
fn all_mistakes_are_told_at_once_with_their_lines() {
    let text = "titel = \"T\"\nmatch = { manufacturer = 70000, starts_with = \"xyz\" }\npoints = [\n  { id = \"Temp\", type = \"i12\" },\n  { id = \"a\", at = 1, type = \"u8\", scale = 0 },\n  { id = \"a\", type = \"hex\", scale = 2 },\n]\n[[example]]\ndata = \"0\"\n";
    let errors = Profile::parse("t", text).unwrap_err();
    for expected in [
        "line 1: a profile has a `title`",
        "line 1: `titel` is no key",
        "line 2: `manufacturer` of `match` is",
        "line 2: `starts_with` of `match` is",
        "line 4: `id` of a point is",
        "line 4: `i12` is no type",
        "line 5: a `scale` of 0",
        "line 6: `a` is there twice",
        "line 6: `length` is for",
        "line 9: `data` of an example is",
        "line 8: an example has one of",
    ] {
        assert!(errors.contains(expected), "{expected}\n{errors}");
    }
    let errors = Profile::parse("t", "title = \nmatch = [").unwrap_err();
    assert!(errors.starts_with("line 1: "), "{errors}");
}

#[test]
fn a_profile_is_tried_on_bytes() {
    let text = "title = \"RuuviTag\"\nmatch = { manufacturer = 0x0499, starts_with = \"05\" }\npoints = [\n  { id = \"temperature\", unit = \"Cel\", at = 1, type = \"i16be\", scale = 0.005, valid = [-40, 85] },\n]\n[[example]]\ndata = \"0512fc\"\nreads = { temperature = 24.3 }\n";
    let on = |data: &str| {
        let data = TryData {
            data: Some(data.to_owned()),
            ..TryData::default()
        };
        try_out("t", text, &data).unwrap()
    };
    assert_eq!(
        on("05 12 FC").words,
        "temperature          24.3 Cel  (bytes 1 to 2: 12fc)"
    );
    assert_eq!(
        on("05 7F FF").words,
        "05 7f ff\n   ^^ ^^ `temperature` reads 163.835, which is not between -40 and 85"
    );
    assert_eq!(
        on("05 12").words,
        "05 12\n      ^^ `temperature` is bytes 1 to 2, and there are 2 bytes"
    );
    assert!(on("06 12 00").words.contains("no `match`"));
    let tried = try_out("t", text, &TryData::default()).unwrap();
    assert_eq!(
        (tried.words.as_str(), tried.fine),
        ("1 of 1 examples read as they say", true)
    );
}

#[test]
fn folders_add_and_replace_profiles_and_bad_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let good = "title = \"Mine\"\nmatch = { manufacturer = 0x0499, starts_with = \"05\" }\npoints = [{ id = \"a\", at = 1, type = \"u8\" }]\n";
    write("ruuvi-5.toml", good);
    write("bad.toml", "title = 3\n");
    write(
        "liar.toml",
        &format!("{good}[[example]]\ndata = \"0501\"\nreads = {{ a = 2 }}\n"),
    );
    write("notes.txt", "not looked at");
    let missing = folder.path().join("missing");
    let (profiles, problems) = Profiles::with_folders(&[missing, folder.path().to_owned()]);
    assert_eq!(profiles.named("ruuvi-5").unwrap().title(), "Mine");
    assert!(profiles.named("liar").is_none());
    let bad = folder.path().join("bad.toml").display().to_string();
    assert!(
        problems
            .iter()
            .any(|problem| problem.starts_with(&format!("{bad}:1: `title`"))),
        "{problems:?}"
    );
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("liar.toml:4: the example")),
        "{problems:?}"
    );
}

#[test]
fn characteristics_are_as_in_settings() {
    let text = "title = \"T\"\nmatch = { name = \"Thing*\" }\n[[characteristic]]\nservice = \"180f\"\ncharacteristic = \"2a19\"\nfields = [{ type = \"u8\", unit = \"%\" }]\n";
    let profile = Profile::parse("t", text).unwrap();
    assert_eq!(profile.characteristics()[0].every_s, 60);
    let layout = Layout::of_json(&profile.characteristics()[0].fields).unwrap();
    assert_eq!(
        layout.read(&[90]).unwrap(),
        [Field::measured("value", 90u64, Some("%"))]
    );
    assert!(layout.read(&[]).unwrap_err().contains("`value` is byte 0"));
    assert!(Profile::parse("t", &text.replace("\"180f\"", "\"18\"")).is_err());
    assert!(Profile::parse("t", &text.replace("u8", "u7")).is_err());
    assert!(Profile::parse("t", &text.replace("fields", "field")).is_err());
}
