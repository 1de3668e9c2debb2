//! One job done: a keyframe decoded, made smaller, and coded as JPEG. Only the media process calls this on a camera's bytes.

use bytes::Bytes;
use jpeg_encoder::{ColorType, Encoder};
use openh264::{decoder::Decoder, formats::YUVSource as _};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{
    colour::Matrix,
    job::{Decoded, Job, Luma, Picture, PictureWish},
    scale::{Plane, fitting, resized},
};
use crate::{
    Codec, JpegFacts,
    h264::{self, Sps, unit},
};

/// Pixels of a picture: 4096 × 2160. What says to be larger is not decoded.
pub const MOST_PIXELS: u64 = 4096 * 2160;
/// Of one side of a thumbnail.
const MOST_LUMA: u16 = 512;
/// Before a NAL unit, ITU-T H.264 annex B.
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// A decoded picture, in the colours that it came in.
enum Pixels<'a> {
    /// Brightness, and at half the size two differences.
    Planes([Plane<'a>; 3], Matrix),
    /// Red, green, blue in turn.
    Rgb {
        data: &'a [u8],
        width: usize,
        height: usize,
    },
}

/// Does a job.
///
/// # Errors
///
/// In words for a person: what is wrong with the picture, or that nobody here decodes it.
pub fn decode(job: &Job) -> Result<Decoded, String> {
    match job.codec {
        Codec::H264 => decode_h264(job),
        Codec::Mjpeg => decode_jpeg(job),
        Codec::H265 => Err(
            "H.265 pictures are not decoded here: give the camera's snapshot address, or its H.264 stream"
                .to_owned(),
        ),
        Codec::Aac | Codec::OtherSound => Err("sound is no picture".to_owned()),
    }
}

fn decode_h264(job: &Job) -> Result<Decoded, String> {
    let (stream, sps) = annex_b(job)?;
    let failed = |error: openh264::Error| format!("the H.264 picture cannot be decoded: {error}");
    let mut decoder = Decoder::new().map_err(failed)?;
    let picture = decoder
        .decode(&stream)
        .map_err(failed)?
        .ok_or("the H.264 keyframe holds no whole picture")?;
    let (width, height) = picture.dimensions();
    let (y_stride, u_stride, v_stride) = picture.strides();
    let plane = |data, stride, width, height| Plane {
        data,
        stride,
        step: 1,
        width,
        height,
    };
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let planes = [
        plane(picture.y(), y_stride, width, height),
        plane(picture.u(), u_stride, half_width, half_height),
        plane(picture.v(), v_stride, half_width, half_height),
    ];
    let pixels = Pixels::Planes(planes, Matrix::of(&sps));
    let picture = job
        .want
        .picture
        .map(|wish| coded(&pixels, wish))
        .transpose()?;
    answered(job, &pixels, picture)
}

/// The stream as annex B has it: parameter sets and slices, nothing else. Every sequence parameter set in it is one that may be
/// decoded; the last is told, because it is the one that is in force.
fn annex_b(job: &Job) -> Result<(Vec<u8>, Sps), String> {
    let mut stream = Vec::with_capacity(job.config.len() + job.frame.len() + 64);
    let mut in_force = None;
    let mut slices = 0;
    let framed = h264::units(&job.frame);
    for nal_unit in h264::parameter_sets(&job.config)
        .chain(framed)
        .flat_map(h264::parts)
    {
        match h264::unit_type(nal_unit) {
            Some(unit::SPS) => in_force = Some(allowed(nal_unit)?),
            Some(unit::SLICE | unit::IDR_SLICE) => slices += 1,
            Some(unit::PPS) => {}
            _ => continue,
        }
        stream.extend_from_slice(&START_CODE);
        stream.extend_from_slice(nal_unit);
    }
    if slices == 0 {
        return Err("the H.264 frame holds no picture".to_owned());
    }
    let sps = in_force
        .ok_or("the camera has not said how its H.264 is coded (no sequence parameter set)")?;
    Ok((stream, sps))
}

fn allowed(nal_unit: &[u8]) -> Result<Sps, String> {
    let sps = Sps::parse(nal_unit).map_err(|error| error.to_string())?;
    if sps.pixels() > MOST_PIXELS {
        return Err(format!(
            "the picture of {} × {} pixels is larger than the {} megapixels that are decoded; choose the camera's smaller stream",
            sps.width,
            sps.height,
            MOST_PIXELS / 1_000_000
        ));
    }
    if sps.luma_bits != 8 || sps.chroma_bits != 8 || sps.chroma_format > 1 {
        return Err(format!(
            "H.264 with {} bits and chroma format {} is not decoded; set the camera to 8 bits and 4:2:0",
            sps.luma_bits, sps.chroma_format
        ));
    }
    Ok(sps)
}

fn decode_jpeg(job: &Job) -> Result<Decoded, String> {
    let facts = JpegFacts::of(&job.frame).map_err(|error| error.to_string())?;
    if facts.pixels() > MOST_PIXELS {
        return Err(format!(
            "the picture of {} × {} pixels is larger than the {} megapixels that are decoded",
            facts.width,
            facts.height,
            MOST_PIXELS / 1_000_000
        ));
    }
    let fits = |wish: PictureWish| facts.width <= wish.width && facts.height <= wish.height;
    let as_it_is = job
        .want
        .picture
        .filter(|wish| fits(*wish))
        .map(|_| Picture {
            width: facts.width,
            height: facts.height,
            jpeg: job.frame.clone(),
        });
    if as_it_is.is_some() && job.want.luma.is_none() {
        return Ok(Decoded {
            width: facts.width.into(),
            height: facts.height.into(),
            picture: as_it_is,
            luma: None,
        });
    }
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(facts.width.into())
        .set_max_height(facts.height.into())
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&job.frame[..]), options);
    let data = decoder
        .decode()
        .map_err(|error| format!("the JPEG cannot be decoded: {error}"))?;
    let (width, height) = decoder.dimensions().ok_or("the JPEG says no size")?;
    let pixels = Pixels::Rgb {
        data: &data,
        width,
        height,
    };
    let picture = match (as_it_is, job.want.picture) {
        (None, Some(wish)) => Some(coded(&pixels, wish)?),
        (as_it_is, _) => as_it_is,
    };
    answered(job, &pixels, picture)
}

