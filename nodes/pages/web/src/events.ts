// The events channel of a session (server-sent events) as an async reading of its words. It uses fetch rather than
// EventSource, since that one hides the status and comes back by itself to a session that is no more.

/** A word of the server. */
export type Word = { kind: 'move'; url: string } | { kind: 'closed'; reason: string };

/** How opening a channel went. */
export type Opened = { kind: 'open'; words: AsyncGenerator<Word, void> } | { kind: 'closed'; reason: string } | { kind: 'gone' } | { kind: 'failed' } | { kind: 'nobody' };

/** A channel on which not even a comment came for this long is dead; the server speaks every 10 s. */
const SILENCE_MS = 25_000;

/** Opens the channel within `limit` ms. `stop` closes it. */
export async function open(url: string, headers: HeadersInit, limit: number, stop: AbortSignal): Promise<Opened> {
  const timer = new AbortController();
  const timeout = setTimeout(() => timer.abort('timeout'), limit);
  const end = () => timer.abort('stopped');
  stop.addEventListener('abort', end, { once: true });
  try {
    const response = await fetch(url, { headers: { ...headers, Accept: 'text/event-stream' }, cache: 'no-store', signal: timer.signal });
    if (response.status === 410) {
      const body = (await response.json().catch(() => ({}))) as { reason?: string };
      return { kind: 'closed', reason: body.reason ?? 'peer-lost' };
    }
    if (response.status === 404) return { kind: 'gone' };
    if (!response.ok || !response.body) return { kind: 'failed' };
    return { kind: 'open', words: words(url, response.body, timer) };
  } catch {
    // A browser does not say why; an answer that is late is not the same as none.
    return { kind: timer.signal.reason === 'timeout' ? 'failed' : 'nobody' };
  } finally {
    clearTimeout(timeout);
  }
}

async function* words(base: string, body: ReadableStream<Uint8Array>, abort: AbortController): AsyncGenerator<Word, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const silence = setTimeout(() => abort.abort('silence'), SILENCE_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      // An event ends at an empty line; whatever is longer than this is none of ours.
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = (blocks.pop() ?? '').slice(-16_384);
      for (const block of blocks) {
        const word = parse(block, base);
        if (word) yield word;
      }
    }
  } catch {
    // Broken, silent or stopped: the channel has ended either way.
  } finally {
    abort.abort('ended');
  }
}

function parse(block: string, base: string): Word | undefined {
  const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1]?.trim();
  try {
    const data = JSON.parse(field('data') ?? '') as { url?: string; reason?: string };
    switch (field('event')) {
      case 'move':
        return data.url ? { kind: 'move', url: new URL(data.url, base).href } : undefined;
      case 'closed':
        return { kind: 'closed', reason: data.reason ?? '' };
    }
  } catch {
    // A comment, or no event of ours.
  }
  return undefined;
}
