//! What commands may do to a camera: take a picture, save a clip, move it, change how it sees, start it anew. Methods, by names of our own.

#![expect(
    clippy::result_large_err,
    reason = "what is refused is an answer like any other, made once a command"
)]

use std::{convert::Infallible, time::Duration};

use fieldgate_model::{Action, ActionKind, Answer, Arguments, Offer, Parameter, Value};
use fieldgate_onvif::{
    Device as _, DeviceError, EncoderChange, ImagingChange, ImagingSetting, ImagingValue,
    VideoCodec, Wish, now,
};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, oneshot};

use crate::{
    connect::Onvif,
    eye::Trigger,
    settings::Allowed,
    source::{Attempt, Wanted},
};

/// Commands that are carried out at once.
const AT_ONCE: usize = 4;
/// A picture on command is at most so old.
const FRESH: Duration = Duration::from_millis(500);
/// The longest that a camera moves by one command, in seconds.
const LONGEST_S: f64 = 10.0;

/// A method: its name, who allows it, its title, what it takes.
struct Method {
    name: &'static str,
    by: Allowed,
    title: &'static str,
    takes: &'static [(&'static str, &'static str, &'static str)],
}

const METHODS: [Method; 13] = [
    Method {
        name: "snapshot",
        by: Allowed::Snapshot,
        title: "Take a picture",
        takes: &[],
    },
    Method {
        name: "clip",
        by: Allowed::Clip,
        title: "Save a clip",
        takes: &[("why", "String", "why it is saved; may be left out")],
    },
    Method {
        name: "move",
        by: Allowed::Move,
        title: "Move",
        takes: &[
            ("pan", "Double", "speed to the right, -1 to 1"),
            ("tilt", "Double", "speed upwards, -1 to 1"),
            ("zoom", "Double", "speed towards near, -1 to 1"),
            (
                "seconds",
                "Double",
                "how long, 10 at most; 0.5 when left out",
            ),
        ],
    },
    Method {
        name: "move_to",
        by: Allowed::Move,
        title: "Move to a place",
        takes: &[
            ("pan", "Double", "-1 left to 1 right"),
            ("tilt", "Double", "-1 down to 1 up"),
            ("zoom", "Double", "0 wide to 1 near"),
        ],
    },
    Method {
        name: "move_by",
        by: Allowed::Move,
        title: "Move by a step",
        takes: &[
            ("pan", "Double", "-1 to 1"),
            ("tilt", "Double", "-1 to 1"),
            ("zoom", "Double", "-1 to 1"),
        ],
    },
    Method {
        name: "stop",
        by: Allowed::Move,
        title: "Stop",
        takes: &[],
    },
    Method {
        name: "preset",
        by: Allowed::Move,
        title: "Go to a preset",
        takes: &[("preset", "String", "its token or its name")],
    },
    Method {
        name: "home",
        by: Allowed::Move,
        title: "Go home",
        takes: &[],
    },
    Method {
        name: "keep_preset",
        by: Allowed::Move,
        title: "Keep this place as a preset",
        takes: &[(
            "preset",
            "String",
            "its name; one that there is gets this place",
        )],
    },
    Method {
        name: "remove_preset",
        by: Allowed::Move,
        title: "Remove a preset",
        takes: &[("preset", "String", "its token or its name")],
    },
    Method {
        name: "set_home",
        by: Allowed::Move,
        title: "Make this place its home",
        takes: &[],
    },
    Method {
        name: "encoder",
        by: Allowed::Encoder,
        title: "Change how it encodes",
        takes: &[
            ("codec", "String", "H264 or H265; what is left out stays"),
            ("width", "UInt32", "pixels, with `height`"),
            ("height", "UInt32", "pixels"),
            ("fps", "Double", "frames a second"),
            ("kbit_per_s", "UInt32", "at most"),
            (
                "key_every",
                "UInt32",
                "frames from one key frame to the next",
            ),
            ("quality", "Double", "in the camera's own range"),
        ],
    },
    Method {
        name: "imaging",
        by: Allowed::Imaging,
        title: "Change how it sees",
        takes: &[
            ("setting", "String", "for instance Brightness, IrCutFilter"),
            ("value", "String", "a number, or a word such as AUTO"),
        ],
    },
];

