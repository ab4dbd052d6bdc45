// Publishes Chromium's fake camera and microphone by WHIP until SIGTERM.
// Usage: chromium_whip.cjs WHIP-URL[,WHIP-URL...] plain|product
// plain: a page of its own, which also says for how long no keyframe was encoded; product: the page the node serves.
const { chromium } = require('playwright-core');

const [urls, page] = process.argv.slice(2);
const [whip] = urls.split(',');
const size = { width: 640, height: 360 };

// Runs in the page: H.264 first, RTX kept, Opus.
async function publish({ whip, size }) {
  const media = await navigator.mediaDevices.getUserMedia({ video: { ...size, frameRate: 30 }, audio: true });
  const peer = new RTCPeerConnection();
  window.peers = [...(window.peers || []), peer];
  for (const track of media.getTracks()) {
    const transceiver = peer.addTransceiver(track, { direction: 'sendonly', streams: [media] });
    if (track.kind !== 'video') continue;
    const codecs = RTCRtpSender.getCapabilities('video').codecs;
    transceiver.setCodecPreferences(codecs.filter((c) => ['video/H264', 'video/rtx'].includes(c.mimeType)));
  }
  peer.onconnectionstatechange = () => console.log('connection ' + peer.connectionState);
  await peer.setLocalDescription();
  const answer = await fetch(whip, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp' },
    body: peer.localDescription.sdp,
  });
  if (answer.status !== 201) throw new Error(`POST ${answer.status}: ${await answer.text()}`);
  window.sessions = [...(window.sessions || []), new URL(answer.headers.get('Location'), whip).href];
  await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
}

// Runs in the page: says each second for how long no peer has encoded a keyframe.
function watchKeyframes() {
  let last = -1;
  let quiet = 0;
  setInterval(async () => {
    let keys = 0;
    for (const peer of window.peers) {
      for (const stat of (await peer.getStats()).values()) keys += stat.keyFramesEncoded || 0;
    }
    quiet = keys === last ? quiet + 1 : 0;
    last = keys;
    console.log(`no keyframe for ${quiet} s (${keys} so far)`);
  }, 1000);
}

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.WEFT_CHROMIUM || '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      '--autoplay-policy=no-user-gesture-required',
      '--disable-gpu',
    ],
  });
  const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
  const tab = await context.newPage();
  tab.on('console', (message) => console.log(message.text()));
  tab.on('pageerror', (error) => console.log('page error: ' + error.message));
  const origin = new URL(whip).origin;
  if (page === 'product') {
    await tab.goto(whip.replace(/\/whip$/, '/publish'));
    const button = tab.locator('button').first();
    if (await button.count()) await button.click();
  } else {
    // Same origin as the node and a secure context, without depending on any page of it.
    const own = origin + '/__plain_test_page';
    await context.route(own, (route) => route.fulfill({ contentType: 'text/html', body: '<title>test</title>' }));
    await tab.goto(own);
    for (const url of urls.split(',')) await tab.evaluate(publish, { whip: url, size });
    await tab.evaluate(watchKeyframes);
  }
  console.log('published');
  process.on('SIGTERM', async () => {
    if (page === 'plain') {
      const leave = () => Promise.all(window.sessions.map((url) => fetch(url, { method: 'DELETE' })));
      await tab.evaluate(leave).catch(() => {});
    }
    await browser.close();
    process.exit(0);
  });
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
