// The discrete Fourier transform of complex numbers, in place, for lengths that are a power of two.

/** Decimation in time (Cooley and Tukey, 1965), two stages at once. The inverse is not divided by the length. */
export class FFT {
  #order; // where each number goes before the first stage: its index with the bits reversed
  #cos;
  #sin; // of all turns

  constructor(length) {
    this.length = length;
    this.#order = new Uint32Array(length);
    const bits = Math.log2(length);
    for (let index = 0; index < length; index++) {
      this.#order[index] = (this.#order[index >> 1] >> 1) | ((index & 1) << (bits - 1));
    }
    const turns = Float64Array.from({ length }, (_, index) => -2 * Math.PI * index / length);
    this.#cos = turns.map(Math.cos);
    this.#sin = turns.map(Math.sin);
  }

  /** Transform real and imaginary parts, two `Float64Array` of the length. */
  forward(re, im) {
    this.#reorder(re);
    this.#reorder(im);
    const odd = Math.log2(this.length) % 2 === 1;
    if (odd) pairs(re, im);
    for (let quarter = odd ? 2 : 1; quarter < this.length; quarter *= 4) this.#stages(re, im, quarter);
  }

  /** The inverse, times the length: the parts change places before and after. */
  inverse(re, im) {
    this.forward(im, re);
  }

  #reorder(values) {
    for (let index = 0; index < this.length; index++) {
      const other = this.#order[index];
      if (other > index) {
        const value = values[index];
        values[index] = values[other];
        values[other] = value;
      }
    }
  }

  /** Put four transforms of `quarter` numbers together to one, everywhere. */
  #stages(re, im, quarter) {
    const cos = this.#cos;
    const sin = this.#sin;
    const step = this.length / (4 * quarter);
    for (let offset = 0; offset < quarter; offset++) {
      const turn = offset * step;
      const [c1, s1] = [cos[turn], sin[turn]];
      const [c2, s2] = [cos[2 * turn], sin[2 * turn]];
      const [c3, s3] = [cos[3 * turn], sin[3 * turn]];
      for (let a = offset; a < this.length; a += 4 * quarter) {
        const b = a + quarter; // the bits are reversed: the second one of these four comes third
        const c = b + quarter;
        const d = c + quarter;
        const bx = re[b] * c2 - im[b] * s2;
        const by = re[b] * s2 + im[b] * c2;
        const cx = re[c] * c1 - im[c] * s1;
        const cy = re[c] * s1 + im[c] * c1;
        const dx = re[d] * c3 - im[d] * s3;
        const dy = re[d] * s3 + im[d] * c3;
        const px = re[a] + bx;
        const py = im[a] + by;
        const qx = re[a] - bx;
        const qy = im[a] - by;
        re[a] = px + (cx + dx);
        im[a] = py + (cy + dy);
        re[c] = px - (cx + dx);
        im[c] = py - (cy + dy);
        re[b] = qx + (cy - dy);
        im[b] = qy - (cx - dx);
        re[d] = qx - (cy - dy);
        im[d] = qy + (cx - dx);
      }
    }
  }
}

/** The transforms of two neighbours each. */
function pairs(re, im) {
  for (let a = 0; a < re.length; a += 2) {
    for (const part of [re, im]) {
      const sum = part[a] + part[a + 1];
      part[a + 1] = part[a] - part[a + 1];
      part[a] = sum;
    }
  }
}
