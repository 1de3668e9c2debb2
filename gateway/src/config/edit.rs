//! Edits of the console's TOML that leave everything else byte for byte as it is, comments included.

use serde_json::{Map, Value as Json};
use similar::TextDiff;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::{
    Section,
    tree::{Node, same, to_json},
};

/// Makes the item with this id hold exactly these keys. What is the same already is not touched.
pub(super) fn put_item(
    document: &mut DocumentMut,
    section: Section,
    id: &str,
    keys: &Map<String, Json>,
) {
    let tables = list(document, section);
    let known = tables.iter().position(|table| has_id(table, id));
    let at = known.unwrap_or_else(|| {
        let mut table = Table::new();
        table.insert("id", toml_edit::value(id));
        tables.push(table);
        tables.len() - 1
    });
    let table = tables.get_mut(at).expect("it was found or pushed just now");
    let mut wanted = keys.clone();
    wanted.insert("id".to_owned(), Json::from(id));
    sync_table(table, &wanted);
}

/// Takes the item with this id out; false when there is none.
pub(super) fn remove_item(document: &mut DocumentMut, section: Section, id: &str) -> bool {
    if !document.contains_key(section.word()) {
        return false;
    }
    let tables = list(document, section);
    let found = tables.iter().position(|table| has_id(table, id));
    if let Some(at) = found {
        tables.remove(at);
    }
    if tables.is_empty() {
        document.remove(section.word());
    }
    found.is_some()
}

/// A whole configuration as TOML, from what its layers make together.
pub(super) fn render(gateway: &Node, queue: &Node, items: &[(Section, &Node)]) -> String {
    let mut document = DocumentMut::new();
    for (key, node) in [("gateway", gateway), ("queue", queue)] {
        document.insert(key, Item::Table(table(node)));
    }
    for (section, node) in items {
        list(&mut document, *section).push(table(node));
    }
    document.to_string()
}

/// How one text becomes the other, as a unified diff; empty when they are the same.
pub(super) fn unified_diff(old: &str, new: &str, names: (&str, &str)) -> String {
    if old == new {
        return String::new();
    }
    TextDiff::from_lines(old, new)
        .unified_diff()
        .header(names.0, names.1)
        .to_string()
}

/// The section's tables, made when they are missing.
fn list(document: &mut DocumentMut, section: Section) -> &mut ArrayOfTables {
    let item = document.entry(section.word()).or_insert(Item::None);
    if !item.is_array_of_tables() {
        // An inline list becomes `[[…]]`, in which comments have a place.
        let tables = std::mem::take(item)
            .into_array_of_tables()
            .unwrap_or_default();
        *item = Item::ArrayOfTables(tables);
    }
    item.as_array_of_tables_mut()
        .expect("it was made one just now")
}

fn has_id(table: &Table, id: &str) -> bool {
    table.get("id").and_then(Item::as_str) == Some(id)
}

fn table(node: &Node) -> Table {
    let mut table = Table::new();
    for (key, node) in node.entries() {
        if let Some(value) = to_value(&node.to_json()) {
            table.insert(key, Item::Value(value));
        }
    }
    table
}

fn sync_table(table: &mut dyn TableLike, wanted: &Map<String, Json>) {
    let gone: Vec<String> = table
        .iter()
        .filter(|(key, _)| wanted.get(*key).is_none_or(Json::is_null))
        .map(|(key, _)| key.to_owned())
        .collect();
    for key in gone {
        table.remove(&key);
    }
    for (key, value) in in_reading_order(wanted) {
        match table.get_mut(key) {
            Some(item) => sync_item(item, value),
            None => {
                if let Some(value) = to_value(value) {
                    table.insert(key, Item::Value(value));
                }
            }
        }
    }
}

/// `id`, `kind` and `paused` first, the rest as it comes.
fn in_reading_order(wanted: &Map<String, Json>) -> Vec<(&String, &Json)> {
    let rank = |key: &str| {
        ["id", "kind", "paused"]
            .iter()
            .position(|first| *first == key)
            .unwrap_or(3)
    };
    let mut keys: Vec<(&String, &Json)> = wanted.iter().collect();
    keys.sort_by_key(|(key, _)| rank(key));
    keys
}

fn sync_item(item: &mut Item, wanted: &Json) {
    if same(&to_json(item), wanted) {
        return;
    }
    match (wanted, item) {
        (Json::Object(map), item) if item.is_table_like() => {
            sync_table(item.as_table_like_mut().expect("just asked"), map);
        }
        (Json::Array(list), Item::Value(Value::Array(array))) => sync_array(array, list),
        (wanted, Item::Value(value)) => replace(value, wanted),
        (wanted, item) => {
            if let Some(value) = to_value(wanted) {
                *item = Item::Value(value);
            }
        }
    }
}

