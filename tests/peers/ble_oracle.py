"""Packets of Bluetooth devices, and what the PyPI packages of the same formats read in them, one JSON object a line.

    ble_oracle.py SEED COUNT [PACKETS]

COUNT packets of each family are generated from SEED; PACKETS is a file of real ones. Names and units of the packages are
turned into ours by the tables below, and nowhere else; what ours reads differently on purpose is in DIFFERENCES, with the reason.
"""

import json
import random
import struct
import sys
import types


class _Anything:
    """A class or function of a module that is not needed to read bytes."""

    def __init__(self, *_args, **_kwargs):
        pass

    def __class_getitem__(cls, _item):
        return cls

    def __init_subclass__(cls, **_kwargs):
        pass


class _Absent(types.ModuleType):
    """Stands for a package that only matters with a radio: the readers of bytes import it and never use it."""

    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything


for _name in (
    "aiohttp bleak bleak.backends bleak.backends.device bleak.backends.scanner bleak.exc bleak_retry_connector"
    " habluetooth home_assistant_bluetooth orjson yarl"
).split():
    sys.modules[_name] = _Absent(_name)
# These two are caught, so they must be exceptions.
sys.modules["bleak.exc"].BleakError = type("BleakError", (Exception,), {})
sys.modules["bleak.exc"].BleakCharacteristicNotFoundError = type("BleakNotFound", (Exception,), {})

from bthome_ble import BTHomeBluetoothDeviceData  # noqa: E402
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: E402
from cryptography.hazmat.primitives.ciphers.aead import AESCCM  # noqa: E402
from govee_ble import GoveeBluetoothDeviceData  # noqa: E402
from inkbird_ble import INKBIRDBluetoothDeviceData  # noqa: E402
from mopeka_iot_ble import MediumType, MopekaIOTBluetoothDeviceData  # noqa: E402
from qingping_ble import QingpingBluetoothDeviceData  # noqa: E402
from ruuvitag_ble import RuuvitagBluetoothDeviceData  # noqa: E402
from sensorpush_ble import SensorPushBluetoothDeviceData  # noqa: E402
from thermopro_ble import ThermoProBluetoothDeviceData  # noqa: E402
from ruuvitag_ble.df5_decoder import DataFormat5Decoder  # noqa: E402
from victron_ble.devices import detect_device_type  # noqa: E402
from victron_ble.devices.base import AlarmReason, ChargerError  # noqa: E402
from xiaomi_ble import XiaomiBluetoothDeviceData  # noqa: E402

# Of this one only the readers are wanted; the package itself begins with connections.
_switchbot = types.ModuleType("switchbot")
_switchbot.__path__ = [path + "/switchbot" for path in sys.path if "site-packages" in path]
sys.modules["switchbot"] = _switchbot
from switchbot.adv_parser import _parse_data as read_switchbot_data  # noqa: E402

# What only one of the two tells, so that it cannot be compared; where both tell a number, it is compared all the same. What both tell
# and one of them against the format's own document is in `by_the_document`, as the document has it.
DIFFERENCES = {
    "xiaomi": {
        "voltage": "the package makes it up from the battery's percentage; the packet has none",
        "key_id": "the package's is a sentence about the number, ours is the number of the object 0x000b that was sent",
        "timestamp": "the package leaves it out; the object 0x000b ends with it",
        "idle_for": "the package only tells whether it is more than 30 s; the objects 0x1017 and 0x4818 are the seconds",
        "impedance": "the package leaves it out once the weight was taken off the scale",
    },
    "ruuvi": {
        "acceleration_total": "computed from three that are told",
        "iaqs": "computed from two that are told",
        "calibrating": "the package leaves it out; it is the lowest bit of the flags of the formats 6 and E1",
    },
    "govee": {"temperature_alarm_probe_2": "no limit is set: the package leaves a zero out; Govee has published nothing"},
    "mopeka": {
        "quality_percent": "computed from one of four that is told",
        "tank_level_raw": "the package leaves it out, which computes the level from it",
    },
}

# How far a number of ours may be off, by the family and the name without its number, where the package rounds: half of its last digit, or
# all of it where both round. Everything else is compared exactly.
WITHIN = {
    # Hundredths, of steps of 0.0098 m/s2, 0.005 K and 0.0025 %.
    "ruuvi": {"acceleration_x": 0.005, "acceleration_y": 0.005, "acceleration_z": 0.005, "temperature": 0.005, "humidity": 0.005},
    # Both round steps of 0.0025 to hundredths.
    "sensorpush": {"temperature": 0.01, "humidity": 0.01},
    # Both round what was in degrees Fahrenheit.
    "inkbird": {"temperature": 0.01},
    # The charge is a curve, which the package rounds to hundredths before it rounds it to wholes.
    "thermopro": {"battery_probe": 1},
    # Ours rounds floats of four bytes to what the displays show; the temperature of a body is a formula.
    "xiaomi": {"illuminance": 0.005, "humidity": 0.005, "temperature": 0.01},
}

# The package cuts these two products' humidity to whole percents, since it jumps; ours hands on what was sent.
CUT_HUMIDITY = (0x055B, 0x0387)

UNITS = {
    "°C": "Cel", "%": "%", "lx": "lx", "kg": "kg", "lb": "[lb_av]", "kWh": "kW.h", "W": "W", "V": "V", "A": "A",
    "µg/m³": "ug/m3", "μg/m³": "ug/m3", "mg/m³": "mg/m3", "ppm": "[ppm]", "°": "deg", "mm": "mm", "m": "m", "s": "s", "m/s": "m/s", "L": "L", "mL": "mL",
    "m³/h": "m3/h", "m³": "m3", "m/s²": "m/s2", "°/s": "deg/s", "µS/cm": "uS/cm", "μS/cm": "uS/cm", "rpm": "/min", "bpm": "/min",
    "Ω": "Ohm", "ohm": "Ohm", "min": "min", "dB": "dB", "Pa": "Pa", None: None,
}
# Where a unit has another size: how many of ours are one of theirs.
SIZES = {"mbar": ("Pa", 100), "hPa": ("Pa", 100), "mV": ("V", 0.001)}

