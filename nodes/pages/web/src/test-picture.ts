// A test picture with a clock in it that a machine can read off the screen, and a quiet tone. It shows what a path delivers,
// and how late, without a camera.

/** The clock: two rows of 16 squares at the top, the lower 32 bits of the time in ms, the highest bit first; then their parity. */
export const CLOCK = { columns: 17, rows: 2, bits: 32 };

/** A running test picture. */
export interface TestPicture {
  media: MediaStream;
  stop(): void;
}

/** Draws at this size until stopped. */
export function testPicture(width: number, height: number, frameRate: number): TestPicture {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height];
  const g = canvas.getContext('2d', { alpha: false });
  if (!g) throw new Error('this browser cannot draw');
  let n = 0;
  const draw = () => {
    const now = Date.now();
    g.fillStyle = `hsl(${n % 360} 35% 30%)`;
    g.fillRect(0, 0, width, height);
    clock(g, width, height, now);
    g.fillStyle = '#fff';
    g.font = `${Math.round(height / 12)}px monospace`;
    g.fillText(new Date(now).toISOString().slice(11, 23), width * 0.1, height * 0.55);
    g.fillText(`${width}×${height}  ${n}`, width * 0.1, height * 0.68);
    // Something that moves, and noise that costs bits as a real picture does.
    g.fillRect((n * width / 120) % width, height * 0.85, width / 16, height / 12);
    for (let i = 0; i < 60; i++) {
      g.fillStyle = `hsl(${Math.random() * 360} 50% 50%)`;
      g.fillRect(Math.random() * width, height * (0.72 + Math.random() * 0.1), width / 40, height / 60);
    }
    n += 1;
  };
  draw();
  const timer = setInterval(draw, 1000 / frameRate);
  const media = canvas.captureStream(frameRate);
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  const out = audio.createMediaStreamDestination();
  volume.gain.value = 0.05;
  tone.connect(volume).connect(out);
  tone.start();
  for (const track of out.stream.getAudioTracks()) media.addTrack(track);
  return {
    media,
    stop() {
      clearInterval(timer);
      for (const track of media.getTracks()) track.stop();
      void audio.close();
    },
  };
}

function clock(g: CanvasRenderingContext2D, width: number, height: number, now: number): void {
  const [w, h] = [width / CLOCK.columns, height / 8];
  let ones = 0;
  for (let bit = 0; bit < CLOCK.bits; bit++) {
    const on = Math.floor(now / 2 ** (CLOCK.bits - 1 - bit)) % 2 === 1;
    ones += on ? 1 : 0;
    square(g, on, (bit % 16) * w, Math.floor(bit / 16) * h, w, h);
  }
  square(g, ones % 2 === 1, 16 * w, 0, w, h);
  square(g, ones % 2 === 0, 16 * w, h, w, h);
}

function square(g: CanvasRenderingContext2D, on: boolean, x: number, y: number, w: number, h: number): void {
  g.fillStyle = on ? '#fff' : '#000';
  g.fillRect(Math.floor(x), Math.floor(y), Math.ceil(w), Math.ceil(h));
}
