//! `Kind`: what a field is called and measured in, shared by all fields of its kind.

use std::sync::{Arc, OnceLock};

use fieldgate_model::Value;

use crate::{Field, Nature};

/// A name that is allocated once, when it is first needed.
pub(crate) struct Name {
    text: &'static str,
    shared: OnceLock<Arc<str>>,
}

/// What a field is called, and its UCUM unit.
pub(crate) struct Kind {
    id: Name,
    unit: Option<Name>,
}

// === impl Name ===

impl Name {
    const fn new(text: &'static str) -> Self {
        Self {
            text,
            shared: OnceLock::new(),
        }
    }

    fn shared(&self) -> Arc<str> {
        self.shared.get_or_init(|| Arc::from(self.text)).clone()
    }
}

// === impl Kind ===

impl Kind {
    pub(crate) const fn new(id: &'static str, unit: &'static str) -> Self {
        Self {
            id: Name::new(id),
            unit: Some(Name::new(unit)),
        }
    }

    pub(crate) const fn without_unit(id: &'static str) -> Self {
        Self {
            id: Name::new(id),
            unit: None,
        }
    }

    pub(crate) fn measured(&self, value: impl Into<Value>) -> Field {
        self.field(self.id.shared(), value.into(), Nature::Measured)
    }

    pub(crate) fn happened(&self, value: impl Into<Value>) -> Field {
        self.field(self.id.shared(), value.into(), Nature::Happened)
    }

    /// The first is called by its name, the second `…_2`.
    pub(crate) fn numbered(&self, number: u8, value: Value, nature: Nature) -> Field {
        let id = if number > 1 {
            format!("{}_{number}", self.id.text).into()
        } else {
            self.id.shared()
        };
        self.field(id, value, nature)
    }

    /// With its number always, as probes are numbered on the device.
    pub(crate) fn suffixed(&self, number: u8, value: impl Into<Value>) -> Field {
        let id = format!("{}_{number}", self.id.text).into();
        self.field(id, value.into(), Nature::Measured)
    }

    fn field(&self, id: Arc<str>, value: Value, nature: Nature) -> Field {
        Field {
            id,
            value,
            unit: self.unit.as_ref().map(Name::shared),
            nature,
        }
    }
}

/// An unsigned number as a value.
pub(crate) fn count(number: impl Into<u64>) -> Value {
    Value::UInt(number.into())
}

macro_rules! kinds {
    ($($name:ident = $id:literal $(, $unit:literal)?;)*) => {
        $(pub(crate) static $name: Kind = kinds!(@ $id $(, $unit)?);)*

        #[cfg(test)]
        pub(crate) static ALL: &[&Kind] = &[$(&$name),*];
    };
    (@ $id:literal, $unit:literal) => { Kind::new($id, $unit) };
    (@ $id:literal) => { Kind::without_unit($id) };
}

