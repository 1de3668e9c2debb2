//! What could be done to a node, the rule of `commands` that would allow exactly that, and what the server has against it. Pure.

use fieldgate_kit::explore::{NodeKind, Permit};
use fieldgate_model::ActionKind;
use serde_json::json;

use super::asked::Attributes;

/// AccessLevelType (OPC UA Part 3, 8.57).
const CURRENT_READ: u8 = 1;
const CURRENT_WRITE: u8 = 2;

/// `None` for what has no value and cannot be called.
pub(super) fn permit(attributes: &Attributes, address: &str, path: &str) -> Option<Permit> {
    match attributes.kind {
        NodeKind::Variable => of_variable(attributes, address),
        NodeKind::Method => Some(of_method(attributes, address, path)),
        // A property is no point of its own, and an object has no value.
        NodeKind::Property | NodeKind::Object => None,
    }
}

fn of_variable(attributes: &Attributes, address: &str) -> Option<Permit> {
    let access = attributes.access.unwrap_or(0);
    let own = access & attributes.user_access.unwrap_or(access);
    let kinds = [
        (ActionKind::Read, CURRENT_READ),
        (ActionKind::Write, CURRENT_WRITE),
    ];
    let of = |level: u8| {
        let all = kinds.iter().filter(move |(_, bit)| level & bit != 0);
        all.map(|(kind, _)| *kind).collect::<Vec<_>>()
    };
    let against = match (access & CURRENT_WRITE, own & CURRENT_WRITE) {
        (0, _) => Some("the server lets nobody write it (AccessLevel)".to_owned()),
        (_, 0) => Some(
            "the server does not let this user write it (UserAccessLevel); sign in as another `user`"
                .to_owned(),
        ),
        _ => None,
    };
    let actions = of(own);
    (!of(access).is_empty()).then(|| Permit {
        rule: json!({ "node": address, "allow": names(&actions) }),
        actions,
        against,
    })
}

fn of_method(attributes: &Attributes, address: &str, path: &str) -> Permit {
    let against = match (attributes.executable, attributes.user_executable) {
        (Some(false), _) => Some("the server lets nobody call it now (Executable)".to_owned()),
        (_, Some(false)) => Some(
            "the server does not let this user call it (UserExecutable); sign in as another `user`"
                .to_owned(),
        ),
        _ => None,
    };
    let actions = match attributes.user_executable {
        Some(false) => Vec::new(),
        _ => vec![ActionKind::Call],
    };
    // The path, since the method of a type can be the same node at all of its instances.
    let rule = match path.is_empty() {
        true => json!({ "node": address, "allow": names(&actions) }),
        false => json!({ "path": path, "allow": names(&actions) }),
    };
    Permit {
        actions,
        rule,
        against,
    }
}

fn names(actions: &[ActionKind]) -> Vec<&'static str> {
    actions.iter().map(|action| action.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::{connection::BrowseName, settings::CommandRule};

    fn attributes(kind: NodeKind) -> Attributes {
        Attributes {
            kind,
            name: BrowseName {
                namespace: 2,
                name: "SetPoint".to_owned(),
            },
            display: "SetPoint".to_owned(),
            description: String::new(),
            type_name: String::new(),
            data_type: None,
            access: None,
            user_access: None,
            executable: None,
            user_executable: None,
            minimum_sampling_ms: None,
            value: None,
            unit: None,
            range: None,
        }
    }

    #[track_caller]
    fn check(attributes: &Attributes, rule: Json, against: &str) {
        let found = permit(attributes, "nsu=urn:plant;s=X", "Objects/Line/X").unwrap();
        assert_eq!(found.rule, rule);
        assert_eq!(found.rule["allow"], json!(names(&found.actions)));
        let words = found.against.unwrap_or_default();
        assert!(
            words.contains(against) && words.is_empty() == against.is_empty(),
            "{words}"
        );
        if !found.actions.is_empty() {
            let rule: CommandRule = serde_json::from_value(found.rule).unwrap();
            assert!(rule.check("0").is_empty(), "the settings take the rule");
        }
    }

    #[test]
    fn what_the_server_lets_this_user_do_can_be_allowed_and_nothing_else() {
        let node = "nsu=urn:plant;s=X";
        for (access, user_access, allow, against) in [
            (3, Some(3), json!(["read", "write"]), ""),
            (3, None, json!(["read", "write"]), ""),
            (2, Some(2), json!(["write"]), ""),
            (3, Some(1), json!(["read"]), "this user write"),
            (1, Some(3), json!(["read"]), "nobody write"),
            (3, Some(0), json!([]), "this user write"),
        ] {
            let variable = Attributes {
                access: Some(access),
                user_access,
                ..attributes(NodeKind::Variable)
            };
            check(&variable, json!({ "node": node, "allow": allow }), against);
        }
        for (executable, user_executable, allow, against) in [
            (Some(true), Some(true), json!(["call"]), ""),
            (None, None, json!(["call"]), ""),
            (
                Some(false),
                Some(true),
                json!(["call"]),
                "nobody call it now",
            ),
            (Some(true), Some(false), json!([]), "this user call"),
        ] {
            let method = Attributes {
                executable,
                user_executable,
                ..attributes(NodeKind::Method)
            };
            check(
                &method,
                json!({ "path": "Objects/Line/X", "allow": allow }),
                against,
            );
        }
        for kind in [NodeKind::Object, NodeKind::Property] {
            assert_eq!(permit(&attributes(kind), node, ""), None);
        }
        assert_eq!(permit(&attributes(NodeKind::Variable), node, ""), None);
        let nameless = permit(&attributes(NodeKind::Method), node, "").unwrap();
        assert_eq!(nameless.rule, json!({ "node": node, "allow": ["call"] }));
    }
}
