// The models that the page has: shipped files, in the folder `models`, run by ONNX Runtime.

import { Graph } from "./graph.js";
import { GraphInfo } from "./graph_info.js";
import { Separator } from "./separator.js";

/** The networks of each model; the stems of several are averaged. */
export const MODELS = { bands: ["bands"], duo: ["bands", "small"] };

/** How far the graphics card may be from the processor, where masks are up to 1 and samples have an RMS of 1. */
const TOLERANCE = 1e-3;

/**
 * A `Separator` of a model.
 *
 * @param load a function from the name of a file to its bytes.
 * @param ort the module of ONNX Runtime, on the processor.
 * @param gpu the module on the graphics card, if that is to run the networks. It does so after it has agreed with the
 *     processor on a first segment; otherwise the processor goes on, and `onRefused` is called.
 */
export async function openModel(name, load, ort, gpu = null, onRefused = () => {}) {
  const graphs = [];
  for (const network of MODELS[name]) {
    const files = { network, graph: await load(`${network}.onnx`), weights: await load(`${network}.safetensors`) };
    const plain = await openRun(ort, files, "wasm");
    const run = gpu ? agreeing(plain, () => openRun(gpu, files, "webgpu"), onRefused) : plain;
    graphs.push(new Graph(run, GraphInfo.ofFile(files.graph)));
  }
  return new Separator(graphs);
}

/** A function that runs a graph. */
async function openRun(ort, { network, graph, weights }, provider) {
  const session = await ort.InferenceSession.create(graph, {
    executionProviders: [provider],
    externalData: [{ path: `${network}.safetensors`, data: weights }],
    logSeverityLevel: 3, // errors are thrown as well
    enableMemPattern: false, // it keeps one block for all that a run needs, which is larger than the parts
  });
  return (inputs) => {
    const feeds = Object.entries(inputs).map(([name, { data, dims }]) => [name, new ort.Tensor("float32", data, dims)]);
    return session.run(Object.fromEntries(feeds));
  };
}

/** A function that runs a graph by `plain` once, and from then on by what `open` gives, if both write the same. */
export function agreeing(plain, open, onRefused) {
  let chosen = null;
  return async (inputs) => {
    if (chosen) return chosen(inputs);
    const outputs = await plain(inputs);
    try {
      const fast = await open();
      const far = difference(outputs, await fast(inputs));
      if (!(far <= TOLERANCE)) throw new Error(`its numbers differ by ${far.toPrecision(2)}`);
      chosen = fast;
    } catch (error) {
      chosen = plain;
      onRefused(error.message);
    }
    return outputs;
  };
}

/** The largest difference between two sets of outputs. */
function difference(outputs, others) {
  let most = 0;
  for (const [name, { data }] of Object.entries(outputs)) {
    const other = others[name].data;
    for (let n = 0; n < data.length; n++) {
      const far = Math.abs(data[n] - other[n]);
      if (Number.isNaN(far)) return far;
      if (far > most) most = far;
    }
  }
  return most;
}
