// What the server said instead of a page: it sends the page all the same, with its status and words in a meta element, so
// that the person reads them here in the page's own words.

import { ofStatus } from './problem.js';
import type { Problem } from './problem.js';

/** Why this page may not be used, if it may not. */
export function refused(side: 'publish' | 'watch'): Problem | undefined {
  const content = document.querySelector<HTMLMetaElement>('meta[name="weft-refused"]')?.content ?? '';
  const [, status, words] = /^(\d{3}) ?(.*)$/.exec(content) ?? [];
  return status ? ofStatus(Number(status), words ?? '', side) : undefined;
}
