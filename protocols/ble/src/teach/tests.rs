//! What is taught is found: layouts that are shipped, from a few packets and what a display would show.

use fieldgate_kit::scanner::{Taught, TaughtPoint};

use super::*;
use crate::{Address, Advertisement, Decoded, Memory, Profile, Profiles};

const PART: &str = "manufacturer 0x0499 Ruuvi Innovations Ltd.";

fn example(hex: &str, shown: f64) -> LessonExample {
    LessonExample {
        part: PART.to_owned(),
        hex: hex.to_owned(),
        shown,
    }
}

fn lesson(examples: Vec<LessonExample>) -> Lesson {
    Lesson {
        address: "C0:DE:00:00:00:03".to_owned(),
        examples,
    }
}

/// Numbers that are the same in every run, and look like chance.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    fn between(&mut self, least: f64, most: f64) -> f64 {
        let part = f64::from(u32::try_from(self.next() >> 40).unwrap()) / f64::from(1u32 << 24);
        least + part * (most - least)
    }
}

/// Where such values usually are.
fn usual(id: &str) -> Option<(f64, f64)> {
    let begins = |with: &str| id.starts_with(with);
    Some(match id {
        _ if begins("temperature") || id == "dew_point" => (-20.0, 60.0),
        "humidity" | "moisture" => (5.0, 95.0),
        "battery" | "position" => (5.0, 100.0),
        _ if begins("battery_voltage") => (2.0, 3.6),
        "pressure" => (92_000.0, 105_000.0),
        "co2" => (400.0, 5000.0),
        "illuminance" => (0.0, 20_000.0),
        "weight_unsettled" => (3.0, 120.0),
        _ if begins("acceleration") => (-18.0, 18.0),
        _ if begins("pm") => (0.0, 400.0),
        "conductivity" | "keg_size" | "volume_start" => (0.0, 5000.0),
        "radiation_dose_rate" => (0.05, 2.0),
        "specific_gravity" => (0.99, 1.12),
        _ => return None,
    })
}

struct Layout {
    profile: String,
    id: String,
    at: usize,
    data_type: DataType,
    scaling: Scaling,
    range: (f64, f64),
}

impl Layout {
    /// Of all that is shipped, each kind of place and scale once.
    fn shipped() -> Vec<Self> {
        let mut layouts: Vec<Self> = Vec::new();
        for profile in Profiles::bundled().all() {
            for (id, at, data_type, scaling) in profile.numbers() {
                let twin = |other: &Self| {
                    (other.at, other.data_type, other.scaling) == (at, data_type, scaling)
                };
                if let Some(range) = usual(&id)
                    && data_type.form != Form::Float
                    && !layouts.iter().any(twin)
                {
                    layouts.push(Self {
                        profile: profile.id().to_owned(),
                        id: id.to_string(),
                        at,
                        data_type,
                        scaling,
                        range,
                    });
                }
            }
        }
        layouts
    }

    fn read(&self, packet: &[u8]) -> Option<f64> {
        let bytes = packet.get(self.at..self.at + self.data_type.width)?;
        let count = u32::try_from(bytes.len() * 8).ok()?;
        let raw = self.data_type.number(self.data_type.bits(bytes), count)?;
        Some(self.scaling.apply(raw).as_f64())
    }

    fn slope(&self) -> f64 {
        let value = |raw| self.scaling.apply(Raw::Integer(raw)).as_f64();
        value(1) - value(0)
    }

    /// As many digits as a display needs for it, and at most two.
    fn shown(&self, value: f64) -> f64 {
        let by = 10f64.powf((-self.slope().abs().log10()).ceil().clamp(0.0, 2.0));
        (value * by).round() / by
    }

    /// A packet with a usual value, and chance everywhere else.
    fn packet(&self, chance: &mut Chance) -> Vec<u8> {
        loop {
            let mut packet: Vec<u8> = (0..self.at + self.data_type.width + 6)
                .map(|_| chance.byte())
                .collect();
            let value = chance.between(self.range.0, self.range.1);
            let zero = self.scaling.apply(Raw::Integer(0)).as_f64();
            let raw = ((value - zero) / self.slope()).round();
            self.write(&mut packet, raw);
            let read = self.read(&packet);
            if read.is_some_and(|read| (read - value).abs() <= self.slope().abs() * 0.51 + 1e-9) {
                return packet;
            }
            // The type cannot hold it: another value.
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "usual values are small")]
    fn write(&self, packet: &mut [u8], raw: f64) {
        let raw = raw as i64;
        let size = raw.unsigned_abs();
        let width = self.data_type.width;
        let sign = u64::from(raw < 0) << (width * 8 - 1);
        let bits = match self.data_type.form {
            Form::SignMagnitude => size | sign,
            Form::Hundredths => ((size / 100) << 8) | (size % 100) | sign,
            _ => raw.cast_unsigned(),
        };
        let place = &mut packet[self.at..self.at + width];
        if self.data_type.little {
            place.copy_from_slice(&bits.to_le_bytes()[..width]);
        } else {
            place.copy_from_slice(&bits.to_be_bytes()[8 - width..]);
        }
    }

    fn examples(&self, count: usize, chance: &mut Chance) -> Vec<LessonExample> {
        let packets = (0..count).map(|_| self.packet(chance));
        packets
            .map(|packet| {
                example(
                    &crate::profile::hex(&packet),
                    self.shown(self.read(&packet).unwrap()),
                )
            })
            .collect()
    }

