//! Every profile against its own example, by the same code that asks a server.

use std::collections::BTreeMap;

use fieldgate_kit::explore::NodeKind;
use serde_json::{Value as Json, json};

use super::*;
use crate::{
    connection::BrowseName,
    explore::asked::Reference,
    node_id::NodeId,
    select::{self, Item, Rules},
    settings::Settings,
    twin::Script,
    types::{self, Wanted},
};

const BASE_OBJECT_TYPE: NodeId = NodeId::numeric(0, 58);
const OBJECTS: NodeId = NodeId::numeric(0, 85);
/// The model's namespace, as the server numbers it.
const MODEL: u16 = 3;

/// A server with the example's types and nodes.
struct Plant {
    script: Script,
    types: BTreeMap<String, NodeId>,
    nodes: BTreeMap<String, NodeId>,
    next: u32,
}

impl Plant {
    fn of(profile: &Profile) -> Self {
        let mut plant = Self {
            script: Script::default(),
            types: BTreeMap::new(),
            nodes: BTreeMap::from([(String::new(), OBJECTS)]),
            next: 1000,
        };
        for rule in &profile.rules {
            if let TypeName::Named { name, .. } = &rule.type_name {
                plant.type_of(name, &BTreeMap::new());
            }
        }
        let types = &profile.example.types;
        for name in types.keys() {
            plant.type_of(name, types);
        }
        for line in &profile.example.nodes {
            plant.node(line, types);
        }
        plant
    }

    fn id(&mut self) -> NodeId {
        self.next += 1;
        NodeId::numeric(MODEL, self.next)
    }

    fn name(&self, name: &str) -> BrowseName {
        BrowseName {
            namespace: MODEL,
            name: name.to_owned(),
        }
    }

    fn type_of(&mut self, name: &str, parents: &BTreeMap<String, String>) -> NodeId {
        if let Some(known) = self.types.get(name) {
            return known.clone();
        }
        let id = self.id();
        let parent = match parents.get(name) {
            Some(parent) => self.type_of(parent, parents),
            None => BASE_OBJECT_TYPE,
        };
        let named = self.name(name);
        self.script.told(|told| {
            let subtypes = told.subtypes.entry(parent).or_default();
            subtypes.push((id.clone(), named));
        });
        self.types.insert(name.to_owned(), id.clone());
        id
    }

    /// `Machines/Press: object PressType`
    fn node(&mut self, line: &str, parents: &BTreeMap<String, String>) {
        let (path, what) = line.split_once(": ").unwrap_or_else(|| panic!("{line}"));
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let above = self.nodes.get(above).cloned();
        let above = above.unwrap_or_else(|| panic!("{line}: nothing is above it"));
        let (kind, type_name) = what
            .split_once(' ')
            .map_or((what, None), |(kind, name)| (kind, Some(name)));
        let kind = match kind {
            "object" => NodeKind::Object,
            "variable" => NodeKind::Variable,
            "property" => NodeKind::Property,
            other => panic!("{line}: {other} is no kind of node"),
        };
        let node = self.id();
        let reference = Reference {
            node: node.clone(),
            name: self.name(name),
            display: name.to_owned(),
            kind,
            type_definition: type_name.map(|name| self.type_of(name, parents)),
        };
        self.script
            .told(|told| told.references.entry(above).or_default().push(reference));
        self.nodes.insert(path.to_owned(), node);
    }
}

fn settings(select: Json) -> Settings {
    let all = json!({ "endpoint": "opc.tcp://h", "select": select });
    serde_json::from_value(all).unwrap()
}

/// The points that rules make of a profile's example.
async fn points(profiles: &Profiles, profile: &Profile, select: Json) -> Vec<Item> {
    let plant = Plant::of(profile);
    let settings = settings(select);
    let namespaces = ["ua", "urn:server", "urn:other", &profile.namespace].map(str::to_owned);
    let mut rules = Rules::new(&settings, &namespaces);
    let (chosen, remarks) = profiles.chosen(&rules.profiles);
    assert!(remarks.is_empty(), "{remarks:?}");
    let wanted = Wanted {
        types: &rules.types,
        profiles: &chosen,
    };
    let found = types::instances(&plant.script, wanted, &namespaces, 100);
    rules.members = found.await.unwrap().members;
    select::plan(
        "source",
        &settings,
        &rules,
        &[],
        &Default::default(),
        &namespaces,
    )
    .unwrap()
    .items
}

/// As an example writes it.
fn line(item: &Item) -> String {
    let unit = item.usual_unit.as_ref().map(|unit| format!(" [{unit}]"));
    let event = match item.class {
        Class::Event => " event",
        Class::Telemetry => "",
    };
    format!(
        "{} {}{}{event}",
        item.device_name,
        item.name,
        unit.unwrap_or_default()
    )
}

#[tokio::test]
async fn every_profile_makes_of_its_example_what_it_says() {
    let profiles = Profiles::ours();
    assert_eq!(profiles.all.len(), OURS.len());
    for profile in &profiles.all {
        let items = points(&profiles, profile, json!([{ "profile": profile.name }])).await;
        let mut found: Vec<String> = items.iter().map(line).collect();
        let mut expected = profile.example.points.clone();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{}", profile.name);
    }
}

