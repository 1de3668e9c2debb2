//! `Plan`: what is read from one device over a connection, made of its settings and its profile. Pure.
//!
//! The ids of its points are known before the first value: they are the rule's own name, the ids of its format, or the
//! characteristic's UUID. Of two alike the second is `temperature_2`, by the order of the rules.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use fieldgate_model::{ActionKind, DeviceId, Value};
use uuid::Uuid;

use super::{encode, standard};
use crate::{
    Address, CharacteristicRule, Field, How, Layout, Pair, radio::CharacteristicId, short_of,
    uuid_of,
};

/// What is read from one device.
#[derive(Debug, Clone)]
pub struct Plan {
    pub address: Address,
    pub device: DeviceId,
    pub rules: Vec<Rule>,
    pub pair: Pair,
    pub release: bool,
}

/// One characteristic, and how it is read.
#[derive(Debug, Clone)]
pub struct Rule {
    pub of: CharacteristicId,
    pub how: Option<How>,
    pub every: Duration,
    /// What commands may do.
    pub allow: Vec<ActionKind>,
    pub without_response: bool,
    point: Option<Arc<str>>,
    format: Format,
    /// Of several rules with the same ids, the how manieth it is.
    nth: u32,
}

/// How bytes are read.
#[derive(Debug, Clone)]
enum Format {
    /// As the settings or the profile say.
    Layout(Layout),
    /// As the Bluetooth SIG says.
    Standard,
    /// Not at all.
    Bytes,
}

/// What is known of a point before its first value.
#[derive(Debug, Clone, PartialEq)]
pub struct PointHint {
    /// The last segment of the point's id.
    pub id: Arc<str>,
    /// UCUM code.
    pub unit: Option<Arc<str>>,
    /// Which of [`Plan::rules`].
    pub rule: usize,
}

// === impl Plan ===

impl Plan {
    /// Of a device's rules; those that are no rules are told in words and left out.
    #[must_use]
    pub fn new(
        address: Address,
        device: DeviceId,
        rules: &[CharacteristicRule],
        pair: Pair,
        release: bool,
    ) -> (Self, Vec<String>) {
        let (mut made, mut problems) = (Vec::new(), Vec::new());
        let mut used = BTreeSet::new();
        for rule in rules {
            match Rule::new(rule) {
                Ok(mut rule) => {
                    rule.name_apart(&mut used);
                    made.push(rule);
                }
                Err(why) => problems.push(format!(
                    "characteristic {} of {address}: {why}",
                    rule.characteristic.escape_debug()
                )),
            }
        }
        let plan = Self {
            address,
            device,
            rules: made,
            pair,
            release,
        };
        (plan, problems)
    }

    /// The points that are known to come.
    #[must_use]
    pub fn points(&self) -> Vec<PointHint> {
        let rules = self.rules.iter().enumerate();
        rules.flat_map(|(index, rule)| rule.points(index)).collect()
    }
}

// === impl Rule ===

impl Rule {
    /// From settings or a profile.
    ///
    /// # Errors
    /// In words, when it is none.
    pub fn new(rule: &CharacteristicRule) -> Result<Self, String> {
        let of = CharacteristicId {
            service: uuid_of(&rule.service)?,
            characteristic: uuid_of(&rule.characteristic)?,
        };
        let format = if !rule.fields.is_empty() {
            Format::Layout(Layout::of_json(&rule.fields)?)
        } else if standard::standard_ids(of.characteristic).is_some() {
            Format::Standard
        } else {
            Format::Bytes
        };
        Ok(Self {
            of,
            how: rule.how,
            every: Duration::from_secs(rule.every_s.clamp(1, 86_400)),
            allow: rule.allow.clone(),
            without_response: rule.without_response,
            point: rule.point.as_deref().map(Arc::from),
            format,
            nth: 1,
        })
    }

    /// What a value means, under the ids of its points.
    ///
    /// # Errors
    /// In words, when it does not fit its format.
    pub fn fields(&self, bytes: &[u8]) -> Result<Vec<Field>, String> {
        let mut fields = match &self.format {
            Format::Layout(layout) => layout.read(bytes)?,
            Format::Standard => {
                standard::read_standard(self.of.characteristic, bytes).unwrap_or(Ok(Vec::new()))?
            }
            Format::Bytes => {
                let value = Value::Bytes(Bytes::copy_from_slice(bytes));
                vec![Field::measured(self.uuid(), value, None)]
            }
        };
        for field in &mut fields {
            field.id = self.named(&field.id);
        }
        Ok(fields)
    }

    /// The bytes that a value is written as.
    ///
    /// # Errors
    /// In words, when it is of another type or out of range.
    pub fn bytes(&self, value: &Value) -> Result<Vec<u8>, String> {
        match &self.format {
            Format::Layout(layout) => layout.write(value),
            Format::Standard => standard::write_standard(self.of.characteristic, value)
                .unwrap_or_else(|| encode::bytes(value)),
            Format::Bytes => encode::bytes(value),
        }
    }

    /// What is written, as the format calls its type.
    #[must_use]
    pub fn type_name(&self) -> String {
        let standard = || standard::standard_type(self.of.characteristic);
        match &self.format {
            Format::Layout(layout) => layout.type_name(),
            Format::Standard => standard().unwrap_or_else(|| "bytes".to_owned()),
            Format::Bytes => "bytes".to_owned(),
        }
    }

    /// What commands call it: its one point, or where there are several its own name, otherwise the UUID.
    #[must_use]
    pub fn target(&self) -> Arc<str> {
        let (ids, one) = self.raw_ids();
        match (ids.first(), one, &self.point) {
            (Some(id), true, _) => self.named(id),
            (_, _, Some(point)) => self.numbered(point),
            _ => self.numbered(&self.uuid()),
        }
    }

