//! `Shape`: what a profile takes of the instances of one of its types, once the server's types are known. Pure.

use std::{collections::HashSet, sync::Arc};

use super::{Types, instances::Said};
use crate::{
    browse::BrowsePath,
    connection::Class,
    node_id::NodeId,
    profiles::{Holder, Profile, Rule},
    settings::Wishes,
};

/// A profile's rule with what its type means on this server.
pub(super) struct Shape<'a> {
    rule: &'a Rule,
    /// What the settings wish for, which is stronger than what the profile does.
    wishes: Wishes,
    pub kinds: HashSet<NodeId>,
}

// === impl Shape ===

impl<'a> Shape<'a> {
    /// Those of a profile whose types the server has.
    pub(super) fn all(
        profile: &'a Arc<Profile>,
        wishes: Wishes,
        types: &Types,
        namespaces: &[String],
    ) -> Vec<Self> {
        let shape = |rule: &'a Rule| Self {
            rule,
            wishes,
            kinds: types.meant(&rule.type_in(&profile.namespace), namespaces),
        };
        let shapes = profile.rules.iter().map(shape);
        shapes.filter(|shape| !shape.kinds.is_empty()).collect()
    }

    /// How many names of the path make the device, what is wished for, and what is said of the point; none for what is not
    /// taken. `names` of the path's names are the instance's.
    pub(super) fn take(
        &self,
        path: &BrowsePath,
        names: usize,
        namespaces: &[String],
    ) -> Option<(usize, Wishes, Said)> {
        let below = path.0.get(names..)?;
        let is_property = matches!(below.last()?, (_, Class::Property));
        let way = || {
            below.iter().map(|(name, _)| {
                let namespace = namespaces.get(usize::from(name.namespace));
                (namespace.map_or("", String::as_str), name.name.as_str())
            })
        };
        let mut points = self.rule.points.iter();
        let point = points.find(|point| point.means(way(), is_property))?;
        if !point.is_taken() {
            return None;
        }
        let said = Said {
            name: point.name.clone().unwrap_or_else(|| self.name(path, names)),
            unit: point.unit.clone(),
            class: point.class(),
        };
        let wishes = self.wishes.or(self.rule.wishes(point));
        Some((self.device_names(path, names), wishes, said))
    }

    /// The way from the device, but for the names that are no part of either.
    fn name(&self, path: &BrowsePath, names: usize) -> String {
        let own = match self.rule.device {
            Holder::Instance => names,
            Holder::Owner => names.saturating_sub(1),
        };
        let names: Vec<&str> = path.0[own..]
            .iter()
            .map(|(name, _)| name.name.as_str())
            .collect();
        names.join(".")
    }

    fn device_names(&self, path: &BrowsePath, names: usize) -> usize {
        let mut count = match self.rule.device {
            Holder::Instance => return names,
            Holder::Owner => names.saturating_sub(1),
        };
        let is_left_out = |count: usize| self.rule.without.contains(&path.0[count - 1].0.name);
        while count > 0 && is_left_out(count) {
            count -= 1;
        }
        count
    }
}
