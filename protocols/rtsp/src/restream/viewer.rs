//! One viewer of the restream: its requests until PLAY, then frames and what it still asks, in one connection.

use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::{Buf as _, BytesMut};
use fieldgate_media::{Frame, Track, TrackKind};
use futures::{StreamExt as _, stream::BoxStream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{
    Absent, Counters, Departure, Fed, Shelf,
    guard::{Guard, Verdict, hex},
    packets::Packets,
    request::{Incoming, Method, Request, TRACK, parse},
    sdp,
};
use crate::{
    address::Credentials,
    random,
    wire::{USER_AGENT, head::Head, media::put},
};

/// A connection.
pub(super) struct Viewer<'a> {
    stream: TcpStream,
    shelf: &'a dyn Shelf,
    users: &'a [Credentials],
    counters: &'a Counters,
    guard: Guard,
    /// Who it is, once it signed rightly.
    user: Option<String>,
    wrong: u8,
    session: String,
    /// What was described last.
    path: String,
    tracks: Vec<Arc<Track>>,
    /// What was set up: the track, its channel and its packets.
    chosen: Vec<Chosen>,
    received: BytesMut,
}

struct Chosen {
    track: usize,
    channel: u8,
    packets: Packets,
}

/// What a viewer that plays is about to do.
enum Next {
    Fed(Option<Fed>),
    Read(io::Result<usize>),
}

/// What an answered request leads to.
enum Then {
    GoOn,
    Play(BoxStream<'static, Fed>),
}

/// Before a viewer has signed rightly, and after.
const STRANGER: Duration = Duration::from_secs(10);
const GUEST: Duration = Duration::from_secs(60);
/// Until what is sent has been taken.
const WRITE: Duration = Duration::from_secs(5);
/// Between two sender reports of a track (RFC 3550 clause 6.2).
const REPORT: Duration = Duration::from_secs(5);
/// Signatures that may be wrong.
const MOST_WRONG: u8 = 3;
/// Of what a viewer says at once.
const READ_BYTES: usize = 8 << 10;
const MOST_RECEIVED: usize = 96 << 10;

// === impl Viewer ===

impl<'a> Viewer<'a> {
    /// `None` when the system gives no random numbers.
    pub(super) fn new(
        stream: TcpStream,
        shelf: &'a dyn Shelf,
        users: &'a [Credentials],
        counters: &'a Counters,
    ) -> Option<Self> {
        // Packets wait for nothing; if this fails they come later.
        let _ = stream.set_nodelay(true);
        Some(Self {
            stream,
            shelf,
            users,
            counters,
            guard: Guard::new(random::bytes()?),
            user: None,
            wrong: 0,
            session: hex(&random::bytes::<8>()?),
            path: String::new(),
            tracks: Vec::new(),
            chosen: Vec::new(),
            received: BytesMut::new(),
        })
    }

    pub(super) async fn run(mut self) -> Departure {
        let frames = match self.ask().await {
            Ok(frames) => frames,
            Err(departure) => return departure,
        };
        match self.play(frames).await {
            Ok(()) => Departure::Over,
            Err(departure) => departure,
        }
    }

    /// Answers until it plays.
    async fn ask(&mut self) -> Result<BoxStream<'static, Fed>, Departure> {
        loop {
            while let Some(request) = self.next_request()? {
                if let Then::Play(frames) = self.answer(&request).await? {
                    return Ok(frames);
                }
            }
            let limit = if self.user.is_some() { GUEST } else { STRANGER };
            self.received.reserve(READ_BYTES);
            let read = timeout(limit, self.stream.read_buf(&mut self.received));
            match read.await {
                Err(_) => return Err(Departure::Silent),
                Ok(Ok(0) | Err(_)) => return Err(Departure::Left),
                Ok(Ok(_)) => {}
            }
        }
    }