kinds! {
    ACCELERATION = "acceleration", "m/s2";
    AC_CURRENT = "ac_current", "A";
    AC_IN = "ac_in";
    AC_IN_POWER = "ac_in_power", "W";
    AC_OUT_POWER = "ac_out_power", "W";
    AC_APPARENT_POWER = "ac_apparent_power", "V.A";
    AC_VOLTAGE = "ac_voltage", "V";
    ADVERTISED = "advertised_packets";
    ALARM = "alarm";
    ALARM_FLAGS = "alarm_flags";
    ANTILOCK = "antilock";
    ARMED = "armed";
    ASLEEP = "asleep";
    BALANCER = "balancer";
    BATTERY = "battery", "%";
    BATTERY_CHARGING = "battery_charging";
    BATTERY_LOW = "battery_low";
    BATTERY_POWER = "battery_power", "W";
    BATTERY_VOLTAGE = "battery_voltage", "V";
    BMS_FLAGS = "bms_flags";
    BUTTON = "button";
    BUTTON_COUNTER = "button_counter";
    BUTTON_PRESSED = "button_pressed";
    CALIBRATED = "calibrated";
    CALIBRATING = "calibrating";
    CARBON_MONOXIDE = "carbon_monoxide";
    CELL_VOLTAGE = "cell_voltage", "V";
    CHANNEL = "channel";
    CHARGING_STATE = "charging_state";
    CHILD_LOCK = "child_lock";
    CO2 = "co2", "[ppm]";
    COLD = "cold";
    COMMAND = "command";
    CONDUCTIVITY = "conductivity", "uS/cm";
    CONNECTED = "connected";
    CONSUMABLE = "consumable", "%";
    CONSUMED = "consumed", "A.h";
    COUNT = "count";
    COUNTER = "counter";
    CUBE = "cube";
    CURRENT = "current", "A";
    DC_POWER = "dc_power", "W";
    DEVICE_TYPE = "device_type";
    DEW_POINT = "dew_point", "Cel";
    DIMMER = "dimmer";
    DIRECTION = "direction", "deg";
    DISTANCE_M = "distance", "m";
    DISTANCE_MM = "distance", "mm";
    DOOR = "door";
    DOOR_LEFT_OPEN = "door_left_open";
    DOOR_STUCK = "door_stuck";
    DURATION = "duration", "s";
    ENERGY = "energy", "kW.h";
    EPHEMERAL_ID = "ephemeral_id";
    ERROR = "error";
    EXTERNAL_LOAD = "external_load", "A";
    EXTERNALLY_POWERED = "externally_powered";
    FINGERPRINT = "fingerprint";
    FINGERPRINT_OK = "fingerprint_ok";
    FIRMWARE = "firmware_version";
    FORCIBLY_REMOVED = "forcibly_removed";
    FORMALDEHYDE = "formaldehyde", "mg/m3";
    GARAGE_DOOR = "garage_door";
    GAS = "gas", "m3";
    GAS_DETECTED = "gas_detected";
    GENERIC = "generic";
    GYROSCOPE = "gyroscope", "deg/s";
    HEART_RATE = "heart_rate", "/min";
    HEAT = "heat";
    HUMIDITY = "humidity", "%";
    ILLUMINANCE = "illuminance", "lx";
    IDLE_FOR = "idle_for", "s";
    IMPEDANCE_HIGH = "impedance_high", "Ohm";
    IMPEDANCE_LOW = "impedance_low", "Ohm";
    INPUT_CURRENT = "input_current", "A";
    INPUT_VOLTAGE = "input_voltage", "V";
    IO_STATUS = "io_status";
    KEY_ID = "key_id";
    KNOCK = "knock";
    LEAK = "leak";
    LIGHT = "light";
    LIGHT_LEVEL = "light_level";
    LOCK = "lock";
    LOCK_ERROR = "lock_error";
    LOCK_METHOD = "lock_method";
    METER_TYPE = "meter_type";
    MIDPOINT_VOLTAGE = "midpoint_voltage", "V";
    MODE = "mode";
    MOISTURE = "moisture", "%";
    MOISTURE_DETECTED = "moisture_detected";
    MOTION = "motion";
    MOVEMENT_COUNTER = "movement_counter";
    MOVING = "moving";
    NOISE = "noise", "dB";
    NOX = "nox";
    OCCUPANCY = "occupancy";
    OCCUPANCY_CLOSE = "occupancy_close_range";
    OCCUPIED_FOR = "occupied_for", "min";
    OFF_REASON = "off_reason";
    ON = "on";
    OPENING = "opening";
    OUTPUT_CURRENT = "output_current", "A";
    OUTPUT_STATE = "output_state";
    OUTPUT_VOLTAGE = "output_voltage", "V";
    PLUGGED = "plug";
    PM1 = "pm1", "ug/m3";
    PM10 = "pm10", "ug/m3";
    PM25 = "pm25", "ug/m3";
    PM4 = "pm4", "ug/m3";
    POSITION = "position", "%";
    POSITION_X = "position_x";
    POSITION_Y = "position_y";
    POWER = "power", "W";
    POWERED = "powered";
    PRECIPITATION = "precipitation", "mm";
    PRESENCE = "presence";
    PRESSED_FOR = "pressed_for", "s";
    PRESSURE = "pressure", "Pa";
    PROBLEM = "problem";
    PROFILE_ID = "profile_id";
    PRY = "pried";
    PV_POWER = "pv_power", "W";
    QUALITY = "quality";
    RAW = "raw";
    RELEASED_FOR = "released_for", "s";
    REMAINING = "remaining", "min";
    REPORTS_MODE = "switch_mode";
    ROTATION = "rotation", "deg";
    ROTATIONAL_SPEED = "rotational_speed", "/min";
    RUNNING = "running";
    SAFE = "safety";
    SCORE = "score";
    SETTINGS_REVISION = "settings_revision";
    SMOKE = "smoke";
    SOC = "state_of_charge", "%";
    SOUND = "sound";
    SPEED = "speed", "m/s";
    SPLASH = "top_splash";
    STABILIZED = "stabilized";
    STARTER_VOLTAGE = "starter_voltage", "V";
    STATE = "state";
    SUBMERSION = "bottom_submersion";
    TAMPER = "tamper";
    TANK_LEVEL = "tank_level", "mm";
    TANK_LEVEL_RAW = "tank_level_raw";
    TEMPERATURE = "temperature", "Cel";
    TESTED = "tested";
    TEXT = "text";
    TIMESTAMP = "timestamp", "s";
    TOOTHBRUSH = "toothbrush";
    TX_POWER_NEAR = "tx_power_near", "dB[mW]";
    TX_POWER = "tx_power", "dB[mW]";
    UID_INSTANCE = "instance";
    UID_NAMESPACE = "namespace";
    UNLOCKED = "unlocked";
    UNOCCUPIED_FOR = "unoccupied_for", "min";
    UPTIME = "uptime", "s";
    URL = "url";
    UV_INDEX = "uv_index";
    VIBRATION = "vibration";
    VOC = "voc", "ug/m3";
    VOC_INDEX = "voc_index";
    VOLTAGE = "voltage", "V";
    VOLUME_L = "volume", "L";
    VOLUME_ML = "volume", "mL";
    VOLUME_FLOW = "volume_flow", "m3/h";
    VOLUME_STORED = "volume_stored", "L";
    WARNING = "warning";
    WATER = "water", "L";
    WEARING = "wearing";
    WEIGHT = "weight", "kg";
    WEIGHT_LB = "weight", "[lb_av]";
    WIFI_RSSI = "wifi_rssi", "dB[mW]";
    WINDOW = "window";
    TEMPERATURE_PROBE = "temperature_probe", "Cel";
    TEMPERATURE_ALARM = "temperature_alarm_probe", "Cel";
    LOW_TEMPERATURE_ALARM = "low_temperature_alarm_probe", "Cel";
    HUMIDITY_PROBES = "humidity_probe", "%";
    TEMPERATURE_REMOTE = "temperature_remote", "Cel";
    HUMIDITY_REMOTE = "humidity_remote", "%";
    BATTERY_REMOTE = "battery_remote", "%";
    TEMPERATURE_AMBIENT = "temperature_ambient_probe", "Cel";
    BATTERY_PROBE = "battery_probe", "%";
    TEMPERATURE_CENTER = "temperature_center_probe", "Cel";
    TEMPERATURE_END = "temperature_end_probe", "Cel";
    TRIGGER_OUTPUT = "trigger_output";
    TELEMETRY_SEALED = "telemetry_encrypted";
    CONTACT_TIMEOUT = "contact_timeout";
    YIELD_TODAY = "yield_today", "kW.h";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_points_are_named() {
        for kind in ALL {
            let fits =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            assert!(kind.id.text.bytes().all(fits), "{}", kind.id.text);
        }
        assert_eq!(
            &*BUTTON.numbered(2, true.into(), Nature::Happened).id,
            "button_2"
        );
        assert_eq!(
            &*BUTTON.numbered(1, true.into(), Nature::Happened).id,
            "button"
        );
    }
}
