// A piano roll: the notes of a stem over its waveform.

const LEAST = 12; // semitones from the lowest to the highest line, at least
const EDGE = 0.12; // part of the height that stays free above and below

/** Paint the notes of a stem, `{notes, seconds}`, on a canvas of `paintOn`. */
export function paintRoll({ paint, width, height, scale }, { notes, seconds }) {
  const pitches = notes.map((note) => note.pitch);
  const lowest = Math.min(...pitches);
  const range = Math.max(LEAST, Math.max(...pitches) - lowest);
  const room = height * (1 - 2 * EDGE);
  const thick = Math.max(3 * scale, Math.min(6 * scale, room / range));
  for (const { start, end, pitch, velocity } of notes) {
    const x = start / seconds * width;
    const y = height * (1 - EDGE) - (pitch - lowest) / range * room;
    paint.globalAlpha = 0.6 + 0.4 * velocity / 127;
    paint.beginPath();
    paint.roundRect(x, y - thick / 2, Math.max(2 * scale, (end - start) / seconds * width - scale), thick, thick / 2);
    paint.fill();
  }
}
