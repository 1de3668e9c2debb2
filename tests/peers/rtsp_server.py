"""A camera of test pictures: GStreamer's RTSP server with one stream, `/live`. Run it with Debian's own Python (/usr/bin/python3).

What it serves is said in JSON as its one argument:

    codec      "h264", "h265" or "mjpeg"
    width, height, fps
    keyframe   frames between two keyframes
    sound      "aac", "pcmu" or null
    clock      true: the time since the stream's start is burnt into the pictures
    stamp      true: instead of colour bars, a grey picture with the time of day in milliseconds, modulo 65,536, as 16 squares of
               24 pixels from the top left, the highest digit first, white for 1
    kbit_per_s of H.264 and H.265
    user       [name, password] or null
    basic      true: it takes the password as readable text instead of Digest
    tls        the path of a PEM file with certificate and key, or null
    address    where it listens
    port       0: a free one

On stdout it says `READY port`, then a line for each thing that happened. On stdin it takes lines:

    freeze           nothing is sent any more, every socket stays open
    resume
    password NEW     for whoever signs in from now on
    size W H         the pictures change their size, and so do their parameter sets
    scene NAME       another test picture, such as smpte or ball
    bye              every client is sent away
    quit
"""

import json
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

ROLE = "viewer"
# Of a stamp.
SQUARES, SIDE = 16, 24


def encoder(options):
    """The part of the pipeline that codes pictures and puts them into packets."""
    keyframe, rate = options["keyframe"], options["kbit_per_s"]
    if options["codec"] == "h264":
        return (
            f"x264enc tune=zerolatency speed-preset=ultrafast key-int-max={keyframe} bitrate={rate}"
            " ! video/x-h264,profile=baseline ! h264parse ! valve name=valve"
            " ! rtph264pay name=pay0 pt=96 config-interval=-1"
        )
    if options["codec"] == "h265":
        return (
            f"x265enc tune=zerolatency speed-preset=ultrafast key-int-max={keyframe} bitrate={rate}"
            " ! h265parse ! valve name=valve ! rtph265pay name=pay0 pt=96 config-interval=-1"
        )
    return "jpegenc quality=70 ! valve name=valve ! rtpjpegpay name=pay0 pt=26"


def sound(options):
    if options["sound"] == "aac":
        return (
            "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=48000,channels=1 ! audioconvert"
            " ! voaacenc ! aacparse ! rtpmp4gpay name=pay1 pt=97"
        )
    if options["sound"] == "pcmu":
        return (
            "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=8000,channels=1 ! audioconvert"
            " ! mulawenc ! rtppcmupay name=pay1 pt=0"
        )
    return ""


def caps(width, height, fps):
    # JPEG's encoder negotiates nothing that the payloader takes, unless it is told.
    return f"video/x-raw,format=I420,width={width},height={height},framerate={fps}/1"


