//! SOAP 1.2 envelopes: a request with who signs it, and what an answer is (ONVIF Core Specification clause 5).

use base64::{Engine, prelude::BASE64_STANDARD};
use fieldgate_model::Timestamp;
use sha1::{Digest, Sha1};
use uuid::Uuid;

use crate::{
    clock::write_date_time,
    words::shown,
    xml::{Element, escape, parse},
};

const ENVELOPE: &str = "http://www.w3.org/2003/05/soap-envelope";
const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
const SECURITY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const UTILITY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const PASSWORD_DIGEST: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest";
const BASE64: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";

/// The prefixes that bodies of ours use. All are declared at the root: there are devices that look for `tt:` and not for a namespace.
const PREFIXES: &[(&str, &str)] = &[
    ("tt", "http://www.onvif.org/ver10/schema"),
    ("tds", "http://www.onvif.org/ver10/device/wsdl"),
    ("trt", "http://www.onvif.org/ver10/media/wsdl"),
    ("tr2", "http://www.onvif.org/ver20/media/wsdl"),
    ("tptz", "http://www.onvif.org/ver20/ptz/wsdl"),
    ("timg", "http://www.onvif.org/ver20/imaging/wsdl"),
    ("tev", "http://www.onvif.org/ver10/events/wsdl"),
    ("wsnt", "http://docs.oasis-open.org/wsn/b-2"),
];

/// Who signs requests, and with what.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

/// What stands in an envelope beside its body. Not `Debug`: it has a digest of the password in it.
#[derive(Clone, Default)]
pub(crate) struct Headers {
    /// `wsse:Security`, written.
    pub security: String,
    /// WS-Addressing: the endpoint and the action, for services that need them.
    pub addressing: Option<(String, String)>,
    /// Reference parameters of the endpoint, as they came.
    pub references: Vec<String>,
}

/// What a device says instead of doing something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Fault {
    /// Local names of the code and its subcodes, the widest first.
    pub codes: Vec<String>,
    pub reason: String,
}

/// What a fault means, before it is known what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Who asks is not believed.
    NotAuthorized,
    /// The time of the request is not believed.
    WrongTime,
    Locked,
    NotSupported,
    /// The device's own trouble.
    Trouble,
    /// The request's fault.
    Refused,
}

/// An answer that could be read.
pub(crate) enum Answer {
    /// The whole envelope.
    Done(Element),
    Fault(Fault),
}

/// A whole request.
pub(crate) fn envelope(headers: &Headers, body: &str) -> String {
    let mut out = String::with_capacity(2_048 + body.len());
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"");
    out.push_str(ENVELOPE);
    out.push('"');
    for (prefix, namespace) in PREFIXES {
        out.push_str(&format!(" xmlns:{prefix}=\"{namespace}\""));
    }
    out.push_str("><s:Header>");
    out.push_str(&headers.security);
    if let Some((to, action)) = &headers.addressing {
        let (to, action) = (escape(to), escape(action));
        let id = Uuid::new_v4();
        out.push_str(&format!(
            "<wsa:Action xmlns:wsa=\"{ADDRESSING}\">{action}</wsa:Action>\
             <wsa:MessageID xmlns:wsa=\"{ADDRESSING}\">urn:uuid:{id}</wsa:MessageID>\
             <wsa:To xmlns:wsa=\"{ADDRESSING}\">{to}</wsa:To>"
        ));
    }
    for reference in &headers.references {
        out.push_str(reference);
    }
    out.push_str("</s:Header><s:Body>");
    out.push_str(body);
    out.push_str("</s:Body></s:Envelope>");
    out
}

/// `wsse:Security` with a `UsernameToken` and its digest (WS-Security UsernameToken Profile 1.0), made at the device's time.
pub(crate) fn username_token(credentials: &Credentials, device_now: Timestamp) -> String {
    // A version 4 UUID is 122 bits of the operating system's randomness.
    let nonce = Uuid::new_v4().into_bytes();
    let created = write_date_time(device_now);
    let digest = BASE64_STANDARD.encode(password_digest(&nonce, &created, &credentials.password));
    let nonce = BASE64_STANDARD.encode(nonce);
    let user = escape(&credentials.user);
    format!(
        "<wsse:Security xmlns:wsse=\"{SECURITY}\" xmlns:wsu=\"{UTILITY}\" s:mustUnderstand=\"1\"><wsse:UsernameToken>\
         <wsse:Username>{user}</wsse:Username><wsse:Password Type=\"{PASSWORD_DIGEST}\">{digest}</wsse:Password>\
         <wsse:Nonce EncodingType=\"{BASE64}\">{nonce}</wsse:Nonce><wsu:Created>{created}</wsu:Created>\
         </wsse:UsernameToken></wsse:Security>"
    )
}