fn answered(job: &Job, pixels: &Pixels, picture: Option<Picture>) -> Result<Decoded, String> {
    let (width, height) = pixels.size();
    let side = |pixels: usize| u32::try_from(pixels).map_err(|_| "a picture without bounds");
    Ok(Decoded {
        width: side(width)?,
        height: side(height)?,
        picture,
        luma: job.want.luma.map(|(width, height)| {
            let (width, height) = (width.clamp(1, MOST_LUMA), height.clamp(1, MOST_LUMA));
            Luma {
                width,
                height,
                pixels: pixels.luma((width.into(), height.into())).into(),
            }
        }),
    })
}

fn coded(pixels: &Pixels, wish: PictureWish) -> Result<Picture, String> {
    let size = fitting(pixels.size(), (wish.width.into(), wish.height.into()));
    let rgb = pixels.rgb(size);
    let (Ok(width), Ok(height)) = (u16::try_from(size.0), u16::try_from(size.1)) else {
        return Err("no JPEG is that large".to_owned());
    };
    let mut jpeg = Vec::with_capacity(rgb.len() / 8);
    Encoder::new(&mut jpeg, wish.quality.clamp(1, 100))
        .encode(&rgb, width, height, ColorType::Rgb)
        .map_err(|error| format!("the JPEG cannot be written: {error}"))?;
    Ok(Picture {
        width,
        height,
        jpeg: Bytes::from(jpeg),
    })
}

// === impl Pixels ===

impl Pixels<'_> {
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Planes([luma, ..], _) => (luma.width, luma.height),
            Self::Rgb { width, height, .. } => (*width, *height),
        }
    }

    /// One of red, green, blue.
    fn third<'a>(data: &'a [u8], (width, height): (usize, usize), index: usize) -> Plane<'a> {
        Plane {
            data: data.get(index..).unwrap_or_default(),
            stride: 3 * width,
            step: 3,
            width,
            height,
        }
    }

    fn rgb(&self, size: (usize, usize)) -> Vec<u8> {
        let own = self.size();
        match self {
            Self::Rgb { data, .. } if size == own => data.to_vec(),
            Self::Rgb { data, .. } => {
                let [red, green, blue] =
                    [0, 1, 2].map(|index| resized(Self::third(data, own, index), size));
                let pixels = red.into_iter().zip(green).zip(blue);
                pixels.flat_map(|((r, g), b)| [r, g, b]).collect()
            }
            Self::Planes(planes, matrix) => {
                let [y, cb, cr] = planes.map(|plane| resized(plane, size));
                let pixels = y.into_iter().zip(cb).zip(cr);
                pixels
                    .flat_map(|((y, cb), cr)| matrix.rgb(y, cb, cr))
                    .collect()
            }
        }
    }

    fn luma(&self, size: (usize, usize)) -> Vec<u8> {
        match self {
            Self::Planes([luma, ..], _) => resized(*luma, size),
            Self::Rgb { .. } => {
                // ITU-R BT.601 in 256ths.
                let weighted = |pixel: &[u8]| {
                    let [r, g, b] = [0, 1, 2].map(|at| u32::from(pixel[at]));
                    u8::try_from((77 * r + 150 * g + 29 * b) >> 8).unwrap_or(u8::MAX)
                };
                self.rgb(size).chunks_exact(3).map(weighted).collect()
            }
        }
    }
}
