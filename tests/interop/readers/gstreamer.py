"""Reads and decodes an RTSP stream with GStreamer's rtspsrc and reports. Usage: gstreamer.py URL tcp|udp FRAMES"""

import re
import signal
import subprocess
import sys

from report import Report

url, transport, frames = sys.argv[1], sys.argv[2], int(sys.argv[3])
# The pictures since the last key picture come at once. The jitter buffer, which maps RTP time to arrival, catches up with
# the live edge over its first 2 s by giving some neighbours the same time; it never turns back.
report = Report(takes_audio=True, rises_strictly=False)
watch = "identity silent=false"
pipeline = f"""
  rtspsrc location={url} protocols={transport} latency=200 name=source
  source. ! application/x-rtp,media=video ! rtph264depay ! h264parse ! avdec_h264 max-errors=1 ! {watch} name=picture
    ! fakesink sync=false
  source. ! application/x-rtp,media=audio ! rtpopusdepay ! opusdec ! {watch} name=sound ! fakesink sync=false
"""
command = ["gst-launch-1.0", "-v", *pipeline.split()]
# identity says: last-message = chain ******* (picture:sink) (345600 bytes, dts: none, pts: 0:00:01.040000000, ...
passed = re.compile(r"\((picture|sound):sink\) \(\d+ bytes,.* pts: (\d+):(\d+):(\d+)\.(\d+)")
with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as gstreamer:
    for line in gstreamer.stdout:
        found = passed.search(line)
        if found:
            name, hours, minutes, seconds, nano = found.groups()
            at = (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * 10**9 + int(nano)
            (report.picture if name == "picture" else report.sound)(at)
        elif line.startswith(("ERROR", "WARNING")) or "CRITICAL" in line:
            report.errors.append(line.strip())
        if report.enough(frames):
            break
    else:
        report.errors.append("gst-launch ended early")
    gstreamer.send_signal(signal.SIGINT)
    try:
        gstreamer.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        gstreamer.kill()
report.print()