/// SHA-1 over the nonce, the time as it is written, and the password.
pub(crate) fn password_digest(nonce: &[u8], created: &str, password: &str) -> [u8; 20] {
    Sha1::new()
        .chain_update(nonce)
        .chain_update(created)
        .chain_update(password)
        .finalize()
        .into()
}

/// Reads an answer.
///
/// # Errors
/// In words, when it is no SOAP envelope within the bounds of `xml`.
pub(crate) fn read(bytes: &[u8]) -> Result<Answer, String> {
    let root = parse(bytes).map_err(|error| error.to_string())?;
    if root.local() != "Envelope" {
        return Err(format!("it is <{}>, no SOAP envelope", shown(&root.name)));
    }
    let body = root.child("Body").ok_or("it has no SOAP body")?;
    match body.child("Fault") {
        Some(fault) => Ok(Answer::Fault(Fault::read(fault))),
        None => Ok(Answer::Done(root)),
    }
}

/// The one element of the body, when it is the one that was hoped for.
pub(crate) fn response(mut root: Element, name: &str) -> Result<Element, String> {
    let body = root
        .children
        .iter_mut()
        .find(|child| child.local() == "Body")
        .ok_or("it has no SOAP body")?;
    let at = body.children.iter().position(|child| child.local() == name);
    match at {
        Some(at) => Ok(body.children.swap_remove(at)),
        None => Err(format!("it has no {name}")),
    }
}

// === impl Credentials ===

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

// === impl Fault ===

impl Fault {
    fn read(fault: &Element) -> Self {
        let mut codes = Vec::new();
        let mut code = fault.child("Code");
        while let Some(here) = code {
            if let Some(value) = here.word(&["Value"]) {
                codes.push(local_of(value));
            }
            code = here.child("Subcode");
        }
        // SOAP 1.1, from devices that answer in it.
        if let Some(value) = fault.word(&["faultcode"]) {
            codes.push(local_of(value));
        }
        let reason = fault
            .word(&["Reason", "Text"])
            .or_else(|| fault.word(&["faultstring"]))
            .or_else(|| fault.word(&["Detail", "Text"]))
            .or_else(|| fault.word(&["Detail"]))
            .map(shown)
            .unwrap_or_default();
        Self { codes, reason }
    }

    /// In words.
    pub(crate) fn words(&self) -> String {
        let code = self.codes.last().map(String::as_str).unwrap_or_default();
        match (self.reason.is_empty(), code.is_empty()) {
            (false, false) => format!("{} ({code})", self.reason),
            (false, true) => self.reason.clone(),
            (true, false) => code.to_owned(),
            (true, true) => "a fault without a reason".to_owned(),
        }
    }

    pub(crate) fn meaning(&self) -> Meaning {
        let reason = self.reason.to_ascii_lowercase();
        let is = |codes: &[&str]| self.codes.iter().any(|code| codes.contains(&code.as_str()));
        let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
        let denied = is(&[
            "NotAuthorized",
            "SenderNotAuthorized",
            "FailedAuthentication",
            "InvalidSecurity",
            "InvalidSecurityToken",
            "OperationProhibited",
        ]) || says(&[
            "not authorized",
            "unauthorized",
            "authentication failed",
            "authority failure",
        ]);
        if denied && says(&["locked", "lockout", "lock out"]) {
            return Meaning::Locked;
        }
        if is(&["MessageExpired"]) || (denied && says(&["time", "clock", "expired"])) {
            return Meaning::WrongTime;
        }
        if denied {
            return Meaning::NotAuthorized;
        }
        // An argument is not supported, and the operation is.
        if is(&["InvalidArgVal", "InvalidArgs"]) && !is(&["ActionNotSupported"]) {
            return Meaning::Refused;
        }
        if is(&[
            "ActionNotSupported",
            "OptionalActionNotImplemented",
            "NotSupported",
        ]) || says(&["not implemented", "not supported", "not recognized"])
        {
            return Meaning::NotSupported;
        }
        if is(&["Receiver", "Server"]) {
            return Meaning::Trouble;
        }
        Meaning::Refused
    }
}

/// Of a qualified name in text.
fn local_of(name: &str) -> String {
    shown(name.rsplit_once(':').map_or(name, |(_, local)| local))
}

#[cfg(test)]
mod tests;
