"""Reads and decodes an RTSP stream with GStreamer's rtspsrc and reports. Usage: gstreamer.py URL tcp|udp FRAMES"""

import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402  (the version is chosen first)

from report import Report  # noqa: E402

url, transport, frames = sys.argv[1], sys.argv[2], int(sys.argv[3])
report = Report(takes_audio=True)
Gst.init(None)
# buffer-mode=none takes times from RTP alone. The default follows arrival too: while it catches up with the pictures since the
# last key picture, which come at once, it bends times and lip-sync of its own accord, so it says nothing about the server.
pipeline = Gst.parse_launch(f"""
  rtspsrc location={url} protocols={transport} tls-validation-flags=0 latency=200 buffer-mode=none name=source
  rtph264depay name=video ! h264parse ! avdec_h264 max-errors=1 ! fakesink sync=false name=picture
  rtpopusdepay name=audio ! opusdec ! fakesink sync=false name=sound
""")
loop = GLib.MainLoop()


def watch(name, count):
    def seen(pad, info):
        if not report.enough(frames):
            count(info.get_buffer().pts, pad)
            if report.enough(frames):
                GLib.idle_add(loop.quit)
        return Gst.PadProbeReturn.OK

    pipeline.get_by_name(name).get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, seen)


def picture(at, pad):
    form = pad.get_current_caps().get_structure(0)
    report.picture(at, (form.get_value("width"), form.get_value("height")))


def link(_source, pad):
    caps = pad.get_current_caps() or pad.query_caps(None)
    media = caps.get_structure(0).get_string("media")
    pad.link(pipeline.get_by_name(media).get_static_pad("sink"))


def said(_bus, message):
    parse = {Gst.MessageType.ERROR: message.parse_error, Gst.MessageType.WARNING: message.parse_warning}
    if message.type in parse:
        error, detail = parse[message.type]()
        report.errors.append(f"{error.message} {detail}")
    if message.type in (Gst.MessageType.ERROR, Gst.MessageType.EOS):
        report.errors.append("ended early")
        loop.quit()


watch("picture", picture)
watch("sound", lambda at, _pad: report.sound(at))
pipeline.get_by_name("source").connect("pad-added", link)
pipeline.get_bus().add_signal_watch()
pipeline.get_bus().connect("message", said)
pipeline.set_state(Gst.State.PLAYING)
loop.run()
report.print()
pipeline.set_state(Gst.State.NULL)
