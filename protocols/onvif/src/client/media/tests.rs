//! Tests of `media.rs`: profiles and options as devices of either service tell them.

use super::*;
use crate::xml::parse;

#[test]
fn profiles_of_the_first_service_are_read() {
    let answer = parse(
        br#"<R><trt:Profiles token="p1" fixed="true"><tt:Name>Main</tt:Name><tt:VideoSourceConfiguration token="vsc"><tt:SourceToken>vs</tt:SourceToken></tt:VideoSourceConfiguration>
        <tt:AudioEncoderConfiguration token="a"><tt:Encoding>G711</tt:Encoding><tt:Bitrate>64</tt:Bitrate><tt:SampleRate>8</tt:SampleRate></tt:AudioEncoderConfiguration>
        <tt:VideoEncoderConfiguration token="ve"><tt:Encoding>H264</tt:Encoding><tt:Resolution><tt:Width>1920</tt:Width><tt:Height>1080</tt:Height></tt:Resolution><tt:Quality>4.5</tt:Quality>
        <tt:RateControl><tt:FrameRateLimit>25</tt:FrameRateLimit><tt:BitrateLimit>4096</tt:BitrateLimit></tt:RateControl><tt:H264><tt:GovLength>50</tt:GovLength><tt:H264Profile>High</tt:H264Profile></tt:H264></tt:VideoEncoderConfiguration>
        <tt:PTZConfiguration token="ptz"><tt:NodeToken>node</tt:NodeToken></tt:PTZConfiguration></trt:Profiles>
        <trt:Profiles><tt:Name>without a token</tt:Name></trt:Profiles><trt:Profiles token="p2"/></R>"#,
    )
    .unwrap();
    let read = read_profiles(&answer, MediaService::Media1);
    assert_eq!(read.len(), 2);
    let main = &read[0];
    let video = main.video.as_ref().unwrap();
    assert_eq!(
        (
            main.token.as_str(),
            main.name.as_str(),
            main.video_source.as_deref()
        ),
        ("p1", "Main", Some("vs"))
    );
    assert_eq!(
        (
            video.width,
            video.height,
            video.fps,
            video.bitrate_kbps,
            video.gop
        ),
        (1920, 1080, Some(25.0), Some(4096), Some(50))
    );
    assert_eq!(
        (video.quality, video.profile.as_deref()),
        (Some(4.5), Some("High"))
    );
    assert_eq!(
        main.audio
            .as_ref()
            .map(|audio| (audio.codec.as_str(), audio.sample_rate_khz)),
        Some(("G711", Some(8)))
    );
    assert_eq!(main.ptz.as_ref().map(|ptz| ptz.node.as_str()), Some("node"));
    assert_eq!((read[1].name.as_str(), &read[1].video), ("p2", &None));
}

#[test]
fn profiles_of_media_2_are_read() {
    let answer = parse(
        br#"<R><tr2:Profiles token="p"><tr2:Name>T</tr2:Name><tr2:Configurations><tr2:VideoSource token="v"><tt:SourceToken>vs</tt:SourceToken></tr2:VideoSource>
        <tr2:VideoEncoder token="ve" GovLength="60" Profile="Main"><tt:Encoding>H265</tt:Encoding><tt:Resolution><tt:Width>3840</tt:Width><tt:Height>2160</tt:Height></tt:Resolution>
        <tt:RateControl ConstantBitRate="true"><tt:FrameRateLimit>12.5</tt:FrameRateLimit><tt:BitrateLimit>0</tt:BitrateLimit></tt:RateControl></tr2:VideoEncoder></tr2:Configurations></tr2:Profiles></R>"#,
    )
    .unwrap();
    let read = read_profiles(&answer, MediaService::Media2);
    let video = read[0].video.as_ref().unwrap();
    assert_eq!(
        video.title(),
        "H.265 3840×2160, 12.5 fps, key frame every 4.8 s"
    );
    assert_eq!(
        (video.gop, video.profile.as_deref(), video.bitrate_kbps),
        (Some(60), Some("Main"), None)
    );
}

#[test]
fn options_of_both_services_are_read() {
    let first = parse(
        br#"<R><Options><QualityRange><Min>1</Min><Max>6</Max></QualityRange><JPEG><ResolutionsAvailable><Width>640</Width><Height>480</Height></ResolutionsAvailable></JPEG>
        <H264><ResolutionsAvailable><Width>640</Width><Height>480</Height></ResolutionsAvailable><ResolutionsAvailable><Width>1920</Width><Height>1080</Height></ResolutionsAvailable>
        <ResolutionsAvailable><Width>x</Width></ResolutionsAvailable><GovLengthRange><Min>1</Min><Max>400</Max></GovLengthRange><FrameRateRange><Min>30</Min><Max>1</Max></FrameRateRange>
        <H264ProfilesSupported>Main</H264ProfilesSupported></H264><Extension><H264><BitrateRange><Min>32</Min><Max>16384</Max></BitrateRange></H264></Extension></Options></R>"#,
    )
    .unwrap();
    let read = read_options_1(&first);
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].resolutions, [(1920, 1080), (640, 480)]);
    assert_eq!(read[0].bitrate_kbps, Bounds::new(32.0, 16_384.0));
    assert_eq!((read[0].fps, read[0].gop), (None, Bounds::new(1.0, 400.0)));
    let second = parse(
        br#"<R><Options GovLengthRange="1 250" FrameRatesSupported="30 12.5 NaN 1" ProfilesSupported="Main High"><Encoding>H265</Encoding></Options><Options/></R>"#,
    )
    .unwrap();
    let read = read_options_2(&second);
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].fps_values, [1.0, 12.5, 30.0]);
    assert_eq!(
        (read[0].fps, read[0].gop),
        (Bounds::new(1.0, 30.0), Bounds::new(1.0, 250.0))
    );
    assert_eq!(read[0].profiles, ["Main", "High"]);
}

#[test]
fn a_change_leaves_the_rest_as_it_was_or_says_that_there_is_no_place_for_it() {
    let encoder = || {
        parse(b"<C token='t'><Encoding>H264</Encoding><RateControl><FrameRateLimit>25</FrameRateLimit></RateControl><H264><GovLength>50</GovLength></H264><Odd>1</Odd></C>").unwrap()
    };
    let change = EncoderChange {
        fps: Some(12.4),
        gop: Some(24),
        ..EncoderChange::default()
    };
    let write = |changed: Element| {
        let mut out = String::new();
        changed.write_as("x", "tt", &mut out);
        out
    };
    assert_eq!(
        write(changed(encoder(), &change, MediaService::Media1).unwrap()),
        "<x token=\"t\"><tt:Encoding>H264</tt:Encoding><tt:RateControl><tt:FrameRateLimit>12</tt:FrameRateLimit></tt:RateControl>\
         <tt:H264><tt:GovLength>24</tt:GovLength></tt:H264><tt:Odd>1</tt:Odd></x>"
    );
    assert!(
        write(changed(encoder(), &change, MediaService::Media2).unwrap())
            .starts_with("<x token=\"t\" GovLength=\"24\">")
    );
    let change = EncoderChange {
        resolution: Some((1, 1)),
        ..EncoderChange::default()
    };
    assert_eq!(
        changed(encoder(), &change, MediaService::Media1),
        Err("a resolution")
    );
}
