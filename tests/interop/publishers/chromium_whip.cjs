// Publishes Chromium's fake camera and microphone by WHIP until SIGTERM.
// Usage: chromium_whip.cjs WHIP-URL plain|product   (plain: a page of its own; product: the page the node serves)
const { chromium } = require('playwright-core');

const [whip, page] = process.argv.slice(2);
const size = { width: 640, height: 360 };

// Runs in the page: H.264 first, RTX kept, Opus.
async function publish({ whip, size }) {
  const media = await navigator.mediaDevices.getUserMedia({ video: { ...size, frameRate: 30 }, audio: true });
  const peer = new RTCPeerConnection();
  window.peer = peer;
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
  window.session = new URL(answer.headers.get('Location'), whip).href;
  await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
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
    await tab.evaluate(publish, { whip, size });
  }
  console.log('published');
  process.on('SIGTERM', async () => {
    if (page === 'plain') await tab.evaluate(() => fetch(window.session, { method: 'DELETE' })).catch(() => {});
    await browser.close();
    process.exit(0);
  });
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
