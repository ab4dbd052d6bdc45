"""Watches a stream by WHEP with aiortc and reports what was decoded as one line of JSON, as the RTSP readers do.
Usage: aiortc_whep.py WHEP-URL FRAMES"""

import asyncio
import json
import sys
import time
import urllib.parse
import urllib.request

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

whep, wanted = sys.argv[1], int(sys.argv[2])
report = {"frames": 0, "audio": 0, "monotonic": True, "errors": [], "first": None, "sizes": [], "times": []}


def ask(method, url, body=None):
    request = urllib.request.Request(url, data=body, method=method)
    if body is not None:
        request.add_header("Content-Type", "application/sdp")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.headers, answer.read().decode()


async def main():
    peer = RTCPeerConnection()
    done = asyncio.Event()
    begun = time.time()

    async def pictures(track):
        last = None
        while not done.is_set():
            try:
                frame = await track.recv()
            except MediaStreamError:
                report["errors"].append("the video ended")
                done.set()
                return
            now = time.time()
            report["first"] = report["first"] or now - begun
            report["frames"] += 1
            report["times"].append(now)
            size = [frame.width, frame.height]
            if not report["sizes"] or report["sizes"][-1] != size:
                report["sizes"].append(size)
            report["monotonic"] &= last is None or frame.pts > last
            last = frame.pts
            if report["frames"] >= wanted:
                done.set()

    async def sounds(track):
        while not done.is_set():
            try:
                await track.recv()
            except MediaStreamError:
                return
            report["audio"] += 1

    @peer.on("track")
    def came(track):
        asyncio.ensure_future(pictures(track) if track.kind == "video" else sounds(track))

    for kind in ("video", "audio"):
        peer.addTransceiver(kind, direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    offer = peer.localDescription.sdp.encode()
    begun = time.time()
    _, headers, answer = await asyncio.to_thread(ask, "POST", whep, offer)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await done.wait()
    session = urllib.parse.urljoin(whep, headers["Location"])
    await asyncio.to_thread(ask, "DELETE", session)
    await peer.close()
    print(json.dumps(report))


asyncio.run(main())
