// Publishes, and watches where the node serves WHEP, in a network that lets no UDP out; says what it found as lines of JSON.
// Usage: udp_blocked.cjs NODE(http://host:port) STREAM API(http://host:port) publish|watch
const dgram = require('node:dgram');
const { chromium } = require('playwright-core');

const [node, stream, api, wanted] = process.argv.slice(2);
const LIMIT = 20000;

const say = (what, found) => console.log(JSON.stringify({ what, ...found }));

// The system's word for a datagram that is not let out; nothing where it is.
function refused() {
  const host = new URL(node).hostname.replace(/^\[|\]$/g, '');
  const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
  return new Promise((resolve) => {
    socket.send('x', 8189, host, (error) => {
      socket.close();
      resolve(error ? error.code : '');
    });
  });
}

// In the page: offers, takes the answer, keeps the peer for `seen`.
async function exchange({ url, publishing }) {
  const peer = new RTCPeerConnection();
  window.peers = { ...window.peers, [url]: peer };
  if (publishing) {
    const media = await navigator.mediaDevices.getUserMedia({
      video: { width: 640, height: 360, frameRate: 30 },
      audio: true,
    });
    for (const track of media.getTracks()) {
      const transceiver = peer.addTransceiver(track, { direction: 'sendonly', streams: [media] });
      if (track.kind !== 'video') continue;
      const codecs = RTCRtpSender.getCapabilities('video').codecs;
      transceiver.setCodecPreferences(codecs.filter((c) => ['video/H264', 'video/rtx'].includes(c.mimeType)));
    }
  } else {
    peer.addTransceiver('video', { direction: 'recvonly' });
    peer.addTransceiver('audio', { direction: 'recvonly' });
    const video = document.body.appendChild(document.createElement('video'));
    video.muted = true;
    video.autoplay = true;
    const media = (video.srcObject = new MediaStream());
    peer.ontrack = (event) => media.addTrack(event.track);
  }
  await peer.setLocalDescription();
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp' },
    body: peer.localDescription.sdp,
  });
  const text = await answer.text();
  if (answer.status !== 201) throw new Error(`POST ${url}: ${answer.status} ${text}`);
  await peer.setRemoteDescription({ type: 'answer', sdp: text });
  return text.split('\r\n').filter((line) => line.startsWith('a=candidate:'));
}

// In the page: the chosen way and the pictures that went over it.
async function seen(url) {
  const stats = await window.peers[url].getStats();
  const of = (type) => [...stats.values()].filter((stat) => stat.type === type);
  const transport = of('transport')[0] || {};
  const pair = stats.get(transport.selectedCandidatePairId);
  const video = (type) => of(type).find((stat) => stat.kind === 'video') || {};
  return {
    state: window.peers[url].connectionState,
    local: pair && stats.get(pair.localCandidateId).protocol,
    remote: pair && stats.get(pair.remoteCandidateId).protocol,
    port: pair && stats.get(pair.remoteCandidateId).port,
    sent: video('outbound-rtp').framesSent || 0,
    decoded: video('inbound-rtp').framesDecoded || 0,
  };
}

async function until(what, question) {
  const end = Date.now() + LIMIT;
  for (;;) {
    const answer = await question();
    if (answer.enough) return answer.found;
    if (Date.now() > end) throw new Error(`not within ${LIMIT} ms: ${what}: ${JSON.stringify(answer.found)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

(async () => {
  say('udp', { refused: await refused() });
  const browser = await chromium.launch({
    executablePath: process.env.WEFT_CHROMIUM || '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      '--autoplay-policy=no-user-gesture-required',
      '--disable-gpu',
      // A camera is for secure contexts; this network has one host, and no certificate.
      `--unsafely-treat-insecure-origin-as-secure=${node}`,
    ],
  });
  try {
    const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
    const tab = await context.newPage();
    const own = `${node}/__plain_test_page`;
    await context.route(own, (route) => route.fulfill({ contentType: 'text/html', body: '<title>test</title>' }));
    await tab.goto(own);

    const whip = `${node}/${stream}/whip`;
    const candidates = await tab.evaluate(exchange, { url: whip, publishing: true });
    const published = await until('60 pictures sent', async () => {
      const found = await tab.evaluate(seen, whip);
      return { found, enough: found.sent >= 60 };
    });
    const list = await (await fetch(`${api}/v3/webrtcsessions/list`)).json();
    const session = list.items.find((item) => item.path === stream) || {};
    const path = await (await fetch(`${api}/v3/paths/get/${stream}`)).json();
    const { localCandidate, remoteCandidate } = session;
    say('published', { ...published, candidates, localCandidate, remoteCandidate, ready: path.ready });

    if (wanted === 'watch') {
      const whep = `${node}/${stream}/whep`;
      await tab.evaluate(exchange, { url: whep, publishing: false });
      const first = await until('a picture', async () => {
        const found = await tab.evaluate(seen, whep);
        return { found, enough: found.decoded > 0 };
      });
      const watched = await until('60 pictures more', async () => {
        const found = await tab.evaluate(seen, whep);
        return { found, enough: found.decoded >= first.decoded + 60 };
      });
      say('watched', { ...watched, before: first.decoded });
    }
  } finally {
    await browser.close();
  }
  say('done', {});
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
