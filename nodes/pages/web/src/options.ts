// What publishers and readers are told alike: where else to go, and who asks.

/** The endpoints of a path at each node: bases get the path and query of the first one. */
export function endpoints(url: string, nodes: string[], end: string): string[] {
  const first = new URL(url, location.href);
  const others = nodes.filter(Boolean).map((node) => {
    const base = new URL(node, first);
    if (base.pathname.endsWith(`/${end}`)) return base.href;
    return new URL(first.pathname + first.search, base).href;
  });
  return [...new Set([first.href, ...others])];
}

/** The header that shows who we are, where that is not in the URL. */
export function authorization(who: { token?: string | undefined; user?: string | undefined; password?: string | undefined }): Record<string, string> {
  if (who.token) return { Authorization: `Bearer ${who.token}` };
  if (!who.user) return {};
  const bytes = new TextEncoder().encode(`${who.user}:${who.password ?? ''}`);
  return { Authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
}
