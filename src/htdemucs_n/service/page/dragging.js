// A pointer on a picture of the song: a click moves to the place, a drag makes a loop.

const LEAST = 5; // pixels that are a drag

/** Let a click or a drag on an element act on the player. */
export function followPointer(target, player) {
  let from = null; // where the pointer went down, in pixels of the element

  const sampleAt = (x) => Math.round(Math.min(1, Math.max(0, x / target.clientWidth)) * player.length);
  const place = (event) => event.clientX - target.getBoundingClientRect().left;

  target.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    from = place(event);
    target.setPointerCapture(event.pointerId);
  });
  target.addEventListener("pointermove", (event) => {
    if (from === null || (!player.drawnLoop && Math.abs(place(event) - from) < LEAST)) return;
    const [start, end] = [sampleAt(from), sampleAt(place(event))].sort((one, other) => one - other);
    player.drawLoop({ start, end });
  });
  target.addEventListener("pointerup", (event) => {
    if (from === null) return;
    if (player.drawnLoop) player.setLoop(player.drawnLoop);
    else player.seek(sampleAt(place(event)) / player.sampleRate);
    end();
  });
  target.addEventListener("pointercancel", end); // the finger scrolls

  function end() {
    from = null;
    player.drawLoop(null);
  }
}
