//! The hourly receipts: the list with its verdict, one by one, and each as the file that it is.

use actix_web::{
    HttpResponse,
    web::{self, Data, Path, ServiceConfig},
};
use fieldgate_api::endpoint::{GetReceipt, GetReceipts};

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
};
use crate::{ledger, telemetry::now};

/// Where a receipt's file is, with exactly the bytes whose SHA-256 the next receipt knows.
pub const EXPORT_PATH: &str = "/api/v1/export/receipts/{hour}.json";
/// Where one receipt's file is.
#[must_use]
pub fn export_path(hour: &str) -> String {
    // What is no hour is no part of a path, and leads to no receipt.
    let hour: String = hour
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    EXPORT_PATH.replace("{hour}", &hour)
}

/// The running hour.
const NOW: &str = "now";

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetReceipts, _, _>(list);
    mounts.mount::<GetReceipt, _, _>(one);
}

/// What stands beside the table: the files.
pub fn mount_export(config: &mut ServiceConfig) {
    config.route(EXPORT_PATH, web::get().to(export));
}

async fn list(call: Call<GetReceipts>) -> Answer<GetReceipts> {
    let listed = web::block(move || call.shared.gateway.receipts.list()).await;
    listed.map_err(broken)?.map_err(broken)
}

async fn one(call: Call<GetReceipt>) -> Answer<GetReceipt> {
    let gateway = &call.shared.gateway;
    if call.place == NOW {
        let ledger = ledger::rows(&gateway.lanes);
        return Ok(gateway.receipts.so_far(&gateway.who(), &ledger, now()));
    }
    let bytes = file(&call.shared, &call.place).await?;
    serde_json::from_slice(&bytes).map_err(broken)
}

async fn export(shared: Data<Shared>, hour: Path<String>) -> Result<HttpResponse, Failure> {
    let bytes = file(&shared, &hour).await?;
    let name = format!("attachment; filename=\"fieldgate-receipt-{hour}.json\"");
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header(("content-disposition", name))
        .body(bytes))
}

async fn file(shared: &Data<Shared>, hour: &str) -> Result<Vec<u8>, Failure> {
    let (shared, wanted) = (shared.clone(), hour.to_owned());
    let read = web::block(move || shared.gateway.receipts.read(&wanted)).await;
    let read = read.map_err(broken)?.map_err(broken)?;
    read.ok_or_else(|| Failure::no_such("receipt", hour))
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Unavailable(format!("the receipts cannot be read: {error}"))
}
