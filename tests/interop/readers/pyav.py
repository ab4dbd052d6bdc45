"""Reads an RTSP stream with PyAV as an AI worker does and reports. Usage: pyav.py URL tcp|udp FRAMES"""

import logging
import sys

import av
import av.logging

from report import Report

url, transport, frames = sys.argv[1], sys.argv[2], int(sys.argv[3])
report = Report(takes_audio=True)


class Complaints(logging.Handler):
    """Every warning or error of libav goes into the report."""

    def emit(self, record):
        report.errors.append(record.getMessage().strip())


logging.getLogger("libav").addHandler(Complaints())
av.logging.set_level(av.logging.ERROR)

with av.open(url, options={"rtsp_transport": transport}, timeout=10) as container:
    for frame in container.decode(video=0, audio=0):
        if isinstance(frame, av.VideoFrame):
            if frame.is_corrupt:
                report.errors.append(f"picture {report.frames} is corrupt")
            report.picture(frame.pts, (frame.width, frame.height))
        else:
            report.sound(frame.pts)
        if report.enough(frames):
            break
report.print()
