//! The OpenAPI 3.1 document, written from the endpoint table; and the JSON Schemas of the payloads that go upstream.

use actix_web::{
    HttpResponse,
    web::{self, Path, ServiceConfig},
};
use fieldgate_api::{
    GUARD_HEADER, GUARD_VALUE,
    endpoint::{Method, Row, TABLE},
    live::{self, Update, Watch},
    queue::CheckLine,
    receipt::Receipt,
    trouble::Trouble,
};
use fieldgate_kit::{
    command::{ANSWER_SCHEMA, COMMAND_SCHEMA},
    format::{AIO_JSON_SCHEMA, CLOUD_EVENT_SCHEMA, JSON_SCHEMA},
};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value as Json, json};

use super::{check, dead, error::Failure, export, receipts, scrape, selection};

/// Where the document is.
pub const PATH: &str = "/api/v1/openapi.json";
/// Where the payload schemas are.
const SCHEMAS_PATH: &str = "/api/v1/schemas/{format}.json";

pub(super) fn mount(config: &mut ServiceConfig) {
    config.route(PATH, web::get().to(serve));
    config.route(SCHEMAS_PATH, web::get().to(schema));
}

/// The document.
#[must_use]
pub fn document() -> Json {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for row in TABLE {
        let operation = operation(row, &mut generator);
        put(&mut paths, row.path, row.method.as_str(), operation);
    }
    generator.subschema_for::<Trouble>();
    generator.subschema_for::<Watch>();
    generator.subschema_for::<Update>();
    generator.subschema_for::<CheckLine>();
    beside_the_table(&mut paths);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Fieldgate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Everything that the console shows and changes. Until there are accounts it is served on loopback only.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": { "Trouble": {
                "description": "Why the request failed (RFC 9457).",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Trouble" } } },
            } },
            "parameters": parameters(),
        },
    })
}

async fn serve() -> HttpResponse {
    HttpResponse::Ok().json(document())
}

async fn schema(format: Path<String>) -> Result<HttpResponse, Failure> {
    let text = match format.as_str() {
        "aio-json" => AIO_JSON_SCHEMA.to_owned(),
        "json" => JSON_SCHEMA.to_owned(),
        "cloud-event" => CLOUD_EVENT_SCHEMA.to_owned(),
        "command" => COMMAND_SCHEMA.to_owned(),
        "command-answer" => ANSWER_SCHEMA.to_owned(),
        "receipt" => schemars::schema_for!(Receipt).as_value().to_string(),
        other => return Err(Failure::no_such("schema", other)),
    };
    Ok(HttpResponse::Ok()
        .content_type("application/schema+json")
        .body(text))
}

fn parameters() -> Json {
    json!({
        "Guard": {
            "name": GUARD_HEADER, "in": "header", "required": true,
            "description": "Stands on every change; a foreign page cannot send it.",
            "schema": { "const": GUARD_VALUE },
        },
        "IfMatch": {
            "name": "if-match", "in": "header", "required": false,
            "description": "The revision that the change is based on, in quotes. When the configuration has moved on since, the answer is 409.",
            "schema": { "type": "string", "pattern": "^\"[0-9]+\"$" },
        },
    })
}

fn operation(row: &Row, generator: &mut SchemaGenerator) -> Json {
    let request = (row.request)(generator);
    let response = (row.response)(generator);
    let mut parameters: Vec<Json> = places(row.path).map(place).collect();
    if row.method == Method::Get {
        parameters.extend(request.iter().flat_map(|schema| query(schema, generator)));
    }
    if row.method != Method::Get {
        parameters.push(json!({ "$ref": "#/components/parameters/Guard" }));
    }
    if changes_configuration(row) {
        parameters.push(json!({ "$ref": "#/components/parameters/IfMatch" }));
    }
    let mut responses = Map::new();
    match response {
        Some(schema) => {
            let answer = json!({ "description": "Done.", "content": { "application/json": { "schema": schema } } });
            responses.insert("200".into(), answer);
        }
        None => {
            responses.insert("204".into(), json!({ "description": "Done." }));
        }
    }
    let trouble = json!({ "$ref": "#/components/responses/Trouble" });
    responses.insert("default".into(), trouble);
    let mut operation = json!({
        "operationId": row.name,
        "summary": row.summary.trim(),
        "tags": [tag(row.path)],
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(schema) = request.filter(|_| row.method != Method::Get) {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": schema } },
        });
    }
    operation
}

