// A zip file of files that are stored as they are (PKWARE's APPNOTE, 4.3): a few headers around their blobs.

const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** CRC-32 of bytes, after those whose CRC-32 is `before`. */
export function crc32(bytes, before = 0) {
  let crc = ~before;
  for (let n = 0; n < bytes.length; n++) crc = TABLE[(crc ^ bytes[n]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

const UTF8 = 1 << 11; // the flag that names are in it
const DAY = (2000 - 1980) << 9 | 1 << 5 | 1; // of every file: the same stems give the same bytes

/** The parts of a zip file of `[{name, blob, crc}, ...]`, for a `Blob`; less than 4 GiB. */
export function zipParts(files) {
  const parts = [];
  const entries = [];
  let place = 0;
  const add = (part, size) => {
    parts.push(part);
    place += size;
  };
  for (const { name, blob, crc } of files) {
    const bytes = new TextEncoder().encode(name);
    const common = [20, UTF8, 0, 0, DAY, crc, blob.size, blob.size, bytes.length, 0];
    entries.push(record([0x02014b50, 20, ...common, 0, 0, 0, 0, place], "LHHHHHHLLLHHHHHLL"), bytes);
    const header = record([0x04034b50, ...common], "LHHHHHLLLHH");
    add(header, header.length);
    add(bytes, bytes.length);
    add(blob, blob.size);
  }
  const start = place;
  for (const entry of entries) add(entry, entry.length);
  const count = files.length;
  add(record([0x06054b50, 0, 0, count, count, place - start, start, 0], "LHHHHLLH"), 22);
  return parts;
}

/** Numbers of 2 (H) or 4 (L) bytes. */
function record(values, kinds) {
  const view = new DataView(new ArrayBuffer([...kinds].reduce((sum, kind) => sum + (kind === "H" ? 2 : 4), 0)));
  let place = 0;
  [...kinds].forEach((kind, n) => {
    if (kind === "H") view.setUint16(place, values[n], true);
    else view.setUint32(place, values[n], true);
    place += kind === "H" ? 2 : 4;
  });
  return new Uint8Array(view.buffer);
}
