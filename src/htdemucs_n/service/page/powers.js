// Mean powers of a mix and of the original, from which the gain for equal loudness follows.
//
// The power of a mix is that of a weighted sum of the channels of all stems. Their mean products with each other are
// measured once, so that it is known for any position of the faders at once.

const PART = 2 ** 18; // samples after which the page may do other things

/** What comes out left and right of a pair of channels at a pan from -1 to 1, as `StereoPannerNode` does it. */
export function panned(pan) {
  const angle = (pan <= 0 ? pan + 1 : pan) * Math.PI / 2;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return pan <= 0 ? [[1, cos], [0, sin]] : [[cos, 0], [sin, 1]];
}

export class Powers {
  #channels; // two for each stem
  #products = null;
  #originals = new Map(); // by buffer

  constructor(buffers) {
    this.#channels = buffers.flatMap(pair);
  }

  /** Measure the stems, once. */
  async measure() {
    this.#products ??= meanProducts(this.#channels);
    this.#products = await this.#products;
  }

  /** Measure the original, once. */
  async measureOriginal(buffer) {
    if (this.#originals.has(buffer)) return;
    const products = await meanProducts(pair(buffer));
    this.#originals.set(buffer, products[0] + products[3]);
  }

  /** The mean power of a mix, left and right together; `faders` has the volume and the pan of each stem. */
  powerOf(faders) {
    const size = this.#channels.length;
    const weights = faders.map(([volume, pan]) => panned(pan).map((row) => row.map((each) => volume * each)));
    let power = 0;
    for (const side of [0, 1]) {
      const weight = weights.flatMap((sides) => sides[side]);
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) power += weight[i] * weight[j] * this.#products[i * size + j];
      }
    }
    return power;
  }

  /** The gain at which the original has the power of a mix; 1 where one of them is silent or not measured. */
  gainOf(original, faders) {
    const power = this.#originals.get(original);
    if (!(this.#products instanceof Float64Array) || !power) return 1;
    return Math.sqrt(this.powerOf(faders) / power) || 1;
  }
}

/** Two channels of a buffer; those of a mono one are the same. */
function pair(buffer) {
  return [0, 1].map((channel) => buffer.getChannelData(Math.min(channel, buffer.numberOfChannels - 1)));
}

/** The mean of the product of each channel with each, in rows. */
async function meanProducts(channels) {
  const size = channels.length;
  const length = channels[0].length;
  const products = new Float64Array(size * size);
  for (let from = 0; from < length; from += PART) {
    const to = Math.min(length, from + PART);
    for (let i = 0; i < size; i++) {
      for (let j = i; j < size; j++) products[i * size + j] += product(channels[i], channels[j], from, to);
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
  for (let i = 0; i < size; i++) {
    for (let j = i; j < size; j++) products[j * size + i] = products[i * size + j] /= length;
  }
  return products;
}

function product(one, other, from, to) {
  let sum = 0;
  for (let at = from; at < to; at++) sum += one[at] * other[at];
  return sum;
}
