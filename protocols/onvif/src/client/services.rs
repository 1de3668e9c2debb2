//! Which services a device has, and where: `GetServices`, and `GetCapabilities` of older devices; always on the device's own host.

use std::sync::Arc;

use url::Url;

use super::Client;
use crate::{
    device::Services,
    error::{DeviceError, Next},
    reach::{Place, on_device, place},
    xml::Element,
};

/// A service of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Device,
    Media,
    Media2,
    Ptz,
    Imaging,
    Events,
}

/// Where the services are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Addresses {
    media: Option<Url>,
    media2: Option<Url>,
    ptz: Option<Url>,
    imaging: Option<Url>,
    events: Option<Url>,
    told_elsewhere: bool,
}

const CAPABILITIES: &str =
    "<tds:GetCapabilities><tds:Category>All</tds:Category></tds:GetCapabilities>";
/// Services of one device that are read.
const MAX_SERVICES: usize = 64;

/// `GetServicesResponse`.
pub(super) fn read_services(response: &Element, device: &Url) -> Addresses {
    let mut addresses = Addresses::default();
    for service in response.named("Service").take(MAX_SERVICES) {
        let namespace = service
            .word(&["Namespace"])
            .unwrap_or_default()
            .trim_end_matches('/');
        let kind = Service::ALL
            .iter()
            .find(|kind| kind.namespace() == namespace);
        if let (Some(kind), Some(address)) = (kind, service.word(&["XAddr"])) {
            addresses.put(*kind, address, device);
        }
    }
    addresses
}

/// `GetCapabilitiesResponse`. It knows no Media2.
pub(super) fn read_capabilities(response: &Element, device: &Url) -> Addresses {
    let mut addresses = Addresses::default();
    for (name, kind) in [
        ("Media", Service::Media),
        ("PTZ", Service::Ptz),
        ("Imaging", Service::Imaging),
        ("Events", Service::Events),
    ] {
        if let Some(address) = response.word(&["Capabilities", name, "XAddr"]) {
            addresses.put(kind, address, device);
        }
    }
    addresses
}

// === impl Service ===

impl Service {
    const ALL: &[Self] = &[
        Self::Device,
        Self::Media,
        Self::Media2,
        Self::Ptz,
        Self::Imaging,
        Self::Events,
    ];

    pub(super) fn namespace(self) -> &'static str {
        match self {
            Self::Device => "http://www.onvif.org/ver10/device/wsdl",
            Self::Media => "http://www.onvif.org/ver10/media/wsdl",
            Self::Media2 => "http://www.onvif.org/ver20/media/wsdl",
            Self::Ptz => "http://www.onvif.org/ver20/ptz/wsdl",
            Self::Imaging => "http://www.onvif.org/ver20/imaging/wsdl",
            Self::Events => "http://www.onvif.org/ver10/events/wsdl",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Device => "the device service",
            Self::Media => "the media service",
            Self::Media2 => "the media service 2",
            Self::Ptz => "movement (PTZ)",
            Self::Imaging => "imaging settings",
            Self::Events => "events",
        }
    }
}

// === impl Addresses ===

impl Addresses {
    fn put(&mut self, service: Service, told: &str, device: &Url) {
        let Some(address) = on_device(told, device) else {
            return;
        };
        let elsewhere =
            Url::parse(told.trim()).is_ok_and(|told| place(&told, device) != Place::Device);
        self.told_elsewhere |= elsewhere;
        let place = match service {
            Service::Device => return,
            Service::Media => &mut self.media,
            Service::Media2 => &mut self.media2,
            Service::Ptz => &mut self.ptz,
            Service::Imaging => &mut self.imaging,
            Service::Events => &mut self.events,
        };
        place.get_or_insert(address);
    }

    /// Takes over what is not known yet.
    fn complete(&mut self, other: Self) {
        self.media = self.media.take().or(other.media);
        self.ptz = self.ptz.take().or(other.ptz);
        self.imaging = self.imaging.take().or(other.imaging);
        self.events = self.events.take().or(other.events);
        self.told_elsewhere |= other.told_elsewhere;
    }

    fn of(&self, service: Service) -> Option<&Url> {
        match service {
            Service::Device => None,
            Service::Media => self.media.as_ref(),
            Service::Media2 => self.media2.as_ref(),
            Service::Ptz => self.ptz.as_ref(),
            Service::Imaging => self.imaging.as_ref(),
            Service::Events => self.events.as_ref(),
        }
    }

    pub(super) fn has(&self, service: Service) -> bool {
        self.of(service).is_some()
    }

