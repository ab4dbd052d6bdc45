// The fabric as the events tell it: nodes and streams by name, changed field by field. How it is shown is the page's business.

/** A stream, as `/v3/live` tells it. */
export interface StreamLine {
  name: string;
  state: string;
  node: string;
  session: string;
  kind: string;
  user: string;
  since: number;
  tracks: string[];
  width: number;
  height: number;
  fps: number | null;
  bits: number | null;
  bitsOut: number | null;
  loss: number | null;
  errors: number;
  readers: number;
  open: string[];
}

/** A node. */
export interface NodeLine {
  name: string;
  role: string;
  version: string;
  own: boolean;
  state: string;
  started: number;
  fullness: number;
  publishers: number;
  readers: number;
  streams: number;
  bits: number;
  cpu: number | null;
  addresses: { webrtc: string; ice: string; rtsp: string; api: string };
  limits: { publishers: number; readers: number; bitsPerSecond: number };
  problems: string[];
}

interface Told {
  now: number;
  age: number;
  nodes: (Partial<NodeLine> & { name: string })[];
  streams: (Partial<StreamLine> & { name: string })[];
  goneNodes?: string[];
  goneStreams?: string[];
}

/** What is known now. */
export class Board {
  nodes = new Map<string, NodeLine>();
  streams = new Map<string, StreamLine>();
  /** Server's clock less this browser's, ms. */
  offset = 0;
  /** Seconds for which the node's view of the others is not of now. */
  age = 0;

  /** Takes an event; true when streams or nodes came or went. */
  take(event: string, data: unknown): boolean {
    const told = data as Told;
    const whole = event === 'snapshot';
    if (whole) {
      this.nodes.clear();
      this.streams.clear();
    }
    this.offset = told.now - Date.now();
    this.age = told.age;
    const sizes = this.nodes.size + this.streams.size;
    for (const name of told.goneNodes ?? []) this.nodes.delete(name);
    for (const name of told.goneStreams ?? []) this.streams.delete(name);
    merge(this.nodes, told.nodes);
    merge(this.streams, told.streams);
    return whole || this.nodes.size + this.streams.size !== sizes || (told.goneStreams?.length ?? 0) > 0;
  }

  /** Milliseconds since an instant of the server's clock. */
  since(ms: number): number {
    return Math.max(0, Date.now() + this.offset - ms);
  }
}

function merge<T extends { name: string }>(all: Map<string, T>, told: (Partial<T> & { name: string })[]): void {
  for (const line of told) {
    const known = all.get(line.name);
    // A line that was not there comes with all its fields.
    if (known) Object.assign(known, line);
    else all.set(line.name, line as unknown as T);
  }
}