/// The request of a GET as parameters: one for each field of its struct.
fn query(schema: &Schema, generator: &SchemaGenerator) -> Vec<Json> {
    let name = schema.as_value()["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next());
    let definition = name.and_then(|name| generator.definitions().get(name));
    let fields = definition.and_then(|definition| definition["properties"].as_object());
    let parameter = |(name, schema): (&String, &Json)| {
        let mut schema = schema.clone();
        let about = schema
            .as_object_mut()
            .and_then(|schema| schema.remove("description"));
        json!({ "name": name, "in": "query", "required": false, "description": about, "schema": schema })
    };
    fields.into_iter().flatten().map(parameter).collect()
}

/// Everything that answers with what was saved.
fn changes_configuration(row: &Row) -> bool {
    matches!(row.method, Method::Put | Method::Delete) || row.path.ends_with("/revert")
}

/// The names within braces.
fn places(path: &str) -> impl Iterator<Item = &str> {
    path.split(['{', '}']).skip(1).step_by(2)
}

fn place(name: &str) -> Json {
    let schema = match name {
        "number" => json!({ "type": "integer", "minimum": 0 }),
        _ => json!({ "type": "string" }),
    };
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

/// What a row is about: the first segment of its path below `/api/v1`.
fn tag(path: &str) -> &str {
    let below = path.strip_prefix("/api/v1/").unwrap_or("health");
    below.split('/').next().unwrap_or(below)
}

fn beside_the_table(paths: &mut Map<String, Json>) {
    let text = json!({ "text/plain": { "schema": { "type": "string" } } });
    let metrics = json!({
        "operationId": "GetMetrics", "tags": ["health"],
        "summary": "The gateway's figures for Prometheus.",
        "responses": { "200": { "description": "Prometheus' text format 0.0.4.", "content": text } },
    });
    put(paths, scrape::PATH, "GET", metrics);
    let letters = json!({
        "operationId": "ExportDeadLetters", "tags": ["export"],
        "summary": "Dead letters, one JSON object a line, the oldest first.",
        "parameters": [
            { "name": "destination", "in": "query", "required": false, "schema": { "type": "string" } },
            { "name": "reason", "in": "query", "required": false, "schema": { "type": "string" } },
        ],
        "responses": {
            "200": { "description": "`letter` as in GetDeadLetter, `reading`, and `frame` in hexadecimal digits.", "content": { "application/x-ndjson": { "schema": { "type": "string" } } } },
            "default": { "$ref": "#/components/responses/Trouble" },
        },
    });
    put(paths, dead::EXPORT_PATH, "GET", letters);
    let time = json!({ "type": "string", "format": "date-time" });
    let records = json!({
        "operationId": "ExportQueue", "tags": ["export"],
        "summary": "The records that a lane still has, delivered or not, one JSON object a line.",
        "parameters": [
            { "name": "lane", "in": "query", "required": false, "schema": { "enum": ["normal", "critical"] } },
            { "name": "destination", "in": "query", "required": false, "schema": { "type": "string" } },
            { "name": "from", "in": "query", "required": false, "schema": time },
            { "name": "to", "in": "query", "required": false, "schema": time },
        ],
        "responses": {
            "200": { "description": "`id`, `accepted_at` and `reading`.", "content": { "application/x-ndjson": { "schema": { "type": "string" } } } },
            "default": { "$ref": "#/components/responses/Trouble" },
        },
    });
    put(paths, export::PATH, "GET", records);
    let selection = json!({
        "operationId": "DownloadSelection", "tags": ["export"],
        "summary": "The rules of a source as a file.",
        "parameters": [
            place("id"),
            { "name": "format", "in": "path", "required": true, "schema": { "enum": ["csv", "json"] } },
        ],
        "responses": {
            "200": { "description": "As ExportSelection has it in `text`.", "content": { "text/csv": { "schema": { "type": "string" } }, "application/json": { "schema": { "type": "array" } } } },
            "default": { "$ref": "#/components/responses/Trouble" },
        },
    });
    put(paths, selection::FILE_PATH, "GET", selection);
    let check = json!({
        "operationId": "CheckQueue", "tags": ["export"],
        "summary": "Reads the whole queue and checks it, between the commits: one line a megabyte, and one with the result for each lane.",
        "responses": {
            "200": { "description": "Each line is a CheckLine.", "content": { "application/x-ndjson": { "schema": { "$ref": "#/components/schemas/CheckLine" } } } },
            "default": { "$ref": "#/components/responses/Trouble" },
        },
    });
    put(paths, check::PATH, "GET", check);
    let receipt = json!({
        "operationId": "ExportReceipt", "tags": ["export"],
        "summary": "A receipt's file, with exactly the bytes whose SHA-256 the next receipt knows.",
        "parameters": [place("hour")],
        "responses": {
            "200": { "description": "As /api/v1/schemas/receipt.json says.", "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Receipt" } } } },
            "default": { "$ref": "#/components/responses/Trouble" },
        },
    });
    put(paths, receipts::EXPORT_PATH, "GET", receipt);
    let live = json!({
        "operationId": "Live", "tags": ["live"],
        "summary": "The one WebSocket of a tab: it sends Watch, and gets Update.",
        "responses": {
            "101": { "description": "From here on JSON texts: Watch to the gateway, Update from it." },
            "default": { "$ref": "#/components/responses/Trouble" },
        },
    });
    put(paths, live::PATH, "GET", live);
    let schema = json!({
        "operationId": "GetPayloadSchema", "tags": ["schemas"],
        "summary": "The JSON Schema of a payload format, or of the hourly receipt.",
        "parameters": [{
            "name": "format", "in": "path", "required": true,
            "schema": { "enum": ["aio-json", "json", "cloud-event", "receipt"] },
        }],
        "responses": {
            "200": { "description": "JSON Schema 2020-12.", "content": { "application/schema+json": { "schema": true } } },
            "default": { "$ref": "#/components/responses/Trouble" },
        },
    });
    put(paths, SCHEMAS_PATH, "GET", schema);
}

fn put(paths: &mut Map<String, Json>, path: &str, method: &str, operation: Json) {
    let item = paths.entry(path).or_insert_with(|| json!({}));
    item[method.to_ascii_lowercase()] = operation;
}
