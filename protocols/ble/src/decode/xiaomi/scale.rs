//! Newer Mi scales, whose weights are MiBeacon objects; the older ones are profiles without code.

use crate::{
    Field,
    decode::{
        bytes::{le, per_unsigned},
        kind::{HEART_RATE, IMPEDANCE_HIGH, IMPEDANCE_LOW, PROFILE_ID, STABILIZED, WEIGHT, count},
    },
};

/// The S200: who stands on it, and hundredths of a kilogram, said only when the weight is settled.
pub(super) fn s200(value: &[u8], fields: &mut Vec<Field>) {
    let [profile, rest @ ..] = value else {
        return;
    };
    if rest.len() != 8 || le(&rest[..4]) == 0 {
        return;
    }
    fields.push(WEIGHT.measured(per_unsigned(le(&rest[..4]), 100.0)));
    fields.push(STABILIZED.measured(true));
    fields.push(PROFILE_ID.measured(count(*profile)));
}

/// The S400: 11 bits of weight, 7 of heart rate above 50, and the impedance: with a weight at the low frequency, in the last
/// packet at the high one.
pub(super) fn s400(value: &[u8], fields: &mut Vec<Field>) {
    let [profile, rest @ ..] = value else {
        return;
    };
    if rest.len() != 8 {
        return;
    }
    let bits = le(&rest[..4]);
    // All bits set is how the Pro says that there is none.
    let weight = Some(bits & 0x7FF)
        .filter(|weight| *weight != 0x7FF)
        .unwrap_or(0);
    let heart = bits >> 11 & 0x7F;
    let impedance = bits >> 18;
    fields.push(PROFILE_ID.measured(count(*profile)));
    if weight == 0 && heart == 0 && impedance == 0 {
        fields.push(STABILIZED.measured(false));
        return;
    }
    if weight != 0 {
        fields.push(WEIGHT.measured(per_unsigned(weight, 10.0)));
    }
    if heart != 0 && heart != 0x7F {
        fields.push(HEART_RATE.measured(per_unsigned(heart + 50, 1.0)));
    }
    let last = weight == 0 && heart == 0;
    if last || impedance != 0 {
        let kind = if last {
            &IMPEDANCE_HIGH
        } else {
            &IMPEDANCE_LOW
        };
        fields.push(kind.measured(per_unsigned(impedance, 10.0)));
    }
    // One in socks has no impedance: then the weight is all.
    fields.push(STABILIZED.measured(last || impedance == 0));
}