    fn services(&self) -> Services {
        Services {
            media: self.has(Service::Media),
            media2: self.has(Service::Media2),
            ptz: self.has(Service::Ptz),
            imaging: self.has(Service::Imaging),
            events: self.has(Service::Events),
            told_elsewhere: self.told_elsewhere,
        }
    }
}

// === impl Client ===

impl Client {
    /// # Errors
    /// `NotSupported` when the device does not have it.
    pub(super) async fn address_of(&self, service: Service) -> Result<Url, DeviceError> {
        if service == Service::Device {
            return Ok(self.settings.address.clone());
        }
        let addresses = self.addresses().await?;
        let address = addresses.of(service).cloned();
        address.ok_or_else(|| self.not_supported(service.title()))
    }

    /// As they were told once.
    pub(super) async fn addresses(&self) -> Result<Arc<Addresses>, DeviceError> {
        let known = self.lock().addresses.clone();
        match known {
            Some(addresses) => Ok(addresses),
            None => self.ask_for_addresses().await,
        }
    }

    /// Asks anew: what a device has changes with its firmware.
    pub(super) async fn ask_for_services(&self) -> Result<Services, DeviceError> {
        Ok(self.ask_for_addresses().await?.services())
    }

    async fn ask_for_addresses(&self) -> Result<Arc<Addresses>, DeviceError> {
        let device = &self.settings.address;
        let body = "<tds:GetServices><tds:IncludeCapability>false</tds:IncludeCapability></tds:GetServices>";
        let ask = |name, body: &str| {
            self.operation_at(device.clone(), Service::Device, name, body.to_owned())
        };
        let asked = ask("GetServices", body).await;
        let addresses = match asked {
            Ok(response) => {
                let mut addresses = read_services(&response, device);
                // There are devices that leave out what they have, and tell it in the older way.
                if !addresses.has(Service::Media) || !addresses.has(Service::Events) {
                    match ask("GetCapabilities", CAPABILITIES).await {
                        Ok(response) => addresses.complete(read_capabilities(&response, device)),
                        Err(error) if error.next() == Next::Skip => {}
                        Err(error) => return Err(error),
                    }
                }
                addresses
            }
            // Devices before ONVIF 2.1.
            Err(error) if error.next() == Next::Skip => {
                read_capabilities(&ask("GetCapabilities", CAPABILITIES).await?, device)
            }
            Err(error) => return Err(error),
        };
        let addresses = Arc::new(addresses);
        self.lock().addresses = Some(Arc::clone(&addresses));
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::parse;

    fn device() -> Url {
        Url::parse("http://192.168.1.20:8080/onvif/device_service").unwrap()
    }

    #[test]
    fn services_stay_on_the_devices_host() {
        let answer = parse(
            br#"<R><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>http://192.168.1.20:8080/onvif/media</XAddr></Service>
            <Service><Namespace>http://www.onvif.org/ver20/media/wsdl</Namespace><XAddr>http://192.168.1.20/onvif/media2?x=1</XAddr></Service>
            <Service><Namespace>http://www.onvif.org/ver20/ptz/wsdl/</Namespace><XAddr>http://10.0.0.7:99/onvif/ptz</XAddr></Service>
            <Service><Namespace>http://www.onvif.org/ver10/events/wsdl</Namespace><XAddr>file:///etc/passwd</XAddr></Service>
            <Service><Namespace>http://somebody</Namespace><XAddr>http://192.168.1.20/x</XAddr></Service></R>"#,
        )
        .unwrap();
        let read = read_services(&answer, &device());
        let text = |service| read.of(service).map(Url::as_str);
        assert_eq!(
            text(Service::Media),
            Some("http://192.168.1.20:8080/onvif/media")
        );
        assert_eq!(
            text(Service::Media2),
            Some("http://192.168.1.20/onvif/media2?x=1")
        );
        assert_eq!(
            text(Service::Ptz),
            Some("http://192.168.1.20:8080/onvif/ptz")
        );
        assert_eq!(text(Service::Events), None);
        assert!(read.services().told_elsewhere);
    }

    #[test]
    fn capabilities_of_older_devices_are_read() {
        let answer = parse(
            br#"<R><Capabilities><Events><XAddr>http://192.168.1.20:8080/e</XAddr></Events><Media><XAddr> </XAddr></Media></Capabilities></R>"#,
        )
        .unwrap();
        let read = read_capabilities(&answer, &device());
        assert!(
            read.has(Service::Events)
                && !read.has(Service::Media)
                && !read.services().told_elsewhere
        );
    }
}