    /// Sends frames, from the next keyframe on.
    async fn play(&mut self, mut frames: BoxStream<'static, Fed>) -> Result<(), Departure> {
        let mut begun = false;
        let mut reported = Instant::now() - REPORT;
        let mut out = BytesMut::new();
        loop {
            while let Some(request) = self.next_request()? {
                if let Then::Play(again) = self.answer(&request).await? {
                    frames = again;
                    begun = false;
                }
            }
            self.received.reserve(READ_BYTES);
            // A viewer that asks nothing any more still lives as long as it takes what is sent.
            let next = tokio::select! {
                biased;
                read = self.stream.read_buf(&mut self.received) => Next::Read(read),
                fed = frames.next() => Next::Fed(fed),
            };
            match next {
                Next::Read(Ok(0) | Err(_)) => return Err(Departure::Left),
                Next::Read(Ok(_)) => {}
                Next::Fed(None) => {
                    for chosen in &self.chosen {
                        put(&mut out, chosen.channel + 1, &chosen.packets.bye());
                    }
                    return self.send(&mut out).await;
                }
                Next::Fed(Some(Fed::Missed(_))) => return Err(Departure::Slow),
                Next::Fed(Some(Fed::Frame(frame))) => {
                    begun = begun || self.begins(&frame);
                    if !begun {
                        continue;
                    }
                    self.pack(&frame, &mut out);
                    if reported.elapsed() >= REPORT {
                        reported = Instant::now();
                        for chosen in &self.chosen {
                            if let Some(report) = chosen.packets.report() {
                                put(&mut out, chosen.channel + 1, &report);
                            }
                        }
                    }
                    self.counters.frames.fetch_add(1, Relaxed);
                    self.send(&mut out).await?;
                }
            }
        }
    }

    /// Whether a viewer can begin with this frame: a keyframe, or any where only sound was asked for.
    fn begins(&mut self, frame: &Frame) -> bool {
        let picture = |track: &Arc<Track>| track.codec.kind() == TrackKind::Picture;
        let pictures = self
            .chosen
            .iter()
            .any(|chosen| picture(&self.tracks[chosen.track]));
        let begins = frame.key && (picture(&frame.track) || !pictures);
        if begins {
            for chosen in &mut self.chosen {
                chosen.packets.begin(frame.pts, frame.track.timescale);
            }
        }
        begins
    }

    fn pack(&mut self, frame: &Frame, out: &mut BytesMut) {
        // Parameters may have changed since the description, so a track is known by its codec.
        let tracks = &self.tracks;
        let of = |chosen: &&mut Chosen| tracks[chosen.track].codec == frame.track.codec;
        if let Some(chosen) = self.chosen.iter_mut().find(of) {
            let index = u8::try_from(chosen.track).unwrap_or_default();
            for packet in chosen.packets.frame(index, frame) {
                put(out, chosen.channel, &packet);
            }
        }
    }

    fn next_request(&mut self) -> Result<Option<Request>, Departure> {
        loop {
            match parse(&self.received) {
                Err(_) => return Err(Departure::Malformed),
                Ok(None) if self.received.len() > MOST_RECEIVED => {
                    return Err(Departure::Malformed);
                }
                Ok(None) => return Ok(None),
                Ok(Some((incoming, taken))) => {
                    self.received.advance(taken);
                    if let Incoming::Request(request) = incoming {
                        return Ok(Some(request));
                    }
                }
            }
        }
    }

    async fn answer(&mut self, request: &Request) -> Result<Then, Departure> {
        let mut then = Then::GoOn;
        let mut body = String::new();
        let head = if request.method == Method::Options {
            options()
        } else {
            match self.guard.judge(request, self.users) {
                Verdict::Let(user) => {
                    self.user = Some(user.clone());
                    match request.method {
                        Method::Describe => self.describe(request, &user, &mut body).await,
                        Method::Setup => self.set_up(request),
                        Method::Play => self.start(request, &user, &mut then).await,
                        Method::GetParameter => self.with_session(Head::response(200, "OK")),
                        Method::Teardown => {
                            self.respond(Head::response(200, "OK"), request, "").await?;
                            return Err(Departure::Left);
                        }
                        Method::Options | Method::Other => Head::response(501, "Not Implemented"),
                    }
                }
                verdict => self.turn_away(&verdict, request).await?,
            }
        };
        self.respond(head, request, &body).await?;
        Ok(then)
    }

    async fn turn_away(&mut self, verdict: &Verdict, request: &Request) -> Result<Head, Departure> {
        let mut head = Head::response(401, "Unauthorized");
        head.set("WWW-Authenticate", self.guard.challenge());
        if *verdict == Verdict::Wrong {
            self.wrong += 1;
            if self.wrong >= MOST_WRONG {
                self.respond(head, request, "").await?;
                return Err(Departure::Password);
            }
        }
        Ok(head)
    }

