// The STFT of stereo and its inverse, as `htdemucs_n/engines/stft.py` has them.
//
// Frame m of hop h is centred on sample m h + h/2. Left and right are the real and the imaginary part of one complex
// signal, so that one transform does for both. A spectrum is one array (2, frames, n/2, 2): real and imaginary parts,
// without the Nyquist bin.

import { FFT } from "./fft.js";

/** A periodic Hann window, hop n/4, scaled by 1 / sqrt(n). Beyond the ends of the signal is silence. */
export class STFT {
  #fft;
  #window;
  #weights = new Map(); // the sum of squared windows under each sample, by the number of frames
  #re;
  #im;

  constructor(size) {
    this.size = size;
    this.hop = size / 4;
    this.bins = size / 2;
    this.padding = (size - this.hop) / 2;
    this.#fft = new FFT(size);
    this.#window = Float32Array.from({ length: size }, (_, n) => 0.5 - 0.5 * Math.cos(2 * Math.PI * n / size));
    this.#re = new Float64Array(size);
    this.#im = new Float64Array(size);
  }

  /** Transform `[left, right]` of T samples; T / hop frames, rounded up. */
  forward([left, right]) {
    const { size, hop, bins, padding } = this;
    const [re, im, window] = [this.#re, this.#im, this.#window];
    const length = left.length;
    const frames = Math.ceil(length / hop);
    const spectrum = new Float32Array(2 * frames * bins * 2);
    const scale = 0.5 / Math.sqrt(size);
    for (let frame = 0; frame < frames; frame++) {
      const start = frame * hop - padding;
      for (let n = 0; n < size; n++) {
        const place = start + n;
        const inside = place >= 0 && place < length;
        re[n] = inside ? left[place] * window[n] : 0;
        im[n] = inside ? right[place] * window[n] : 0;
      }
      this.#fft.forward(re, im);
      let a = 2 * frame * bins;
      let b = a + 2 * frames * bins;
      for (let k = 0; k < bins; k++, a += 2, b += 2) {
        const mirror = (size - k) & (size - 1);
        spectrum[a] = (re[k] + re[mirror]) * scale;
        spectrum[a + 1] = (im[k] - im[mirror]) * scale;
        spectrum[b] = (im[k] + im[mirror]) * scale;
        spectrum[b + 1] = (re[mirror] - re[k]) * scale;
      }
    }
    return spectrum;
  }

  /** Add the signal of a spectrum to `[left, right]`, of frames * hop samples or fewer. */
  addInverse(spectrum, [left, right]) {
    const { size, hop, bins, padding } = this;
    const [re, im, window] = [this.#re, this.#im, this.#window];
    const frames = spectrum.length / (4 * bins);
    const weight = this.#weight(frames);
    const length = Math.min(left.length, frames * hop);
    const scale = 1 / Math.sqrt(size);
    for (let frame = 0; frame < frames; frame++) {
      let a = 2 * frame * bins;
      let b = a + 2 * frames * bins;
      re[0] = spectrum[a]; // the spectrum of a real signal has no imaginary part here
      im[0] = spectrum[b];
      re[bins] = im[bins] = 0;
      for (let k = 1; k < bins; k++) {
        a += 2;
        b += 2;
        re[k] = spectrum[a] - spectrum[b + 1];
        im[k] = spectrum[a + 1] + spectrum[b];
        re[size - k] = spectrum[a] + spectrum[b + 1];
        im[size - k] = spectrum[b] - spectrum[a + 1];
      }
      this.#fft.inverse(re, im);
      const start = frame * hop - padding;
      const end = Math.min(size, length - start);
      for (let n = Math.max(0, -start); n < end; n++) {
        const place = start + n;
        const share = window[n] * scale / weight[place];
        left[place] += re[n] * share;
        right[place] += im[n] * share;
      }
    }
  }

  /** The sum of squared windows, by which the overlapped frames are divided (Griffin and Lim, 1984, eq. 6). */
  #weight(frames) {
    if (!this.#weights.has(frames)) {
      const weight = new Float64Array(frames * this.hop);
      for (let frame = 0; frame < frames; frame++) {
        const start = frame * this.hop - this.padding;
        const end = Math.min(this.size, weight.length - start);
        for (let n = Math.max(0, -start); n < end; n++) weight[start + n] += this.#window[n] ** 2;
      }
      this.#weights.set(frames, weight);
    }
    return this.#weights.get(frames);
  }
}
