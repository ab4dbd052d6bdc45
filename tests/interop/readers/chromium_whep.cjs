// Watches a stream by WHEP in Chromium, in a page of the test's own, and reports what was decoded as one line of JSON.
// Usage: chromium_whep.cjs WHEP-URL SECONDS [TABS]
const { chromium } = require('playwright-core');

const [whep, seconds, tabs] = process.argv.slice(2);

// Runs in the page: reads, and gives the numbers after some time. Times are milliseconds since the offer was posted.
async function watch({ whep, seconds }) {
  const peer = new RTCPeerConnection();
  const video = document.createElement('video');
  Object.assign(video, { muted: true, autoplay: true, playsInline: true });
  document.body.append(video);
  const stream = new MediaStream();
  video.srcObject = stream;
  peer.ontrack = (event) => stream.addTrack(event.track);
  for (const kind of ['video', 'audio']) peer.addTransceiver(kind, { direction: 'recvonly' });
  const report = { first: null, connected: null, frames: 0, errors: [], times: [] };
  await peer.setLocalDescription();
  const begun = performance.now();
  const since = () => Math.round(performance.now() - begun);
  peer.onconnectionstatechange = () => {
    if (peer.connectionState === 'connected') report.connected = since();
  };
  const shown = (now, frame) => {
    report.first ??= since();
    report.size = [frame.width, frame.height];
    report.times.push(since());
    video.requestVideoFrameCallback(shown);
  };
  video.requestVideoFrameCallback(shown);
  const answer = await fetch(whep, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp' },
    body: peer.localDescription.sdp,
  });
  report.status = answer.status;
  report.answered = since();
  const text = await answer.text();
  if (answer.status !== 201) return { ...report, errors: [text] };
  // The node that has been asked may have led to another one.
  const location = new URL(answer.headers.get('Location'), answer.url).href;
  await peer.setRemoteDescription({ type: 'answer', sdp: text });
  const halfway = (seconds * 1000) / 2;
  await new Promise((resolve) => setTimeout(resolve, halfway));
  const count = async () => {
    const sum = { frames: 0, sounds: 0, packetsLost: 0, nackCount: 0, pliCount: 0, retransmitted: 0 };
    for (const stat of (await peer.getStats()).values()) {
      if (stat.type === 'candidate-pair' && stat.nominated) sum.estimate = stat.availableIncomingBitrate;
      if (stat.type !== 'inbound-rtp') continue;
      sum.packetsLost += stat.packetsLost || 0;
      sum.retransmitted += stat.retransmittedPacketsReceived || 0;
      if (stat.kind === 'audio') sum.sounds = stat.totalSamplesReceived || 0;
      if (stat.kind !== 'video') continue;
      sum.frames = stat.framesDecoded || 0;
      sum.nackCount = stat.nackCount;
      sum.pliCount = stat.pliCount;
      sum.keys = stat.keyFramesDecoded;
      sum.freezes = stat.freezeCount;
      sum.delay = stat.jitterBufferEmittedCount && (1000 * stat.jitterBufferDelay) / stat.jitterBufferEmittedCount;
    }
    return sum;
  };
  report.half = (await count()).frames;
  await new Promise((resolve) => setTimeout(resolve, halfway));
  Object.assign(report, await count());
  report.state = peer.connectionState;
  report.left = (await fetch(location, { method: 'DELETE' })).status;
  peer.close();
  return report;
}

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.WEFT_CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--disable-gpu'],
  });
  const context = await browser.newContext();
  // Same origin as the node, and nothing intercepted: redirects across origins must be the browser's own.
  const own = new URL('/v3/info', whep).href;
  const watching = [...Array(Number(tabs || 1))].map(async () => {
    const tab = await context.newPage();
    tab.on('pageerror', (error) => console.log('page error: ' + error.message));
    await tab.goto(own);
    return tab.evaluate(watch, { whep, seconds: Number(seconds) });
  });
  for (const report of await Promise.all(watching)) console.log(JSON.stringify(report));
  await browser.close();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