fn sync_array(array: &mut Array, wanted: &[Json]) {
    while array.len() > wanted.len() {
        array.remove(array.len() - 1);
    }
    for (index, value) in wanted.iter().enumerate() {
        match array.get_mut(index) {
            Some(old) if same(&to_json(&Item::Value(old.clone())), value) => {}
            Some(old) => replace(old, value),
            None => array.extend(to_value(value)),
        }
    }
}

/// Another value in the same place, with the comment beside it.
fn replace(old: &mut Value, wanted: &Json) {
    if let Some(mut value) = to_value(wanted) {
        *value.decor_mut() = old.decor().clone();
        *old = value;
    }
}

/// `None` for null, which TOML does not have: such a key is left out.
fn to_value(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::from(integer),
            None => Value::from(number.as_f64()?),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(list) => Value::Array(list.iter().filter_map(to_value).collect()),
        Json::Object(map) => {
            let entries = map
                .iter()
                .filter_map(|(key, json)| Some((key.as_str(), to_value(json)?)));
            Value::InlineTable(InlineTable::from_iter(entries))
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const TEXT: &str = r#"# the console's

# the press
[[source]]
id = "press"   # never change this
kind = "opcua"
endpoint = 'opc.tcp://a:4840' # line 4
interval = 1.0
select = [
  "a", # the first
  "b",
]

# the oven
[[source]]
id = "oven"
kind = "opcua"
[source.security] # as agreed
mode = "Sign" # not more
policy = "x"

# the end
"#;

    fn put(text: &str, section: Section, id: &str, keys: Json) -> String {
        let mut document: DocumentMut = text.parse().unwrap();
        put_item(&mut document, section, id, keys.as_object().unwrap());
        document.to_string()
    }

    #[test]
    fn only_what_changed_changes() {
        let same = json!({ "kind": "opcua", "endpoint": "opc.tcp://a:4840", "interval": 1, "select": ["a", "b"] });
        assert_eq!(put(TEXT, Section::Source, "press", same), TEXT);

        let keys = json!({ "kind": "opcua", "endpoint": "opc.tcp://b:4840", "interval": 1, "select": ["a", "c"] });
        let expected = TEXT
            .replace("'opc.tcp://a:4840'", "\"opc.tcp://b:4840\"")
            .replace("\"b\"", "\"c\"");
        assert_eq!(put(TEXT, Section::Source, "press", keys), expected);

        let keys = json!({ "kind": "opcua", "security": { "mode": "None" } });
        let expected = TEXT
            .replace("mode = \"Sign\"", "mode = \"None\"")
            .replace("policy = \"x\"\n", "");
        assert_eq!(put(TEXT, Section::Source, "oven", keys), expected);
    }

    #[test]
    fn items_come_and_go_with_their_comments() {
        let keys = json!({ "to": "b", "from": ["press/**"], "nothing": null });
        let added = put(TEXT, Section::Route, "all", keys);
        assert!(
            added.contains("\n[[route]]\nid = \"all\"\nfrom = [\"press/**\"]\nto = \"b\"\n"),
            "{added}"
        );
        let mut document: DocumentMut = added.parse().unwrap();
        assert!(remove_item(&mut document, Section::Route, "all"));
        assert!(!remove_item(&mut document, Section::Route, "all"));
        assert_eq!(document.to_string(), TEXT);
        assert!(remove_item(&mut document, Section::Source, "press"));
        assert!(!document.to_string().contains("the press"));
        assert!(document.to_string().contains("# the oven\n[[source]]"));
    }

    fn value() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            (-1e9..1e9f64).prop_map(Json::from),
            "\\PC{0,12}".prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::btree_map("\\PC{1,8}", inner, 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// What was put is read back, and every line of the others stays as it was.
        #[test]
        fn a_put_touches_nothing_else(settings in prop::collection::btree_map("[a-z ]{1,8}", value(), 0..5)) {
            let mut keys: Map<String, Json> = settings.into_iter().collect();
            keys.insert("kind".to_owned(), Json::from("opcua"));
            keys.remove("id");
            let text = put(TEXT, Section::Source, "press", Json::Object(keys.clone()));

            let at = |text: &str| text.find("# the oven").unwrap();
            prop_assert_eq!(&text[at(&text)..], &TEXT[at(TEXT)..]);
            prop_assert!(text.starts_with("# the console's\n\n# the press\n[[source]]\nid = \"press\"   # never change this\n"));

            let document: DocumentMut = text.parse().unwrap();
            let mut read = to_json(&document["source"])[0].clone();
            read.as_object_mut().unwrap().remove("id");
            prop_assert!(same(&read, &Json::Object(keys.clone())), "{} is not {}", read, Json::Object(keys));

            // A second time changes nothing at all.
            let keys = read;
            prop_assert_eq!(put(&text, Section::Source, "press", keys), text);
        }
    }
}