    async fn describe(&mut self, request: &Request, user: &str, body: &mut String) -> Head {
        let tracks = match self.shelf.tracks(&request.path, user).await {
            Ok(tracks) => sdp::passed_on(&tracks),
            Err(absent) => return refused(absent),
        };
        if tracks.is_empty() {
            return Head::response(415, "Unsupported Media Type");
        }
        *body = sdp::describe(&tracks);
        self.tracks = tracks;
        self.chosen.clear();
        self.path.clone_from(&request.path);
        let mut head = Head::response(200, "OK");
        head.set("Content-Type", "application/sdp");
        head.set(
            "Content-Base",
            format!("{}/", request.uri.trim_end_matches('/')),
        );
        head
    }

    fn set_up(&mut self, request: &Request) -> Head {
        let Some(channel) = request.channel else {
            return Head::response(461, "Unsupported Transport");
        };
        let track = request.track.unwrap_or(0);
        let (Some(known), true) = (self.tracks.get(track), request.path == self.path) else {
            return Head::response(404, "Not Found");
        };
        let Some(random) = random::bytes() else {
            return Head::response(500, "Internal Server Error");
        };
        // A viewer that leaves the channels to us gets the next ones.
        let channel = if self.chosen.iter().any(taken_by(track, channel)) {
            u8::try_from(self.chosen.len() * 2).unwrap_or_default()
        } else {
            channel
        };
        if self.chosen.iter().any(taken_by(track, channel)) {
            return Head::response(455, "Method Not Valid in This State");
        }
        self.chosen.push(Chosen {
            track,
            channel,
            packets: Packets::new(known, random),
        });
        let mut head = self.with_session(Head::response(200, "OK"));
        let next = channel + 1;
        head.set(
            "Transport",
            format!("RTP/AVP/TCP;unicast;interleaved={channel}-{next}"),
        );
        head
    }

    async fn start(&mut self, request: &Request, user: &str, then: &mut Then) -> Head {
        if self.chosen.is_empty() || request.session.as_deref() != Some(&self.session) {
            return Head::response(454, "Session Not Found");
        }
        match self.shelf.frames(&self.path, user).await {
            Ok(frames) => *then = Then::Play(frames),
            Err(absent) => return refused(absent),
        }
        let base = request.uri.trim_end_matches('/');
        let tracks = self.chosen.iter().map(|chosen| {
            let (sequence, time) = chosen.packets.next();
            format!(
                "url={base}/{TRACK}{};seq={sequence};rtptime={time}",
                chosen.track
            )
        });
        let info = tracks.collect::<Vec<_>>().join(",");
        let mut head = self.with_session(Head::response(200, "OK"));
        head.set("Range", "npt=0.000-");
        head.set("RTP-Info", info);
        head
    }

    fn with_session(&self, mut head: Head) -> Head {
        head.set("Session", format!("{};timeout=60", self.session));
        head
    }

    async fn respond(
        &mut self,
        mut head: Head,
        request: &Request,
        body: &str,
    ) -> Result<(), Departure> {
        if let Some(cseq) = request.cseq {
            head.set("CSeq", cseq.to_string());
        }
        head.set("Server", USER_AGENT);
        if !body.is_empty() {
            head.set("Content-Length", body.len().to_string());
        }
        let mut out = BytesMut::from(&head.to_bytes()[..]);
        out.extend_from_slice(body.as_bytes());
        self.send(&mut out).await
    }

    async fn send(&mut self, out: &mut BytesMut) -> Result<(), Departure> {
        let sent = timeout(WRITE, self.stream.write_all(out)).await;
        self.counters.bytes.fetch_add(out.len() as u64, Relaxed);
        out.clear();
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Departure::Left),
            Err(_) => Err(Departure::Slow),
        }
    }
}

fn taken_by(track: usize, channel: u8) -> impl Fn(&Chosen) -> bool {
    move |chosen| chosen.track == track || chosen.channel.abs_diff(channel) < 2
}

fn options() -> Head {
    let mut head = Head::response(200, "OK");
    head.set(
        "Public",
        "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER",
    );
    head
}

fn refused(absent: Absent) -> Head {
    match absent {
        Absent::NoSuchStream => Head::response(404, "Not Found"),
        Absent::NotNow => Head::response(503, "Service Unavailable"),
    }
}