    /// The proposal reads what the layout reads, also in packets that it did not see.
    fn is_read_by(&self, proposal: &Proposal, chance: &mut Chance) -> bool {
        let proposed = Self {
            at: proposal.at,
            data_type: DataType::parse(&proposal.data_type).unwrap(),
            scaling: Scaling::of(proposal.scale, proposal.offset),
            profile: String::new(),
            id: String::new(),
            range: self.range,
        };
        (0..200).all(|_| {
            let packet = self.packet(chance);
            let (right, read) = (self.read(&packet), proposed.read(&packet));
            let tolerance = 0.5 * self.slope().abs().max(0.01);
            matches!((right, read), (Some(right), Some(read)) if (right - read).abs() < tolerance)
        })
    }
}

#[test]
fn shipped_layouts_are_found_again_from_a_few_packets() {
    let mut chance = Chance(0x5EED_CAFE_F00D_1234);
    let (mut found, mut missed) = (0, Vec::new());
    let layouts = Layout::shipped();
    for (number, layout) in layouts.iter().enumerate() {
        let examples = layout.examples(3 + number % 4, &mut chance);
        let proposals = propose(&lesson(examples.clone()));
        let right = proposals
            .as_ref()
            .is_ok_and(|proposals| layout.is_read_by(&proposals[0], &mut chance));
        if right {
            found += 1;
        } else {
            let first = proposals.map(|mut proposals| proposals.swap_remove(0));
            missed.push(format!(
                "{} {} {} at {} {:?}, {} examples: {first:?}",
                layout.profile,
                layout.id,
                layout.data_type.name(),
                layout.at,
                layout.scaling,
                examples.len()
            ));
        }
    }
    assert!(
        found >= 40,
        "{found} of {}; missed:\n{}",
        layouts.len(),
        missed.join("\n")
    );
    // Where few examples of a coarse display leave it open, another layout may be the likelier one.
    assert!(
        missed.len() * 10 <= layouts.len(),
        "{found} of {}; missed:\n{}",
        layouts.len(),
        missed.join("\n")
    );
}

#[test]
fn what_the_examples_leave_open_is_said() {
    let examples = vec![
        example("0512fc53", 24.3),
        example("05119453", 22.5),
        example("0513ec53", 25.5),
    ];
    let proposals = propose(&lesson(examples)).unwrap();
    let first = &proposals[0];
    assert_eq!(
        (
            first.at,
            first.data_type.as_str(),
            first.scale,
            first.offset
        ),
        (1, "i16be", 0.005, 0.0)
    );
    assert_eq!(first.reads, [24.3, 22.5, 25.5]);
    assert!(
        first
            .words
            .contains("u16be it fits as well: an example below zero"),
        "{}",
        first.words
    );
    assert!(
        (0.5..=1.0).contains(&first.likelihood),
        "{}",
        first.likelihood
    );
    assert!(
        proposals
            .iter()
            .map(|proposal| proposal.likelihood)
            .sum::<f64>()
            <= 1.0 + 1e-9
    );
}

#[test]
fn what_cannot_be_found_is_told_with_what_would_help() {
    let no = |examples: Vec<LessonExample>| propose(&lesson(examples)).unwrap_err();
    assert!(no(Vec::new()).contains("no layout"));
    assert!(no(vec![example("05", 1.0), example("06", 1.0)]).contains("same number"));
    assert!(no(vec![example("x", 1.0), example("06", 2.0)]).contains("hexadecimal"));
    assert!(no(vec![example("0000", 7.0), example("0000", 9.0)]).contains("no layout"));
    assert!(no(vec![example("", f64::NAN), example("06", 2.0)]).contains("too large"));
}

#[test]
fn what_was_taught_becomes_a_profile_that_reads_its_captures() {
    let examples = vec![
        example("0512fc5394", 24.3),
        example("05ff385494", -1.0),
        example("0513ec5594", 25.5),
    ];
    let proposals = propose(&lesson(examples.clone())).unwrap();
    let point = TaughtPoint {
        id: "temperature".to_owned(),
        unit: Some("Cel".to_owned()),
        proposal: proposals[0].clone(),
        examples,
    };
    let taught = Taught {
        address: "C0:DE:00:00:00:03".to_owned(),
        title: "Fridge \"7\" sensor".to_owned(),
        points: vec![point],
    };
    let (id, toml) = learn(&taught).unwrap();
    assert_eq!(id, "taught-fridge-7-sensor");
    let profile = Profile::parse(&id, &toml).unwrap();
    let mut advertisement = Advertisement::new(Address([1; 6]), false);
    advertisement
        .manufacturer
        .push((0x0499, vec![5, 0x12, 0xFC, 1, 2]));
    let profiles = Profiles::bundled().with(profile);
    let found = profiles.find(&advertisement).unwrap();
    assert_eq!(found.id(), id);
    match found.decode(&advertisement, None, &mut Memory::default()) {
        Decoded::Fields { fields, .. } => assert_eq!(fields[0].value, 24.3.into()),
        other => panic!("{other:?}"),
    }
    let mut wrong = taught.clone();
    wrong.points[0].examples[0].shown = 99.0;
    assert!(learn(&wrong).unwrap_err().contains("should read 99"));
    wrong.points[0].proposal.part = "elsewhere".to_owned();
    assert!(learn(&wrong).is_err());
    wrong.points.clear();
    assert!(learn(&wrong).is_err());
}
