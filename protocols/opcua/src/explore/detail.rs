//! What is known of one node: its attributes, its value with both times, its unit and range, the way to it.

use fieldgate_kit::{
    ExploreError,
    explore::{ExploredNode, Fact, LookAsk, NodeDetail, NodeKind, Observation},
};
use fieldgate_model::{Parameter, Quality, Value};

use super::{
    Explorer, OBJECTS, OBJECTS_PATH, asked::Attributes, may_lead_on, path_of, permit::permit,
};
use crate::{browse, node_id::NodeId};

/// AccessLevelType (OPC UA Part 3, 8.57).
const HISTORY_READ: u8 = 4;

impl Explorer {
    pub(super) async fn detail(&self, ask: LookAsk) -> Result<NodeDetail, ExploreError> {
        let namespaces = self.namespaces().await?;
        let node = self.node(&ask.node).await?;
        let attributes = self.connection.attributes(node.clone()).await?;
        // Instances can share their type's method node, so that only who came there knows by which of them.
        let path = match ask.path.is_empty() {
            true => self.path_to(&node, &attributes.name.name).await?,
            false => ask.path,
        };
        let mut facts = facts(&attributes);
        if attributes.kind == NodeKind::Method {
            let signature = self.connection.signature(node.clone()).await?;
            facts.push(fact("Takes", parameters(&signature.inputs)));
            facts.push(fact("Yields", parameters(&signature.outputs)));
        }
        let number = format!("ns={};{}", node.namespace, node.identifier);
        facts.push(fact("Node id on this server", number));
        let address = node.address(namespaces);
        Ok(NodeDetail {
            history: keeps_history(&attributes),
            permit: permit(&attributes, &address, &path),
            node: ExploredNode {
                address,
                path,
                name: attributes.display,
                kind: attributes.kind,
                type_name: attributes.type_name,
                branch: may_lead_on(attributes.kind),
            },
            description: attributes.description,
            value: attributes.value.map(|read| {
                read.unwrap_or_else(|why| Observation {
                    value: Value::Null,
                    quality: Quality::Bad(why.to_string().into()),
                    source_at: None,
                    server_at: None,
                })
            }),
            unit: attributes.unit,
            range: attributes.range,
            facts,
        })
    }

    /// Empty for a node that is not below `Objects`, which no rule can name by its path.
    pub(super) async fn path_to(&self, node: &NodeId, name: &str) -> Result<String, ExploreError> {
        if *node == OBJECTS {
            return Ok(OBJECTS_PATH.to_owned());
        }
        let found = browse::paths_of(&*self.connection, std::slice::from_ref(node), 1).await?;
        let Some(above) = found.get(node) else {
            return Ok(String::new());
        };
        let names = above.0.iter().map(|(name, _)| name.name.as_str());
        let spelled = names
            .chain([name])
            .try_fold(String::new(), |path, name| path_of(&path, name));
        Ok(spelled.unwrap_or_default())
    }
}

fn facts(attributes: &Attributes) -> Vec<Fact> {
    let mut facts = vec![fact(
        "Browse name",
        format!("{}:{}", attributes.name.namespace, attributes.name.name),
    )];
    if let Some(data_type) = &attributes.data_type {
        facts.push(fact("Data type", data_type.clone()));
    }
    if let Some(access) = attributes.access {
        facts.push(fact(
            "Access",
            access_words(access, attributes.user_access.unwrap_or(access)),
        ));
    }
    if let Some(milliseconds) = attributes.minimum_sampling_ms {
        facts.push(fact(
            "Shortest sampling interval",
            sampling_words(milliseconds),
        ));
    }
    facts
}

fn fact(name: &str, text: String) -> Fact {
    Fact {
        name: name.to_owned(),
        text,
    }
}

/// `speed: Double, ramp: UInt16`
fn parameters(list: &[Parameter]) -> String {
    let one = |parameter: &Parameter| format!("{}: {}", parameter.name, parameter.data_type);
    match list.is_empty() {
        true => "nothing".to_owned(),
        false => list.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

fn keeps_history(attributes: &Attributes) -> bool {
    let access = attributes.access.unwrap_or(0);
    access & attributes.user_access.unwrap_or(access) & HISTORY_READ != 0
}

/// AccessLevelType (OPC UA Part 3, 8.57), and what of it this user does not have.
fn access_words(access: u8, user_access: u8) -> String {
    const BITS: [(u8, &str); 4] = [
        (1, "read"),
        (2, "write"),
        (4, "read history"),
        (8, "write history"),
    ];
    let can = |bits: u8| {
        let words = BITS.iter().filter(|(bit, _)| bits & bit != 0);
        words.map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
    };
    let (all, own) = (can(access), can(access & user_access));
    match (all.as_str(), own.as_str()) {
        ("", _) => "none".to_owned(),
        (all, own) if all == own => all.to_owned(),
        (all, "") => format!("{all}; this user: none"),
        (all, own) => format!("{all}; this user: {own}"),
    }
}

/// -1 is "not known", 0 is "whenever it changes" (OPC UA Part 3, 5.6.2).
fn sampling_words(milliseconds: f64) -> String {
    if milliseconds < 0.0 || !milliseconds.is_finite() {
        "not known".to_owned()
    } else if milliseconds == 0.0 {
        "whenever it changes".to_owned()
    } else {
        format!("{milliseconds} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_is_told_for_all_and_for_this_user() {
        for (access, user_access, expected) in [
            (1, 1, "read"),
            (3, 1, "read, write; this user: read"),
            (5, 5, "read, read history"),
            (1, 0, "read; this user: none"),
            (0, 3, "none"),
            (0xF0, 0xFF, "none"),
        ] {
            assert_eq!(access_words(access, user_access), expected);
        }
    }

    #[test]
    fn a_sampling_interval_has_words() {
        for (milliseconds, expected) in [
            (-1.0, "not known"),
            (0.0, "whenever it changes"),
            (250.0, "250 ms"),
            (f64::NAN, "not known"),
        ] {
            assert_eq!(sampling_words(milliseconds), expected);
        }
    }
}