# Their names of measurements, where ours is another.
NAMES = {
    "light": "illuminance", "mass": "weight", "mass_non_stabilized": "weight_unsettled", "pm25": "pm25",
    "volatile_organic_compounds": "voc", "volume_flow_rate": "volume_flow", "volume_storage": "volume_stored",
    "nox_index": "nox", "carbon_dioxide": "co2", "duration_detected": "occupied_for", "duration_cleared": "unoccupied_for",
    "pressure_present_duration": "pressed_for", "pressure_not_present_duration": "released_for",
    "reading_quality_raw": "quality", "reading_quality": "quality_percent", "accelerometer_x": "position_x",
    "accelerometer_y": "position_y", "sound_pressure": "noise",
}
PROBES = {
    "internal_temperature_probe": "temperature_probe", "internal_center_temperature_probe": "temperature_center_probe",
    "internal_end_temperature_probe": "temperature_end_probe", "ambient_temperature_probe": "temperature_ambient_probe",
}
LOCK = {
    "unlock_outside_the_door": "unlocked_from_outside", "locked": "locked", "turn_on_antilock": "antilock_on",
    "release_the_antilock": "antilock_off", "unlock_inside_the_door": "unlocked_from_inside",
    "lock_inside_the_door": "locked_from_inside", "turn_on_child_lock": "child_lock_on",
    "turn_off_child_lock": "child_lock_off", "lock_outside_the_door": "locked_from_outside", "abnormal": "abnormal",
}
FINGERS = {
    "low_quality_too_light_fuzzy": "low_quality", "skin_is_too_dry": "skin_too_dry", "skin_is_too_wet": "skin_too_wet",
}
# Their names of yes and no.
TRUTHS = {
    "battery": "battery_low", "carbon_monoxide": "carbon_monoxide", "co": "carbon_monoxide", "connectivity": "connected", "gas": "gas_detected",
    "lock": "unlocked", "moisture": "moisture_detected", "power": "powered", "childlock": "child_lock", "fingerprint": "fingerprint_ok",
    "device_forcibly_removed": "forcibly_removed", "knock_on_the_door": "knock", "pry_the_door": "pried",
}


class Info:
    """What a scanner heard, as the packages want it."""

    def __init__(self, packet):
        self.name = packet.get("name") or ""
        self.address = packet["address"]
        self.rssi = -60
        self.manufacturer_data = {company: bytes.fromhex(data) for company, data in packet.get("manufacturer", [])}
        self.service_data = {uuid: bytes.fromhex(data) for uuid, data in packet.get("service_data", [])}
        self.service_uuids = packet.get("services", [])
        self.source = "local"
        self.raw = None
        self.time = 0.0
        self.device = None
        self.advertisement = None


def uuid(short):
    return f"0000{short:04x}-0000-1000-8000-00805f9b34fb"


def readings(family, packet, update):
    """Fields of an update of sensor_state_data, in our names and units."""
    fields = []
    descriptions = update.entity_descriptions
    for key, value in update.entity_values.items():
        remote = key.device_id == "remote"
        unit = getattr(descriptions.get(key), "native_unit_of_measurement", None)
        unit = getattr(unit, "value", unit)
        number = value.native_value
        if key.key == "signal_strength" or number is None or number == "error":
            continue
        name, which = measurement_name(key.key)
        if family == "ruuvi" and name == "voltage":
            name = "battery_voltage"
        if family == "inkbird" or family == "thermopro":
            which = None
        if unit in SIZES:
            unit, size = SIZES[unit]
            number = number * size
        else:
            unit = UNITS[unit]
        if hasattr(number, "timestamp"):
            number, unit = number.timestamp(), "s"
        if name == "lock_method":
            number = number.removesuffix("_method")
        if name == "charging_state":
            number = number.lower().replace(" ", "_")
        if family == "govee" and "_probe_" in name and number == 0 and "H5112" not in packet["name"]:
            # A probe that is not there has a negative number, of which the package makes 0 °C.
            continue
        fields.append([number_name(name, which) + ("_remote" if remote else ""), number, unit])
    for key, value in update.binary_entity_values.items():
        name = key.key if isinstance(key.key, str) else key.key[1]
        name, which = truth_name(name)
        truth = bool(value.native_value)
        fields.append([number_name(name, which), not truth if name in ("child_lock", "antilock") else truth, None])
    for key, event in update.events.items():
        fields.append(event_field(family, key.key, event))
    return fields



def measurement_name(name):
    name = str(getattr(name, "value", name))
    if "_probe_" in name:
        for theirs, our in PROBES.items():
            if name.startswith(theirs):
                return our + name.removeprefix(theirs), None
        return name, None
    return split_number(name, NAMES)


def truth_name(name):
    return split_number(str(getattr(name, "value", name)), TRUTHS)


def split_number(name, names):
    """Of several alike, theirs count from 1; ours give the first no number."""
    head, _, number = name.rpartition("_")
    if number.isdigit() and head:
        return names.get(head, head), int(number)
    return names.get(name, name), None


def number_name(name, which):
    return f"{name}_{which}" if which is not None and which > 1 else name


def event_field(family, key, event):
    key = str(getattr(key, "value", key))
    what, properties = event.event_type, event.event_properties
    if family == "govee" and key.startswith("button_"):
        return [key, what, None]
    name, which = split_number(key, {"error": "lock_error"})
    name = number_name(name, which).lower()
    if name in ("motion", "vibration"):
        return [name, True, None]
    if name == "lock":
        what = LOCK[what]
    if name == "fingerprint":
        what = FINGERS.get(what, what)
    if properties:
        return [name, [what, next(iter(properties.values()))], None]
    return [name, what, None]


# Generators: each makes one packet of its family at random. -------------------------------------------------------------------


def address(rng):
    return ":".join(f"{rng.randrange(256):02X}" for _ in range(6))


def backwards(address):
    return bytes.fromhex(address.replace(":", ""))[::-1]


def some(rng, length):
    return rng.randbytes(length)


def half(rng, often, seldom):
    return often if rng.random() < 0.9 else seldom


# id, bytes, signed, and the family of names that must not be mixed with another unit in one packet
BTHOME = {
    0x01: 1, 0x02: -2, 0x03: 2, 0x04: 3, 0x05: 3, 0x06: 2, 0x07: 2, 0x08: -2, 0x09: 1, 0x0A: 3, 0x0B: 3, 0x0C: 2, 0x0D: 2, 0x0E: 2,
    0x12: 2, 0x13: 2, 0x14: 2, 0x2E: 1, 0x2F: 1, 0x3D: 2, 0x3E: 4, 0x3F: -2, 0x40: 2, 0x41: 2, 0x42: 3, 0x43: 2, 0x44: 2, 0x45: -2,
    0x46: 1, 0x47: 2, 0x48: 2, 0x49: 2, 0x4A: 2, 0x4B: 3, 0x4C: 4, 0x4D: 4, 0x4E: 4, 0x4F: 4, 0x50: 4, 0x51: 2, 0x52: 2, 0x55: 4,
    0x56: 2, 0x57: -1, 0x58: -1, 0x59: -1, 0x5A: -2, 0x5B: -4, 0x5C: -4, 0x5D: -2, 0x5E: 2, 0x5F: 2, 0x60: 1, 0x61: 2, 0x62: -4,
    0x63: -4, 0x64: 1, 0x65: 1, 0xF0: 2, 0xF1: 4, 0xF2: 3,
}
# Of these the package keeps one in a packet, since they have one name and several units.
ONE_NAME = ({0x06, 0x07}, {0x40, 0x41}, {0x47, 0x48, 0x4E}, {0xF1, 0xF2})
PRESSES = [0, 1, 2, 3, 4, 5, 6, 0x80, 0x81]


