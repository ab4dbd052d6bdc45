"""Decodes a key picture from a byte stream and from an MP4 file, and compares both with a JPEG file of it; how near that can come
is shown by what OpenCV makes of the picture at the same quality.

Usage: still.py PICTURE.h264 PICTURE.mp4 PICTURE.jpg. Prints one line of JSON.
"""

import json
import sys

import av
import cv2
import numpy as np


def first_picture(path):
    with av.open(path) as container:
        return next(container.decode(video=0)).to_ndarray(format="bgr24")


stream, file = first_picture(sys.argv[1]), first_picture(sys.argv[2])
jpeg = cv2.imread(sys.argv[3])
yardstick = cv2.imdecode(cv2.imencode(".jpg", stream, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_COLOR)


def psnr(picture):
    error = np.mean((stream.astype(np.float64) - picture.astype(np.float64)) ** 2)
    return round(float(10 * np.log10(255**2 / max(error, 1e-9))), 2)


print(json.dumps({"same": bool(np.array_equal(stream, file)), "width": jpeg.shape[1], "height": jpeg.shape[0],
                  "psnr": psnr(jpeg), "yardstick": psnr(yardstick)}))
