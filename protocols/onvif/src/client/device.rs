//! The device service: time, who it is, scopes, restart (ONVIF Device Management).

use super::{Ask, Client, Verdict, services::Service};
use crate::{
    clock::{Clock, now, read_date_and_time},
    device::{Information, Scopes},
    error::DeviceError,
    soap::response,
    words::shown,
    xml::Element,
};

/// A measured drift that differs by more is another one: the device's clock was set. Answers tell whole seconds.
const JUMP_MILLIS: u64 = 2_500;

/// `GetDeviceInformationResponse`.
pub(super) fn read_information(response: &Element) -> Information {
    let word = |name: &str| response.word(&[name]).map(shown).unwrap_or_default();
    Information {
        manufacturer: word("Manufacturer"),
        model: word("Model"),
        firmware: word("FirmwareVersion"),
        serial_number: word("SerialNumber"),
        hardware_id: word("HardwareId"),
    }
}

// === impl Client ===

impl Client {
    /// Without signing in, as the standard has it (ONVIF Core Specification clause 5.9.1): nobody can sign in before the time is known.
    pub(super) async fn ask_the_time(&self) -> Result<Clock, DeviceError> {
        let name = "GetSystemDateAndTime";
        let ask = Ask {
            url: self.settings.address.clone(),
            action: format!("{}/{name}", Service::Device.namespace()),
            operation: name.to_owned(),
            body: "<tds:GetSystemDateAndTime/>".to_owned(),
            limit: self.settings.timeout,
            addressed: false,
            references: Vec::new(),
        };
        let asked = now();
        let verdict = self.once(&ask, None).await?;
        let answered = now();
        let envelope = match verdict {
            Verdict::Done(envelope) => envelope,
            Verdict::Failed(error) => return Err(error),
            Verdict::Refused(refusal) => return Err(refusal.without_credentials(&self.at)),
        };
        let response = response(envelope, "GetSystemDateAndTimeResponse")
            .map_err(|why| self.garbage(name, &why))?;
        let (device, by_ntp) = read_date_and_time(&response)
            .ok_or_else(|| self.garbage(name, "there is no time in it"))?;
        let clock = Clock {
            by_ntp,
            ..Clock::measured(device, asked, answered)
        };
        self.lock().clock = Some(clock);
        Ok(clock)
    }

    /// Asks for the time when it is not known; whether it was asked now is told. A device that does not tell its time without a
    /// sign-in is signed in to with the time of its HTTP header, or ours.
    pub(super) async fn know_the_clock(&self) -> Result<bool, DeviceError> {
        if self.lock().clock.is_some() {
            return Ok(false);
        }
        match self.ask_the_time().await {
            Ok(_) => Ok(true),
            Err(error) if error.is_denial() => Ok(true),
            Err(
                DeviceError::NotSupported { .. }
                | DeviceError::Refused { .. }
                | DeviceError::Garbage { .. },
            ) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Asks again, and tells whether the clock is another one than it was.
    pub(super) async fn clock_has_jumped(&self) -> bool {
        let before = self.lock().clock;
        let Ok(after) = self.ask_the_time().await else {
            return false;
        };
        before.is_none_or(|before| before.drift_millis.abs_diff(after.drift_millis) > JUMP_MILLIS)
    }

    /// The device's time, as well as it is known.
    pub(super) fn device_now(&self) -> fieldgate_model::Timestamp {
        self.lock()
            .clock
            .map_or_else(now, |clock| clock.device_now())
    }

    pub(super) fn drift_seconds(&self) -> Option<i64> {
        self.lock().clock.map(|clock| clock.drift_millis / 1_000)
    }

    /// The header `Date` of an answer, where the device tells its time in no other way.
    pub(super) fn note_date(&self, date: fieldgate_model::Timestamp) {
        let at = now();
        self.lock()
            .clock
            .get_or_insert_with(|| Clock::measured(date, at, at));
    }

    pub(super) async fn ask_for_information(&self) -> Result<Information, DeviceError> {
        let body = "<tds:GetDeviceInformation/>".to_owned();
        let response = self
            .operation(Service::Device, "GetDeviceInformation", body)
            .await?;
        Ok(read_information(&response))
    }

    pub(super) async fn ask_for_scopes(&self) -> Result<Scopes, DeviceError> {
        let response = self
            .operation(Service::Device, "GetScopes", "<tds:GetScopes/>".to_owned())
            .await?;
        let scopes = response
            .named("Scopes")
            .filter_map(|scope| scope.word(&["ScopeItem"]));
        Ok(Scopes::read(scopes))
    }

    pub(super) async fn ask_for_endpoint_reference(&self) -> Result<String, DeviceError> {
        let name = "GetEndpointReference";
        let response = self
            .operation(Service::Device, name, format!("<tds:{name}/>"))
            .await?;
        response
            .word(&["GUID"])
            .map(crate::discovery::endpoint_reference)
            .ok_or_else(|| self.garbage(name, "there is no identity in it"))
    }

    pub(super) async fn restart(&self) -> Result<String, DeviceError> {
        let response = self
            .operation(
                Service::Device,
                "SystemReboot",
                "<tds:SystemReboot/>".to_owned(),
            )
            .await?;
        // Where its services are may be another place afterwards, and its clock starts anew.
        let mut state = self.lock();
        state.addresses = None;
        state.clock = None;
        Ok(response.word(&["Message"]).map(shown).unwrap_or_default())
    }
}
