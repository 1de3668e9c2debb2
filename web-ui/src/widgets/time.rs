//! Instants: the local time of day, with the exact one for who needs it.

use fieldgate_model::Timestamp;
use fieldgate_ui_logic::words;
use js_sys::Date;
use leptos::prelude::*;
use wasm_bindgen::JsValue;

use crate::live::Live;

/// `14:03:07`, or with the day when it is not today.
pub fn local(at: Timestamp) -> String {
    let date = Date::new(&JsValue::from_f64(at.millis() as f64));
    let time = String::from(date.to_locale_time_string("en-GB"));
    let day = date.to_date_string();
    if day == Date::new_0().to_date_string() {
        time
    } else {
        format!(
            "{} {time}",
            String::from(date.to_locale_date_string("en-CA", &JsValue::UNDEFINED))
        )
    }
}

/// The local time, marked up with the exact one.
pub fn instant(at: Timestamp) -> AnyView {
    let exact = at.to_string();
    view! { <time datetime=exact.clone() title=exact>{local(at)}</time> }.into_any()
}

/// `4 s ago`, kept up to date.
pub fn ago(at: Timestamp) -> AnyView {
    let live = Live::expect();
    let exact = at.to_string();
    view! {
        <time datetime=exact.clone() title=exact>{move || words::age(live.now.get() - at.millis())}</time>
    }
    .into_any()
}
