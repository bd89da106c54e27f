// What an ONNX file says of the graph inside it: see "What is in a file" in docs/runtime.md.
//
// ONNX Runtime for the web does not give the metadata of a file, so they are read from its bytes: a message of protocol
// buffers, of which field 14 has a pair of strings, key (1) and value (2).

const METADATA = 14;
const HOP = 1024; // of the frames that `frame_multiple` counts

/** The description of a graph. */
export class GraphInfo {
  constructor(values) {
    Object.assign(this, values);
  }

  /** Read it from the bytes of an ONNX file; throws an `Error` for the file of another program or version. */
  static ofFile(bytes) {
    const metadata = {};
    for (const { field, value } of fields(bytes)) {
      if (field !== METADATA) continue;
      const pair = [...fields(value)].map((part) => new TextDecoder().decode(part.value));
      metadata[pair[0]] = pair[1];
    }
    if (metadata.format !== "htdemucs_n-graph" || metadata.version !== "2") {
      throw new Error("the model is of another version: build the page again");
    }
    const info = new GraphInfo(JSON.parse(metadata.graph));
    if (info.edges !== "zero" || info.samples || info.outputs.some((name) => name.startsWith("spectra"))) {
      throw new Error("the page does not run a network of this kind");
    }
    return info;
  }

  /** The number of samples that the graph is given for `length` samples, in segments of `segment` samples. */
  paddedLength(length, segment) {
    const multiple = HOP * this.frame_multiple;
    return Math.ceil((this.pad_to_segment ? Math.max(length, segment) : length) / multiple) * multiple;
  }
}

/** The fields of a message, each with its number and, where it has a length, its bytes. */
function* fields(bytes) {
  let place = 0;
  const number = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[place++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (place < bytes.length) {
    const tag = number();
    const kind = tag & 7;
    if (kind === 2) {
      const length = number();
      yield { field: tag >>> 3, value: bytes.subarray(place, place + length) };
      place += length;
    } else if (kind === 0) {
      number();
    } else {
      place += kind === 1 ? 8 : 4;
    }
  }
}
