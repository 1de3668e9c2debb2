//! The simulated device's two profiles with their encoders, as both media services tell them.

use super::answer::{Given, No};
use crate::xml::Element;

pub(super) struct Encoders {
    all: [Encoder; 2],
}

struct Encoder {
    profile: &'static str,
    token: &'static str,
    codec: String,
    width: u32,
    height: u32,
    fps: f64,
    bitrate_kbps: u32,
    gop: u32,
    quality: f64,
}

const SIZES: [(u32, u32); 3] = [(1920, 1080), (1280, 720), (640, 360)];
const MULTICAST: &str = "<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address>\
<tt:Port>0</tt:Port><tt:TTL>1</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>";

// === impl Encoders ===

impl Default for Encoders {
    fn default() -> Self {
        let encoder = |profile, token, width, height, fps, bitrate_kbps| Encoder {
            profile,
            token,
            codec: "H264".to_owned(),
            width,
            height,
            fps,
            bitrate_kbps,
            gop: 50,
            quality: 4.0,
        };
        Self {
            all: [
                encoder("main", "VEC_1", 1920, 1080, 25.0, 4096),
                encoder("sub", "VEC_2", 640, 360, 15.0, 512),
            ],
        }
    }
}

impl Encoders {
    pub(super) fn answer(&mut self, operation: &Element, prefix: &str, ptz: bool) -> Given {
        let name = operation.local();
        let second = prefix == "tr2";
        let body = match name {
            "GetProfiles" => {
                let profiles: Vec<String> = self
                    .all
                    .iter()
                    .map(|encoder| encoder.profile(second, ptz))
                    .collect();
                profiles.concat()
            }
            "GetVideoEncoderConfiguration" if !second => self
                .of(operation)?
                .configuration("trt:Configuration", false),
            "GetVideoEncoderConfigurations" => {
                let element = format!("{prefix}:Configurations");
                match operation.word(&["ConfigurationToken"]) {
                    Some(_) => self.of(operation)?.configuration(&element, second),
                    None => self
                        .all
                        .iter()
                        .map(|encoder| encoder.configuration(&element, second))
                        .collect(),
                }
            }
            "GetVideoEncoderConfigurationOptions" if second => {
                ["H264", "H265"].map(options_2).concat()
            }
            "GetVideoEncoderConfigurationOptions" => options_1(),
            "SetVideoEncoderConfiguration" => {
                let set = operation
                    .child("Configuration")
                    .ok_or_else(|| No::invalid("ConfigModify", "There is no configuration"))?;
                self.set(set, second)?;
                String::new()
            }
            _ => return Err(No::not_supported()),
        };
        Ok(format!(
            "<{prefix}:{name}Response>{body}</{prefix}:{name}Response>"
        ))
    }

    fn of(&self, operation: &Element) -> Result<&Encoder, No> {
        let token = operation.word(&["ConfigurationToken"]).unwrap_or_default();
        let found = self.all.iter().find(|encoder| encoder.token == token);
        found.ok_or_else(|| No::invalid("NoConfig", "The configuration does not exist"))
    }

    fn set(&mut self, set: &Element, second: bool) -> Result<(), No> {
        let wrong = |what: &str| No::invalid("ConfigModify", what);
        let token = set.attribute("token").unwrap_or_default();
        let found = self.all.iter_mut().find(|encoder| encoder.token == token);
        let encoder =
            found.ok_or_else(|| No::invalid("NoConfig", "The configuration does not exist"))?;
        let codec = set
            .word(&["Encoding"])
            .ok_or_else(|| wrong("no Encoding"))?;
        if !(codec == "H264" || second && codec == "H265") {
            return Err(wrong("this encoding is not supported"));
        }
        let size = set
            .number(&["Resolution", "Width"])
            .zip(set.number(&["Resolution", "Height"]))
            .filter(|size| SIZES.contains(size));
        let (width, height) = size.ok_or_else(|| wrong("this resolution is not supported"))?;
        let fps = set
            .real(&["RateControl", "FrameRateLimit"])
            .filter(|fps| (1.0..=30.0).contains(fps));
        let gop = if second {
            set.attribute("GovLength").and_then(|gop| gop.parse().ok())
        } else {
            set.number(&["H264", "GovLength"])
        };
        // The multicast part is obligatory in the first service: a client that leaves out what it does not know is found here.
        if !second && set.at(&["Multicast", "Address", "Type"]).is_none() {
            return Err(wrong("no Multicast"));
        }
        codec.clone_into(&mut encoder.codec);
        (encoder.width, encoder.height) = (width, height);
        encoder.fps = fps.ok_or_else(|| wrong("this frame rate is not supported"))?;
        encoder.bitrate_kbps = set
            .number(&["RateControl", "BitrateLimit"])
            .ok_or_else(|| wrong("no BitrateLimit"))?;
        encoder.gop = gop.ok_or_else(|| wrong("no GovLength"))?;
        encoder.quality = set.real(&["Quality"]).ok_or_else(|| wrong("no Quality"))?;
        Ok(())
    }
}

