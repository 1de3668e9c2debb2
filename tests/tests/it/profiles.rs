//! Profiles of companion models: a server that speaks them is recognised, and one rule adopts exactly what the profile names.

use std::{collections::BTreeMap, fs};

use fieldgate_api::{
    config::Draft,
    endpoint::{AboutExplored, GetDevice, GetDevices, PutSource, TestSource},
    explore::ExploreAt,
};
use fieldgate_tests::{
    browser::Browser,
    discovery_peers::Companion,
    gateway::Gateway,
    wait::{SOON, until},
};
use serde_json::{Value as Json, json};

const NOTHING: &str = "[gateway]\nname = \"test\"\n";

fn draft(server: &Companion, select: &Json) -> Draft {
    Draft {
        kind: "opcua".to_owned(),
        paused: false,
        settings: json!({
            "endpoint": server.endpoint(),
            "security": { "policy": "None" },
            "select": select,
        }),
    }
}

/// Every point of a source with the unit that it has, by its device's name.
fn announced(gateway: &Gateway, source: &str) -> Vec<String> {
    let mut all = Vec::new();
    for device in gateway.api.get::<GetDevices>(&[]) {
        if device.source != source {
            continue;
        }
        let page = gateway.api.get::<GetDevice>(&[&device.id]);
        all.extend(page.points.iter().map(|point| {
            let unit = point.unit.as_ref().map(|unit| format!(" [{unit}]"));
            let name = point.id.rsplit('/').next().unwrap_or_default();
            let problem = point.problem.as_deref().unwrap_or_default();
            format!(
                "{} {name}{}{problem}",
                device.name,
                unit.unwrap_or_default()
            )
        }));
    }
    all.sort();
    all
}

/// A source of its own for each selection: a device that was there once is still shown.
#[track_caller]
fn adopts(gateway: &Gateway, server: &Companion, id: &str, select: &Json, expected: &[&str]) {
    let saved = gateway.api.call::<PutSource>(&[id], &draft(server, select));
    saved.unwrap();
    until(&format!("the points of {select}"), SOON, || {
        let found = announced(gateway, id);
        if found == expected {
            Ok(())
        } else {
            Err(format!("there are {found:#?}"))
        }
    });
}

#[test]
fn a_profile_adopts_exactly_what_it_names() {
    let (server, gateway) = (Companion::start(), Gateway::start(NOTHING));
    let own = gateway.state().join("units/kind-opcua/profiles");
    fs::create_dir_all(&own).unwrap();
    let text = "name = \"mine\"\ntitle = \"Mine\"\nabout = \"the speed\"\nnamespace = \"http://opcfoundation.org/UA/PackML/\"\nspecification = \"none\"\n\
        [[rule]]\ntype = \"PackMLBaseObjectType\"\npoints = [{ path = \"Status/CurMachSpeed\", name = \"Speed\", unit = \"/h\" }]\n\
        [example]\nnodes = []\npoints = []\n";
    fs::write(own.join("mine.toml"), text).unwrap();

    let by_profile: BTreeMap<&str, &[&str]> = BTreeMap::from([
        (
            "machinery",
            &[
                "Machines/Press Identification.Manufacturer",
                "Machines/Press Identification.SerialNumber",
                "Machines/Press State",
                "Machines/Press StateNumber",
            ][..],
        ),
        (
            "di",
            &[
                "DeviceSet/Flow DeviceHealth",
                "DeviceSet/Flow Manufacturer",
                "DeviceSet/Flow Model",
                "DeviceSet/Flow ParameterSet.Damping",
                "DeviceSet/Flow ParameterSet.Flow",
            ],
        ),
        (
            "plcopen",
            &["Programs/Main Enabled", "Programs/Main Motor.Current"],
        ),
        (
            "packml",
            &[
                "Packer Status.CurMachSpeed [/min]",
                "Packer Status.MaterialInterlock",
                "Packer Status.UnitModeCurrent",
            ],
        ),
        ("mine", &["Packer Speed [/h]"]),
    ]);
    for (profile, expected) in &by_profile {
        let select = json!([{ "profile": profile }]);
        adopts(&gateway, &server, profile, &select, expected);
    }
    // Several at once, and a browse path beside them: each node is one point.
    let select =
        json!([{ "profile": "machinery" }, { "profile": "plcopen" }, "Objects/Machines/**"]);
    let mut expected = [by_profile["machinery"], by_profile["plcopen"]].concat();
    expected.insert(2, "Machines/Press Speed");
    adopts(&gateway, &server, "several", &select, &expected);

    let select = json!([{ "profile": "nobody" }, "Objects/Machines/**"]);
    let saved = gateway
        .api
        .call::<PutSource>(&["unknown"], &draft(&server, &select));
    saved.unwrap();
    gateway.api.source_is("unknown", |status| {
        status.words.contains("there is no profile `nobody`")
    });
}

#[test]
fn a_server_is_recognised_by_its_models() {
    let (server, gateway) = (Companion::start(), Gateway::start(NOTHING));
    let everything = json!(["Objects/Packer/**"]);
    let at = ExploreAt {
        source: None,
        draft: Some(draft(&server, &everything)),
    };
    let about = gateway.api.call::<AboutExplored>(&[], &at).unwrap();
    let titles: Vec<&str> = about
        .offers
        .iter()
        .map(|offer| offer.title.as_str())
        .collect();
    assert_eq!(
        titles,
        [
            "Machinery",
            "Devices (DI)",
            "PLCopen (IEC 61131-3)",
            "PackML"
        ]
    );
    assert_eq!(about.offers[0].rule, json!({ "profile": "machinery" }));

    let report = gateway
        .api
        .call::<TestSource>(&["plant"], &draft(&server, &everything));
    let report = report.unwrap();
    let selection = report.rungs.iter().find(|rung| rung.name == "Selection");
    let words = &selection.unwrap().words;
    assert!(
        words.contains("speaks Machinery ({ profile = \"machinery\" })"),
        "{words}"
    );
}

#[test]
fn what_a_server_is_known_to_have_is_one_click_away() {
    let (server, gateway) = (Companion::start(), Gateway::start(NOTHING));
    let browser = Browser::start();
    browser.open(&format!("{}/explore", gateway.url));
    browser.fill("#explore-address", &server.endpoint());
    browser.click("[data-test=explore-find]");
    browser.click("[data-test=look]");
    browser.text_is("[data-test=offers]", |text| {
        text.contains("Machinery") && text.contains("OPC 30050")
    });
    browser.click("[data-test=take-offer][aria-label$=Machinery]");
    browser.text_is("[data-test=rules]", |text| {
        text.starts_with("profile machinery")
    });
    browser.text_is("[data-test=figures]", |text| text.contains("Points\n4"));
    for width in [320, 1440] {
        browser.resize(width);
        let violations = browser.accessibility_violations();
        assert!(violations.is_empty(), "{width}: {}", violations.join("\n"));
        assert!(browser.overflow() <= 0, "{width}: wider than the window");
    }
    browser.fill("#explore-id", "plant");
    browser.click("[data-test=adopt]");
    gateway
        .api
        .source_is("plant", |status| status.words.starts_with("4 of 4"));
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
