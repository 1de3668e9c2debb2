//! The table of endpoints: one row each, from which the gateway's router, the console's client and OpenAPI come.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    alarm, camera, command, config, dead, discovery, explore, queue, receipt, review, scanner,
    selection, state, trust,
};

/// The HTTP methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Put,
    Post,
    Delete,
}

/// One row: a method, a path with `{name}` places, and what goes in and out as JSON. `()` is no body. What goes into a GET
/// stands in the query of its URL, so it is a flat struct of texts and numbers.
pub trait Endpoint {
    const METHOD: Method;
    const PATH: &'static str;
    /// One line for the documentation.
    const SUMMARY: &'static str;
    type Request: Serialize + DeserializeOwned + 'static;
    type Response: Serialize + DeserializeOwned + 'static;
}

/// A row with its types erased, for listing and for the OpenAPI document.
#[derive(Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    pub method: Method,
    pub path: &'static str,
    pub summary: &'static str,
    /// Writes the request's schema; none for `()`.
    #[cfg(feature = "schema")]
    pub request: fn(&mut schemars::SchemaGenerator) -> Option<schemars::Schema>,
    /// Writes the response's schema; none for `()`.
    #[cfg(feature = "schema")]
    pub response: fn(&mut schemars::SchemaGenerator) -> Option<schemars::Schema>,
}

impl Method {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// The path of an endpoint with its places filled, percent-encoded: `path::<GetSource>(&["press"])`.
#[must_use]
pub fn path<E: Endpoint>(places: &[&str]) -> String {
    let mut filled = String::new();
    let mut places = places.iter();
    for (index, piece) in E::PATH.split(['{', '}']).enumerate() {
        if index % 2 == 0 {
            filled.push_str(piece);
        } else {
            percent_encode(places.next().unwrap_or(&""), &mut filled);
        }
    }
    filled
}

/// The path of a GET with its places filled and its request as the query.
#[must_use]
pub fn path_and_query<E: Endpoint>(places: &[&str], request: &E::Request) -> String {
    let mut filled = path::<E>(places);
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(request) else {
        return filled;
    };
    let mut separator = '?';
    for (name, value) in &fields {
        let text = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        filled.push(separator);
        separator = '&';
        percent_encode(name, &mut filled);
        filled.push('=');
        percent_encode(&text, &mut filled);
    }
    filled
}

/// A path with what is asked for behind it, as far as it is said.
#[must_use]
pub fn with_query(path: &str, asked: &[(&str, Option<&str>)]) -> String {
    let mut filled = path.to_owned();
    let mut separator = '?';
    for (name, value) in asked {
        let Some(value) = value else { continue };
        filled.push(separator);
        separator = '&';
        percent_encode(name, &mut filled);
        filled.push('=');
        percent_encode(value, &mut filled);
    }
    filled
}

/// RFC 3986, 2.3: everything but the unreserved characters.
fn percent_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(feature = "schema")]
fn schema_of<T: schemars::JsonSchema + 'static>(
    generator: &mut schemars::SchemaGenerator,
) -> Option<schemars::Schema> {
    let nothing = std::any::TypeId::of::<T>() == std::any::TypeId::of::<()>();
    (!nothing).then(|| generator.subschema_for::<T>())
}