/// Starting anew, apart from the others since it has no arguments and a warning.
const REBOOT: Method = Method {
    name: "reboot",
    by: Allowed::Reboot,
    title: "Start the camera anew",
    takes: &[],
};

/// Carries out commands, some at once.
pub(crate) async fn serve(
    attempt: &Attempt,
    onvif: Option<&Onvif>,
    save: &mpsc::Sender<Wanted>,
) -> Infallible {
    let mut orders = attempt.ctx.commands.open(offers(attempt, onvif));
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            order = orders.next(), if under_way.len() < AT_ONCE => under_way.push(async move {
                let point = order.command.target.point().to_owned();
                let answer = match &order.command.action {
                    Action::Call(arguments) => match carry_out(attempt, onvif, save, &point, arguments).await {
                        Ok(answer) => answer,
                        Err(no) => no,
                    },
                    _ => Answer::refused("a camera's methods are called, neither read nor written"),
                };
                order.answer(answer);
            }),
            Some(()) = under_way.next() => {}
        }
    }
}

fn offers(attempt: &Attempt, onvif: Option<&Onvif>) -> Vec<Offer> {
    let settings = &attempt.settings;
    let moves = onvif.is_some_and(|onvif| onvif.ranges.is_some());
    let there = |method: &&Method| {
        settings.commands.contains(&method.by)
            && match method.by {
                Allowed::Snapshot => true,
                Allowed::Clip => settings.clips.is_some(),
                Allowed::Move => moves,
                Allowed::Encoder => onvif
                    .and_then(|onvif| onvif.profile.as_ref())
                    .is_some_and(|profile| profile.video.is_some()),
                Allowed::Imaging => onvif.is_some_and(|onvif| onvif.services.imaging),
                Allowed::Reboot => onvif.is_some(),
            }
    };
    let offer = |method: &Method| Offer {
        target: attempt.points.id(method.name),
        name: method.title.to_owned(),
        address: method.name.to_owned(),
        allow: vec![ActionKind::Call],
        data_type: None,
        unit: None,
        inputs: method.takes.iter().map(parameter).collect(),
        outputs: Vec::new(),
    };
    let methods = METHODS.iter().chain([&REBOOT]);
    methods.filter(there).map(offer).collect()
}

fn parameter((name, data_type, about): &(&str, &str, &str)) -> Parameter {
    Parameter {
        name: (*name).to_owned(),
        data_type: (*data_type).to_owned(),
        description: Some((*about).to_owned()),
    }
}

/// An error is an answer, too.
async fn carry_out(
    attempt: &Attempt,
    onvif: Option<&Onvif>,
    save: &mpsc::Sender<Wanted>,
    name: &str,
    arguments: &Arguments,
) -> Result<Answer, Answer> {
    let takes = METHODS
        .iter()
        .chain([&REBOOT])
        .find(|method| method.name == name)
        .map_or(&[][..], |method| method.takes);
    let given = Given { arguments, takes };
    given.check()?;
    match name {
        "snapshot" => {
            let picture = attempt.eye.ask(FRESH, true).await.map_err(Answer::failed)?;
            let (width, height) = (picture.width, picture.height);
            Ok(Answer::done(format!(
                "a picture of {width} × {height} was sent, {} bytes",
                picture.bytes.len()
            )))
        }
        "clip" => clip(save, &given).await,
        "imaging" => imaging(onvif.ok_or_else(gone)?, &given).await,
        "encoder" => encoder(onvif.ok_or_else(gone)?, &given).await,
        "reboot" => {
            let words = onvif.ok_or_else(gone)?.client.reboot().await;
            words.map(Answer::done).map_err(|error| failed(&error))
        }
        _ => movement(onvif.ok_or_else(gone)?, name, &given).await,
    }
}

