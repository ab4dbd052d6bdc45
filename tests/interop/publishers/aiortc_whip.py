"""Publishes a clip by WHIP with aiortc, H.264 and Opus, until SIGTERM. Usage: aiortc_whip.py WHIP-URL CLIP"""

import asyncio
import signal
import sys
import urllib.parse
import urllib.request

from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer

whip, clip = sys.argv[1], sys.argv[2]


def ask(method, url, body=None):
    request = urllib.request.Request(url, data=body, method=method)
    if body is not None:
        request.add_header("Content-Type", "application/sdp")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, dict(answer.headers), answer.read().decode()


async def main():
    peer = RTCPeerConnection()
    player = MediaPlayer(clip, loop=True)
    video = peer.addTransceiver(player.video, direction="sendonly")
    peer.addTransceiver(player.audio, direction="sendonly")
    codecs = RTCRtpSender.getCapabilities("video").codecs
    video.setCodecPreferences([codec for codec in codecs if codec.mimeType in ("video/H264", "video/rtx")])

    @peer.on("connectionstatechange")
    def changed():
        print("connection", peer.connectionState, flush=True)

    await peer.setLocalDescription(await peer.createOffer())
    offer = peer.localDescription.sdp.encode()
    _, headers, answer = await asyncio.to_thread(ask, "POST", whip, offer)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    session = urllib.parse.urljoin(whip, headers["Location"])
    await asyncio.to_thread(ask, "DELETE", session)
    await peer.close()


asyncio.run(main())
