//! No answer ever holds a secret: a canary is typed into every field for one, and then everything is read.

use fieldgate_api::{
    config::Draft,
    endpoint::{
        GetDestination, Method, PutDestination, PutSource, TABLE, TestDestination, TestSource,
    },
};
use serde_json::{Value as Json, json};

use crate::{
    client::{Response, call, get},
    rig::Rig,
};

const CANARY: &str = "canary-7f3a-hunter2";

fn broker(password: Json) -> Draft {
    Draft {
        kind: "mqtt".into(),
        paused: true,
        settings: json!({ "url": "mqtt://127.0.0.1:1", "user": { "name": "op", "password": password } }),
    }
}

fn oven(password: Json) -> Draft {
    Draft {
        kind: "opcua".into(),
        paused: true,
        settings: json!({
            "endpoint": "opc.tcp://127.0.0.1:1", "select": ["Objects/**"],
            "user": { "name": "op", "password": password },
        }),
    }
}

#[track_caller]
fn expect_silent(response: &Response, what: &str) {
    let body = String::from_utf8_lossy(&response.body);
    let headers = format!("{:?}", response.headers);
    assert!(
        !body.contains(CANARY) && !headers.contains(CANARY),
        "{what}: {body}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_in_and_never_comes_out() {
    let rig = Rig::start().await;
    let at = rig.address;
    let typed = json!({ "typed": CANARY });
    for saved in [
        call::<PutDestination>(at, &["cloud"], &broker(typed.clone()), None).await,
        call::<PutSource>(at, &["oven"], &oven(typed.clone()), None).await,
    ] {
        assert_eq!(saved.status, 200, "{}", saved.text());
        expect_silent(&saved, "saved");
    }
    // In clear where a reference belongs: refused, and not repeated.
    for refused in [
        call::<PutDestination>(at, &["c2"], &broker(json!(CANARY)), None).await,
        call::<PutSource>(at, &["o2"], &oven(json!(CANARY)), None).await,
    ] {
        assert_eq!(refused.status, 422);
        expect_silent(&refused, "refused");
    }
    for tested in [
        call::<TestDestination>(at, &["cloud"], &broker(typed.clone()), None).await,
        call::<TestSource>(at, &["oven"], &oven(typed), None).await,
        call::<TestDestination>(at, &["cloud"], &broker(json!(CANARY)), None).await,
        call::<TestSource>(at, &["oven"], &oven(json!(CANARY)), None).await,
    ] {
        expect_silent(&tested, "tested");
    }
    rig.apply().await;
    for row in TABLE.iter().filter(|row| row.method == Method::Get) {
        for place in ["cloud", "oven", "1", "2", "3"] {
            let path = row.path.replace("{id}", place).replace("{number}", place);
            expect_silent(&get(at, &path).await, &path);
        }
    }
    for path in ["/metrics", "/api/v1/openapi.json", "/"] {
        expect_silent(&get(at, path).await, path);
    }
    let item = call::<GetDestination>(at, &["cloud"], &(), None).await;
    assert!(
        item.text().contains("\"secret\":\"destination-cloud-"),
        "{}",
        item.text()
    );
}
