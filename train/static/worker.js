// A network in a thread of its own, so that no slider waits for it: onnxruntime-web, one question after another.
import * as ort from './runtime/ort.wasm.min.mjs';
import {drawNoise} from './noise.js';
import {enlarge, toImage, toPixels} from './picture.js';

const sessions = new Map();
let noise = {};

const verbs = {
  /** Takes the runtime's WebAssembly. Threads need a server that isolates the page, which static hosts do not. */
  start({wasm}) {
    ort.env.logLevel = 'error';
    ort.env.wasm.wasmBinary = wasm;
    ort.env.wasm.wasmPaths = new URL('./runtime/', import.meta.url).href;
    ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.max(1, Math.min(4, navigator.hardwareConcurrency >> 1)) : 1;
  },

  async load({name, content}) {
    sessions.set(name, await ort.InferenceSession.create(content, {executionProviders: ['wasm']}));
  },

  /** A face of a seed and a blend: its pixels, and the same `factor` times larger. */
  async draw({name, seed, blend, length, size, channels, factor}) {
    if (noise.seed !== seed || noise.row.length !== length) noise = {seed, row: drawNoise(seed, length)};
    const {images} = await sessions.get(name).run({
      noise: new ort.Tensor('float32', noise.row, [1, length]),
      emotion: new ort.Tensor('float32', Float32Array.from(blend), [1, blend.length]),
    });
    const pixels = toPixels(images.data, size, channels);
    return {pixels, large: enlarge(pixels, size, factor, channels)};
  },

  /** What a classifier reads in a face: probabilities. */
  async read({name, pixels, size, channels}) {
    const images = new ort.Tensor('float32', toImage(pixels, channels), [1, channels, size, size]);
    const {logits} = await sessions.get(name).run({images});
    const most = Math.max(...logits.data);
    const odds = Array.from(logits.data, (logit) => Math.exp(logit - most));
    const sum = odds.reduce((total, part) => total + part, 0);
    return odds.map((part) => part / sum);
  },
};

let last = Promise.resolve();
self.onmessage = ({data: {id, verb, fields}}) => {
  last = last.then(async () => {
    try {
      self.postMessage({id, answer: await verbs[verb](fields)});
    } catch (error) {
      self.postMessage({id, error: String(error?.message ?? error)});
    }
  });
};
