"""What the reader scripts share: the shape of their report, one line of JSON on standard output."""

import json
import time


class Report:
    """Counts frames and watches that times rise."""

    def __init__(self, takes_audio):
        self.start = time.monotonic()
        self.frames = 0
        self.audio = 0 if takes_audio else None
        self.first = None
        self.errors = []
        self.monotonic = True
        # Each width and height in turn; when each picture was decoded, in seconds since 1970.
        self.sizes = []
        self.times = []
        self._last = {}

    def picture(self, at, size):
        self.frames += 1
        if not self.sizes or self.sizes[-1] != list(size):
            self.sizes.append(list(size))
        self.times.append(time.time())
        if self.first is None:
            self.first = round(time.monotonic() - self.start, 3)
            # FFmpeg's parser gives the first picture of any RTSP stream no time: it looks it up by a position in a file.
            if at is None:
                return
        self._rises("video", at)

    def sound(self, at):
        self.audio += 1
        self._rises("audio", at)

    def _rises(self, track, at):
        if at is None:
            self.errors.append(f"{track} frame without a time")
            return
        last = self._last.get(track)
        if last is not None and at <= last:
            self.monotonic = False
            self.errors.append(f"{track} went from {last} to {at} at picture {self.frames}")
        self._last[track] = at

    def enough(self, frames):
        return self.frames >= frames and (self.audio is None or self.audio >= 50)

    def print(self):
        names = ("frames", "audio", "monotonic", "errors", "first", "sizes", "times")
        print(json.dumps({name: getattr(self, name) for name in names}), flush=True)