#[test]
fn every_profile_of_ours_is_one() {
    for text in OURS {
        let profile: Profile = text.parse().unwrap_or_else(|why| panic!("{why}\n{text}"));
        assert!(profile.namespace.starts_with("http"), "{}", profile.name);
        let named = [&profile.title, &profile.about, &profile.specification];
        assert!(
            named.iter().all(|text| !text.is_empty()),
            "{}",
            profile.name
        );
        assert!(!profile.example.points.is_empty(), "{}", profile.name);
    }
}

#[tokio::test]
async fn wishes_of_the_settings_are_stronger_than_those_of_the_profile() {
    let profiles = Profiles::ours();
    let machinery = profiles.named("machinery").unwrap().clone();
    let pace = async |rule: Json| {
        let items = points(&profiles, &machinery, json!([rule])).await;
        let at = |name: &str| {
            let item = items.iter().find(|item| item.name == name);
            item.unwrap().sampling.publishing_ms
        };
        (at("Identification.Manufacturer"), at("State"))
    };
    assert_eq!(pace(json!({ "profile": "machinery" })).await, (10_000, 500));
    let own = json!({ "profile": "machinery", "publishing_ms": 2000 });
    assert_eq!(pace(own).await, (2000, 2000));
}

#[test]
fn a_person_can_add_profiles_and_replace_ours() {
    let folder = tempfile::tempdir().unwrap();
    let own = |name: &str| {
        format!(
            "name = \"{name}\"\ntitle = \"Mine\"\nabout = \"all\"\nnamespace = \"urn:mine\"\nspecification = \"none\"\n\
             [[rule]]\ntype = \"MyType\"\npoints = [{{ path = \"**\" }}]\n[example]\nnodes = []\npoints = []\n"
        )
    };
    for (file, text) in [
        ("a.toml", own("mine")),
        ("b.toml", own("di")),
        ("c.toml", "nonsense".to_owned()),
        ("d.toml", own("No Name")),
        ("e.toml", own("e").replace("MyType", "")),
        ("f.txt", own("ignored")),
    ] {
        fs::write(folder.path().join(file), text).unwrap();
    }
    let profiles = Profiles::read(folder.path());
    assert_eq!(profiles.names(), "machinery, plcopen, packml, mine, di");
    assert_eq!(profiles.remarks.len(), 3, "{:?}", profiles.remarks);
    assert!(
        profiles.remarks[2].contains("the type's name is empty"),
        "{:?}",
        profiles.remarks
    );
    assert_eq!(profiles.named("di").unwrap().title, "Mine");
    let (chosen, remarks) =
        profiles.chosen(&[("mine", Wishes::default()), ("gone", Wishes::default())]);
    assert_eq!(chosen.len(), 1);
    assert!(
        remarks[0].contains("there is no profile `gone`"),
        "{remarks:?}"
    );
}

#[test]
fn a_server_speaks_what_is_among_its_namespaces() {
    let profiles = Profiles::ours();
    let namespaces = ["urn:a", "http://opcfoundation.org/UA/DI/"].map(str::to_owned);
    let spoken = profiles.spoken(&namespaces);
    assert_eq!(spoken.len(), 1);
    assert_eq!(spoken[0].offer().rule, json!({ "profile": "di" }));
}

#[test]
fn the_code_of_a_program_is_no_point_and_a_variable_of_that_name_is() {
    let profiles = Profiles::ours();
    let plcopen = profiles.named("plcopen").unwrap();
    for (namespace, way, expected) in [
        (plcopen.namespace.as_str(), "Body", false),
        (&plcopen.namespace, "Motor/Body", false),
        ("urn:controller", "Body", true),
        ("urn:controller", "Motor/Speed", true),
    ] {
        for rule in &plcopen.rules[..2] {
            let names: Vec<&str> = way.split('/').collect();
            let names = || names.iter().map(|name| (namespace, *name));
            let mut points = rule.points.iter();
            let point = points.find(|point| point.means(names(), false)).unwrap();
            assert_eq!(point.is_taken(), expected, "{namespace} {way}");
        }
    }
}

#[test]
fn a_property_has_to_be_named() {
    let rule = |path: &str| -> PointRule {
        toml::from_str(&format!("path = {path:?}")).unwrap_or_else(|why| panic!("{path}: {why}"))
    };
    for (path, way, is_property, expected) in [
        ("Manufacturer", "Manufacturer", true, true),
        ("Manufacturer", "Model", true, false),
        ("**", "Manufacturer", true, false),
        ("**", "A/B/C", false, true),
        ("*/B", "A/B", false, true),
        ("A/B", "A/B", true, true),
        ("A/*", "A/B", true, false),
        ("A/*", "A/B", false, true),
        ("A", "A/B", false, false),
        ("nsu=urn:m;A", "A", false, true),
        ("nsu=urn:x;A", "A", false, false),
    ] {
        let names: Vec<&str> = way.split('/').collect();
        let names = names.iter().map(|name| ("urn:m", *name));
        assert_eq!(
            rule(path).means(names, is_property),
            expected,
            "{path} {way}"
        );
    }
}
