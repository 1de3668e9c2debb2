//! `Status`: an OPC UA status code as its name, with a few words for the ones that people meet (OPC UA Part 4, 7.39).

use std::{borrow::Cow, fmt};

use fieldgate_model::Quality;

/// A status code by its name in the specification, for instance `BadNodeIdUnknown`; an unknown one as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status(Cow<'static, str>);

/// The statuses by which a server says that it has no such value for us. They are a point's problem, not a passing quality.
const NO_SUCH_VALUE: [&str; 6] = [
    "BadNodeIdUnknown",
    "BadNodeIdInvalid",
    "BadAttributeIdInvalid",
    "BadNotReadable",
    "BadUserAccessDenied",
    "BadNotSupported",
];

// === impl Status ===

impl Status {
    pub const fn named(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// One that the specification's table does not know.
    pub fn unknown(code: u32) -> Self {
        Self(Cow::Owned(format!("0x{code:08X}")))
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    pub fn is(&self, name: &str) -> bool {
        self.0 == name
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match words(&self.0) {
            "" => f.write_str(&self.0),
            words => write!(f, "{}: {words}", self.0),
        }
    }
}

/// The quality's reason is a problem of the point itself.
pub(crate) fn is_problem(quality: &Quality) -> bool {
    let Quality::Bad(why) = quality else {
        return false;
    };
    let name = why.split(':').next().unwrap_or_default();
    NO_SUCH_VALUE.contains(&name)
}

fn words(name: &str) -> &'static str {
    match name {
        "Good" => "",
        "GoodClamped" => "the value is at the limit of its range",
        "GoodLocalOverride" => "set by hand",
        "Uncertain" => "the server is not sure of the value",
        "UncertainInitialValue" => "no value since the server's start",
        "UncertainLastUsableValue" => "the last value before its origin stopped updating",
        "UncertainNoCommunicationLastUsableValue" => "the last value before the device was lost",
        "UncertainSensorNotAccurate" => "at the sensor's limit, or out of calibration",
        "UncertainEngineeringUnitsExceeded" => "outside of the sensor's range",
        "UncertainSubNormal" => "fewer good sources than required",
        "UncertainSubstituteValue" => "a substitute, not measured",
        "Bad" => "the server says no more",
        "BadNodeIdUnknown" => "the server no longer has this node",
        "BadNoMatch" => "no rule of `select` means this node any more",
        "BadNodeIdInvalid" => "the server does not take this node id",
        "BadAttributeIdInvalid" => "this node has no value",
        "BadNotReadable" => "the server does not let this node be read",
        "BadUserAccessDenied" => "this user may not do that",
        "BadNotSupported" => "the server does not support it",
        "BadNotFound" => "the server does not find it",
        "BadNoCommunication" => "the server has no contact with the device",
        "BadCommunicationError" => "the communication failed",
        "BadConnectionClosed" => "the connection was closed",
        "BadConnectionRejected" => "the server rejected the connection",
        "BadNotConnected" => "no contact with the device since the start",
        "BadDeviceFailure" => "the device failed",
        "BadSensorFailure" => "the sensor failed",
        "BadOutOfService" => "taken out of service",
        "BadConfigurationError" => "something is wrong in the server's configuration",
        "BadWaitingForInitialData" => "the first value is awaited",
        "BadNoData" | "BadNoDataAvailable" => "there is no value",
        "BadDataUnavailable" | "BadDataLost" => "the value was lost",
        "BadOutOfRange" => "the value is out of range",
        "BadTypeMismatch" => "the value has the wrong type",
        "BadDeadbandFilterInvalid" => "this deadband does not fit the value",
        "BadFilterNotAllowed" => "a deadband works on numbers only",
        "BadMonitoredItemFilterUnsupported" => "the server has no deadband; leave it out",
        "BadTooManyMonitoredItems" => "the server takes no more monitored items; select fewer",
        "BadTooManySessions" => "the server takes no more sessions; close others",
        "BadTooManySubscriptions" => "the server takes no more subscriptions",
        "BadTooManyPublishRequests" => "the server takes no more publish requests",
        "BadTimeout" | "BadRequestTimeout" => "no answer in time",
        "BadServerTooBusy" | "BadTcpServerTooBusy" => "the server has too much to do",
        "BadTooManyOperations" => "the server takes fewer operations at once",
        "BadOutOfMemory" | "BadResourceUnavailable" | "BadTcpNotEnoughResources" => {
            "the server has not enough resources"
        }
        "BadInvalidTimestamp" => "its clock and the gateway's differ too much; put them right",
        "BadMessageNotAvailable" => "the server no longer has this message",
        "BadMaxConnectionsReached" => "the server takes no more connections; close others",
        "BadServerHalted" => "the server has stopped working",
        "BadServerNotConnected" => "the server is not connected",
        "BadShutdown" => "the server is shutting down",
        "BadSessionIdInvalid" | "BadSessionClosed" => "the server has dropped the session",
        "BadSecureChannelIdInvalid" | "BadSecureChannelClosed" => {
            "the server has dropped the secure channel"
        }
        "BadSubscriptionIdInvalid" | "BadNoSubscription" => {
            "the server has dropped the subscription"
        }
        "BadIdentityTokenInvalid" | "BadIdentityTokenRejected" => {
            "user name or password are not accepted"
        }
        "BadCertificateUntrusted" => "the certificate is not trusted",
        "BadCertificateInvalid" => "the certificate is not valid",
        "BadCertificateTimeInvalid" => "the certificate is expired, or not valid yet",
        "BadCertificateUriInvalid" => "the certificate is for another application",
        "BadCertificateHostNameInvalid" => "the certificate is for another host",
        "BadSecurityChecksFailed" => "the security checks failed",
        "BadSecurityPolicyRejected" | "BadSecurityModeRejected" => "this security is not offered",
        "BadTcpEndpointUrlInvalid" => "the server does not answer under this URL",
        "BadTcpMessageTooLarge"
        | "BadEncodingLimitsExceeded"
        | "BadRequestTooLarge"
        | "BadResponseTooLarge" => "a message is larger than agreed",
        "BadContinuationPointInvalid" => "a list could not be read to its end",
        "BadDecodingError" => "a message could not be read",
        "BadServiceUnsupported" => "the server does not have this service",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_its_name_first() {
        for (status, text) in [
            (
                Status::named("BadNodeIdUnknown"),
                "BadNodeIdUnknown: the server no longer has this node",
            ),
            (Status::named("BadLocked"), "BadLocked"),
            (Status::unknown(0x80FF_0000), "0x80FF0000"),
        ] {
            assert_eq!(status.to_string(), text);
        }
    }

    #[test]
    fn a_missing_node_is_a_problem_and_a_failed_sensor_is_none() {
        let bad = |name| Quality::Bad(Status::named(name).to_string().into());
        assert!(is_problem(&bad("BadNodeIdUnknown")));
        assert!(!is_problem(&bad("BadSensorFailure")));
        assert!(!is_problem(&Quality::Good));
    }
}
