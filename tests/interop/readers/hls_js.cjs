// Plays a stream by hls.js in Chromium and says at the end what happened, as one line of JSON.
// Usage: hls_js.cjs INDEX-URL SECONDS [SCREENSHOT]
const { chromium } = require('playwright-core');

const [url, seconds, screenshot] = process.argv.slice(2);
// Same origin as the node: Chromium keeps pages of elsewhere from loopback addresses.
const page_url = new URL('/__player', url).href;

// Runs in the page.
function play(url) {
  const seen = { errors: [], stalls: 0, levels: [], latencies: [], ahead: [], began: 0 };
  window.seen = seen;
  const video = document.querySelector('video');
  const hls = new Hls({ lowLatencyMode: true });
  window.hls = hls;
  hls.on(Hls.Events.ERROR, (_, data) => seen.errors.push(`${data.type} ${data.details}${data.fatal ? ' fatal' : ''}: ${data.error}`));
  hls.on(Hls.Events.MANIFEST_PARSED, (_, data) => {
    seen.levels = data.levels.map((level) => level.attrs.CODECS);
    video.play();
  });
  const start = performance.now();
  video.addEventListener('playing', () => { seen.began = seen.began || performance.now() - start; });
  video.addEventListener('waiting', () => { if (seen.began) seen.stalls += 1; });
  hls.loadSource(url);
  hls.attachMedia(video);
  setInterval(() => {
    if (!seen.began || !hls.playingDate) return;
    // By the capture time that the playlist tells, on one host with one clock.
    seen.latencies.push(Date.now() - hls.playingDate.getTime());
  }, 500);
}

// Runs in the page.
function report() {
  const video = document.querySelector('video');
  const quality = video.getVideoPlaybackQuality();
  const level = window.hls.levels[window.hls.currentLevel];
  return {
    ...window.seen,
    frames: quality.totalVideoFrames,
    dropped: quality.droppedVideoFrames,
    time: video.currentTime,
    heard: video.webkitAudioDecodedByteCount,
    size: `${video.videoWidth}x${video.videoHeight}`,
    codecs: level ? level.attrs.CODECS : '',
    lowLatency: !!(level && level.details && level.details.partList),
  };
}

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.WEFT_CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--disable-gpu', '--mute-audio'],
  });
  const context = await browser.newContext({ viewport: { width: 700, height: 420 } });
  const tab = await context.newPage();
  tab.on('pageerror', (error) => console.log('page error: ' + error.message));
  const html = '<!doctype html><title>hls.js</title><video muted playsinline width="640" height="360"></video>';
  await context.route(page_url, (route) => route.fulfill({ contentType: 'text/html', body: html }));
  await tab.goto(page_url);
  await tab.addScriptTag({ path: require.resolve('hls.js') });
  await tab.evaluate(play, url);
  await tab.waitForTimeout(Number(seconds) * 1000);
  const result = await tab.evaluate(report);
  if (screenshot) await tab.screenshot({ path: screenshot });
  await browser.close();
  console.log(JSON.stringify(result));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
