//! The OpenAPI document against its golden file; `BLESS=1` writes it anew.

use std::{fs, path::Path};

use fieldgate::web::openapi::{PATH, document};
use fieldgate_api::endpoint::TABLE;
use serde_json::Value as Json;

use crate::{client::get, rig::Rig};

fn references<'a>(value: &'a Json, found: &mut Vec<&'a str>) {
    match value {
        Json::Object(map) => {
            found.extend(map.get("$ref").and_then(Json::as_str));
            map.values().for_each(|value| references(value, found));
        }
        Json::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn the_document_is_the_golden_one() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi.json");
    let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        fs::write(&golden, &text).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    let differs = text
        .lines()
        .zip(expected.lines())
        .position(|(new, old)| new != old);
    assert!(
        text == expected,
        "the API changed, first at line {differs:?} of {}; look at the difference, then write it with BLESS=1",
        golden.display()
    );
}

#[test]
fn every_row_is_in_it_and_every_reference_leads_somewhere() {
    let document = document();
    for row in TABLE {
        let method = row.method.as_str().to_ascii_lowercase();
        assert_eq!(
            document["paths"][row.path][&method]["operationId"],
            row.name
        );
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > TABLE.len());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_served() {
    let rig = Rig::start().await;
    assert_eq!(get(rig.address, PATH).await.json::<Json>(), document());
}
