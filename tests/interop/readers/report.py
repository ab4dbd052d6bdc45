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
        self._last = {}

    def picture(self, at):
        if self.first is None:
            self.first = round(time.monotonic() - self.start, 3)
        self.frames += 1
        self._rises("video", at)

    def sound(self, at):
        self.audio += 1
        self._rises("audio", at)

    def _rises(self, track, at):
        if at is None:
            self.errors.append(f"{track} frame without a time")
            return
        if track in self._last and at <= self._last[track]:
            self.monotonic = False
            self.errors.append(f"{track} went from {self._last[track]} to {at} at picture {self.frames}")
        self._last[track] = at

    def enough(self, frames):
        return self.frames >= frames and (self.audio is None or self.audio >= 50)

    def print(self):
        names = ("frames", "audio", "monotonic", "errors", "first")
        print(json.dumps({name: getattr(self, name) for name in names}), flush=True)