async fn clip(save: &mpsc::Sender<Wanted>, given: &Given<'_>) -> Result<Answer, Answer> {
    let why = given.text("why").unwrap_or_else(|| "a command".to_owned());
    let (reply, answer) = oneshot::channel();
    let wanted = Wanted {
        trigger: Trigger { why, at: now() },
        reply: Some(reply),
    };
    save.try_send(wanted)
        .map_err(|_| Answer::refused("several clips begin already; wait a moment"))?;
    let id = answer.await;
    let id = id.unwrap_or_else(|_| Err("the camera was lost meanwhile".to_owned()));
    let id = id.map_err(Answer::failed)?;
    let mut answer = Answer::done(format!("the clip {id} is being taken"));
    answer.value = Some(Value::Text(id));
    Ok(answer)
}

async fn movement(onvif: &Onvif, name: &str, given: &Given<'_>) -> Result<Answer, Answer> {
    let (Some(profile), Some(ranges)) = (&onvif.profile, &onvif.ranges) else {
        return Err(gone());
    };
    let (client, token) = (&onvif.client, profile.token.as_str());
    let refused = |no: fieldgate_onvif::WishError| Answer::refused(no.to_string());
    let done = match name {
        "move" => {
            let seconds = given
                .number("seconds")?
                .unwrap_or(0.5)
                .clamp(0.05, LONGEST_S);
            let wish = wish(given)?;
            let velocity = ranges.with_velocity(&wish).map_err(refused)?;
            client
                .move_on(token, &velocity, Duration::from_secs_f64(seconds))
                .await
        }
        "move_to" => {
            let to = ranges.to_place(&wish(given)?).map_err(refused)?;
            client.move_to(token, &to).await
        }
        "move_by" => {
            let by = ranges.by_step(&wish(given)?).map_err(refused)?;
            client.move_by(token, &by).await
        }
        "stop" => client.stop(token).await,
        "home" => client.go_home(token).await,
        "set_home" => return kept(client.set_home(token).await, "this is its home now"),
        "preset" | "keep_preset" | "remove_preset" => {
            return preset(onvif, token, name, given).await;
        }
        _ => return Err(Answer::refused("the camera has no such method")),
    };
    kept(done, "the camera moves")
}

fn kept(done: Result<(), DeviceError>, words: &str) -> Result<Answer, Answer> {
    done.map(|()| Answer::done(words))
        .map_err(|error| failed(&error))
}

async fn preset(
    onvif: &Onvif,
    token: &str,
    method: &str,
    given: &Given<'_>,
) -> Result<Answer, Answer> {
    let client = &onvif.client;
    let wanted = given
        .text("preset")
        .ok_or_else(|| Answer::refused("say which `preset`, by its token or its name"))?;
    let presets = client.presets(token).await;
    let presets = presets.map_err(|error| failed(&error))?;
    let known = presets
        .iter()
        .find(|preset| preset.token == wanted || preset.name == wanted);
    let done = match (method, known) {
        ("keep_preset", None) => client.add_preset(token, &wanted).await.map(drop),
        ("keep_preset", Some(known)) => client.replace_preset(token, &known.token).await.map(drop),
        ("remove_preset", Some(known)) => client.remove_preset(token, &known.token).await,
        (_, Some(known)) => client.go_to_preset(token, &known.token).await,
        (_, None) => {
            let names: Vec<_> = presets.iter().map(|preset| preset.name.as_str()).collect();
            return Err(Answer::refused(format!(
                "there is no such preset; there are {}",
                names.join(", ")
            )));
        }
    };
    kept(
        done,
        match method {
            "keep_preset" => "this place is kept",
            "remove_preset" => "the preset is gone",
            _ => "the camera moves",
        },
    )
}

