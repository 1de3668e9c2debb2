//! Which operation of which service the simulated device does.

use super::{
    SimDevice,
    answer::{Given, No},
    events,
};
use crate::xml::{Element, escape};

/// Does `operation`, which was sent to `path` in the envelope `root`.
pub(super) async fn answer(
    device: &SimDevice,
    path: &str,
    root: &Element,
    operation: &Element,
) -> Given {
    let service = path.strip_prefix("/onvif/").unwrap_or_default();
    match service.split('/').next().unwrap_or_default() {
        "device_service" => of_device(device, operation),
        "media" => of_media(device, operation, "trt"),
        "media2" if device.settings.media2 => of_media(device, operation, "tr2"),
        "ptz" if device.settings.ptz => device.lock().motors.answer(operation),
        "imaging" => device.lock().imager.answer(operation),
        "events" => events::create(device, operation),
        "subscription" => events::of_subscription(device, path, root, operation).await,
        _ => Err(No::not_supported()),
    }
}

fn of_device(device: &SimDevice, operation: &Element) -> Given {
    let settings = &device.settings;
    Ok(match operation.local() {
        "GetSystemDateAndTime" => device.lock().clock.answer(),
        "GetDeviceInformation" => "<tds:GetDeviceInformationResponse><tds:Manufacturer>Fieldgate</tds:Manufacturer><tds:Model>Simulator</tds:Model>\
             <tds:FirmwareVersion>1.0</tds:FirmwareVersion><tds:SerialNumber>0001</tds:SerialNumber><tds:HardwareId>sim</tds:HardwareId>\
             </tds:GetDeviceInformationResponse>"
            .to_owned(),
        "GetServices" => services(device),
        "GetCapabilities" => capabilities(device),
        "GetScopes" => {
            let scopes = scopes(settings);
            let scopes: String = scopes
                .iter()
                .map(|scope| format!("<tds:Scopes><tt:ScopeDef>Fixed</tt:ScopeDef><tt:ScopeItem>{}</tt:ScopeItem></tds:Scopes>", escape(scope)))
                .collect();
            format!("<tds:GetScopesResponse>{scopes}</tds:GetScopesResponse>")
        }
        "GetEndpointReference" => format!(
            "<tds:GetEndpointReferenceResponse><tds:GUID>{}</tds:GUID></tds:GetEndpointReferenceResponse>",
            escape(&settings.endpoint)
        ),
        "SystemReboot" => {
            let mut state = device.lock();
            state.reboots += 1;
            state.events.forget();
            drop(state);
            device.bell.notify_waiters();
            "<tds:SystemRebootResponse><tds:Message>Rebooting in 30 seconds</tds:Message></tds:SystemRebootResponse>".to_owned()
        }
        _ => return Err(No::not_supported()),
    })
}

/// As its scopes tell it, in discovery too.
pub(super) fn scopes(settings: &super::SimSettings) -> Vec<String> {
    let name: String = url::form_urlencoded::byte_serialize(settings.name.as_bytes()).collect();
    let mut scopes = vec![
        "onvif://www.onvif.org/type/video_encoder".to_owned(),
        "onvif://www.onvif.org/Profile/Streaming".to_owned(),
        format!("onvif://www.onvif.org/name/{}", name.replace('+', "%20")),
        "onvif://www.onvif.org/hardware/Simulator".to_owned(),
        "onvif://www.onvif.org/location/Test%20bench".to_owned(),
    ];
    if settings.media2 {
        scopes.push("onvif://www.onvif.org/Profile/T".to_owned());
    }
    scopes
}

fn present(device: &SimDevice) -> Vec<(&'static str, &'static str)> {
    let mut all = vec![
        ("http://www.onvif.org/ver10/device/wsdl", "device_service"),
        ("http://www.onvif.org/ver10/media/wsdl", "media"),
        ("http://www.onvif.org/ver20/imaging/wsdl", "imaging"),
        ("http://www.onvif.org/ver10/events/wsdl", "events"),
    ];
    if device.settings.media2 {
        all.push(("http://www.onvif.org/ver20/media/wsdl", "media2"));
    }
    if device.settings.ptz {
        all.push(("http://www.onvif.org/ver20/ptz/wsdl", "ptz"));
    }
    all
}

fn services(device: &SimDevice) -> String {
    let services: String = present(device)
        .into_iter()
        .map(|(namespace, path)| {
            format!(
                "<tds:Service><tds:Namespace>{namespace}</tds:Namespace><tds:XAddr>{}</tds:XAddr><tds:Version><tt:Major>2</tt:Major>\
                 <tt:Minor>60</tt:Minor></tds:Version></tds:Service>",
                device.service_url(path)
            )
        })
        .collect();
    format!("<tds:GetServicesResponse>{services}</tds:GetServicesResponse>")
}

fn capabilities(device: &SimDevice) -> String {
    let address = |path| format!("<tt:XAddr>{}</tt:XAddr>", device.service_url(path));
    let ptz = if device.settings.ptz {
        format!("<tt:PTZ>{}</tt:PTZ>", address("ptz"))
    } else {
        String::new()
    };
    format!(
        "<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Device>{}</tt:Device><tt:Events>{}<tt:WSSubscriptionPolicySupport>false</tt:WSSubscriptionPolicySupport>\
         <tt:WSPullPointSupport>true</tt:WSPullPointSupport><tt:WSPausableSubscriptionManagerInterfaceSupport>false</tt:WSPausableSubscriptionManagerInterfaceSupport></tt:Events>\
         <tt:Imaging>{}</tt:Imaging><tt:Media>{}<tt:StreamingCapabilities/></tt:Media>{ptz}</tds:Capabilities></tds:GetCapabilitiesResponse>",
        address("device_service"),
        address("events"),
        address("imaging"),
        address("media"),
    )
}

fn of_media(device: &SimDevice, operation: &Element, prefix: &str) -> Given {
    let uri = |index: usize| {
        device
            .settings
            .stream_uris
            .get(index)
            .cloned()
            .unwrap_or_default()
    };
    let profile = |operation: &Element| {
        let token = operation.word(&["ProfileToken"]).unwrap_or_default();
        let index = ["main", "sub"].iter().position(|known| *known == token);
        index.ok_or_else(|| No::invalid("NoProfile", "The profile does not exist"))
    };
    let name = operation.local();
    match name {
        "GetStreamUri" => Ok(told(prefix, name, &uri(profile(operation)?))),
        "GetSnapshotUri" => {
            profile(operation)?;
            Ok(told(prefix, name, &device.settings.snapshot_uri))
        }
        _ => device
            .lock()
            .encoders
            .answer(operation, prefix, device.settings.ptz),
    }
}

fn told(prefix: &str, name: &str, uri: &str) -> String {
    let uri = escape(uri);
    if prefix == "tr2" {
        return format!("<tr2:{name}Response><tr2:Uri>{uri}</tr2:Uri></tr2:{name}Response>");
    }
    format!(
        "<trt:{name}Response><trt:MediaUri><tt:Uri>{uri}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>\
         <tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT60S</tt:Timeout></trt:MediaUri></trt:{name}Response>"
    )
}
