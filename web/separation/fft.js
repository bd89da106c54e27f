// The discrete Fourier transform of complex numbers, in place, for lengths that are a power of two.

/** Radix-2, decimation in time (Cooley and Tukey, 1965). The inverse is not divided by the length. */
export class FFT {
  #order; // where each number goes before the first stage: its index with the bits reversed
  #cos;
  #sin; // of the turns of the last stage; the stages before take every second, fourth, ...

  constructor(length) {
    this.length = length;
    this.#order = new Uint32Array(length);
    const bits = Math.log2(length);
    for (let index = 0; index < length; index++) {
      this.#order[index] = (this.#order[index >> 1] >> 1) | ((index & 1) << (bits - 1));
    }
    const turns = Float64Array.from({ length: length / 2 }, (_, index) => -2 * Math.PI * index / length);
    this.#cos = turns.map(Math.cos);
    this.#sin = turns.map(Math.sin);
  }

  /** Transform real and imaginary parts, two `Float64Array` of the length. */
  forward(re, im) {
    const { length } = this;
    const order = this.#order;
    for (let index = 0; index < length; index++) {
      const other = order[index];
      if (other > index) {
        [re[index], re[other]] = [re[other], re[index]];
        [im[index], im[other]] = [im[other], im[index]];
      }
    }
    const cos = this.#cos;
    const sin = this.#sin;
    for (let half = 1, step = length >> 1; half < length; half <<= 1, step >>= 1) {
      for (let start = 0; start < length; start += 2 * half) {
        for (let offset = 0, turn = 0; offset < half; offset++, turn += step) {
          const a = start + offset;
          const b = a + half;
          const x = re[b] * cos[turn] - im[b] * sin[turn];
          const y = re[b] * sin[turn] + im[b] * cos[turn];
          re[b] = re[a] - x;
          im[b] = im[a] - y;
          re[a] += x;
          im[a] += y;
        }
      }
    }
  }

  /** The inverse, times the length: the parts change places before and after. */
  inverse(re, im) {
    this.forward(im, re);
  }
}
