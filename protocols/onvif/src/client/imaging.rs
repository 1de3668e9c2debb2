//! Imaging settings (ONVIF Imaging Service).

use super::{Client, services::Service};
use crate::{
    error::{DeviceError, Next},
    imaging::{Imaging, ImagingChange, SHAPES, read},
    xml::{Element, escape},
};

/// The settings with what is to be different: only the groups that a change is in, each whole, since a device takes what is left out
/// as unchanged and some refuse what they said themselves.
pub(super) fn changed(mut settings: Element, changes: &[ImagingChange]) -> Element {
    let mut groups: Vec<&str> = Vec::new();
    for change in changes {
        let path = change.setting.shape().path;
        let Some(group) = path.first() else { continue };
        if settings.child(group).is_none() {
            settings.set(&[group], "");
        }
        settings.set(path, &change.value.text());
        groups.push(group);
    }
    settings
        .children
        .retain(|child| groups.contains(&child.local()));
    // The schema is a sequence; what the device left out was appended.
    let rank = |name: &str| {
        SHAPES
            .iter()
            .position(|shape| shape.path.first() == Some(&name))
    };
    settings.children.sort_by_key(|child| rank(child.local()));
    settings
}

// === impl Client ===

impl Client {
    pub(super) async fn ask_for_imaging(&self, video_source: &str) -> Result<Imaging, DeviceError> {
        let settings = self.imaging_settings(video_source).await?;
        let name = "GetOptions";
        let source = escape(video_source);
        let body = format!(
            "<timg:{name}><timg:VideoSourceToken>{source}</timg:VideoSourceToken></timg:{name}>"
        );
        let options = match self.operation(Service::Imaging, name, body).await {
            Ok(response) => Some(response),
            // Without ranges the values are still worth showing.
            Err(error) if error.next() == Next::Skip => None,
            Err(error) => return Err(error),
        };
        let options = options
            .as_ref()
            .and_then(|response| response.child("ImagingOptions"));
        Ok(read(&settings, options))
    }

    pub(super) async fn change_imaging(
        &self,
        video_source: &str,
        changes: &[ImagingChange],
    ) -> Result<(), DeviceError> {
        let settings = self.imaging_settings(video_source).await?;
        let name = "SetImagingSettings";
        let source = escape(video_source);
        let mut body =
            format!("<timg:{name}><timg:VideoSourceToken>{source}</timg:VideoSourceToken>");
        changed(settings, changes).write_as("timg:ImagingSettings", "tt", &mut body);
        body.push_str(&format!(
            "<timg:ForcePersistence>true</timg:ForcePersistence></timg:{name}>"
        ));
        self.operation(Service::Imaging, name, body)
            .await
            .map(|_| ())
    }

    async fn imaging_settings(&self, video_source: &str) -> Result<Element, DeviceError> {
        let name = "GetImagingSettings";
        let source = escape(video_source);
        let body = format!(
            "<timg:{name}><timg:VideoSourceToken>{source}</timg:VideoSourceToken></timg:{name}>"
        );
        let response = self.operation(Service::Imaging, name, body).await?;
        let found = response
            .children
            .into_iter()
            .find(|child| child.local() == "ImagingSettings");
        found.ok_or_else(|| self.garbage(name, "there are no settings in it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        imaging::{ImagingSetting, ImagingValue},
        xml::parse,
    };

    #[test]
    fn only_the_groups_that_change_are_sent_and_in_the_order_of_the_schema() {
        let settings = parse(
            b"<tt:S xmlns:tt='x'><tt:Brightness>1</tt:Brightness><tt:Exposure><tt:Mode>AUTO</tt:Mode><tt:Gain>3</tt:Gain></tt:Exposure><tt:Extension><v:Odd/></tt:Extension></tt:S>",
        )
        .unwrap();
        let change = |setting, value| ImagingChange { setting, value };
        let changed = changed(
            settings,
            &[
                change(
                    ImagingSetting::WideDynamicRange,
                    ImagingValue::Word("ON".into()),
                ),
                change(
                    ImagingSetting::Exposure,
                    ImagingValue::Word("MANUAL".into()),
                ),
            ],
        );
        let mut text = String::new();
        changed.write_as("timg:ImagingSettings", "tt", &mut text);
        assert_eq!(
            text,
            "<timg:ImagingSettings><tt:Exposure><tt:Mode>MANUAL</tt:Mode><tt:Gain>3</tt:Gain></tt:Exposure>\
             <tt:WideDynamicRange><tt:Mode>ON</tt:Mode></tt:WideDynamicRange></timg:ImagingSettings>"
        );
    }
}
