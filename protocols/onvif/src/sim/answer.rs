//! Envelopes of the simulated device.

const PREFIXES: &str = "xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:wsa5=\"http://www.w3.org/2005/08/addressing\" \
xmlns:tt=\"http://www.onvif.org/ver10/schema\" xmlns:tds=\"http://www.onvif.org/ver10/device/wsdl\" \
xmlns:trt=\"http://www.onvif.org/ver10/media/wsdl\" xmlns:tr2=\"http://www.onvif.org/ver20/media/wsdl\" \
xmlns:tptz=\"http://www.onvif.org/ver20/ptz/wsdl\" xmlns:timg=\"http://www.onvif.org/ver20/imaging/wsdl\" \
xmlns:tev=\"http://www.onvif.org/ver10/events/wsdl\" xmlns:wsnt=\"http://docs.oasis-open.org/wsn/b-2\" \
xmlns:wstop=\"http://docs.oasis-open.org/wsn/t-1\" xmlns:tns1=\"http://www.onvif.org/ver10/topics\" xmlns:ter=\"http://www.onvif.org/ver10/error\"";

/// Why an operation is not done, as a fault says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct No {
    /// `Sender` or `Receiver`.
    pub side: &'static str,
    pub code: &'static str,
    pub subcode: &'static str,
    pub reason: String,
}

/// What an operation gives: the body, or a fault.
pub(super) type Given = Result<String, No>;

pub(super) fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope {PREFIXES}><s:Body>{body}</s:Body></s:Envelope>"
    )
}

pub(super) fn fault(no: &No) -> String {
    let No {
        side,
        code,
        subcode,
        reason,
    } = no;
    let inner = if subcode.is_empty() {
        String::new()
    } else {
        format!("<s:Subcode><s:Value>ter:{subcode}</s:Value></s:Subcode>")
    };
    envelope(&format!(
        "<s:Fault><s:Code><s:Value>s:{side}</s:Value><s:Subcode><s:Value>ter:{code}</s:Value>{inner}</s:Subcode></s:Code>\
         <s:Reason><s:Text xml:lang=\"en\">{}</s:Text></s:Reason></s:Fault>",
        crate::xml::escape(reason)
    ))
}

// === impl No ===

impl No {
    fn new(side: &'static str, code: &'static str, subcode: &'static str, reason: &str) -> Self {
        Self {
            side,
            code,
            subcode,
            reason: reason.to_owned(),
        }
    }

    pub(super) fn not_authorized(reason: &str) -> Self {
        Self::new("Sender", "NotAuthorized", "", reason)
    }

    pub(super) fn not_supported() -> Self {
        Self::new(
            "Receiver",
            "ActionNotSupported",
            "",
            "The device does not have this",
        )
    }

    /// An argument that the device does not take.
    pub(super) fn invalid(subcode: &'static str, reason: &str) -> Self {
        Self::new("Sender", "InvalidArgVal", subcode, reason)
    }
}
