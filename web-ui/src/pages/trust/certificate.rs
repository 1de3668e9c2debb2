//! A certificate as people compare it: expiry, facts, thumbprints, downloads.

use fieldgate_api::trust::CertificateView;
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use crate::widgets::copy::copy_text;
use crate::widgets::icon::{Icon, icon};
use crate::widgets::time::local;

/// Less than so many days are worth a warning.
const SOON: i64 = 30;

/// How long it is still good, in words and a colour.
pub fn expiry(one: &CertificateView) -> AnyView {
    let days = u64::try_from(one.days_left).unwrap_or(0);
    let (picture, class, text) = match one.days_left {
        left if left < 0 => (
            Icon::Bad,
            "status bad",
            format!("Expired on {}", local(one.not_after)),
        ),
        left if left < SOON => (
            Icon::Warning,
            "status warning",
            format!("Expires in {}", words::counted(days, "day")),
        ),
        _ => (
            Icon::Good,
            "status good",
            format!("Expires in {}", words::counted(days, "day")),
        ),
    };
    view! { <p class=class data-test="expiry">{icon(picture)}<span>{text}</span></p> }.into_any()
}

/// Everything in it, behind a word; the thumbprint stands before.
pub fn facts(one: &CertificateView) -> AnyView {
    let listed = |items: &[String]| match items {
        [] => "none".to_owned(),
        items => words::plain(&items.join(", ")),
    };
    let valid = format!("{} to {}", local(one.not_before), local(one.not_after));
    view! {
        <p>{words::plain(&one.subject)}</p>
        {thumbprint(&one.thumbprint)}
        <details>
            <summary>"All that is in it"</summary>
            <dl class="facts">
                <div><dt>"issuer"</dt><dd>{words::plain(&one.issuer)}</dd></div>
                <div><dt>"names"</dt><dd>{listed(&one.names)}</dd></div>
                <div><dt>"valid"</dt><dd>{valid}</dd></div>
                <div><dt>"key"</dt><dd>{one.key.clone()}</dd></div>
                <div><dt>"signature"</dt><dd>{one.signature.clone()}</dd></div>
                <div><dt>"usages"</dt><dd>{listed(&one.usages)}</dd></div>
                <div><dt>"serial number"</dt><dd><code>{one.serial.clone()}</code></dd></div>
                <div><dt>"SHA-256"</dt><dd><code>{one.sha256.clone()}</code></dd></div>
            </dl>
        </details>
    }
    .into_any()
}

/// By SHA-1, as servers show it.
pub fn thumbprint(sha1: &str) -> AnyView {
    view! {
        <p><span class="faint">"Thumbprint "</span>{copy_text(sha1, "the thumbprint", "thumbprint")}</p>
    }
    .into_any()
}

/// The certificate as a file, in both forms that servers take.
pub fn downloads(one: &CertificateView, what: &str) -> AnyView {
    let links = ["der", "pem"].map(|ending| {
        let url = format!("/api/v1/export/trust/{}.{ending}", one.sha256);
        let name = format!("fieldgate-{}.{ending}", &one.thumbprint[..8.min(one.thumbprint.len())]);
        let label = format!("Download {what} in {}", ending.to_uppercase());
        view! {
            <a class="button small" href=url download=name aria-label=label>{ending.to_uppercase()}</a>
        }
        .into_any()
    });
    links.into_iter().collect_view().into_any()
}