def bthome_ids(rng, version):
    ids = [*BTHOME, *range(0x0F, 0x12), *range(0x15, 0x2E), 0x3A, 0x3A, 0x3C]
    if version == 2:
        ids += [0x3B, 0x53, 0x54]
    else:
        # Version 1 has no others (bthome.io/v1).
        ids = [number for number in ids if number <= 0x3C and number not in (0x2E, 0x2F, 0x3B)]
    chosen = sorted(rng.choice(ids) for _ in range(rng.randint(1, 4)))
    # What a device is, it says once.
    chosen = [number for place, number in enumerate(chosen) if number < 0xF0 or number not in chosen[:place]]
    for names in ONE_NAME:
        inside = [number for number in chosen if number in names]
        chosen = [number for number in chosen if number not in names or number == inside[0]]
    return chosen


def bthome_value(rng, number):
    if number == 0x3A:
        return bytes([rng.choice(PRESSES)])
    if number == 0x3C:
        return bytes([rng.choice([0, 1, 2]), rng.randrange(256)])
    if number in BTHOME:
        return some(rng, abs(BTHOME[number]))
    return bytes([rng.randrange(2)])


def bthome(rng):
    version, sealed, where = rng.choice([1, 2, 2]), rng.random() < 0.4, address(rng)
    key = some(rng, 16)
    objects = b""
    if version == 2 and rng.random() < 0.5:
        objects += bytes([0, rng.randrange(256)])
    numbers = bthome_ids(rng, version)
    for number in numbers:
        if number in (0x53, 0x54):
            text = bytes(rng.choice(b"abcdef 123") for _ in range(rng.randint(1, 8))) if number == 0x53 else some(rng, rng.randint(1, 8))
            objects += bytes([number, len(text)]) + text
        elif number == 0x3B:
            arguments = some(rng, rng.randint(0, 3))
            objects += bytes([number, len(arguments), rng.randrange(5)]) + arguments
        elif version == 2:
            objects += bytes([number]) + bthome_value(rng, number)
        else:
            value = bthome_value(rng, number)
            form = 1 if BTHOME.get(number, 1) < 0 else 0
            objects += bytes([form << 5 | len(value) + 1, number]) + value
    if sealed and version == 1 and len(objects) < 4:
        # The package wants four encrypted bytes of version 1, the specification none in particular.
        objects += b"\x02\x01\x32"
    counter = some(rng, 4)
    mac = bytes.fromhex(where.replace(":", ""))
    if version == 2:
        info = 0x40 | sealed | rng.choice([0, 4])
        data = objects
        if sealed:
            nonce = mac + b"\xd2\xfc" + bytes([info]) + counter
            whole = AESCCM(key, tag_length=4).encrypt(nonce, objects, None)
            data = whole[:-4] + counter + whole[-4:]
        service = [uuid(0xFCD2), (bytes([info]) + data).hex()]
    elif sealed:
        whole = AESCCM(key, tag_length=4).encrypt(mac + b"\x1e\x18" + counter, objects, b"\x11")
        service = [uuid(0x181E), (whole[:-4] + counter + whole[-4:]).hex()]
    else:
        service = [uuid(0x181C), objects.hex()]
    packet = {"address": where, "service_data": [service], "key": key.hex() if sealed else None}
    if 0x58 in numbers:
        # 0.35 K a count (bthome.io/format), which the package rounds to tenths.
        packet["within"] = {"temperature": 0.05}
    return packet


XIAOMI_PLAIN = [0x01AA, 0x045B, 0x0098, 0x03BC, 0x02DF, 0x0997, 0x2832, 0x55B5, 0x1889, 0x066F]


def f32(number):
    return struct.pack("<f", number)


