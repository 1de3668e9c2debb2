//! What can go wrong with the simulated device.

/// A fault, in place of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No answer, ever.
    Hang,
    /// The connection ends before an answer.
    Close,
    /// Bytes that are no XML.
    Garbage,
    /// A web page, as a device has it without ONVIF.
    WebPage,
    /// Entities of entities of entities.
    BillionLaughs,
    /// More than a megabyte.
    Huge,
    /// Deeper than anybody needs.
    Deep,
    /// HTTP 503.
    Unavailable,
    /// HTTP 302 to there.
    Redirect(String),
    /// `ter:NotAuthorized`, with what is said to it.
    Denied(String),
    /// `ter:ActionNotSupported`.
    NotSupported,
    /// `ter:InvalidArgVal`.
    Refused,
}

/// A fault that waits for its request.
pub(super) struct Planned {
    pub operation: String,
    pub fault: Fault,
    pub times: u32,
}

/// Takes the first plan for an operation.
pub(super) fn take(planned: &mut Vec<Planned>, operation: &str) -> Option<Fault> {
    let at = planned
        .iter()
        .position(|plan| plan.operation == "*" || plan.operation == operation)?;
    let plan = planned.get_mut(at)?;
    plan.times = plan.times.saturating_sub(1);
    let fault = plan.fault.clone();
    if plan.times == 0 {
        planned.remove(at);
    }
    Some(fault)
}

/// A document whose entities would be gigabytes.
pub(crate) fn billion_laughs() -> String {
    let mut out = String::from("<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol \"lol\">");
    for level in 1..10 {
        let before = if level == 1 {
            "lol".to_owned()
        } else {
            format!("lol{}", level - 1)
        };
        out.push_str(&format!(
            "<!ENTITY lol{level} \"{}\">",
            format!("&{before};").repeat(10)
        ));
    }
    out.push_str("]><s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body>&lol9;</s:Body></s:Envelope>");
    out
}
