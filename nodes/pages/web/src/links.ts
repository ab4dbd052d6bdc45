// The Link headers of WHIP and WHEP answers (RFC 8288): ICE servers, the events channel. What is done with them is the
// session's business.

/** One link: where to, and its parameters. */
export interface Link {
  url: string;
  parameters: Record<string, string>;
}

const EVENTS = 'urn:ietf:params:whip:ext:core:server-sent-events';

/** The links of a header; several headers reach a script joined by commas. */
export function links(header: string | null): Link[] {
  const found: Link[] = [];
  for (const [, url = '', rest = ''] of (header ?? '').matchAll(/<([^>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:\\.|[^"\\])*"|[^\s;,"]+))*)/g)) {
    const parameters: Record<string, string> = {};
    for (const [, name = '', quoted, bare] of rest.matchAll(/;\s*([\w-]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s;,"]+))/g)) {
      parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '';
    }
    found.push({ url, parameters });
  }
  return found;
}

/** The ICE servers among them. */
export function iceServers(header: string | null): RTCIceServer[] {
  return links(header)
    .filter(({ parameters }) => parameters.rel === 'ice-server')
    .map(({ url, parameters }) => ({
      urls: url,
      ...(parameters.username === undefined ? {} : { username: parameters.username, credential: parameters.credential ?? '' }),
    }));
}

/** The URL of the events channel, if one is named. */
export function eventsUrl(header: string | null, base: string): string | undefined {
  const link = links(header).find(({ parameters }) => parameters.rel === EVENTS || parameters.rel === 'events');
  return link && new URL(link.url, base).href;
}