def xiaomi_object(rng):
    """A product, an object id, and its bytes."""
    byte = lambda: bytes([rng.randrange(256)])  # noqa: E731
    bit = lambda: bytes([rng.randrange(2)])  # noqa: E731
    any_one = rng.choice(XIAOMI_PLAIN)
    plain = {
        0x0007: lambda: bytes([rng.randrange(6)]), 0x0008: bit, 0x000A: lambda: some(rng, 2), 0x0010: lambda: bit() + byte(),
        0x1004: lambda: some(rng, 2), 0x1005: lambda: bit() + byte(), 0x1006: lambda: some(rng, 2), 0x1008: byte,
        0x1009: lambda: some(rng, 2), 0x100A: byte, 0x100D: lambda: some(rng, 4), 0x1010: lambda: some(rng, 2), 0x1012: bit,
        0x1013: byte, 0x1014: bit, 0x1015: bit, 0x1017: lambda: struct.pack("<I", rng.choice([0, 30, 31, 1800])), 0x1018: bit,
        0x1019: lambda: bytes([rng.randrange(4)]), 0x101B: lambda: some(rng, 4), 0x3003: lambda: bit() + some(rng, 4) + byte(),
        0x4801: lambda: f32(rng.uniform(-40, 80)), 0x4802: byte, 0x4803: byte, 0x4804: lambda: bytes([rng.choice([1, 2])]),
        0x4805: lambda: f32(rng.uniform(0, 5000)), 0x4806: bit, 0x4808: lambda: f32(rng.uniform(0, 100)), 0x480C: bit,
        0x4818: lambda: struct.pack("<H", rng.choice([0, 60, 120])), 0x483C: bit, 0x483D: lambda: some(rng, 4),
        0x483E: lambda: some(rng, 4), 0x484E: bit, 0x4851: byte, 0x4852: byte, 0x4A01: bit, 0x4A08: lambda: f32(rng.uniform(0, 500)),
        0x4A0C: lambda: b"", 0x4A0D: lambda: b"", 0x4A0E: lambda: b"", 0x4A0F: bit, 0x4A12: lambda: bytes([rng.choice([1, 2])]),
        0x4A13: bit, 0x4A1A: bit, 0x4C01: lambda: f32(rng.uniform(-40, 80)), 0x4C02: byte, 0x4C03: byte,
        0x4C08: lambda: f32(rng.uniform(0, 100)), 0x4E01: bit, 0x5003: byte, 0x5422: lambda: bytes([rng.randrange(4)]), 0x5810: bit,
        0x6461: bit, 0x4E16: lambda: byte() + struct.pack("<II", rng.randrange(0, 20000), 7),
        0x6E16: lambda: byte() + struct.pack("<II", rng.choice([0, rng.randrange(1 << 32)]), 7),
        0x2000: lambda: struct.pack("<hhB", rng.randrange(2800, 4000), rng.randrange(2000, 3000), rng.randrange(101)),
    }
    knob = rng.choice([(0, rng.randrange(256), 3), (1, rng.randrange(256), 3), (0, rng.randrange(256), 4), (rng.randrange(1, 256), 0, 4)])
    bound = [
        (rng.choice([0x0A8D, 0x07BF, 0x0997, 0x0863]), 0x1001, bytes([0, 0, rng.randrange(3)])),
        (0x04E1, 0x1001, bytes([rng.randrange(2), 0, 0])),
        (0x0153, 0x1001, bytes([rng.randrange(6), 0, rng.randrange(3)])),
        (0x068E, 0x1001, bytes([rng.randrange(6), 0, rng.randrange(3)])),
        (0x04E6, 0x1001, bytes([rng.randrange(6), 0, rng.randrange(3)])),
        (0x03BF, 0x1001, bytes([rng.randrange(9), 0, rng.randrange(3)])),
        (0x03B6, 0x1001, bytes(knob)),
        (0x1568, 0x1001, bytes([0, 0, rng.randrange(3)])),
        (0x1569, 0x1001, bytes([rng.randrange(3), 0, rng.randrange(3)])),
        (0x0DFD, 0x1001, bytes([rng.randrange(7), 0, rng.randrange(3)])),
        (0x5968, rng.choice([0x4A0C, 0x4A0D, 0x4A0E]), bit()),
        (0x1949, rng.choice([0x4E0C, 0x4E0D, 0x4E0E]), bytes([rng.randint(1, 3)])),
        (0x2387, rng.choice([0x4E0C, 0x4E0D, 0x4E0E]), b"\x00"),
        (0x1C10, 0x4E0C, bytes([rng.choice([1, 8, 15])])),
        (rng.choice([0x3A61, 0x3E17]), rng.choice([0x560C, 0x560D, 0x560E]), bytes([rng.randint(1, 4)])),
        (rng.choice([0x520B, 0x78A3]), rng.choice([0x560C, 0x560D, 0x560E]), b"\x00"),
        (rng.choice([0x07F6, 0x0A8D, 0x0A83]), 0x000F, struct.pack("<I", rng.choice([1, 100, 256, 5000]))[:3]),
        (rng.choice([0x07F6, 0x098B]), 0x1007, struct.pack("<I", rng.choice([1, 100]))[:3]),
        (rng.choice([0x0098, 0x03BC]), 0x1007, some(rng, 3)),
        (0x0380, 0x0008, bit()), (0x0380, 0x100E, bytes([rng.randrange(16)])), (0x09B0, 0x100F, bit()),
        (0x069F, 0x000B, bytes([rng.choice([0, 1, 2, 3, 4, 5, 6, 7, 8]) | rng.choice([0, 1, 2, 3, 9, 10, 11, 15]) << 4]) + struct.pack("<I", rng.randrange(0xC0DE0000)) + some(rng, 4)),
        # No key numbers that are faults: the package fails at them.
        (0x069E, 0x0006, some(rng, 4) + bytes([rng.randrange(7)])),
        (0x03DD, 0x0003, b"\x01"), (0x4683, 0x484E, bytes([rng.randrange(3)])), (0x6A0F, 0x5413, bit()),
        (0x6375, 0x4806, bit()), (0x6375, 0x487B, bit()), (0x6375, 0x4A68, bytes([rng.randrange(4)])), (0x7712, 0x4806, bit()),
    ]
    if rng.random() < 0.4:
        return rng.choice(bound)
    number = rng.choice(list(plain))
    return any_one, number, plain[number]()


def xiaomi(rng):
    if rng.random() < 0.1:
        return xiaomi_other(rng)
    product, number, value = xiaomi_object(rng)
    where, key, how = address(rng), None, rng.choice(["plain", "old", "new", "new"])
    control = {"plain": 0x5040, "old": 0x3048, "new": 0x5048}[how] | rng.choice([0, 0x10]) | rng.choice([0, 0x20])
    head = struct.pack("<HHB", control, product, rng.randrange(256))
    middle = (backwards(where) if control & 0x10 else b"") + (b"\x08" if control & 0x20 else b"")
    objects = struct.pack("<HB", number, len(value)) + value
    if how == "plain":
        data = head + middle + objects
    elif how == "new":
        key, high = some(rng, 16), some(rng, 3)
        sealed = AESCCM(key, tag_length=4).encrypt(backwards(where) + head[2:] + high, objects, b"\x11")
        data = head + middle + sealed[:-4] + high + sealed[-4:]
    else:
        key, high = some(rng, 12), some(rng, 3)
        whole = key[:6] + bytes.fromhex("8d3d3c97") + key[6:]
        first = b"\x01" + head + high + backwards(where)[:5] + b"\x00\x01"
        cipher = Cipher(algorithms.AES(whole), modes.CTR(first)).encryptor()
        data = head + middle + cipher.update(objects) + high + b"\x99"
    return {"address": where, "service_data": [[uuid(0xFE95), data.hex()]], "key": key and key.hex()}


def xiaomi_other(rng):
    """The pink plant sensor, the two older scales, and a newer one that nobody stands on."""
    choice = rng.randrange(4)
    where = address(rng)
    if choice == 0:
        data = [uuid(0xFD50), (bytes([rng.randrange(101)]) + struct.pack(">H", rng.randrange(500)) + some(rng, 3)
                               + bytes([rng.randrange(101)]) + struct.pack(">H", rng.randrange(5000))).hex()]
    elif choice == 1:
        data = [uuid(0x181D), (bytes([rng.choice([0x02, 0x22, 0xA2, 0x82])]) + struct.pack("<H", rng.randrange(1, 30000)) + b"\xe5\x07\x04\x0b\x10\x13\x01").hex()]
    elif choice == 2:
        data = [uuid(0x181B), (bytes([0x02, rng.choice([0x04, 0x24, 0x26, 0xA6])]) + b"\xb2\x07\x05\x04\x0f\x02\x01" + struct.pack("<HH", rng.randrange(1, 3000), rng.randrange(1, 30000))).hex()]
    else:
        data = [uuid(0xFE95), struct.pack("<HHB", 0x5000, rng.choice([0x30D9, 0x45C9, 0x4B05]), rng.randrange(256)).hex()]
    return {"address": where, "service_data": [data], "key": None}


