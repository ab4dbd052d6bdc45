// Opens tabs of one Chromium or one Firefox and reports what their pages show, one line of JSON each, until SIGTERM. What is
// to be seen is the tests' matter. Firefox knows neither `denied` nor `dark`.
// Usage: drive.cjs PLAN, a JSON file: { out, browser, flags, tabs: [{ name, url, click, denied, dark, viewport }] }
// SIGUSR2: a picture of each tab, out/{tab}-{number}.png, and a line that says so.
const { chromium } = require('playwright-core');
const { readFileSync } = require('node:fs');
const firefox = require('./firefox.cjs');

const plan = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const say = (line) => console.log(JSON.stringify({ at: Date.now(), ...line }));

// Runs in each page before its scripts: reads the clock of the test picture off every video at each picture shown.
function observe() {
  const columns = 17;
  const look = document.createElement('canvas');
  [look.width, look.height] = [columns * 4, 8];
  const g = look.getContext('2d', { willReadFrequently: true });
  const shown = [];
  // Two rows of squares in the top quarter of the picture, see nodes/pages/web/src/test-picture.ts.
  const read = (source, width, height) => {
    g.drawImage(source, 0, 0, width, height / 4, 0, 0, look.width, look.height);
    const pixels = g.getImageData(0, 0, look.width, look.height).data;
    const on = (column, row) => pixels[((row * 4 + 2) * look.width + column * 4 + 2) * 4 + 1] > 127;
    let value = 0;
    let ones = 0;
    for (let bit = 0; bit < 32; bit++) {
      const set = on(bit % 16, Math.floor(bit / 16));
      value = value * 2 + (set ? 1 : 0);
      ones += set ? 1 : 0;
    }
    if (on(16, 0) !== (ones % 2 === 1) || on(16, 1) !== (ones % 2 === 0)) return null;
    return value;
  };
  const follow = (video) => {
    const each = () => {
      video.requestVideoFrameCallback(each);
      // What is below another one is not seen.
      if (video !== document.querySelector('video:last-of-type')) return;
      const at = Date.now();
      const clock = read(video, video.videoWidth, video.videoHeight);
      shown.push([at, clock === null ? null : (at % 2 ** 32) - clock]);
    };
    video.requestVideoFrameCallback(each);
  };
  window.weftSeen = () => {
    const video = document.querySelector('video:last-of-type');
    const of = (id) => document.getElementById(id)?.textContent ?? '';
    const notice = document.getElementById('notice');
    const player = window.weft?.player ?? window.weft?.publishers?.[0];
    return {
      kind: document.getElementById('state')?.dataset.kind ?? '',
      state: of('state'),
      problem: notice && !notice.hidden ? notice.dataset.problem : '',
      words: notice && !notice.hidden ? `${of('what')} ${of('todo')}` : '',
      mode: player?.mode ?? '',
      sessions: player?.state?.sessions ?? 0,
      location: player?.location ?? '',
      width: video?.videoWidth ?? 0,
      height: video?.videoHeight ?? 0,
      time: video?.currentTime ?? 0,
      frames: video?.getVideoPlaybackQuality().totalVideoFrames ?? 0,
      figures: window.weftFigures ?? null,
      fault: video?.error ? `${video.error.code} ${video.error.message}` : '',
      shown: shown.splice(0),
    };
  };
  // The watch page makes another one for each connection.
  const followed = new WeakSet();
  setInterval(() => {
    for (const video of document.querySelectorAll('video')) {
      if (!followed.has(video)) follow(video);
      followed.add(video);
    }
  }, 50);
}

function launch() {
  if (plan.browser === 'firefox') return firefox.launch(process.env.WEFT_FIREFOX || '/usr/bin/firefox-esr', plan.flags);
  return chromium.launch({
    executablePath: process.env.WEFT_CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required', ...plan.flags],
  });
}

async function open(browser, tab) {
  const context = await browser.newContext({
    permissions: tab.denied ? [] : ['camera', 'microphone'],
    viewport: tab.viewport ?? { width: 1000, height: 900 },
    colorScheme: tab.dark ? 'dark' : 'light',
  });
  await context.addInitScript(observe);
  const page = await context.newPage();
  page.on('pageerror', (error) => say({ tab: tab.name, error: error.message }));
  page.on('console', (message) => {
    if (message.type() === 'error') say({ tab: tab.name, console: message.text() });
  });
  await page.goto(tab.url);
  if (tab.click) await page.locator(tab.click).click();
  say({ tab: tab.name, opened: true });
  const look = async () => {
    const seen = await page.evaluate(() => window.weftSeen()).catch((error) => ({ error: error.message }));
    say({ tab: tab.name, ...seen });
    setTimeout(look, 100);
  };
  void look();
  return { tab, page };
}

(async () => {
  const browser = await launch();
  const tabs = [];
  let pictures = 0;
  process.on('SIGUSR2', async () => {
    const number = ++pictures;
    for (const { tab, page } of tabs) {
      await page.screenshot({ path: `${plan.out}/${tab.name}-${number}.png` }).catch((error) => say({ error: error.message }));
    }
    say({ pictures: number });
  });
  process.on('SIGTERM', async () => {
    await browser.close();
    process.exit(0);
  });
  for (const tab of plan.tabs) tabs.push(await open(browser, tab));
  say({ ready: true });
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
