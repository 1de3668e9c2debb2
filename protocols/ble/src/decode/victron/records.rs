//! The records of Victron Instant Readout, bit after bit from the lowest on. A value with all bits set, or the highest of a signed
//! one, is not available and is left out.

use fieldgate_model::Value;

use super::codes;
use crate::{
    Field, Nature,
    decode::{
        bytes::{Bits, per, per_unsigned, rounded, signed},
        kind::{
            AC_APPARENT_POWER, AC_CURRENT, AC_IN, AC_IN_POWER, AC_OUT_POWER, AC_VOLTAGE, ALARM,
            ALARM_FLAGS, BALANCER, BATTERY_POWER, BATTERY_VOLTAGE, BMS_FLAGS, CELL_VOLTAGE,
            CONSUMED, CURRENT, DC_POWER, ERROR, EXTERNAL_LOAD, INPUT_CURRENT, INPUT_VOLTAGE,
            IO_STATUS, Kind, METER_TYPE, MIDPOINT_VOLTAGE, OFF_REASON, OUTPUT_CURRENT,
            OUTPUT_STATE, OUTPUT_VOLTAGE, PV_POWER, REMAINING, SOC, STARTER_VOLTAGE, STATE,
            TEMPERATURE, VOLTAGE, WARNING, YIELD_TODAY,
        },
    },
};

/// A record that is being read. Each method reads the next bits into a field, where they say something.
struct Record<'a> {
    bits: Bits<'a>,
    fields: Vec<Field>,
}

pub(super) fn is_known(record: u8) -> bool {
    matches!(record, 0x01..=0x0D | 0x0F)
}

/// The fields of a record; `None` when it ends too early.
pub(super) fn read(record: u8, bytes: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Record {
        bits: Bits::new(bytes),
        fields: Vec::with_capacity(10),
    };
    match record {
        0x01 => fields.solar_charger(),
        0x02 => fields.battery_monitor(),
        0x03 => fields.inverter(),
        0x04 => fields.dc_dc_converter(),
        0x05 => fields.smart_lithium(),
        0x06 => fields.inverter_rs(),
        0x07 => fields.gx_device(),
        0x08 => fields.ac_charger(),
        0x09 => fields.smart_battery_protect(),
        0x0A => fields.lynx_smart_bms(),
        0x0B => fields.multi_rs(),
        0x0C => fields.ve_bus(),
        0x0D => fields.dc_energy_meter(),
        0x0F => fields.orion_xs(),
        _ => None,
    }?;
    Some(fields.fields)
}

/// Only the voltage and the temperature of a battery monitor.
pub(super) fn battery_sense(bytes: &[u8]) -> Option<Vec<Field>> {
    let mut fields = read(0x02, bytes)?;
    fields.retain(|field| matches!(&*field.id, "voltage" | "temperature"));
    Some(fields)
}