fn options_1() -> String {
    let sizes = sizes();
    format!(
        "<trt:Options><tt:QualityRange><tt:Min>1</tt:Min><tt:Max>6</tt:Max></tt:QualityRange><tt:H264>{sizes}\
         <tt:GovLengthRange><tt:Min>1</tt:Min><tt:Max>250</tt:Max></tt:GovLengthRange><tt:FrameRateRange><tt:Min>1</tt:Min><tt:Max>30</tt:Max></tt:FrameRateRange>\
         <tt:EncodingIntervalRange><tt:Min>1</tt:Min><tt:Max>1</tt:Max></tt:EncodingIntervalRange><tt:H264ProfilesSupported>Main</tt:H264ProfilesSupported></tt:H264>\
         <tt:Extension><tt:H264>{sizes}<tt:GovLengthRange><tt:Min>1</tt:Min><tt:Max>250</tt:Max></tt:GovLengthRange><tt:FrameRateRange><tt:Min>1</tt:Min><tt:Max>30</tt:Max></tt:FrameRateRange>\
         <tt:EncodingIntervalRange><tt:Min>1</tt:Min><tt:Max>1</tt:Max></tt:EncodingIntervalRange><tt:H264ProfilesSupported>Main</tt:H264ProfilesSupported>\
         <tt:BitrateRange><tt:Min>64</tt:Min><tt:Max>8192</tt:Max></tt:BitrateRange></tt:H264></tt:Extension></trt:Options>"
    )
}

fn options_2(codec: &str) -> String {
    format!(
        "<tr2:Options GovLengthRange=\"1 250\" FrameRatesSupported=\"30 25 15 5 1\" ProfilesSupported=\"Main High\"><tt:Encoding>{codec}</tt:Encoding>\
         <tt:QualityRange><tt:Min>1</tt:Min><tt:Max>6</tt:Max></tt:QualityRange>{}<tt:BitrateRange><tt:Min>64</tt:Min><tt:Max>8192</tt:Max></tt:BitrateRange></tr2:Options>",
        sizes()
    )
}

fn sizes() -> String {
    SIZES
        .map(|(width, height)| {
            format!("<tt:ResolutionsAvailable><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:ResolutionsAvailable>")
        })
        .concat()
}

// === impl Encoder ===

impl Encoder {
    fn profile(&self, second: bool, ptz: bool) -> String {
        let Self { profile, .. } = self;
        let source = "<tt:Name>Lens</tt:Name><tt:UseCount>2</tt:UseCount><tt:SourceToken>VS_1</tt:SourceToken>\
                      <tt:Bounds x=\"0\" y=\"0\" width=\"1920\" height=\"1080\"/>";
        let motors = "<tt:Name>Motors</tt:Name><tt:UseCount>2</tt:UseCount><tt:NodeToken>NODE_1</tt:NodeToken>";
        if second {
            let ptz = if ptz {
                format!("<tr2:PTZ token=\"PTZ_1\">{motors}</tr2:PTZ>")
            } else {
                String::new()
            };
            return format!(
                "<tr2:Profiles token=\"{profile}\" fixed=\"true\"><tr2:Name>{profile}</tr2:Name><tr2:Configurations>\
                 <tr2:VideoSource token=\"VSC_1\">{source}</tr2:VideoSource>{}{ptz}</tr2:Configurations></tr2:Profiles>",
                self.configuration("tr2:VideoEncoder", true)
            );
        }
        let ptz = if ptz {
            format!("<tt:PTZConfiguration token=\"PTZ_1\">{motors}</tt:PTZConfiguration>")
        } else {
            String::new()
        };
        format!(
            "<trt:Profiles token=\"{profile}\" fixed=\"true\"><tt:Name>{profile}</tt:Name>\
             <tt:VideoSourceConfiguration token=\"VSC_1\">{source}</tt:VideoSourceConfiguration>{}{ptz}</trt:Profiles>",
            self.configuration("tt:VideoEncoderConfiguration", false)
        )
    }

    fn configuration(&self, element: &str, second: bool) -> String {
        let Self {
            token,
            codec,
            width,
            height,
            fps,
            bitrate_kbps,
            gop,
            quality,
            ..
        } = self;
        let common = format!(
            "<tt:Name>{token}</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>{codec}</tt:Encoding>\
             <tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>"
        );
        if second {
            return format!(
                "<{element} token=\"{token}\" GovLength=\"{gop}\" Profile=\"Main\">{common}<tt:RateControl ConstantBitRate=\"false\">\
                 <tt:FrameRateLimit>{fps}</tt:FrameRateLimit><tt:BitrateLimit>{bitrate_kbps}</tt:BitrateLimit></tt:RateControl>\
                 {MULTICAST}<tt:Quality>{quality}</tt:Quality></{element}>"
            );
        }
        format!(
            "<{element} token=\"{token}\">{common}<tt:Quality>{quality}</tt:Quality><tt:RateControl><tt:FrameRateLimit>{}</tt:FrameRateLimit>\
             <tt:EncodingInterval>1</tt:EncodingInterval><tt:BitrateLimit>{bitrate_kbps}</tt:BitrateLimit></tt:RateControl>\
             <tt:H264><tt:GovLength>{gop}</tt:GovLength><tt:H264Profile>Main</tt:H264Profile></tt:H264>{MULTICAST}\
             <tt:SessionTimeout>PT60S</tt:SessionTimeout></{element}>",
            fps.round()
        )
    }
}