    /// UCUM code of its one point.
    #[must_use]
    pub fn unit(&self) -> Option<Arc<str>> {
        match self.points(0).as_slice() {
            [only] => only.unit.clone(),
            _ => None,
        }
    }

    fn points(&self, rule: usize) -> Vec<PointHint> {
        let hint = |id: &str, unit: Option<Arc<str>>| PointHint {
            id: self.named(id),
            unit,
            rule,
        };
        match &self.format {
            Format::Layout(layout) => {
                let points = layout.points().into_iter();
                points.map(|point| hint(&point.id, point.unit)).collect()
            }
            Format::Standard => {
                let points = standard::standard_points(self.of.characteristic);
                let points = points.unwrap_or_default().into_iter();
                points
                    .map(|(id, unit)| hint(id, unit.map(Arc::from)))
                    .collect()
            }
            Format::Bytes => vec![hint(&self.uuid(), None)],
        }
    }

    /// All ids that its format can yield, and whether that is just one.
    fn raw_ids(&self) -> (Vec<Arc<str>>, bool) {
        match &self.format {
            Format::Layout(layout) => {
                let ids: Vec<_> = layout.points().into_iter().map(|point| point.id).collect();
                let one = ids.len() == 1;
                (ids, one)
            }
            Format::Standard => {
                let known = standard::standard_ids(self.of.characteristic);
                let (ids, one) = known.unwrap_or_default();
                (ids.into_iter().map(Arc::from).collect(), one)
            }
            Format::Bytes => (vec![self.uuid()], true),
        }
    }

    fn named(&self, id: &str) -> Arc<str> {
        match (&self.point, self.raw_ids().1) {
            (None, _) => self.numbered(id),
            (Some(point), true) => self.numbered(point),
            (Some(point), false) => self.numbered(&format!("{point}_{id}")),
        }
    }

    fn numbered(&self, id: &str) -> Arc<str> {
        match self.nth {
            ..=1 => Arc::from(id),
            nth => format!("{id}_{nth}").into(),
        }
    }

    /// Takes the lowest number under which none of its ids is used yet.
    fn name_apart(&mut self, used: &mut BTreeSet<Arc<str>>) {
        let ids = self.raw_ids().0;
        loop {
            let named: Vec<_> = ids.iter().map(|id| self.named(id)).collect();
            let free = named.iter().all(|id| !used.contains(id));
            if free || self.nth > 1_000 {
                used.extend(named);
                return;
            }
            self.nth += 1;
        }
    }

    fn uuid(&self) -> Arc<str> {
        uuid_text(self.of.characteristic).into()
    }
}

/// A UUID as people write it: four digits where that is enough.
pub(super) fn uuid_text(uuid: Uuid) -> String {
    short_of(uuid).map_or_else(|| uuid.to_string(), |short| format!("{short:04x}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(rules: serde_json::Value) -> (Plan, Vec<String>) {
        let rules: Vec<CharacteristicRule> = serde_json::from_value(rules).unwrap();
        let device = DeviceId::new("ble", "oven").unwrap();
        Plan::new(Address([1; 6]), device, &rules, Pair::No, false)
    }

    fn ids(plan: &Plan) -> Vec<String> {
        let points = plan.points().into_iter();
        points.map(|point| point.id.to_string()).collect()
    }

    #[test]
    fn points_are_known_before_their_values() {
        let (plan, problems) = plan(json!([
            {"service": "181a", "characteristic": "2a6e"},
            {"service": "1809", "characteristic": "2a6e"},
            {"service": "181a", "characteristic": "2a6e", "point": "core"},
            {"service": "1822", "characteristic": "2a5e", "point": "oximeter"},
            {"service": "fff0", "characteristic": "fff1"},
            {"service": "fff0", "characteristic": "fff2", "fields": [{"type": "u8", "id": "mode"}]},
            {"service": "fff0", "characteristic": "fff3", "point": "setpoint",
             "fields": [{"type": "i16le", "scale": 0.1, "unit": "Cel"}]},
        ]));
        assert_eq!(problems, [""; 0]);
        assert_eq!(
            ids(&plan),
            [
                "temperature",
                "temperature_2",
                "core",
                "oximeter_spo2",
                "oximeter_pulse_rate",
                "fff1",
                "mode",
                "setpoint"
            ]
        );
        let targets: Vec<_> = plan.rules.iter().map(|rule| rule.target()).collect();
        let targets: Vec<&str> = targets.iter().map(|target| &**target).collect();
        assert_eq!(
            targets,
            [
                "temperature",
                "temperature_2",
                "core",
                "oximeter",
                "fff1",
                "mode",
                "setpoint"
            ]
        );
        let read = plan.rules[6].fields(&[0xD7, 0x00]).unwrap();
        assert_eq!(read, [Field::measured("setpoint", 21.5, Some("Cel"))]);
        assert_eq!(plan.rules[6].bytes(&21.5.into()), Ok(vec![0xD7, 0]));
        assert_eq!(
            plan.rules[1].fields(&[0x7E, 8]).unwrap()[0].id.as_ref(),
            "temperature_2"
        );
    }

    #[test]
    fn what_is_no_rule_is_told_and_left_out() {
        let (plan, problems) = plan(json!([
            {"service": "181a", "characteristic": "nonsense"},
            {"service": "181a", "characteristic": "2a6e", "fields": [{"type": "float"}]},
            {"service": "180f", "characteristic": "2a19"},
        ]));
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("nonsense"), "{problems:?}");
        assert_eq!(ids(&plan), ["battery"]);
    }
}