class Camera:
    def __init__(self, options):
        self.options = options
        self.medias = []
        self.server = GstRtspServer.RTSPServer()
        self.server.set_address(options["address"])
        self.server.set_service(str(options["port"]))
        self.auth = None
        self.password = None
        if options["user"] or options["tls"]:
            self.guard()
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(self.launch())
        factory.set_shared(True)
        factory.set_latency(0)
        factory.set_protocols(GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP)
        if self.auth:
            permissions = GstRtspServer.RTSPPermissions()
            for right in ("media.factory.access", "media.factory.construct"):
                permissions.add_permission_for_role(ROLE, right, True)
            factory.set_permissions(permissions)
        factory.connect("media-configure", self.configured)
        self.server.get_mount_points().add_factory("/live", factory)
        if self.server.attach(None) == 0:
            sys.exit("the port is taken")
        GLib.timeout_add_seconds(2, self.clean)

    def launch(self):
        options = self.options
        clock = " ! timeoverlay font-desc=\"Sans 24\"" if options["clock"] else ""
        size = caps(options["width"], options["height"], options["fps"])
        if options["stamp"]:
            return (
                f"( appsrc name=stamp is-live=true do-timestamp=true format=time caps={size}"
                f" ! {encoder(options)} {sound(options)} )"
            )
        return (
            f"( videotestsrc name=scene is-live=true pattern=smpte ! capsfilter name=size caps={size}{clock}"
            f" ! {encoder(options)} {sound(options)} )"
        )

    def guard(self):
        self.auth = GstRtspServer.RTSPAuth()
        if self.options["tls"]:
            certificate = Gio.TlsCertificate.new_from_file(self.options["tls"])
            self.auth.set_tls_certificate(certificate)
        if self.options["user"]:
            basic = self.options["basic"]
            method = GstRtsp.RTSPAuthMethod.BASIC if basic else GstRtsp.RTSPAuthMethod.DIGEST
            self.auth.set_supported_methods(method)
            self.admit(self.options["user"][1])
        else:
            # TLS alone: everybody may look.
            self.auth.set_default_token(self.token())
        self.server.set_auth(self.auth)

    def token(self):
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", ROLE)
        return token

    def admit(self, password):
        name = self.options["user"][0]
        token = self.token()
        if self.options["basic"]:
            if self.password is not None:
                self.auth.remove_basic(GstRtspServer.RTSPAuth.make_basic(name, self.password))
            self.auth.add_basic(GstRtspServer.RTSPAuth.make_basic(name, password), token)
        else:
            if self.password is not None:
                self.auth.remove_digest(name)
            self.auth.add_digest(name, password, token)
        self.password = password

    def configured(self, _factory, media):
        self.medias.append(media)
        for source in self.elements("stamp"):
            GLib.timeout_add(1000 // self.options["fps"], self.stamp, media, source)
        media.connect("unprepared", lambda gone: self.medias.remove(gone))
        say("media")

    def stamp(self, media, source):
        """A picture of now, as long as somebody watches."""
        if media not in self.medias:
            return False
        width, height = self.options["width"], self.options["height"]
        now = int(time.time() * 1000) % (1 << SQUARES)
        digits = (now >> (SQUARES - 1 - square) & 1 for square in range(SQUARES))
        row = b"".join((b"\xeb" if digit else b"\x10") * SIDE for digit in digits)
        row += b"\x80" * (width - len(row))
        picture = row * SIDE + b"\x80" * (width * (height - SIDE) + width * height // 2)
        source.emit("push-buffer", Gst.Buffer.new_wrapped(picture))
        return True

    def clean(self):
        self.server.get_session_pool().cleanup()
        return True

    def elements(self, name):
        for media in self.medias:
            element = media.get_element().get_by_name_recurse_up(name)
            if element is not None:
                yield element

    def freeze(self, frozen):
        for valve in self.elements("valve"):
            valve.set_property("drop", frozen)

    def resize(self, width, height):
        text = caps(int(width), int(height), self.options["fps"])
        for element in self.elements("size"):
            element.set_property("caps", Gst.Caps.from_string(text))

    def send_away(self):
        self.server.client_filter(
            lambda _server, client: client.close() or GstRtspServer.RTSPFilterResult.REMOVE
        )

    def obey(self, line):
        word, *rest = line.split()
        if word == "freeze":
            self.freeze(True)
        elif word == "resume":
            self.freeze(False)
        elif word == "password":
            self.admit(rest[0])
        elif word == "size":
            self.resize(*rest)
        elif word == "scene":
            for element in self.elements("scene"):
                Gst.util_set_object_arg(element, "pattern", rest[0])
        elif word == "bye":
            self.send_away()
        elif word == "quit":
            loop.quit()
        say(f"done {word}")


def say(text):
    print(text, flush=True)


def listen(camera):
    for line in sys.stdin:
        if line.strip():
            GLib.idle_add(camera.obey, line)
    GLib.idle_add(loop.quit)


Gst.init(None)
defaults = {
    "codec": "h264",
    "width": 640,
    "height": 360,
    "fps": 25,
    "keyframe": 25,
    "sound": None,
    "clock": False,
    "stamp": False,
    "kbit_per_s": 2000,
    "user": None,
    "basic": False,
    "tls": None,
    "address": "127.0.0.1",
    "port": 0,
}
loop = GLib.MainLoop()
camera = Camera(defaults | json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}"))
threading.Thread(target=listen, args=(camera,), daemon=True).start()
say(f"READY {camera.server.get_bound_port()}")
loop.run()