def ruuvi(rng):
    kind = rng.choice([3, 5, 6, 0xE1])
    word = lambda: half(rng, struct.pack(">H", rng.randrange(0xFFFF)), b"\xff\xff")  # noqa: E731
    signed = lambda: half(rng, struct.pack(">h", rng.randrange(-32767, 32767)), b"\x80\x00")  # noqa: E731
    if kind == 3:
        data = bytes([3, rng.randrange(201), rng.randrange(256), rng.randrange(100)]) + struct.pack(
            ">HhhhH", rng.randrange(0xFFFF), *(rng.randrange(-32767, 32767) for _ in range(3)), rng.randrange(1, 0xFFFF))
    elif kind == 5:
        acceleration = b"".join(signed() for _ in range(3))
        data = b"\x05" + signed() + word() + word() + acceleration + word() + half(rng, some(rng, 1), b"\xff") + some(rng, 8)
    elif kind == 6:
        data = b"\x06" + signed() + b"".join(word() for _ in range(4)) + some(rng, 9)
    else:
        data = b"\xe1" + signed() + b"".join(word() for _ in range(7)) + some(rng, 2) + half(rng, some(rng, 3), b"\xff" * 3) + some(rng, 18)
    return {"address": address(rng), "manufacturer": [[0x0499, data.hex()]], "key": None}


def packed(rng):
    number = rng.randrange(0, 1_000_000)
    return struct.pack(">I", number | rng.choice([0, 0x800000]))[1:] + bytes([rng.randrange(101) | half(rng, 0, 0x80)])


def govee(rng):
    hundredths = lambda: struct.pack("<hHB", rng.randrange(-4000, 10000), rng.randrange(10000), rng.randrange(101))  # noqa: E731
    probe = lambda: struct.pack(">h", rng.randrange(1, 30000))  # noqa: E731
    alarm = lambda: struct.pack(">h", rng.randrange(1, 30000))  # noqa: E731
    five = rng.choice(["GVH5100_1234", "GVH5101_1234", "Govee_H5102_1", "GVH5103_1", "GVH5104_1", "GVH5105_1", "GVH5174_1", "GVH5177_1", "GVH5110_1", "GV5179_1"])
    co2 = struct.pack(">I", rng.randrange(0, 1_000_000))[1:] + struct.pack(">H", rng.randrange(5000)) + bytes([half(rng, 0, 1)])
    choices = [
        ("", 0xEC88, b"\x00" + packed(rng) + b"\x00", []),
        (rng.choice(["GVH5075_2762", "GVH5072_2762", "GVH5129_1"]), 0xEC88, b"\x00" + packed(rng) + b"\x00", []),
        ("Govee_H5074_1234", 0xEC88, b"\x00" + hundredths() + b"\x02", []),
        (rng.choice(["", "Govee_H5052_1", "Govee_H5071_1"]), 0xEC88, b"\x00" + hundredths() + b"\x00\x00\x02", []),
        (five, 0x0001, b"\x01\x01" + packed(rng), []),
        (rng.choice(["GVH5108_1", ""]), 0x0001, b"\x01\x01" + packed(rng) + b"\x00\x00", []),
        ("GVH5112_1234", 0x0001, b"\x01\x01" + packed(rng) + b"\x00" + rng.choice([b"\x41", b"\x82"]), []),
        ("GV5140_1234", 0x0001, b"\x01\x01" + co2, []),
        ("B5178D6FB", 0x0001, b"\x01\x01" + rng.choice([b"\x00", b"\x01"]) + packed(rng) + b"\x00\x00", []),
        ("Govee_H5179_1", 0x8801, b"\xec\x00\x01\x01" + hundredths(), []),
        ("GVH5106_4E05", 0x0001, b"\x01\x01" + struct.pack(">I", rng.randrange(1 << 31) | rng.choice([0, 1 << 31])), []),
        ("", 0xF861, some(rng, 8) + probe() + alarm() + b"\x00\x00", [uuid(0x8151)]),
        ("", 0x67DD, some(rng, 8) + probe() + alarm() + b"\x00\x00", [uuid(0x8351)]),
        ("", 0x2730, some(rng, 8) + probe() + alarm() + b"\x01" + probe() + alarm(), [uuid(0x8251)]),
        ("", 0x1B36, some(rng, 6) + bytes([rng.choice([1, 2, 65, 130])]) + b"\x00" + probe() + alarm() + b"\x01" + probe() + alarm(), [uuid(0x8451)]),
        ("", 0x4A32, some(rng, 8) + probe() + alarm() + b"\x00\x00" + probe() + alarm() + b"\x00\x00", [uuid(0x8551)]),
        ("", 0xAC63, some(rng, 8) + probe() + alarm() + b"\x00\x00" + probe() + b"\x00" * 4, [uuid(0x9151)]),
        ("", 0x3022, some(rng, 6) + bytes([rng.choice([1, 2, 65, 130])]) + b"\x00" + b"".join(probe() for _ in range(6)), [uuid(0x9851)]),
        ("", 0xAF2F, b"U\x00d" + bytes([rng.randrange(0xC0)]) + b"\x20" + struct.pack("<hhhbhhh", 26, rng.choice([-1, 20]), rng.choice([-1, 90]), 0, 25, rng.choice([-1, 21]), rng.choice([-1, 91])) + b"\x00\x00", [uuid(0x5550)]),
        ("", rng.choice([0x8803, 0x8843]), rng.choice([b"\xec\x00\x01\x01", b"\xec\x00\x02\x01"]) + bytes([rng.randrange(2), rng.choice([0, 17])]), []),
        ("", 0xEF88, govee_sealed(rng), []),
    ]
    name, company, data, services = rng.choice(choices)
    return {"address": address(rng), "name": name, "manufacturer": [[company, data.hex()]], "services": services, "key": None}


def govee_sealed(rng):
    model = rng.choice([3, 8, 2, 9, 10, 11, 13])
    codes = {2: [1, 2], 3: [0, 1], 9: [0, 1], 13: [0, 1, 0x10, 0x11]}.get(model, [0, 1, 2, 3, 4, 5])
    state = bytes([1, rng.choice([4, 5]), model, 2, rng.randrange(101), rng.choice(codes)]) + bytes(10)
    time = some(rng, 4)
    key = (time + bytes(12))[::-1]
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(state[::-1])[::-1]
    check = 0x1D0F
    for byte in block:
        check ^= byte << 8
        for _ in range(8):
            check = (check << 1 ^ 0x1021) & 0xFFFF if check & 0x8000 else check << 1
    return some(rng, 2) + time + block + struct.pack(">H", check)


