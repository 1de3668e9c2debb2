//! What the tests of all formats need: advertisements out of hexadecimal digits, and fields in one line.

use fieldgate_model::Value;
use uuid::Uuid;

use crate::{Address, Advertisement, Decode, Decoded, Key, Memory, Nature, uuid16};

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

pub(crate) fn service(address: &str, uuid: u16, data: &str) -> Advertisement {
    let mut advertisement = Advertisement::new(address.parse().unwrap(), false);
    advertisement.service_data = vec![(uuid16(uuid), hex(data))];
    advertisement
}

pub(crate) fn manufacturer(name: &str, company: u16, data: &str) -> Advertisement {
    let mut advertisement = Advertisement::new(Address([0xA4, 0xC1, 0x38, 1, 2, 3]), false);
    advertisement.name = Some(name.to_owned()).filter(|name| !name.is_empty());
    advertisement.manufacturer = vec![(company, hex(data))];
    advertisement
}

pub(crate) fn offering(mut advertisement: Advertisement, service: Uuid) -> Advertisement {
    advertisement.services.push(service);
    advertisement
}

pub(crate) fn once(decode: Decode, advertisement: &Advertisement, key: Option<&str>) -> Decoded {
    let key = key.map(|key| Key::parse(key).unwrap());
    decode(advertisement, key.as_ref(), &mut Memory::default())
}

/// `temperature 25.06 Cel, button! press`; what is not fields, as it is printed.
pub(crate) fn told(decoded: &Decoded) -> String {
    let Decoded::Fields { fields, .. } = decoded else {
        return format!("{decoded:?}");
    };
    let told: Vec<_> = fields
        .iter()
        .map(|field| {
            let mark = if field.nature == Nature::Happened {
                "!"
            } else {
                ""
            };
            let unit = field.unit.as_deref().unwrap_or_default();
            let told = format!("{}{mark} {} {unit}", field.id, value(&field.value));
            told.trim_end().to_owned()
        })
        .collect();
    told.join(", ")
}

fn value(value: &Value) -> String {
    match value {
        Value::Float(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Value::List(values) => {
            let all: Vec<_> = values.iter().map(self::value).collect();
            format!("[{}]", all.join("; "))
        }
        Value::Struct(parts) => {
            let parts: Vec<_> = parts.iter().map(|(_, part)| self::value(part)).collect();
            format!("({})", parts.join(" "))
        }
        other => format!("{other:?}"),
    }
}