/// The stream that we have ends with it at most cameras, and comes back as it is then.
async fn encoder(onvif: &Onvif, given: &Given<'_>) -> Result<Answer, Answer> {
    let profile = onvif.profile.as_ref().ok_or_else(gone)?;
    let codec = match given.text("codec").map(|text| text.to_ascii_uppercase()) {
        None => None,
        Some(text) if matches!(&*text, "H264" | "H.264") => Some(VideoCodec::H264),
        Some(text) if matches!(&*text, "H265" | "H.265") => Some(VideoCodec::H265),
        Some(_) => return Err(Answer::refused("`codec` is H264 or H265")),
    };
    let resolution = match (given.count("width")?, given.count("height")?) {
        (None, None) => None,
        (Some(width), Some(height)) => Some((width, height)),
        _ => return Err(Answer::refused("`width` and `height` belong together")),
    };
    let change = EncoderChange {
        codec,
        resolution,
        fps: given.number("fps")?,
        bitrate_kbps: given.count("kbit_per_s")?,
        gop: given.count("key_every")?,
        quality: given.number("quality")?,
    };
    if change == EncoderChange::default() {
        return Err(Answer::refused("say what shall be different"));
    }
    kept(
        onvif.client.set_encoder(profile, &change).await,
        "the camera encodes so from now on",
    )
}

/// What is wished; an axis that is not named is not moved.
fn wish(given: &Given<'_>) -> Result<Wish, Answer> {
    let (pan, tilt) = (given.number("pan")?, given.number("tilt")?);
    let turns = pan.is_some_and(|pan| pan != 0.0) || tilt.is_some_and(|tilt| tilt != 0.0);
    let named = pan.is_some() || tilt.is_some();
    let zoom = given.number("zoom")?;
    // Zero in a form is `not at all` where something else moves.
    let pan_tilt = (named && (turns || zoom.is_none_or(|zoom| zoom == 0.0)))
        .then(|| (pan.unwrap_or(0.0), tilt.unwrap_or(0.0)));
    let zoom = zoom.filter(|zoom| *zoom != 0.0 || pan_tilt.is_none());
    Ok(Wish {
        pan_tilt,
        zoom,
        speed: None,
    })
}

async fn imaging(onvif: &Onvif, given: &Given<'_>) -> Result<Answer, Answer> {
    let source = onvif
        .profile
        .as_ref()
        .and_then(|profile| profile.video_source.as_deref())
        .ok_or_else(gone)?;
    let table = onvif.client.imaging(source).await;
    let table = table.map_err(|error| failed(&error))?;
    let wanted = given.text("setting").unwrap_or_default();
    let names = || {
        let names = table.rows.iter().map(|row| format!("{:?}", row.setting));
        names.collect::<Vec<_>>().join(", ")
    };
    let row = table
        .rows
        .iter()
        .find(|row| name_of(row.setting).eq_ignore_ascii_case(&wanted));
    let row = row.ok_or_else(|| {
        Answer::refused(format!("there is no such setting; there are {}", names()))
    })?;
    let text = given.text("value").unwrap_or_default();
    let value = match (&row.value, text.parse::<f64>()) {
        (Some(ImagingValue::Number(_)) | None, Ok(number)) if number.is_finite() => {
            ImagingValue::Number(number)
        }
        (Some(ImagingValue::Number(_)), _) => {
            return Err(Answer::refused(format!("{wanted} takes a number")));
        }
        _ => ImagingValue::Word(text.clone()),
    };
    let change = ImagingChange {
        setting: row.setting,
        value,
    };
    let old = row.value.as_ref().map(|value| match value {
        ImagingValue::Number(number) => Value::Float(*number),
        ImagingValue::Word(word) => Value::Text(word.clone()),
    });
    let changed = onvif.client.set_imaging(source, &[change]).await;
    changed.map_err(|error| failed(&error))?;
    let mut answer = Answer::done(format!("{} is {text} now", name_of(row.setting)));
    answer.old = old;
    Ok(answer)
}

fn name_of(setting: ImagingSetting) -> String {
    format!("{setting:?}")
}

fn gone() -> Answer {
    Answer::refused("the camera's ONVIF service cannot do this, or is not reached")
}

fn failed(error: &DeviceError) -> Answer {
    Answer::failed(error.to_string())
}

/// The arguments of a call.
struct Given<'a> {
    arguments: &'a Arguments,
    takes: &'a [(&'a str, &'a str, &'a str)],
}

// === impl Given ===

