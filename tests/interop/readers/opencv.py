"""Reads an RTSP stream with OpenCV's VideoCapture and reports. Usage: opencv.py URL tcp FRAMES"""

import os
import sys
import tempfile

from report import Report

url, transport, frames = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = f"rtsp_transport;{transport}"
import cv2  # noqa: E402  (reads the environment when it is loaded)

report = Report(takes_audio=False)
# FFmpeg inside OpenCV complains on the process's standard error only.
complaints = tempfile.TemporaryFile()
kept = os.dup(2)
os.dup2(complaints.fileno(), 2)

capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
if not capture.isOpened():
    report.errors.append("could not open")
while capture.isOpened() and not report.enough(frames):
    there, picture = capture.read()
    if not there:
        report.errors.append(f"the stream ended after {report.frames} pictures")
        break
    if picture.size == 0:
        report.errors.append("an empty picture")
    # OpenCV says 0 for a picture without a time, and the first has none.
    size = picture.shape[1::-1]
    report.picture(capture.get(cv2.CAP_PROP_POS_MSEC) if report.frames else None, size)
capture.release()

os.dup2(kept, 2)
complaints.seek(0)
lines = complaints.read().decode(errors="replace").splitlines()
report.errors += [line for line in lines if "[h264" in line or "[rtsp" in line]
report.print()