impl Record<'_> {
    fn solar_charger(&mut self) -> Option<()> {
        self.state()?;
        self.error()?;
        self.signed(&BATTERY_VOLTAGE, 16, 100.0)?;
        self.signed(&CURRENT, 16, 10.0)?;
        self.unsigned(&YIELD_TODAY, 16, 100.0)?;
        self.unsigned(&PV_POWER, 16, 1.0)?;
        self.unsigned(&EXTERNAL_LOAD, 9, 10.0)
    }

    fn battery_monitor(&mut self) -> Option<()> {
        self.unsigned(&REMAINING, 16, 1.0)?;
        self.signed(&VOLTAGE, 16, 100.0)?;
        self.flags(&ALARM, 16)?;
        self.auxiliary(Some(&MIDPOINT_VOLTAGE))?;
        self.current()?;
        self.consumed()?;
        self.unsigned(&SOC, 10, 10.0)
    }

    fn inverter(&mut self) -> Option<()> {
        self.state()?;
        self.flags(&ALARM, 16)?;
        self.signed(&BATTERY_VOLTAGE, 16, 100.0)?;
        self.unsigned(&AC_APPARENT_POWER, 16, 1.0)?;
        self.unsigned(&AC_VOLTAGE, 15, 100.0)?;
        self.unsigned(&AC_CURRENT, 11, 10.0)
    }

    fn dc_dc_converter(&mut self) -> Option<()> {
        self.state()?;
        self.error()?;
        self.unsigned(&INPUT_VOLTAGE, 16, 100.0)?;
        self.signed(&OUTPUT_VOLTAGE, 16, 100.0)?;
        self.off_reason()
    }

    fn smart_lithium(&mut self) -> Option<()> {
        self.number(&BMS_FLAGS, 32)?;
        self.number(&ERROR, 16)?;
        for cell in 1..=8 {
            let counts = self.bits.take(7)?;
            // 0 is less than 2.61 V and 126 more than 3.85 V: those ends are told as they are.
            if counts != 0x7F {
                let volts = per_unsigned(counts + 260, 100.0);
                let field = CELL_VOLTAGE.numbered(cell, volts.into(), Nature::Measured);
                self.fields.push(field);
            }
        }
        self.unsigned(&BATTERY_VOLTAGE, 12, 100.0)?;
        let balancer = self.bits.take(4)?;
        if balancer != 0xF {
            self.fields
                .push(BALANCER.measured(codes::balancer(balancer)));
        }
        self.temperature()
    }

    fn inverter_rs(&mut self) -> Option<()> {
        self.state()?;
        self.error()?;
        self.signed(&BATTERY_VOLTAGE, 16, 100.0)?;
        self.signed(&CURRENT, 16, 10.0)?;
        self.unsigned(&PV_POWER, 16, 1.0)?;
        self.unsigned(&YIELD_TODAY, 16, 100.0)?;
        self.signed(&AC_OUT_POWER, 16, 1.0)
    }

    fn gx_device(&mut self) -> Option<()> {
        self.unsigned(&BATTERY_VOLTAGE, 16, 100.0)?;
        self.unsigned(&PV_POWER, 20, 1.0)?;
        self.unsigned(&SOC, 7, 1.0)?;
        self.signed(&BATTERY_POWER, 21, 1.0)?;
        self.signed(&DC_POWER, 21, 1.0)
    }

    fn ac_charger(&mut self) -> Option<()> {
        self.state()?;
        self.error()?;
        for output in 1..=3 {
            let volts = self.bits.take(13)?;
            let amperes = self.bits.take(11)?;
            self.output(
                &OUTPUT_VOLTAGE,
                output,
                (volts != 0x1FFF).then(|| per_unsigned(volts, 100.0)),
            );
            self.output(
                &OUTPUT_CURRENT,
                output,
                (amperes != 0x7FF).then(|| per_unsigned(amperes, 10.0)),
            );
        }
        self.temperature()?;
        self.unsigned(&AC_CURRENT, 9, 10.0)
    }

    fn smart_battery_protect(&mut self) -> Option<()> {
        self.state()?;
        let output = self.bits.take(8)?;
        if output != 0xFF {
            self.fields
                .push(OUTPUT_STATE.measured(codes::output(output)));
        }
        self.error()?;
        self.flags(&ALARM, 16)?;
        self.flags(&WARNING, 16)?;
        self.signed(&INPUT_VOLTAGE, 16, 100.0)?;
        self.unsigned(&OUTPUT_VOLTAGE, 16, 100.0)?;
        self.off_reason()
    }

    fn lynx_smart_bms(&mut self) -> Option<()> {
        self.number(&ERROR, 8)?;
        self.unsigned(&REMAINING, 16, 1.0)?;
        self.signed(&VOLTAGE, 16, 100.0)?;
        self.signed(&CURRENT, 16, 10.0)?;
        self.number(&IO_STATUS, 16)?;
        self.number(&ALARM_FLAGS, 18)?;
        self.unsigned(&SOC, 10, 10.0)?;
        self.consumed()?;
        self.temperature()
    }

    fn multi_rs(&mut self) -> Option<()> {
        self.state()?;
        self.error()?;
        self.signed(&CURRENT, 16, 10.0)?;
        self.unsigned(&BATTERY_VOLTAGE, 14, 100.0)?;
        self.ac_in()?;
        self.signed(&AC_IN_POWER, 16, 1.0)?;
        self.signed(&AC_OUT_POWER, 16, 1.0)?;
        self.unsigned(&PV_POWER, 16, 1.0)?;
        self.unsigned(&YIELD_TODAY, 16, 100.0)
    }

    fn ve_bus(&mut self) -> Option<()> {
        self.state()?;
        self.error()?;
        self.signed(&CURRENT, 16, 10.0)?;
        self.unsigned(&BATTERY_VOLTAGE, 14, 100.0)?;
        self.ac_in()?;
        self.signed(&AC_IN_POWER, 19, 1.0)?;
        self.signed(&AC_OUT_POWER, 19, 1.0)?;
        let alarm = self.bits.take(2)?;
        if alarm != 3 {
            self.fields.push(ALARM.measured(codes::notification(alarm)));
        }
        self.temperature()?;
        self.unsigned(&SOC, 7, 1.0)
    }

    fn dc_energy_meter(&mut self) -> Option<()> {
        let meter = signed(self.bits.take(16)?, 16);
        self.fields.push(METER_TYPE.measured(codes::meter(meter)));
        self.signed(&VOLTAGE, 16, 100.0)?;
        self.flags(&ALARM, 16)?;
        // One battery's midpoint is nothing that a meter of energy has.
        self.auxiliary(None)?;
        self.current()
    }

    /// Not in Victron's document of 2022; the layout that victron-ble and esphome-victron_ble found.
    fn orion_xs(&mut self) -> Option<()> {
        self.state()?;
        self.error()?;
        self.unsigned(&OUTPUT_VOLTAGE, 16, 100.0)?;
        self.unsigned(&OUTPUT_CURRENT, 16, 10.0)?;
        self.unsigned(&INPUT_VOLTAGE, 16, 100.0)?;
        self.unsigned(&INPUT_CURRENT, 16, 10.0)?;
        self.off_reason()
    }

    fn state(&mut self) -> Option<()> {
        let code = self.bits.take(8)?;
        if code != 0xFF {
            self.fields.push(STATE.measured(codes::state(code)));
        }
        Some(())
    }

    fn error(&mut self) -> Option<()> {
        let code = self.bits.take(8)?;
        if code != 0xFF {
            self.fields.push(ERROR.measured(code));
        }
        Some(())
    }

    fn off_reason(&mut self) -> Option<()> {
        let bits = self.bits.take(32)?;
        self.fields
            .push(OFF_REASON.measured(codes::off_reason(bits)));
        Some(())
    }

    fn ac_in(&mut self) -> Option<()> {
        let code = self.bits.take(2)?;
        if code != 3 {
            self.fields.push(AC_IN.measured(codes::ac_in(code)));
        }
        Some(())
    }

    /// Milliamperes; all bits set means not available, which as a signed number would be -1 mA.
    fn current(&mut self) -> Option<()> {
        let counts = self.bits.take(22)?;
        if counts != 0x3F_FFFF {
            self.fields
                .push(CURRENT.measured(per(signed(counts, 22), 1000.0)));
        }
        Some(())
    }

    /// Told as a positive number of what is missing; it is a negative charge.
    fn consumed(&mut self) -> Option<()> {
        let counts = self.bits.take(20)?;
        if counts != 0xF_FFFF {
            let tenths = signed(counts, 64);
            self.fields.push(CONSUMED.measured(per(-tenths, 10.0)));
        }
        Some(())
    }

    /// The auxiliary input, and what is on it, which stands behind it. What is beyond the range that the document gives is no value.
    fn auxiliary(&mut self, midpoint: Option<&'static Kind>) -> Option<()> {
        let counts = self.bits.take(16)?;
        match (self.bits.take(2)?, midpoint) {
            (0, _) if counts != 0x7FFF => self
                .fields
                .push(STARTER_VOLTAGE.measured(per(signed(counts, 16), 100.0))),
            (1, Some(midpoint)) if counts != 0xFFFF => self
                .fields
                .push(midpoint.measured(per_unsigned(counts, 100.0))),
            // Hundredths of a kelvin.
            (2, _) if counts != 0xFFFF => {
                let celsius = rounded(per(signed(counts, 64) - 27_315, 100.0), 2);
                self.fields.push(TEMPERATURE.measured(celsius));
            }
            _ => {}
        }
        Some(())
    }

    fn temperature(&mut self) -> Option<()> {
        let counts = self.bits.take(7)?;
        if counts != 0x7F {
            self.fields
                .push(TEMPERATURE.measured(per(signed(counts, 64) - 40, 1.0)));
        }
        Some(())
    }

    fn flags(&mut self, kind: &'static Kind, bits: usize) -> Option<()> {
        let flags = self.bits.take(bits)?;
        self.fields.push(kind.measured(codes::alarms(flags)));
        Some(())
    }

    /// A number that nobody has published the meaning of.
    fn number(&mut self, kind: &'static Kind, bits: usize) -> Option<()> {
        let number = self.bits.take(bits)?;
        self.fields.push(kind.measured(number));
        Some(())
    }

    fn unsigned(&mut self, kind: &'static Kind, bits: usize, divisor: f64) -> Option<()> {
        let counts = self.bits.take(bits)?;
        if counts != (1 << bits) - 1 {
            self.fields
                .push(kind.measured(per_unsigned(counts, divisor)));
        }
        Some(())
    }

    fn signed(&mut self, kind: &'static Kind, bits: usize, divisor: f64) -> Option<()> {
        let counts = self.bits.take(bits)?;
        // The highest positive number.
        if counts != (1 << (bits - 1)) - 1 {
            self.fields
                .push(kind.measured(per(signed(counts, bits), divisor)));
        }
        Some(())
    }

    fn output(&mut self, kind: &'static Kind, number: u8, value: Option<f64>) {
        let field = value.map(|value| kind.numbered(number, Value::Float(value), Nature::Measured));
        self.fields.extend(field);
    }
}
