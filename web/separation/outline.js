// The outline of a song or a stem, as a lane draws it.

const POINTS = 2000; // as in `htdemucs_n/service/peaks.py`
const FINE = 1024; // samples whose extremes are kept while parts are added

export class Outline {
  #lows = [];
  #highs = [];
  #room = 0; // samples until the last of these is full
  peak = 0;

  /** Add the next part, `[channel, ...]`. Throws an `Error` for samples that are no numbers. */
  add(channels) {
    const length = channels[0].length;
    for (let start = 0, end = 0; start < length; start = end) {
      if (!this.#room) {
        this.#lows.push(Infinity);
        this.#highs.push(-Infinity);
        this.#room = FINE;
      }
      end = Math.min(length, start + this.#room);
      this.#room -= end - start;
      for (const channel of channels) this.#measure(channel.subarray(start, end));
    }
  }

  #measure(samples) {
    const last = this.#lows.length - 1;
    let [low, high] = [this.#lows[last], this.#highs[last]];
    for (const value of samples) {
      if (!Number.isFinite(value)) throw new Error("the song has samples that are no numbers");
      if (value < low) low = value;
      if (value > high) high = value;
    }
    [this.#lows[last], this.#highs[last]] = [low, high];
    this.peak = Math.max(this.peak, high, -low);
  }

  /** Pairs of the lowest and the highest sample of POINTS equal parts, times a gain, full scale 127. */
  points(gain = 1) {
    const points = new Int8Array(2 * POINTS);
    const count = this.#lows.length;
    const scaled = (value) => Math.max(-127, Math.min(127, Math.round(127 * gain * value)));
    for (let point = 0; point < POINTS; point++) {
      const from = Math.floor(point * count / POINTS);
      const to = Math.max(from + 1, Math.floor((point + 1) * count / POINTS));
      points[2 * point] = scaled(Math.min(...this.#lows.slice(from, to)));
      points[2 * point + 1] = scaled(Math.max(...this.#highs.slice(from, to)));
    }
    return points;
  }
}
