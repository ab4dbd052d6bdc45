"""Decodes an RTSP stream with ffprobe and reports. Usage: ffprobe.py URL tcp|udp FRAMES"""

import subprocess
import sys
import tempfile

from report import Report

url, transport, frames = sys.argv[1], sys.argv[2], int(sys.argv[3])
report = Report(takes_audio=True)
command = ["ffprobe", "-hide_banner", "-loglevel", "error", "-rtsp_transport", transport, "-show_frames"]
command += ["-show_entries", "frame=media_type,pts,width,height", "-of", "compact=p=0", "-i", url]
with tempfile.TemporaryFile() as complaints:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True) as ffprobe:
        for line in ffprobe.stdout:
            fields = dict(part.split("=", 1) for part in line.strip().split("|") if "=" in part)
            at = int(fields["pts"]) if fields.get("pts", "N/A") != "N/A" else None
            if fields.get("media_type") == "video":
                report.picture(at, (int(fields["width"]), int(fields["height"])))
            elif fields.get("media_type") == "audio":
                report.sound(at)
            if report.enough(frames):
                break
        else:
            report.errors.append("ffprobe ended early")
        # What it says from here on is about being interrupted.
        complaints.seek(0)
        report.errors += complaints.read().decode(errors="replace").splitlines()
        ffprobe.kill()
report.print()
