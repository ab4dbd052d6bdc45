// Figures and states as words, for tables and tiles.

/** A stream's state as people read it, and the colour it has. */
export const STATES: Record<string, { word: string; kind: string }> = {
  live: { word: 'Live', kind: 'live' },
  waiting: { word: 'Starting', kind: 'wait' },
  stalled: { word: 'Stalled', kind: 'held' },
  held: { word: 'Held', kind: 'held' },
  offline: { word: 'Offline', kind: 'error' },
  ready: { word: 'Ready', kind: 'live' },
  draining: { word: 'Draining', kind: 'held' },
  silent: { word: 'Silent', kind: 'error' },
};

/** A state's word and colour; one of a later release says itself. */
export function state(token: string): { word: string; kind: string } {
  return STATES[token] ?? { word: token, kind: 'wait' };
}

/** A span as people read it: the two largest parts. */
export function span(ms: number): string {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor(s / 3600) % 24} h`;
}

/** A number that may not be known. */
export function figure(value: number | null, digits: number, unit = ''): string {
  return value === null ? '–' : `${value.toFixed(digits)}${unit}`;
}

/** Bits per second that may not be known. */
export function bits(value: number | null): string {
  if (value === null) return '–';
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} Gbit/s`;
  return value >= 1e6 ? `${(value / 1e6).toFixed(1)} Mbit/s` : `${Math.round(value / 1e3)} kbit/s`;
}
