// Looks at the dashboard and the wall with a real browser.
// Usage: dashboard.cjs thousand|usable|login URL FOLDER-FOR-PICTURES [MORE...]; what it finds is one line of JSON at the end.
const { chromium } = require('playwright-core');
const { readFileSync } = require('node:fs');

const [what, url, folder, ...more] = process.argv.slice(2);
const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

// Runs in the page before anything else: notes every task that held it up.
function watchTasks() {
  window.tasks = [];
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) window.tasks.push({ start: task.startTime, took: task.duration });
  }).observe({ type: 'longtask', buffered: true });
}

async function open(browser, path, options = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  const tab = await context.newPage();
  tab.faults = [];
  tab.on('pageerror', (error) => tab.faults.push(error.message));
  await tab.addInitScript(watchTasks);
  await tab.goto(url + path, { waitUntil: 'commit' });
  return tab;
}

const rows = (tab) => tab.locator('#streams tbody tr:not(.spacer)');
const picture = (tab, name) => tab.screenshot({ path: `${folder}/${name}.png` });

function well(tab) {
  if (tab.faults.length) throw new Error(`the page failed: ${tab.faults.join('; ')}`);
}

// How soon a fresh browser shows something, and all streams.
async function load(browser) {
  const tab = await open(browser, '/');
  await rows(tab).first().waitFor();
  const times = await tab.evaluate(() => ({
    paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Infinity,
    shown: performance.now(),
  }));
  return { tab, ...times };
}

async function thousand(browser) {
  const [stream, leaving] = more;
  const loads = [];
  for (let i = 0; i < 3; i += 1) loads.push(await load(browser));
  for (const { tab } of loads.slice(1)) await tab.context().close();
  const { tab } = loads[0];
  const text = await tab.locator('#shown').textContent();
  await picture(tab, 'dashboard-thousand');

  // Three spans of updates with scrolling between: where the machine is busy with something else, one is spoilt by it.
  const spans = [];
  for (let i = 0; i < 3; i += 1) {
    await tab.evaluate(() => (window.tasks = []));
    for (let step = 0; step < 10; step += 1) {
      await tab.mouse.wheel(0, 2500);
      await tab.waitForTimeout(250);
    }
    spans.push(await tab.evaluate(() => Math.max(0, ...window.tasks.map(({ took }) => took))));
  }
  const made = await rows(tab).count();
  await tab.evaluate(() => scrollTo(0, 0));

  await tab.getByLabel('Search').fill(stream);
  await tab.waitForFunction(() => document.querySelectorAll('#streams tbody tr:not(.spacer)').length === 1);
  await tab.getByRole('button', { name: 'Bitrate' }).click();
  const sorted = await tab.locator('th[aria-sort="descending"]').textContent();
  if (!sorted.includes('Bitrate')) throw new Error(`sorted by ${sorted}`);

  // By the keyboard alone: to the stream's page, and its publisher is kicked.
  await tab.getByRole('link', { name: stream }).focus();
  await tab.keyboard.press('Enter');
  await tab.locator('#stream-name').filter({ hasText: stream }).waitFor();
  await tab.waitForTimeout(2500);
  const rtsp = await tab.locator('#rtsp').textContent();
  if (!rtsp.endsWith(`/${stream}`)) throw new Error(`RTSP at ${rtsp}`);
  await picture(tab, 'stream');
  await tab.locator('#kick').focus();
  await tab.keyboard.press('Enter');
  await tab.locator('#confirm[open]').waitFor();
  await picture(tab, 'confirm');
  await tab.getByRole('button', { name: 'Leave it' }).click();
  await tab.locator('#kick').click();
  await tab.locator('#confirm-yes').click();
  await tab.locator('#notice').filter({ hasText: `${stream} was kicked.` }).waitFor();
  await tab.locator('#stream-state').filter({ hasText: 'Offline' }).waitFor();

  await tab.getByRole('link', { name: 'All streams' }).click();
  await tab.getByRole('button', { name: `Drain ${leaving}` }).click();
  await tab.locator('#confirm-yes').click();
  await tab.locator('#notice').filter({ hasText: `${leaving} drains.` }).waitFor();
  well(tab);
  return {
    loads: loads.length, paint: Math.round(median(loads.map(({ paint }) => paint))),
    shown: Math.round(median(loads.map(({ shown }) => shown))), rows: parseInt(text, 10), made,
    longest: Math.round(Math.min(...spans)), tasks: spans.map(Math.round),
  };
}

