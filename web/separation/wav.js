// WAV files of 16 bits.

/** Bytes of the header. */
export const HEADER = 44;

/** The header of a file of `bytes` bytes of samples. */
export function wavHeader(bytes, channels, rate) {
  const view = new DataView(new ArrayBuffer(HEADER));
  const text = (place, word) => [...word].forEach((letter, n) => view.setUint8(place + n, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + bytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // integers
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * channels * rate, true);
  view.setUint16(32, 2 * channels, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, bytes, true);
  return new Uint8Array(view.buffer);
}

/** Samples of full scale 1, one channel after the other, times a gain, as those of a file: rounded and cut off. */
export function wavSamples(planes, channels, gain) {
  const length = planes.length / channels;
  const view = new DataView(new ArrayBuffer(2 * planes.length));
  for (let n = 0; n < length; n++) {
    for (let channel = 0; channel < channels; channel++) {
      const value = Math.round(32768 * gain * planes[channel * length + n]);
      view.setInt16(2 * (n * channels + channel), Math.max(-32768, Math.min(32767, value)), true);
    }
  }
  return new Uint8Array(view.buffer);
}

/** The samples of a file without its header, of full scale 1, `[channel, ...]`. */
export function readSamples(bytes, channels) {
  const view = new DataView(bytes);
  const length = bytes.byteLength / (2 * channels);
  return Array.from({ length: channels }, (_, channel) => (
    Float32Array.from({ length }, (_, n) => view.getInt16(2 * (n * channels + channel), true) / 32768)
  ));
}