impl Given<'_> {
    fn check(&self) -> Result<(), Answer> {
        let unknown = match self.arguments {
            Arguments::Named(named) => named
                .iter()
                .map(|(name, _)| name.as_str())
                .find(|name| !self.takes.iter().any(|(takes, ..)| takes == name)),
            Arguments::Ordered(ordered) => (ordered.len() > self.takes.len()).then_some("more"),
        };
        match unknown {
            None => Ok(()),
            Some(unknown) => {
                let names: Vec<_> = self.takes.iter().map(|(name, ..)| *name).collect();
                Err(Answer::refused(format!(
                    "`{}` is not taken; this method takes {}",
                    unknown.escape_debug(),
                    if names.is_empty() {
                        "nothing".to_owned()
                    } else {
                        names.join(", ")
                    }
                )))
            }
        }
    }

    fn value(&self, name: &str) -> Option<&Value> {
        let value = match self.arguments {
            Arguments::Named(named) => named
                .iter()
                .find(|(of, _)| of == name)
                .map(|(_, value)| value),
            Arguments::Ordered(ordered) => {
                let place = self.takes.iter().position(|(takes, ..)| *takes == name)?;
                ordered.get(place)
            }
        };
        value.filter(|value| **value != Value::Null)
    }

    fn number(&self, name: &str) -> Result<Option<f64>, Answer> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let number = value.as_f64().filter(|number| number.is_finite());
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(Answer::refused(format!("`{name}` is no number"))),
        }
    }

    /// A number of something.
    fn count(&self, name: &str) -> Result<Option<u32>, Answer> {
        let Some(number) = self.number(name)? else {
            return Ok(None);
        };
        if number.fract() != 0.0 || !(1.0..=f64::from(u32::MAX)).contains(&number) {
            return Err(Answer::refused(format!(
                "`{name}` is no whole number above 0"
            )));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, and within bounds"
        )]
        let count = number as u32;
        Ok(Some(count))
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::Text(text) => Some(text.chars().take(200).collect()),
            Value::Float(number) => Some(number.to_string()),
            Value::Int(number) => Some(number.to_string()),
            Value::UInt(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVE: &[(&str, &str, &str)] = METHODS[2].takes;

    fn named(arguments: &[(&str, f64)]) -> Arguments {
        let pairs = arguments.iter();
        Arguments::Named(
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).into()))
                .collect(),
        )
    }

    #[test]
    fn what_is_not_named_is_not_moved() {
        for (arguments, pan_tilt, zoom) in [
            (named(&[("pan", 0.5)]), Some((0.5, 0.0)), None),
            (named(&[("zoom", -1.0)]), None, Some(-1.0)),
            (
                named(&[("pan", 0.0), ("tilt", 0.0), ("zoom", 0.5)]),
                None,
                Some(0.5),
            ),
            (
                named(&[("pan", 0.2), ("tilt", 0.1), ("zoom", 0.0)]),
                Some((0.2, 0.1)),
                None,
            ),
            (
                named(&[("pan", 0.2), ("zoom", 0.3)]),
                Some((0.2, 0.0)),
                Some(0.3),
            ),
            (
                Arguments::Ordered(vec![Value::Float(0.1), Value::Int(-1)]),
                Some((0.1, -1.0)),
                None,
            ),
        ] {
            let given = Given {
                arguments: &arguments,
                takes: MOVE,
            };
            let wish = wish(&given).unwrap();
            assert_eq!(
                (wish.pan_tilt, wish.zoom),
                (pan_tilt, zoom),
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn what_a_method_does_not_take_is_refused_in_words() {
        let check = |arguments: Arguments| {
            let given = Given {
                arguments: &arguments,
                takes: MOVE,
            };
            given.check().map_err(|no| no.words)
        };
        assert_eq!(check(named(&[("pan", 1.0)])), Ok(()));
        let words = check(named(&[("roll", 1.0)])).unwrap_err();
        assert!(
            words.contains("`roll`") && words.contains("pan, tilt, zoom"),
            "{words}"
        );
        assert!(check(Arguments::Ordered(vec![Value::Null; 5])).is_err());
    }
}