def inkbird(rng):
    company, rest = None, b""
    choice = rng.randrange(5)
    services = []
    if choice < 2:
        name = ["sps", "tps"][choice]
        humidity = rng.choice([0, 0xFFFF, 5000]) if choice else rng.randrange(10001)
        data = struct.pack("<hH", rng.randrange(-4000, 8000), humidity) + some(rng, 3) + bytes([half(rng, rng.randrange(101), 255), 8])
        services = [uuid(0xFFF0)]
    elif choice == 2:
        name = rng.choice(["iBBQ", "xBBQ"])
        probes = b"".join(half(rng, struct.pack("<h", rng.randrange(-200, 3000)), b"\xff\xff") for _ in range(rng.choice([1, 2, 4, 6])))
        data = b"\x00\x00" + some(rng, 8) + probes
        services = [uuid(0xFFF0)]
    elif choice == 3:
        name = rng.choice(["IBS-P02B", "ITH-11-B", "ITH-13-B", "ITH-21-B"])
        values = struct.pack("<hHB", rng.randrange(-400, 800), half(rng, rng.randrange(1001), 0), half(rng, rng.randrange(101), 200))
        data = struct.pack("<H", 9289) + some(rng, 4) + values + bytes(7)
        services = [uuid(0xFFF0)]
    else:
        name = "Ink@IAM-T2"
        data = struct.pack("<H", 12884) + b"\x00\x62" + some(rng, 5) + bytes([rng.choice([0, 2])]) + struct.pack(">hHH", rng.randrange(-400, 1200), rng.randrange(1001), rng.randrange(5000)) + b"\x91"
    company, rest = struct.unpack("<H", data[:2])[0], data[2:]
    return {"address": address(rng), "name": name, "manufacturer": [[company, rest.hex()]], "services": services, "key": None}


def sensorpush(rng):
    choice = rng.randrange(4)
    if choice == 0:
        name, services = "s", ["ef090000-11d6-42ba-93b8-9dd7ec090aa9"]
        bits = rng.randrange(4096) | rng.randrange(1 << 14) << 12 | 1 << 26
        data = struct.pack("<I", bits)
    else:
        services = ["ef090000-11d6-42ba-93b8-9dd7ec090ab0"]
        name, head, bases, length = [
            ("SensorPush HTP.xw C8AB", 0, [72001, 40001, 95001], 6), ("SensorPush HT.w 0CA1", 1, [66001, 40001], 4), ("SensorPush TC.x 1234", 2, [32001], 3),
        ][choice - 1]
        number = 0
        for base in reversed(bases):
            number = number * base + rng.randrange(base)
        data = bytes([head << 2]) + number.to_bytes(length, "little")
    return {"address": address(rng), "name": name, "manufacturer": [[struct.unpack("<H", data[:2])[0], data[2:].hex()]], "services": services, "key": None}


def thermopro(rng):
    choice = rng.randrange(4)
    if choice < 2:
        name = rng.choice(["TP357 (2142)", "TP357S (2142)", "TP358 (1)", "TP359S (1)", "TP393 (9376)", "TP397 (1)"])
        values = half(rng, struct.pack("<hB", rng.randrange(-400, 800), rng.randrange(100)), b"\xff\xff\xff")
        data = b"\xc2" + values + bytes([rng.randrange(4), 0x2C])
    elif choice == 2:
        name = rng.choice(["TP96 (1)", "TP962R (0000)", "TP970 (1)"])
        data = struct.pack("<BHHH", rng.randrange(3), rng.randrange(20, 330), rng.randrange(1800, 3300), rng.randrange(20, 330)) + rng.choice([b"", some(rng, 6)])
    else:
        name = "TP972 (1)"
        floats = [rng.uniform(80, 400) for _ in range(3)]
        data = struct.pack("<BHHfffHHH", rng.randrange(3), rng.randrange(100, 600), rng.randrange(1800, 3300), *floats, 1, 2, 3)
    return {"address": address(rng), "name": name, "manufacturer": [[struct.unpack("<H", data[:2])[0], data[2:].hex()]], "key": None}


def mopeka(rng):
    model = rng.choice([3, 4, 5, 6, 8, 9, 0xA, 0xB, 0xC, 0x12])
    data = bytes([model]) + some(rng, 9)
    return {"address": address(rng), "manufacturer": [[0x59, data.hex()]], "services": [uuid(0xFEE5)], "key": None}


def qingping(rng):
    objects = b""
    values = {1: 4, 2: 1, 4: 1, 7: 2, 8: 4, 9: 4, 0x11: 1, 0x12: 4, 0x13: 2, 0x15: 2, 0x19: 1}
    for number in rng.sample(list(values), rng.randint(1, 3)):
        value = some(rng, values[number])
        if number == 2:
            value = bytes([half(rng, rng.randrange(101), 0xFF)])
        objects += bytes([number, len(value)]) + value
    device = rng.choice([1, 4, 7, 9, 0xC, 0xE, 0xF, 0x10, 0x12, 0x15, 0x18, 0x1E, 0x33])
    data = bytes([rng.choice([0x08, 0x48, 0x88]), device]) + some(rng, 6) + objects
    return {"address": address(rng), "name": "Qingping", "service_data": [[uuid(0xFDCD), data.hex()]], "key": None}


def switchbot(rng):
    model = rng.choice("TiW4d5vscCHgj&b{")
    battery = rng.randrange(101)
    service = bytes([ord(model), rng.randrange(256), battery])
    # All zero is not measured yet; the sign of zero is no matter.
    measured = bytes([rng.randrange(1, 10), rng.randrange(256), rng.randrange(256)])
    makers = {
        "T": (8, measured), "i": (8, measured), "W": (8, measured + b"\0"), "4": (8, measured + some(rng, 3)),
        "5": (8, measured + some(rng, 2) + struct.pack(">H", rng.randrange(12000)) + b"\0"), "v": (12, bytes([rng.randrange(256)]) + measured + b"\0"),
        "d": (7, some(rng, 6)), "s": (7, some(rng, 3)), "c": (8, some(rng, 3)), "C": (8, some(rng, 3)), "{": (8, some(rng, 6)),
        "g": (7, some(rng, 5)), "j": (7, some(rng, 5)), "&": (7, some(rng, 5)),
    }
    maker = []
    if model in makers and (rng.random() < 0.6 or model in "v5gj&"):
        before, rest = makers[model]
        maker = [[2409, (some(rng, before) + rest).hex()]]
    else:
        service += {"T": measured, "i": measured, "W": measured, "4": measured, "d": some(rng, 6), "s": some(rng, 3)}.get(model, some(rng, 3))
    return {"address": address(rng), "service_data": [[uuid(0xFD3D), service.hex()]], "manufacturer": maker, "key": None}


SWITCHBOT = {
    "temperature": ("temperature", "Cel"), "humidity": ("humidity", "%"), "battery": ("battery", "%"), "co2": ("co2", "[ppm]"),
    "lightLevel": ("light_level", None), "contact_open": ("opening", None), "contact_timeout": ("contact_timeout", None),
    "motion_detected": ("motion", None), "is_light": ("light", None), "button_count": ("button_counter", None), "tested": ("tested", None),
    "position": ("position", "%"), "inMotion": ("moving", None), "calibration": ("calibrated", None), "switchMode": ("switch_mode", None),
    "isOn": ("on", None), "wifi_rssi": ("wifi_rssi", "dB[mW]"), "power": ("power", "W"), "leak": ("leak", None),
    "tampered": ("tamper", None), "low_battery": ("battery_low", None),
}


