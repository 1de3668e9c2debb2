//! `Rules`: which rules mean a node, and what they allow together. Pure.

use std::str::FromStr;

use fieldgate_model::{ActionKind, Value};

use crate::{
    glob::Glob,
    node_id::{NodeAddress, NodeId},
    settings::CommandRule,
};

/// The settings' rules as this session understands them. A rule is known by its place in the settings.
pub(super) struct Rules<'a> {
    rules: &'a [CommandRule],
    /// Where each glob's rule stands.
    pub globs: Vec<(usize, Glob)>,
    /// Where each node's rule stands.
    pub nodes: Vec<(usize, NodeId)>,
}

/// What may be done to one target.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Allowed {
    pub kinds: Vec<ActionKind>,
    min: Option<f64>,
    max: Option<f64>,
}

// === impl Rules ===

impl<'a> Rules<'a> {
    pub(super) fn new(rules: &'a [CommandRule], namespaces: &[String]) -> Self {
        let (mut globs, mut nodes) = (Vec::new(), Vec::new());
        for (at, rule) in rules.iter().enumerate() {
            if let Some(glob) = rule
                .path
                .as_ref()
                .and_then(|path| Glob::from_str(path).ok())
            {
                globs.push((at, glob));
            }
            let address = rule
                .node
                .as_ref()
                .and_then(|node| node.parse::<NodeAddress>().ok());
            if let Some(node) = address.and_then(|address| address.resolve(namespaces)) {
                nodes.push((at, node));
            }
        }
        Self {
            rules,
            globs,
            nodes,
        }
    }

    /// The rule allows any of these.
    pub(super) fn allows(&self, rule: usize, any: &[ActionKind]) -> bool {
        let mut allowed = self.rules[rule].allow.iter();
        allowed.any(|deed| any.contains(&(*deed).into()))
    }

    /// What these rules allow together, of these actions: all that any of them allows, within the narrowest bounds.
    pub(super) fn merged(&self, which: &[usize], of: &[ActionKind]) -> Allowed {
        let mut all = Allowed::default();
        for rule in which.iter().filter_map(|at| self.rules.get(*at)) {
            for kind in rule.allow.iter().map(|deed| ActionKind::from(*deed)) {
                if of.contains(&kind) && !all.kinds.contains(&kind) {
                    all.kinds.push(kind);
                }
            }
            let tighter = |a: Option<f64>, b: Option<f64>, pick: fn(f64, f64) -> f64| match (a, b) {
                (Some(a), Some(b)) => Some(pick(a, b)),
                (a, b) => a.or(b),
            };
            all.min = tighter(all.min, rule.min, f64::max);
            all.max = tighter(all.max, rule.max, f64::min);
        }
        all.kinds.sort_unstable();
        all
    }
}

// === impl Allowed ===

impl Allowed {
    /// Why a value is not written, when a number in it is out of bounds, or none where there are bounds.
    pub(super) fn out_of_bounds(&self, value: &Value) -> Option<String> {
        if self.min.is_none() && self.max.is_none() {
            return None;
        }
        if let Value::List(values) = value {
            return values.iter().find_map(|value| self.out_of_bounds(value));
        }
        let Some(number) = value.as_f64() else {
            return Some("the rule has bounds, and the value is no number".to_owned());
        };
        // A comparison with NaN is never true, so that it is out of every bounds.
        let above = self.min.is_none_or(|min| number >= min);
        let below = self.max.is_none_or(|max| number <= max);
        (!above || !below).then(|| {
            let bounds = match (self.min, self.max) {
                (Some(min), Some(max)) => format!("from {min} to {max}"),
                (Some(min), None) => format!("from {min}"),
                (None, Some(max)) => format!("up to {max}"),
                (None, None) => String::new(),
            };
            format!("{number} is out of bounds: the rule allows {bounds}")
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules() -> Vec<CommandRule> {
        serde_json::from_value(json!([
            { "path": "Objects/**", "allow": ["read"], "max": 200 },
            { "path": "Objects/Line/SetPoint", "allow": ["write", "read"], "min": 0, "max": 100 },
            { "node": "nsu=urn:plant;s=Start", "allow": ["call"] },
            { "node": "nsu=urn:gone;s=Start", "allow": ["call"] },
        ]))
        .unwrap()
    }

    #[test]
    fn rules_add_up_and_the_narrowest_bounds_hold() {
        let settings = rules();
        let rules = Rules::new(&settings, &["ua".into(), "urn:plant".into()]);
        assert_eq!((rules.globs.len(), rules.nodes.len()), (2, 1));
        let both = [ActionKind::Read, ActionKind::Write];
        let allowed = rules.merged(&[0, 1], &both);
        assert_eq!(allowed.kinds, both);
        for (value, expected) in [
            (Value::Int(100), None),
            (
                Value::Float(100.1),
                Some("100.1 is out of bounds: the rule allows from 0 to 100"),
            ),
            (
                Value::Int(-1),
                Some("-1 is out of bounds: the rule allows from 0 to 100"),
            ),
            (
                Value::Float(f64::NAN),
                Some("NaN is out of bounds: the rule allows from 0 to 100"),
            ),
            (
                Value::Text("x".into()),
                Some("the rule has bounds, and the value is no number"),
            ),
            (
                Value::List(vec![Value::Int(1), Value::Int(101)]),
                Some("101 is out of bounds: the rule allows from 0 to 100"),
            ),
        ] {
            assert_eq!(allowed.out_of_bounds(&value).as_deref(), expected);
        }
        assert_eq!(rules.merged(&[0], &both).kinds, [ActionKind::Read]);
        assert_eq!(rules.merged(&[2], &both), Allowed::default());
        assert_eq!(rules.merged(&[], &both), Allowed::default());
        assert_eq!(rules.merged(&[2], &[]).out_of_bounds(&Value::Null), None);
    }
}
