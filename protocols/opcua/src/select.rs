//! The plan: which nodes become which points of which devices. Pure; browsing came before, monitoring comes after.
//!
//! A device is the deepest object on a variable's browse path; a point is the variable's browse name, with the
//! variables that it is nested in before it, joined by dots. No id holds a node id that a glob found, so that ids
//! survive a server that numbers its nodes anew.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, OnceLock},
};

use fieldgate_model::{DeviceId, IdError, Value};

use crate::{
    alias::KnownPaths,
    browse::{BrowsePath, Found},
    connection::{BrowseName, Class, ItemRequest},
    enumeration::Enumeration,
    facts::Facts,
    glob::Glob,
    node_id::{NodeAddress, NodeId},
    settings::{NodeRule, Sampling, Select, Settings, Wishes},
    types::Member,
};

/// One point to be monitored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    /// `None` when the server does not have the node's namespace.
    pub node: Option<NodeId>,
    pub device: DeviceId,
    /// The device's browse path, or the name from the settings.
    pub device_name: String,
    pub point: fieldgate_model::PointId,
    pub name: String,
    /// Of its browse path with the namespaces' URIs, or of the rule that names the node: by it a point is known again
    /// whose node got another number. Within this process only.
    pub identity: u64,
    /// A rule names this very node.
    pub named: bool,
    /// Survives the server's restart where possible.
    pub address: String,
    /// How its values are looked at and reported.
    pub sampling: Sampling,
    /// UCUM code of its profile, for a server that tells none.
    pub usual_unit: Option<Arc<str>>,
    /// Whether its values wait their turn, or overtake.
    pub class: fieldgate_model::Class,
    /// What its numbers mean; known once its data type was read.
    pub enumeration: Option<Arc<Enumeration>>,
    /// What the server says of it besides; known a while after values flow.
    pub facts: Arc<OnceLock<Facts>>,
}

// === impl Item ===

impl Item {
    /// The value as consumers get it: a number that has a name with its name.
    pub(crate) fn dress(&self, value: Value) -> Value {
        match &self.enumeration {
            Some(enumeration) => enumeration.dress(value),
            None => value,
        }
    }

    /// Its usual range, once it is known.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        let range = self.facts.get()?.range?;
        Some((range.low, range.high))
    }

    /// The unit of its values: the server's own once it is known, else what its profile says.
    pub(crate) fn unit(&self) -> Option<Arc<str>> {
        let told = self.facts.get().and_then(|facts| facts.unit.clone());
        told.or_else(|| self.usual_unit.clone())
    }

    /// The wish for its values; `None` when the server does not have the node's namespace.
    pub(crate) fn request(&self, handle: usize) -> Option<ItemRequest> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of at most an hour"
        )]
        let sampling_ms = self.sampling.sampling_ms as f64;
        Some(ItemRequest {
            node: self.node.clone()?,
            handle: u32::try_from(handle).ok()?,
            sampling_ms,
            queue_size: self.sampling.queue_size,
            discard: self.sampling.discard,
            trigger: self.sampling.trigger,
            deadband: self.sampling.deadband,
        })
    }
}

/// By which paths the nodes of these items are known; those that a rule names are known by their number.
pub(crate) fn known_paths<'a>(items: impl IntoIterator<Item = &'a Item>) -> KnownPaths {
    let known = items.into_iter().filter(|item| !item.named);
    known
        .filter_map(|item| Some((item.node.clone()?, item.identity)))
        .collect()
}

