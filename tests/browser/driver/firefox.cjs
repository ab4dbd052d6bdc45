// Firefox as Debian ships it, by WebDriver BiDi (w3.org/TR/webdriver-bidi): as much of it as the driver of tabs needs, called as
// Playwright calls it. Playwright itself asks of every Firefox for what this one has not got (emulated media features).
const { spawn } = require('node:child_process');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const WebSocket = require('ws');

// What Firefox does not know already when it is driven (`remote.prefs.recommended`).
const SETTINGS = { 'browser.aboutwelcome.enabled': false, 'datareporting.policy.dataSubmissionEnabled': false };

/** The connection to the browser: commands have answers, events have listeners. */
class Bidi {
  #socket;
  #waiting = new Map();
  #listeners = [];
  #id = 0;

  static async connect(url) {
    const bidi = new Bidi();
    bidi.#socket = new WebSocket(url);
    await new Promise((resolve, reject) => bidi.#socket.once('open', resolve).once('error', reject));
    bidi.#socket.on('message', (text) => bidi.#take(JSON.parse(text)));
    return bidi;
  }

  #take(message) {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.type === 'event') for (const listen of this.#listeners) listen(message.method, message.params);
    else if (message.type === 'success') waiting?.resolve(message.result);
    else waiting?.reject(new Error(`${message.error}: ${message.message}`));
  }

  send(method, params) {
    const id = ++this.#id;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#socket.send(JSON.stringify({ id, method, params }));
    return answer;
  }

  listen(listener) {
    this.#listeners.push(listener);
  }
}

/** A tab. */
class Page {
  constructor(bidi, context) {
    this.bidi = bidi;
    this.context = context;
  }

  on(what, listener) {
    this.bidi.listen((method, entry) => {
      if (method !== 'log.entryAdded' || entry.source?.context !== this.context) return;
      if (what === 'pageerror' && entry.type === 'javascript' && entry.level === 'error') listener({ message: entry.text });
      if (what === 'console' && entry.type === 'console') listener({ type: () => entry.level, text: () => entry.text });
    });
  }

  async goto(url) {
    await this.bidi.send('browsingContext.navigate', { context: this.context, url, wait: 'complete' });
  }

  async evaluate(run, argument) {
    const { type, result, exceptionDetails } = await this.bidi.send('script.evaluate', {
      // As text, so that values of any shape come back whole.
      expression: `(async () => JSON.stringify(await (${run})(${JSON.stringify(argument)})) ?? 'null')()`,
      target: { context: this.context }, awaitPromise: true, userActivation: true,
    });
    if (type === 'exception') throw new Error(exceptionDetails.text);
    return JSON.parse(result.value);
  }

  locator(selector) {
    return { click: () => this.evaluate((found) => document.querySelector(found).click(), selector) };
  }

  async screenshot({ path }) {
    const { data } = await this.bidi.send('browsingContext.captureScreenshot', { context: this.context });
    writeFileSync(path, Buffer.from(data, 'base64'));
  }
}

/** Starts a Firefox of its own with an empty profile. */
async function launch(executable, flags) {
  const profile = mkdtempSync(join(tmpdir(), 'weft-firefox-'));
  const settings = Object.entries(SETTINGS).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
  writeFileSync(join(profile, 'user.js'), settings.join(''));
  const flagged = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0', ...flags];
  const process = spawn(executable, flagged, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => process.once('close', resolve));
  const url = await new Promise((resolve, reject) => {
    let said = '';
    process.once('error', reject);
    process.once('close', () => reject(new Error(`Firefox did not start:\n${said}`)));
    process.stderr.on('data', (text) => {
      said += text;
      const [, found] = /WebDriver BiDi listening on (ws:\S+)/.exec(said) ?? [];
      if (found) resolve(found);
    });
  });
  const bidi = await Bidi.connect(`${url}/session`);
  await bidi.send('session.new', { capabilities: {} });
  await bidi.send('session.subscribe', { events: ['log.entryAdded'] });
  const newContext = async ({ viewport }) => {
    const scripts = [];
    const newPage = async () => {
      const { context } = await bidi.send('browsingContext.create', { type: 'tab' });
      await bidi.send('browsingContext.setViewport', { context, viewport });
      for (const run of scripts) await bidi.send('script.addPreloadScript', { functionDeclaration: `${run}`, contexts: [context] });
      return new Page(bidi, context);
    };
    return { newPage, addInitScript: async (run) => void scripts.push(run) };
  };
  const close = async () => {
    await bidi.send('browser.close', {}).catch(() => process.kill());
    await ended;
    rmSync(profile, { recursive: true, force: true });
  };
  return { newContext, close };
}

module.exports = { launch };