macro_rules! endpoints {
    ($($(#[doc = $summary:literal])+ $name:ident: $method:ident $path:literal, $request:ty => $response:ty;)*) => {
        $(
            $(#[doc = $summary])+
            pub struct $name;

            impl Endpoint for $name {
                const METHOD: Method = Method::$method;
                const PATH: &'static str = $path;
                const SUMMARY: &'static str = concat!($($summary),+);
                type Request = $request;
                type Response = $response;
            }
        )*

        /// Every endpoint that speaks JSON. Beside them stand `/metrics`, the console's files and the WebSocket.
        pub const TABLE: &[Row] = &[
            $(Row {
                name: stringify!($name),
                method: Method::$method,
                path: $path,
                summary: <$name as Endpoint>::SUMMARY,
                #[cfg(feature = "schema")]
                request: schema_of::<$request>,
                #[cfg(feature = "schema")]
                response: schema_of::<$response>,
            },)*
        ];
    };
}

endpoints! {
    /// Alive: the process answers.
    GetHealth: Get "/healthz", () => state::Alive;
    /// Ready: the configuration is loaded and the queue is open; 503 until then.
    GetReady: Get "/readyz", () => state::Ready;

    /// Is data flowing? The verdict, the strip, the ledger.
    GetOverview: Get "/api/v1/overview", () => state::Overview;
    /// Everything that can be configured, with the schemas its forms are drawn from.
    GetKinds: Get "/api/v1/kinds", () => config::Kinds;

    /// All sources.
    GetSources: Get "/api/v1/sources", () => Vec<state::SourceView>;
    /// One source.
    GetSource: Get "/api/v1/sources/{id}", () => state::SourceView;
    /// Creates or changes a source.
    PutSource: Put "/api/v1/sources/{id}", config::Draft => config::Saved;
    /// Removes a source that the console made.
    DeleteSource: Delete "/api/v1/sources/{id}", () => config::Saved;
    /// Tries a source's settings without saving them.
    TestSource: Post "/api/v1/sources/{id}/test", config::Draft => config::TestReport;
    /// Starts the next attempt now instead of waiting.
    RetrySource: Post "/api/v1/sources/{id}/retry", () => ();

    /// What a source reads, as a CSV or JSON file.
    ExportSelection: Get "/api/v1/sources/{id}/selection", selection::SelectionQuery => selection::SelectionFile;
    /// Takes the rules of a file over, or tells what that would change.
    ImportSelection: Post "/api/v1/sources/{id}/selection", selection::SelectionImport => selection::SelectionPlan;

    /// What is new at a source's far side and waits for a person, and what was declined.
    GetReview: Get "/api/v1/sources/{id}/review", () => review::ReviewView;
    /// Accepts or declines what is new, or has the far side looked at now.
    DecideReview: Post "/api/v1/sources/{id}/review", review::ReviewDraft => review::ReviewDone;

    /// What answers at an address and could be a source, with what it knows of others; nothing is saved, and no other machine is asked.
    DiscoverSources: Post "/api/v1/sources/discover", discovery::DiscoverDraft => Vec<discovery::Found>;
    /// What a search would send, to whom and for how long. Sends nothing.
    PreviewSearch: Post "/api/v1/searches/preview", discovery::SearchDraft => discovery::SearchScope;
    /// Searches for devices whose address nobody knows; one search at a time.
    StartSearch: Post "/api/v1/searches", discovery::SearchDraft => discovery::SearchView;
    /// The search that is under way, and the last ones, the newest first.
    GetSearches: Get "/api/v1/searches", () => Vec<discovery::SearchView>;
    /// How far a search is, and what it found so far.
    GetSearch: Get "/api/v1/searches/{id}", () => discovery::SearchView;
    /// Ends a search; what was found stays.
    StopSearch: Delete "/api/v1/searches/{id}", () => discovery::SearchView;

    /// Where one looks around, and what the far side says of itself.
    AboutExplored: Post "/api/v1/explore/about", explore::ExploreAt => explore::ExploreAbout;
    /// What is below a node of a source's far side, a page at a time.
    ExploreNodes: Post "/api/v1/explore/children", explore::ExploreChildren => explore::ExplorePage;
    /// What is known of a node, with its value as it is now.
    ExploreNodeDetail: Post "/api/v1/explore/node", explore::ExploreLook => explore::ExploreDetail;
    /// What a node's value was, as far as the far side itself keeps it.
    ReadPast: Post "/api/v1/explore/history", explore::ExploreHistory => explore::ExplorePast;
    /// Nodes whose name or address holds a text, two seconds' part of the search with each call.
    SearchNodes: Post "/api/v1/explore/search", explore::ExploreSearch => explore::ExploreFound;
    /// How many points rules would mean, and how many of them are there already.
    PreviewRules: Post "/api/v1/explore/preview", explore::ExploreRules => explore::ExplorePreview;
    /// Watches for some seconds which points of rules change, and how often.
    SampleRules: Post "/api/v1/explore/sample", explore::ExploreTest => explore::ExploreSample;

    /// The cameras, and how each one is.
    GetCameras: Get "/api/v1/cameras", () => Vec<camera::CameraRow>;
    /// Everything that is known of a camera.
    GetCamera: Get "/api/v1/cameras/{id}", () => camera::CameraView;
    /// The sources that listen to a radio.
    GetScanners: Get "/api/v1/scanners", () => Vec<scanner::ScannerView>;
    /// Who is near, what they say, and how the radio is.
    GetScan: Get "/api/v1/scanners/{id}", scanner::ScanQuery => scanner::ScanView;
    /// One advertiser with its last packets.
    GetHeard: Get "/api/v1/scanners/{id}/device", scanner::HeardAt => scanner::HeardPage;
    /// Tries a key on the next packets of an advertiser. Keeps nothing.
    TryKey: Post "/api/v1/scanners/{id}/key", scanner::KeyDraft => ();
    /// Connects, and tells what the device has. The connection is closed when nobody asked for a minute.
    GetServices: Post "/api/v1/scanners/{id}/services", scanner::HeardAt => scanner::GattView;
    /// Reads a characteristic.
    ReadCharacteristic: Post "/api/v1/scanners/{id}/read", scanner::CharacteristicAt => scanner::GattValueView;
    /// Lets a characteristic tell its value by itself, or stops it.
    NotifyCharacteristic: Post "/api/v1/scanners/{id}/notify", scanner::NotifyDraft => ();
    /// Closes the connection that was opened for looking around.
    DisconnectHeard: Post "/api/v1/scanners/{id}/disconnect", scanner::HeardAt => ();
    /// Pairs; what the device wants to be told meanwhile stands in the scan's prompts.
    PairHeard: Post "/api/v1/scanners/{id}/pair", scanner::HeardAt => scanner::ScanDone;
    /// Forgets a bond.
    UnpairHeard: Post "/api/v1/scanners/{id}/unpair", scanner::HeardAt => scanner::ScanDone;
    /// Answers what a device asked while it paired.
    AnswerPairing: Post "/api/v1/scanners/{id}/answer", scanner::PairingAnswer => ();
    /// Begins to keep what is heard, of one device or of all; the file is at `/api/v1/export/scanners/{id}/captures/{number}`.
    StartCapture: Post "/api/v1/scanners/{id}/captures", scanner::CaptureDraft => scanner::CaptureView;
    /// Ends a capture; it is kept until another one needs the room.
    StopCapture: Post "/api/v1/scanners/{id}/captures/stop", scanner::CaptureAt => scanner::CaptureView;
    /// Where in the packets of a device a number may be that its display shows, the likeliest first.
    TeachDecoder: Post "/api/v1/scanners/{id}/teach", scanner::LessonDraft => Vec<scanner::ProposalView>;
    /// Makes a profile of chosen proposals, and uses it from now on.
    LearnProfile: Post "/api/v1/scanners/{id}/learn", scanner::TaughtDraft => scanner::ScanDone;
    /// Lets devices belong to the source, in one change of its configuration.
    AddHeard: Post "/api/v1/scanners/{id}/add", scanner::AddDraft => scanner::AddDone;
    /// Whom the source ignores from now on, and whom no longer.
    IgnoreHeard: Post "/api/v1/scanners/{id}/ignore", scanner::IgnoreDraft => config::Saved;

    /// Our identities, the peers' certificates, and who does not trust us yet.
    GetTrust: Get "/api/v1/trust", () => trust::TrustView;
    /// Trusts a certificate from now on, as it is; its sources try again at once. `{id}` is one of its thumbprints, or the beginning of one.
    AcceptPeer: Post "/api/v1/trust/{id}/accept", () => trust::TrustDone;
    /// Refuses a certificate for ever.
    RejectPeer: Post "/api/v1/trust/{id}/reject", () => trust::TrustDone;
    /// Forgets a certificate, or withdraws our next one.
    RemovePeer: Delete "/api/v1/trust/{id}", () => trust::TrustDone;
    /// Takes certificates of peers and authorities, lists of revocation, and our own certificate from an authority.
    ImportTrust: Post "/api/v1/trust/import", trust::TrustImport => trust::TrustDone;
    /// Makes a new certificate for ourselves, offered from now on while the old one still works.
    RenewIdentity: Post "/api/v1/trust/renew", trust::TrustKey => trust::TrustDone;
    /// Makes a new key and a request for an authority to sign; answers the request in PEM.
    RequestIdentity: Post "/api/v1/trust/request", trust::TrustKey => trust::TrustDone;

    /// All destinations.
    GetDestinations: Get "/api/v1/destinations", () => Vec<state::DestinationView>;
    /// One destination.
    GetDestination: Get "/api/v1/destinations/{id}", () => state::DestinationView;
    /// Creates or changes a destination.
    PutDestination: Put "/api/v1/destinations/{id}", config::Draft => config::Saved;
    /// Removes a destination that the console made; what it had not delivered is counted as evicted.
    DeleteDestination: Delete "/api/v1/destinations/{id}", () => config::Saved;
    /// Tries a destination's settings without saving them.
    TestDestination: Post "/api/v1/destinations/{id}/test", config::Draft => config::TestReport;
    /// Starts the next attempt now instead of waiting.
    RetryDestination: Post "/api/v1/destinations/{id}/retry", () => ();

    /// All routes.
    GetRoutes: Get "/api/v1/routes", () => Vec<state::RouteView>;
    /// One route.
    GetRoute: Get "/api/v1/routes/{id}", () => state::RouteView;
    /// Creates or changes a route.
    PutRoute: Put "/api/v1/routes/{id}", config::Draft => config::Saved;
    /// Removes a route that the console made; what it has accepted is still delivered.
    DeleteRoute: Delete "/api/v1/routes/{id}", () => config::Saved;
    /// What a route would do with what is live right now, without saving it.
    TestRoute: Post "/api/v1/routes/{id}/test", config::Draft => config::RouteTest;

    /// All rules.
    GetRules: Get "/api/v1/rules", () => Vec<state::RuleView>;
    /// One rule.
    GetRule: Get "/api/v1/rules/{id}", () => state::RuleView;
    /// Creates or changes a rule.
    PutRule: Put "/api/v1/rules/{id}", config::Draft => config::Saved;
    /// Removes a rule that the console made; a command that it gave is carried to its end.
    DeleteRule: Delete "/api/v1/rules/{id}", () => config::Saved;

    /// All devices.
    GetDevices: Get "/api/v1/devices", () => Vec<state::DeviceView>;
    /// One device with its points; `{id}` is `source/device`, percent-encoded.
    GetDevice: Get "/api/v1/devices/{id}", () => state::DevicePage;
    /// One point; `{id}` is `source/device/point`, percent-encoded.
    GetPoint: Get "/api/v1/points/{id}", () => state::PointView;

    /// What may be done at a device by commands; `{id}` is `source/device`, percent-encoded.
    GetOffers: Get "/api/v1/devices/{id}/commands", () => Vec<command::OfferView>;
    /// What a source reads of a node of its far side, and what may be done to it by commands.
    GetNodeOffers: Get "/api/v1/sources/{id}/commands", command::NodeQuery => command::NodeOffers;
    /// Reads a point now, writes it, or calls a method; `{id}` is `source/device/point`, percent-encoded.
    SendCommand: Post "/api/v1/points/{id}/command", command::CommandDraft => command::CommandAnswer;
    /// The last commands, who gave them and what became of them, the newest first.
    GetCommands: Get "/api/v1/commands", command::CommandQuery => Vec<command::CommandView>;

    /// Open alarms: active, or still to be acknowledged or confirmed; the gravest first.
    GetAlarms: Get "/api/v1/alarms", alarm::AlarmQuery => Vec<alarm::AlarmView>;

    /// The queue: lanes, backlogs, ledger.
    GetQueue: Get "/api/v1/queue", () => state::QueueView;
    /// The hourly receipts that are kept, the newest first, and whether they are as they were written.
    GetReceipts: Get "/api/v1/queue/receipts", () => receipt::Receipts;
    /// One receipt by its hour, such as `2026-11-25T20`; `now` is the running hour's so far.
    GetReceipt: Get "/api/v1/queue/receipts/{id}", () => receipt::Receipt;
    /// Empties the queue of a destination, counted.
    PurgeQueue: Post "/api/v1/queue/purge", queue::Purge => queue::Purged;
    /// What a replay would send, and how long it would take.
    PreviewReplay: Post "/api/v1/queue/preview", queue::ReplayDraft => queue::ReplayPreview;
    /// The replays that run, and the last ones that ended, the newest first.
    GetReplays: Get "/api/v1/queue/replays", () => Vec<queue::ReplayView>;
    /// Sends readings of a time once more, under the ids that they always had.
    StartReplay: Post "/api/v1/queue/replays", queue::ReplayDraft => queue::ReplayView;
    /// Ends a replay; what it had not sent counts as evicted.
    StopReplay: Delete "/api/v1/queue/replays/{id}", () => queue::ReplayView;

    /// Dead letters, a page at a time, and their groups by destination and reason.
    GetDeadLetters: Get "/api/v1/dead", dead::DeadQuery => dead::DeadLetters;
    /// One dead letter with all that is in it.
    GetDeadLetter: Get "/api/v1/dead/{id}", () => dead::DeadLetterPage;
    /// Puts dead letters back into the queue, under the ids that they always had.
    RetryDeadLetters: Post "/api/v1/dead/retry", dead::DeadChoice => dead::DeadDone;
    /// Throws dead letters away, counted.
    PurgeDeadLetters: Post "/api/v1/dead/purge", dead::DeadPurge => dead::DeadDone;

    /// The configuration in force.
    GetConfig: Get "/api/v1/config", () => config::ConfigView;
    /// The revisions of what the console configured, the newest first.
    GetRevisions: Get "/api/v1/config/revisions", () => Vec<config::Revision>;
    /// One revision with its text and its diff.
    GetRevision: Get "/api/v1/config/revisions/{number}", () => config::RevisionDetail;
    /// Makes a new revision that says what revision `{number}` said.
    RevertTo: Post "/api/v1/config/revisions/{number}/revert", () => config::Saved;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_encoded() {
        assert_eq!(
            path::<GetDevice>(&["press/Line%2FA"]),
            "/api/v1/devices/press%2FLine%252FA"
        );
        assert_eq!(path::<GetOverview>(&[]), "/api/v1/overview");
    }

    #[test]
    fn what_a_get_asks_for_stands_in_its_query() {
        let ask = |query: &dead::DeadQuery| path_and_query::<GetDeadLetters>(&[], query);
        assert_eq!(ask(&dead::DeadQuery::default()), "/api/v1/dead");
        let query = dead::DeadQuery {
            reason: Some("no & never".into()),
            limit: Some(7),
            ..dead::DeadQuery::default()
        };
        assert_eq!(ask(&query), "/api/v1/dead?limit=7&reason=no%20%26%20never");
        assert_eq!(path_and_query::<GetOverview>(&[], &()), "/api/v1/overview");
    }

    #[test]
    fn no_row_stands_twice() {
        for (index, row) in TABLE.iter().enumerate() {
            let twin = TABLE[..index]
                .iter()
                .find(|other| other.path == row.path && other.method == row.method);
            assert!(twin.is_none(), "{} {}", row.method.as_str(), row.path);
        }
    }
}
