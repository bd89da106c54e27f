// The spectrogram of a lane: how strong each band of frequencies is over time, as a small picture of bytes.

export const COLUMNS = 1000; // equal parts of the song
export const ROWS = 128; // bands of equal ratio, the lowest first
const LOWEST = 40; // Hz
const HIGHEST = 16000;
const RANGE = 90; // dB below a sine at full scale that are shown
const SIZE = 4096; // samples of a window
const TURN = 40; // columns after which the page may do other things

/** Bytes `[COLUMNS][ROWS]` of an AudioBuffer: 255 is a sine at full scale, 0 is 90 dB less. */
export async function spectrogram(buffer) {
  const samples = mono(buffer);
  const window = Float64Array.from({ length: SIZE }, (_, at) => 0.5 - 0.5 * Math.cos(2 * Math.PI * at / SIZE));
  const bands = bandsOf(buffer.sampleRate);
  const picture = new Uint8Array(COLUMNS * ROWS);
  const [real, imaginary] = [new Float64Array(SIZE), new Float64Array(SIZE)];
  const full = (SIZE / 4) ** 2; // the power of a sine at full scale
  for (let column = 0; column < COLUMNS; column++) {
    const start = Math.round((column + 0.5) * samples.length / COLUMNS) - SIZE / 2;
    for (let at = 0; at < SIZE; at++) real[at] = window[at] * (samples[start + at] ?? 0);
    imaginary.fill(0);
    transform(real, imaginary);
    bands.forEach(([first, last], row) => {
      let power = 0;
      for (let bin = first; bin <= last; bin++) power = Math.max(power, real[bin] ** 2 + imaginary[bin] ** 2);
      const level = 1 + 10 * Math.log10(power / full + 1e-30) / RANGE;
      picture[column * ROWS + row] = Math.round(255 * Math.min(1, Math.max(0, level)));
    });
    if (column % TURN === TURN - 1) await new Promise((resolve) => setTimeout(resolve));
  }
  return picture;
}

/** A picture in a colour `[red, green, blue]` on a transparent ground, as a canvas. */
export function coloured(picture, colour) {
  const canvas = Object.assign(document.createElement("canvas"), { width: COLUMNS, height: ROWS });
  const paint = canvas.getContext("2d");
  const image = paint.createImageData(COLUMNS, ROWS);
  for (let column = 0; column < COLUMNS; column++) {
    for (let row = 0; row < ROWS; row++) {
      const at = 4 * ((ROWS - 1 - row) * COLUMNS + column);
      image.data.set(colour, at);
      image.data[at + 3] = picture[column * ROWS + row] ** 2 / 255; // what is weak stays dark
    }
  }
  paint.putImageData(image, 0, 0);
  return canvas;
}

function mono(buffer) {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, channel) => buffer.getChannelData(channel));
  return channels.length === 1 ? channels[0] : channels[0].map((left, at) => (left + channels[1][at]) / 2);
}

/** The first and the last bin of each band; at least one. */
function bandsOf(sampleRate) {
  const edge = (row) => LOWEST * (HIGHEST / LOWEST) ** (row / ROWS) * SIZE / sampleRate;
  return Array.from({ length: ROWS }, (_, row) => {
    const first = Math.round(edge(row));
    const last = Math.max(first, Math.round(edge(row + 1)) - 1);
    return last < SIZE / 2 ? [first, last] : [0, -1]; // above half the sample rate there is nothing
  });
}

/** The discrete Fourier transform in place: radix 2, decimation in time. */
function transform(real, imaginary) {
  for (let at = 1, other = 0; at < SIZE; at++) {
    let bit = SIZE >> 1;
    for (; other & bit; bit >>= 1) other ^= bit;
    other ^= bit;
    if (at < other) {
      [real[at], real[other]] = [real[other], real[at]];
      [imaginary[at], imaginary[other]] = [imaginary[other], imaginary[at]];
    }
  }
  for (let half = 1; half < SIZE; half *= 2) {
    for (let turn = 0; turn < half; turn++) {
      const [cos, sin] = [Math.cos(Math.PI * turn / half), -Math.sin(Math.PI * turn / half)];
      for (let at = turn; at < SIZE; at += 2 * half) {
        const [re, im] = [real[at + half] * cos - imaginary[at + half] * sin, real[at + half] * sin + imaginary[at + half] * cos];
        real[at + half] = real[at] - re;
        imaginary[at + half] = imaginary[at] - im;
        real[at] += re;
        imaginary[at] += im;
      }
    }
  }
}
