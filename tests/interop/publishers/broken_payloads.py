"""Publishes as aiortc_whip.py does, but with H.264 payloads broken on purpose. Usage: broken_payloads.py WHIP-URL CLIP"""

import random
import runpy
from pathlib import Path

from aiortc.codecs.h264 import H264Encoder

dice = random.Random(6)
whole = H264Encoder.encode


def broken(payload):
    """One of the ways a payload can be wrong (RFC 6184)."""
    junk = dice.randbytes(dice.randrange(1, 1100))
    return dice.choice([
        b"",
        payload[:1],
        bytes([24]),
        bytes([24, 0]),
        # STAP-A: a length beyond the end, one byte left over, a unit of no bytes.
        bytes([24, 0xFF, 0xFF]) + junk,
        bytes([24, 0, 2, 0x41, 0x9A, 0]),
        bytes([24, 0, 0, 0, 0]) + junk,
        # FU-A: no header, a middle without a start, starts that never end, start and end in one.
        bytes([28]),
        bytes([28, 0x01]) + junk,
        bytes([28, 0x85]) + junk,
        bytes([28, 0xC5]) + junk,
        # Types that mean nothing here.
        bytes([0]) + junk,
        bytes([25]) + junk,
        bytes([31]) + junk,
        # An SPS and a PPS of noise.
        bytes([0x67]) + junk,
        bytes([0x68]) + junk,
    ])


def encode(self, *arguments, **named):
    payloads, timestamp = whole(self, *arguments, **named)
    return [broken(payload) if dice.random() < 0.3 else payload for payload in payloads], timestamp


H264Encoder.encode = encode
runpy.run_path(str(Path(__file__).with_name("aiortc_whip.py")), run_name="__main__")