def read_switchbot(packet):
    service = bytes.fromhex(packet["service_data"][0][1])
    maker = dict(packet.get("manufacturer") or []).get(2409)
    read = read_switchbot_data(service, bytes.fromhex(maker) if maker else None, 2409 if maker else None, None)
    fields = []
    for name, value in (read or {}).get("data", {}).items():
        # A plug has no mode, the package says one for all that switch.
        if name in SWITCHBOT and value is not None and not (name == "switchMode" and chr(service[0]) in "gj"):
            our, unit = SWITCHBOT[name]
            fields.append([our, value, unit])
    return fields


# What Victron's chargers can have, but for 255, which is no value.
ERRORS = [error.value for error in ChargerError if error.value < 0xFF]
STATES = [0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 245, 246, 247, 248, 252]
ALARMS = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192]


def victron(rng):
    record = rng.choice([1, 2, 3, 4, 5, 8, 9, 0xA, 0xB, 0xC, 0xD, 0xF])
    number, place = 0, 0

    def put(bits, value=None):
        nonlocal number, place
        value = rng.randrange((1 << bits) - 2) if value is None else value
        number |= (value & (1 << bits) - 1) << place
        place += bits

    def state():
        put(8, rng.choice(STATES[:14] if record != 0xB else STATES[:10]))

    def error():
        if record == 0xB:
            # The package fails at those that would be negative numbers; the document has no negative ones.
            put(8, rng.choice([number for number in ERRORS if number < 0x80]))
        else:
            put(8, half(rng, rng.choice(ERRORS), 0xFF))

    def none(bits, missing):
        put(bits, half(rng, rng.randrange((1 << bits) - 2), missing))

    off = rng.choice([0, 1, 2, 4, 8, 16, 32, 64, 128, 256])
    if record == 1:
        state(), error(), none(16, 0x7FFF), none(16, 0x7FFF), none(16, 0xFFFF), none(16, 0xFFFF), none(9, 0x1FF)
    elif record == 2:
        none(16, 0xFFFF), none(16, 0x7FFF), put(16, rng.choice(ALARMS)), put(16, rng.randrange(0xFFFF)), put(2, rng.randrange(4)), none(22, 0x3FFFFF), none(20, 0xFFFFF), none(10, 0x3FF)
    elif record == 3:
        state(), put(16, rng.choice(ALARMS)), none(16, 0x7FFF), none(16, 0xFFFF), none(15, 0x7FFF), none(11, 0x7FF)
    elif record == 4:
        state(), error(), none(16, 0xFFFF), none(16, 0x7FFF), put(32, off)
    elif record == 5:
        put(32), put(16)
        for _ in range(8):
            put(7, half(rng, rng.randrange(0x7F), 0x7F))
        none(12, 0xFFF), put(4, rng.choice([0, 1, 2, 3, 0xF])), none(7, 0x7F)
    elif record == 8:
        state(), error()
        for _ in range(3):
            none(13, 0x1FFF), none(11, 0x7FF)
        none(7, 0x7F), none(9, 0x1FF)
    elif record == 9:
        state(), put(8, rng.choice([0, 1, 4])), error(), put(16, rng.choice(ALARMS)), put(16, rng.choice(ALARMS)), none(16, 0x7FFF), none(16, 0xFFFF), put(32, off)
    elif record == 0xA:
        put(8), none(16, 0xFFFF), none(16, 0x7FFF), none(16, 0x7FFF), put(16), put(18), none(10, 0x3FF), none(20, 0xFFFFF), none(7, 0x7F)
    elif record == 0xB:
        state(), error(), none(16, 0x7FFF), put(14), put(2), none(16, 0x7FFF), none(16, 0x7FFF), none(16, 0xFFFF), none(16, 0xFFFF)
    elif record == 0xC:
        state(), error(), none(16, 0x7FFF), none(14, 0x3FFF), put(2), none(19, 0x3FFFF), none(19, 0x3FFFF), put(2), none(7, 0x7F), none(7, 0x7F)
    elif record == 0xD:
        put(16, rng.choice([-9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8])), none(16, 0x7FFF), put(16, rng.choice(ALARMS))
        put(16, rng.randrange(0xFFFF)), put(2, rng.randrange(4)), none(22, 0x3FFFFF)
    else:
        state(), error(), none(16, 0xFFFF), none(16, 0xFFFF), none(16, 0xFFFF), none(16, 0xFFFF), put(32, off)
    plain = number.to_bytes((place + 7) // 8, "little")
    key, nonce = some(rng, 16), some(rng, 2)
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()  # the first block only: replaced below
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    first = nonce + bytes(14)
    second = (int.from_bytes(first, "little") + 1).to_bytes(16, "little")
    del stream
    pad = block.update(first + second)
    sealed = bytes(a ^ b for a, b in zip(plain, pad))
    data = bytes.fromhex("100289a3") + bytes([record]) + nonce + key[:1] + sealed
    return {"address": address(rng), "manufacturer": [[0x02E1, data.hex()]], "key": key.hex()}


# What the packages read. -------------------------------------------------------------------------------------------------------


def read_victron(packet):
    data, key = bytes.fromhex(packet["manufacturer"][0][1]), packet["key"]
    kind = detect_device_type(data)
    parsed = kind(key)
    values = parsed.parse_decrypted(parsed.decrypt(data))
    record = data[4]
    if kind.__name__ == "BatterySense":
        # It has no shunt: what else stands in the record is no measurement.
        values = {name: value for name, value in values.items() if name in ("voltage", "temperature_kelvin")}
    fields = []
    for name, value in values.items():
        # What is on the auxiliary input is told by the name of its value.
        if value is None or name == "aux_mode":
            continue
        if name in ("error", "charger_error", "error_code", "error_flags"):
            fields.append(["error", getattr(value, "value", value), None])
            continue
        if name == "cell_voltages":
            for cell, volts in enumerate(value, 1):
                if volts is not None:
                    # Beyond its range the package has an infinity, the document 2.60 V and 3.86 V.
                    volts = min(max(volts, 2.60), 3.86)
                    fields.append([number_name("cell_voltage", cell), volts, "V"])
            continue
        fields.append(victron_field(record, name, value))
    return [field for field in fields if field]


VICTRON = {
    "device_state": "state", "charge_state": "state", "battery_charging_current": "current", "battery_current": "current",
    "solar_power": "pv_power", "external_device_load": "external_load", "remaining_mins": "remaining", "consumed_ah": "consumed",
    "soc": "state_of_charge", "temperature_kelvin": "temperature", "battery_temperature": "temperature",
    "ac_in_state": "ac_in", "active_ac_in": "ac_in", "active_ac_in_power": "ac_in_power", "active_ac_out_power": "ac_out_power",
    "alarm_reason": "alarm", "warning_reason": "warning", "balancer_status": "balancer", "output_voltage1": "output_voltage",
    "output_current1": "output_current", "output_voltage2": "output_voltage_2", "output_current2": "output_current_2",
    "output_voltage3": "output_voltage_3", "output_current3": "output_current_3",
}
VICTRON_UNITS = {
    "voltage": "V", "current": "A", "power": "W", "temperature": "Cel", "load": "A", "remaining": "min", "consumed": "A.h",
    "charge": "%", "today": "kW.h",
}
WORDS = {
    "no_reason": "none", "no_alarm": "none", "switched_off_switch": "switched_off_by_switch",
    "switched_off_register": "switched_off_by_register", "pay_as_you_go_out_of_credit": "out_of_credit",
    "low_soc": "low_state_of_charge", "low_v_ac_out": "low_ac_output_voltage", "high_v_ac_out": "high_ac_output_voltage",
}


def victron_field(record, name, value):
    our = VICTRON.get(name, name)
    unit = next((unit for end, unit in VICTRON_UNITS.items() if our.rstrip("_23").endswith(end)), None)
    if our == "ac_apparent_power":
        unit = "V.A"
    if name == "temperature_kelvin":
        value = value - 273.15
    if name == "yield_today" and record == 1:
        value = value / 1000
    if name == "consumed_ah" and record == 0xA:
        # Victron's document: the charge is the record's number with the other sign, as in a battery monitor.
        value = -value
    if (record in (2, 0xD) and our == "current" and value == -0.001) or (record == 0xA and our == "state_of_charge" and value == 102.3):
        # All bits set is no value in Victron's document; the package looks for another number than it has then.
        return None
    if record in (3, 0xD) and name == "alarm":
        value = AlarmReason(value)
    if hasattr(value, "name"):
        word = value.name.lower()
        return [our, WORDS.get(word, word), None]
    return [our, value, unit]


def parser(family, packet):
    key = bytes.fromhex(packet["key"]) if packet.get("key") else None
    if family == "bthome":
        return BTHomeBluetoothDeviceData(bindkey=key)
    if family == "xiaomi":
        return XiaomiBluetoothDeviceData(bindkey=key)
    if family == "mopeka":
        model = int(packet["manufacturer"][0][1][:2], 16)
        medium = {5: MediumType.FRESH_WATER, 0xA: MediumType.AIR, 0xB: MediumType.AIR}.get(model, MediumType.PROPANE)
        return MopekaIOTBluetoothDeviceData(medium)
    return {
        "govee": GoveeBluetoothDeviceData, "inkbird": INKBIRDBluetoothDeviceData, "qingping": QingpingBluetoothDeviceData,
        "ruuvi": RuuvitagBluetoothDeviceData, "sensorpush": SensorPushBluetoothDeviceData, "thermopro": ThermoProBluetoothDeviceData,
    }[family]()


def read(family, packet):
    if family == "victron":
        return read_victron(packet)
    if family == "switchbot":
        return read_switchbot(packet)
    reader = parser(family, packet)
    update = reader.update(Info(packet))
    return by_the_document(family, packet, reader, update, readings(family, packet, update))


def by_the_document(family, packet, reader, update, fields):
    """The fields, with those as the format's own document has them where the package's are others, and those that it keeps elsewhere."""
    if family == "bthome":
        firmware = (update.devices[None].sw_version or "") if update.devices else ""
        if firmware[:1].isdigit():
            fields.append(["firmware_version", firmware, None])
        if reader.device_type_id is not None:
            fields.append(["device_type", reader.device_type_id, None])
        # The packet's number is none of the measurements (bthome.io/format, "Misc data").
        return [field for field in fields if field[0] != "packet_id"]
    if family == "qingping":
        # A battery on mains is no full one: 0xff is no percentage.
        data = bytes.fromhex(packet["service_data"][0][1])[8:]
        while len(data) >= 2:
            if data[:3] == b"\x02\x01\xff":
                fields = [field for field in fields if field[0] != "battery"] + [["externally_powered", True, None]]
            data = data[2 + data[1]:]
        return fields
    data = bytes.fromhex(packet["manufacturer"][0][1]) if packet.get("manufacturer") else b""
    if family == "ruuvi" and data[:1] == b"\x05" and len(data) == 24:
        axes = [axis for axis in zip("xyz", struct.unpack(">hhh", data[7:13])) if axis[1] != -0x8000]
        if 0 < len(axes) < 3:
            # Each axis has its own mark for no value (Ruuvi, data format 5); the package tells none of them when one has it.
            fields += [[f"acceleration_{axis}", milli * 0.00980665, "m/s2"] for axis, milli in axes]
        power = DataFormat5Decoder(data).tx_power_dbm
        if power is not None:
            fields.append(["tx_power", power, "dB[mW]"])
        # 255 is no count (Ruuvi, data format 5).
        fields = [field for field in fields if field[:2] != ["movement_counter", 255]]
    return fields


FAMILIES = {
    "bthome": bthome, "xiaomi": xiaomi, "ruuvi": ruuvi, "govee": govee, "inkbird": inkbird, "sensorpush": sensorpush,
    "thermopro": thermopro, "mopeka": mopeka, "qingping": qingping, "victron": victron, "switchbot": switchbot,
}


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    packets = []
    for number, (family, generate) in enumerate(FAMILIES.items()):
        rng = random.Random(seed * 1000 + number)
        packets += [(family, generate(rng), "generated") for _ in range(count)]
    for path in sys.argv[3:]:
        with open(path, encoding="utf-8") as file:
            for line in file:
                packet = json.loads(line)
                packets.append((packet.pop("family"), packet, packet.pop("source")))
    for family, packet, source in packets:
        expected, free = read(family, packet), sorted(DIFFERENCES.get(family, {}))
        if family == "xiaomi" and packet["service_data"][0][0] == uuid(0xFE95):
            product = struct.unpack("<H", bytes.fromhex(packet["service_data"][0][1])[2:4])[0]
            if product in CUT_HUMIDITY:
                expected = [field for field in expected if field[0] != "humidity"]
                free.append("humidity")
        within = {**WITHIN.get(family, {}), **packet.pop("within", {})}
        if family == "xiaomi" and packet["service_data"][0][0] in (uuid(0x181D), uuid(0x181B)):
            # As the bit in the packet says; the package asks for more.
            free += ["stabilized", "weight_removed"]
        print(json.dumps({"family": family, "source": source, "packet": packet, "expected": expected, "free": free, "within": within}))


if __name__ == "__main__":
    main()