/// The settings' rules, sorted.
#[derive(Debug, Default)]
pub(crate) struct Rules<'a> {
    pub paths: Vec<(&'a str, Wishes)>,
    pub nodes: Vec<(&'a NodeRule, Option<NodeId>)>,
    pub types: Vec<(&'a str, Wishes)>,
    pub profiles: Vec<(&'a str, Wishes)>,
    /// What the types mean on this server, once it was asked.
    pub members: Vec<Member>,
}

// === impl Rules ===

impl<'a> Rules<'a> {
    /// Looks the rules' namespaces up in this session's.
    pub(crate) fn new(settings: &'a Settings, namespaces: &[String]) -> Self {
        let mut rules = Self::default();
        for select in &settings.select {
            match select {
                Select::Path(path) => rules.paths.push((path, Wishes::default())),
                Select::Paths(rule) => rules.paths.push((&rule.path, rule.wishes)),
                Select::Types(rule) => rules.types.push((&rule.type_name, rule.wishes)),
                Select::Profile(rule) => rules.profiles.push((&rule.profile, rule.wishes)),
                Select::Node(rule) => {
                    let address = rule.node.parse::<NodeAddress>().ok();
                    rules.nodes.push((
                        rule,
                        address.and_then(|address| address.resolve(namespaces)),
                    ));
                }
            }
        }
        rules
    }

    /// The browse paths, with what is wished for of what they find.
    pub(crate) fn globs(&self) -> Vec<(Glob, Wishes)> {
        let glob = |(path, wishes): &(&str, Wishes)| Some((path.parse().ok()?, *wishes));
        self.paths.iter().filter_map(glob).collect()
    }

    /// The nodes whose device has to be found by climbing up.
    pub(crate) fn to_climb(&self, found: &[Found]) -> Vec<NodeId> {
        let known: HashSet<&NodeId> = found.iter().map(|found| &found.node).collect();
        self.nodes
            .iter()
            .filter(|(rule, _)| rule.device.is_none())
            .filter_map(|(_, node)| node.clone())
            .filter(|node| !known.contains(node))
            .collect()
    }
}

/// What the rules come to.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    pub items: Vec<Item>,
    /// Which of what was found is left out since it cannot be named, in words.
    pub nameless: Option<String>,
}

/// The items of all rules: single nodes first, then the instances of types, then what globs found besides them. How long the
/// names on the server are is not ours to say, so what was found with a path that is too long costs itself only.
///
/// # Errors
/// When a node that a rule names makes an id that is too long.
pub(crate) fn plan(
    source: &str,
    settings: &Settings,
    rules: &Rules<'_>,
    found: &[Found],
    climbed: &HashMap<NodeId, BrowsePath>,
    namespaces: &[String],
) -> Result<Planned, IdError> {
    let mut names = Names::default();
    let mut nameless = Nameless::default();
    let mut claimed: HashSet<&NodeId> = HashSet::new();
    let mut items = Vec::with_capacity(rules.nodes.len() + found.len());
    let paths: HashMap<&NodeId, &BrowsePath> = found
        .iter()
        .map(|found| (&found.node, &found.path))
        .collect();
    for (rule, node) in &rules.nodes {
        if let Some(node) = node
            && !claimed.insert(node)
        {
            continue;
        }
        let path = node
            .as_ref()
            .and_then(|node| paths.get(node).copied().or(climbed.get(node)));
        items.push(explicit(
            source,
            settings,
            rule,
            node.as_ref(),
            path,
            &mut names,
        )?);
    }
    let globs = rules.globs();
    let members = rules.members.iter().map(|member| {
        let Found { node, path } = &member.found;
        (
            node,
            path,
            member.device_names,
            Some((member.wishes, member.said.as_ref())),
        )
    });
    let found = found
        .iter()
        .map(|Found { node, path }| (node, path, path.objects(), None));
    for (node, path, device_names, member) in members.chain(found) {
        if !claimed.insert(node) {
            continue;
        }
        let (wishes, said) = member.unzip();
        let said = said.flatten();
        let (device_name, own_name, namespace) = path.split(source, device_names);
        let point_name = said.map_or(own_name, |said| said.name.clone());
        let id = DeviceId::new(source, &device_name).and_then(|device| {
            let name = names.unique(&device, point_name, namespace);
            Ok((device.point(&name)?, device, name))
        });
        let (point, device, name) = match id {
            Ok(id) => id,
            Err(why) => {
                nameless.add(node, &why, namespaces);
                continue;
            }
        };
        items.push(Item {
            node: Some(node.clone()),
            point,
            device,
            device_name,
            name,
            identity: path.identity(namespaces),
            named: false,
            address: node.address(namespaces),
            sampling: wishes
                .unwrap_or_else(|| wishes_for(path, &globs, namespaces))
                .or(settings.wishes())
                .sampling(settings.publishing_ms),
            usual_unit: said.and_then(|said| said.unit.clone()),
            class: said.map_or_else(Default::default, |said| said.class),
            enumeration: None,
            facts: Arc::default(),
        });
    }
    Ok(Planned {
        items,
        nameless: nameless.words(),
    })
}

/// What was found and cannot be named.
#[derive(Default)]
struct Nameless {
    count: usize,
    /// The first of them, and why.
    first: String,
}

impl Nameless {
    fn add(&mut self, node: &NodeId, why: &IdError, namespaces: &[String]) {
        if self.count == 0 {
            let address: String = node.address(namespaces).chars().take(100).collect();
            self.first = format!("{address}: {why}");
        }
        self.count += 1;
    }

    fn words(self) -> Option<String> {
        (self.count > 0).then(|| {
            format!(
                "{} variables cannot be named and are left out, the first is {}; select what you need of them by `node`, with a short `device` and `point`",
                self.count, self.first
            )
        })
    }
}

/// Of several browse paths that mean it the last one counts, so that a general one can be refined.
fn wishes_for(path: &BrowsePath, globs: &[(Glob, Wishes)], namespaces: &[String]) -> Wishes {
    let names = || {
        path.0.iter().map(|(name, _)| {
            let namespace = namespaces.get(usize::from(name.namespace));
            (namespace.map_or("", String::as_str), name.name.as_str())
        })
    };
    let last = globs.iter().rev().find(|(glob, _)| glob.means(names()));
    last.map_or_else(Wishes::default, |(_, wishes)| *wishes)
}

fn explicit(
    source: &str,
    settings: &Settings,
    rule: &NodeRule,
    node: Option<&NodeId>,
    path: Option<&BrowsePath>,
    names: &mut Names,
) -> Result<Item, IdError> {
    let device_name = match (&rule.device, path) {
        (Some(device), _) => device.clone(),
        (None, Some(path)) => path.device(source),
        (None, None) => source.to_owned(),
    };
    let address: Option<NodeAddress> = rule.node.parse().ok();
    let point_name = rule.point.clone().unwrap_or_else(|| {
        address.map_or_else(|| rule.node.clone(), |address| address.identifier.bare())
    });
    let device = DeviceId::new(source, &device_name)?;
    let name = names.unique(&device, point_name, node.map_or(0, |node| node.namespace));
    Ok(Item {
        node: node.cloned(),
        point: device.point(&name)?,
        device,
        device_name,
        name,
        identity: fingerprint(&rule.node),
        named: true,
        address: rule.node.clone(),
        sampling: rule
            .wishes
            .or(settings.wishes())
            .sampling(settings.publishing_ms),
        usual_unit: None,
        class: fieldgate_model::Class::Telemetry,
        enumeration: None,
        facts: Arc::default(),
    })
}

/// The hash is not cryptographic: of 100,000 points two are taken for one with a probability of 1 in a billion.
fn fingerprint(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

// === impl BrowsePath ===

impl BrowsePath {
    /// The same wherever the server puts its namespaces.
    pub(crate) fn identity(&self, namespaces: &[String]) -> u64 {
        let uri = |name: &BrowseName| namespaces.get(usize::from(name.namespace));
        let names: Vec<_> = self
            .0
            .iter()
            .map(|(name, _)| (uri(name), &name.name))
            .collect();
        fingerprint(names)
    }

    /// Device, point, and the namespace of the point's browse name.
    fn split(&self, source: &str, device_names: usize) -> (String, String, u16) {
        let point: Vec<&str> = self.0[device_names..]
            .iter()
            .map(|(name, _)| name.name.as_str())
            .collect();
        let namespace = self.0.last().map_or(0, |(name, _)| name.namespace);
        (self.first(device_names, source), point.join("."), namespace)
    }

    /// The path of the deepest object; the source's own id for what lies directly under `Objects`.
    fn device(&self, source: &str) -> String {
        self.first(self.objects(), source)
    }

    fn first(&self, count: usize, source: &str) -> String {
        let names: Vec<&str> = self.0[..count]
            .iter()
            .map(|(name, _)| name.name.as_str())
            .collect();
        if names.is_empty() {
            source.to_owned()
        } else {
            names.join("/")
        }
    }

    pub(crate) fn objects(&self) -> usize {
        self.0
            .iter()
            .rposition(|(_, class)| *class == Class::Object)
            .map_or(0, |last| last + 1)
    }
}

/// Point names that are taken.
#[derive(Default)]
struct Names {
    taken: HashSet<(DeviceId, String)>,
    /// How far each name with a namespace's number was counted: a server can have the same name any number of times.
    counts: HashMap<(DeviceId, String), u32>,
}

impl Names {
    /// The name, or with its namespace's number, and then a count, where it is taken already.
    fn unique(&mut self, device: &DeviceId, name: String, namespace: u16) -> String {
        let name = if name.is_empty() {
            "value".to_owned()
        } else {
            name
        };
        if self.take(device, &name) {
            return name;
        }
        let name = format!("{name}@{namespace}");
        if self.take(device, &name) {
            return name;
        }
        let key = (device.clone(), name);
        let mut count = self.counts.get(&key).copied().unwrap_or(1);
        let found = loop {
            count += 1;
            let candidate = format!("{}.{count}", key.1);
            if self.take(device, &candidate) {
                break candidate;
            }
        };
        self.counts.insert(key, count);
        found
    }

    /// False when it is taken.
    fn take(&mut self, device: &DeviceId, name: &str) -> bool {
        self.taken.insert((device.clone(), name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(id: u32, path: &str) -> Found {
        let names = path.split('/').map(|step| {
            let (class, name) = match step.strip_prefix('.') {
                Some(name) => (Class::Variable, name),
                None => (Class::Object, step),
            };
            let (namespace, name) = name.split_once(':').unwrap_or(("2", name));
            let namespace = namespace.parse().unwrap();
            (
                BrowseName {
                    namespace,
                    name: name.to_owned(),
                },
                class,
            )
        });
        Found {
            node: NodeId::numeric(2, id),
            path: BrowsePath(names.collect()),
        }
    }

    fn ids(select: serde_json::Value, found: &[Found], climbed: &[(u32, &str)]) -> Vec<String> {
        let namespaces = ["ua", "urn:server", "urn:plant"].map(str::to_owned);
        let settings = json!({ "endpoint": "opc.tcp://h", "select": select });
        let settings: Settings = serde_json::from_value(settings).unwrap();
        let rules = Rules::new(&settings, &namespaces);
        let climbed = climbed
            .iter()
            .map(|(id, path)| (NodeId::numeric(2, *id), self::found(*id, path).path))
            .collect();
        let items = plan("src", &settings, &rules, found, &climbed, &namespaces)
            .unwrap()
            .items;
        items
            .into_iter()
            .map(|item| item.point.to_string())
            .collect()
    }

    #[test]
    fn the_deepest_object_is_the_device() {
        let found = [
            found(1, "Line/Press/.Temp"),
            found(2, "Line/Press/.Motor/.Speed"),
            found(3, ".Loose"),
            found(4, "Line/.A%b"),
        ];
        assert_eq!(
            ids(json!(["Objects/**"]), &found, &[]),
            [
                "src/Line%2FPress/Temp",
                "src/Line%2FPress/Motor.Speed",
                "src/src/Loose",
                "src/Line/A%25b"
            ]
        );
    }

    #[test]
    fn equal_names_are_told_apart() {
        let found = [
            found(1, "D/.2:T"),
            found(2, "D/.3:T"),
            found(3, "D/.3:T"),
            found(4, "E/.T"),
        ];
        assert_eq!(
            ids(json!(["Objects/**"]), &found, &[]),
            ["src/D/T", "src/D/T@3", "src/D/T@3.2", "src/E/T"]
        );
    }

    #[test]
    fn what_cannot_be_named_costs_itself_and_no_neighbour() {
        let long = "x".repeat(2_000);
        let found = [
            found(1, "D/.T"),
            found(2, &format!("D/.{long}")),
            found(3, &format!("{long}/.T")),
            found(4, "E/.T"),
        ];
        let namespaces = ["ua", "urn:server", "urn:plant"].map(str::to_owned);
        let settings = json!({ "endpoint": "opc.tcp://h", "select": ["Objects/**"] });
        let settings: Settings = serde_json::from_value(settings).unwrap();
        let rules = Rules::new(&settings, &namespaces);
        let climbed = HashMap::new();
        let planned = plan("src", &settings, &rules, &found, &climbed, &namespaces).unwrap();
        let points: Vec<String> = planned
            .items
            .iter()
            .map(|item| item.point.to_string())
            .collect();
        assert_eq!(points, ["src/D/T", "src/E/T"]);
        let words = planned.nameless.unwrap();
        assert!(
            words.starts_with("2 variables cannot be named") && words.contains("nsu=urn:plant;i=2"),
            "{words}"
        );
    }

    #[test]
    fn a_name_that_a_server_has_any_number_of_times_is_counted_once() {
        let device = DeviceId::new("src", "D").unwrap();
        let mut names = Names::default();
        let began = std::time::Instant::now();
        let mut last = String::new();
        for _ in 0..30_000 {
            last = names.unique(&device, "T".to_owned(), 2);
        }
        assert_eq!(last, "T@2.29999");
        // Counted from the beginning each time it would take minutes.
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }

    #[test]
    fn a_single_node_goes_before_a_glob() {
        let found = [found(1, "D/.T"), found(2, "D/.U")];
        let select = json!(["Objects/**", { "node": "nsu=urn:plant;i=1", "point": "temperature" }]);
        assert_eq!(ids(select, &found, &[]), ["src/D/temperature", "src/D/U"]);
    }

    #[test]
    fn the_last_path_that_means_a_node_says_how_it_is_looked_at() {
        let namespaces = ["ua", "urn:server", "urn:plant"].map(str::to_owned);
        let settings = json!({
            "endpoint": "opc.tcp://h",
            "sampling_ms": 900,
            "select": [
                "Objects/**",
                { "path": "Objects/D/*", "sampling_ms": 100 },
                { "path": "Objects/D/nsu=urn:plant;U", "publishing_ms": 50 },
                { "node": "nsu=urn:plant;i=3", "sampling_ms": 7 },
            ],
        });
        let settings: Settings = serde_json::from_value(settings).unwrap();
        let rules = Rules::new(&settings, &namespaces);
        let found = [
            found(1, "D/.T"),
            found(2, "D/.U"),
            found(3, "D/.V"),
            found(4, "E/.T"),
        ];
        let items = plan(
            "src",
            &settings,
            &rules,
            &found,
            &HashMap::new(),
            &namespaces,
        )
        .unwrap()
        .items;
        let paces: Vec<(&str, u64, u64)> = items
            .iter()
            .map(|item| {
                let sampling = item.sampling;
                (
                    item.name.as_str(),
                    sampling.publishing_ms,
                    sampling.sampling_ms,
                )
            })
            .collect();
        let expected = [
            ("3", 500, 7),
            ("T", 500, 100),
            ("U", 50, 900),
            ("T", 500, 900),
        ];
        assert_eq!(paces, expected);
    }

    #[test]
    fn a_single_node_has_a_name_whatever_is_known() {
        for (select, climbed, expected) in [
            (
                json!([{ "node": "nsu=urn:plant;i=7" }]),
                &[][..],
                "src/src/7",
            ),
            (
                json!([{ "node": "nsu=urn:plant;i=7" }]),
                &[(7, "Line/Press")][..],
                "src/Line%2FPress/7",
            ),
            (
                json!([{ "node": "nsu=urn:plant;i=7", "device": "x" }]),
                &[(7, "Line")][..],
                "src/x/7",
            ),
            (
                json!([{ "node": "nsu=urn:gone;s=Temp" }]),
                &[][..],
                "src/src/Temp",
            ),
        ] {
            assert_eq!(ids(select, &[], climbed), [expected]);
        }
    }
}