// What axe-core finds that keeps somebody from using a page.
async function faults(tab, where) {
  await tab.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const { violations } = await tab.evaluate(() => window.axe.run());
  return violations
    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(({ id, impact, help, nodes }) => ({ where, id, impact, help, at: nodes[0].html.slice(0, 200) }));
}

async function usable(browser) {
  const [stream] = more;
  const pages = {
    dashboard: ['/', (tab) => rows(tab).first()],
    stream: [`/#/stream/${stream}`, (tab) => tab.locator('#stream-state').filter({ hasText: 'Live' })],
    publish: [`/${stream}/publish`, (tab) => tab.locator('#go')],
    watch: [`/${stream}/`, (tab) => tab.locator('#sound')],
    wall: ['/wall?match=exam_123_*', (tab) => tab.locator('.tile').nth(59)],
  };
  const looks = [
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
    ['phone', { viewport: PHONE, hasTouch: true, isMobile: true }],
  ];
  const found = [];
  let tiles = 0;
  for (const [look, options] of looks) {
    for (const [page, [path, there]] of Object.entries(pages)) {
      const tab = await open(browser, path, options);
      await there(tab).waitFor();
      await tab.waitForTimeout(800);
      await picture(tab, `${page}-${look}`);
      const wide = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) found.push({ where: `${page}, ${look}`, id: 'wider than the screen', by: wide });
      found.push(...(await faults(tab, `${page}, ${look}`)));
      if (page === 'wall' && look === 'light') {
        tiles = await tab.locator('.tile').count();
        await walk(tab);
        await picture(tab, 'wall-focus');
        found.push(...(await faults(tab, 'wall with one large')));
      }
      well(tab);
      await tab.context().close();
    }
  }
  return { looks: looks.length, pages: Object.keys(pages).length, faults: found.length, found, tiles };
}

// The wall by the keyboard: along a row, down, one large, and back to where one was.
async function walk(tab) {
  const focused = () => tab.evaluate(() => document.activeElement.dataset.name);
  await tab.locator('.tile').first().focus();
  const first = await focused();
  for (const key of ['ArrowRight', 'ArrowDown', 'ArrowUp', 'ArrowLeft']) await tab.keyboard.press(key);
  if ((await focused()) !== first) throw new Error(`the arrows led from ${first} to ${await focused()}`);
  await tab.keyboard.press('Enter');
  await tab.locator('#focus-name').filter({ hasText: first }).waitFor();
  await tab.keyboard.press('Escape');
  if ((await focused()) !== first) throw new Error(`Escape led to ${await focused()}`);
  await tab.keyboard.press('Enter');
  await tab.locator('#focus-state').filter({ hasText: 'Live' }).waitFor();
}

async function login(browser) {
  const [user, password] = more;
  const tab = await open(browser, '/');
  const form = tab.locator('#login[open]');
  await form.waitFor();
  await picture(tab, 'login');
  const fill = async (word) => {
    await tab.getByLabel('User').fill(user);
    await tab.getByLabel('Password').fill(word);
    await tab.keyboard.press('Enter');
  };
  await fill('wrong');
  const told = tab.locator('#login-why').filter({ hasText: 'not right' });
  await told.waitFor();
  const wrong = await told.textContent();
  await fill(password);
  await tab.locator('#connection').filter({ hasText: 'Live' }).waitFor();
  // A second page of the same tab needs no second login, and no page of another tab has it.
  await tab.reload();
  await tab.locator('#connection').filter({ hasText: 'Live' }).waitFor();
  well(tab);
  return { wrong, live: !(await form.isVisible()) };
}

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.WEFT_CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  try {
    console.log(JSON.stringify(await { thousand, usable, login }[what](browser)));
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
