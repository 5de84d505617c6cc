// What the page may ask of the networks: it downloads them, and each answers in a thread of its own.
import facts from './facts.js';

const STUCK = 'This browser could not run the network. A current Chrome, Firefox, Edge or Safari can; reloading may help.';

/** Downloads a file; `tell` hears how many bytes more have come. */
export async function download({file, bytes}, tell = () => {}) {
  let answer;
  try {
    answer = await fetch(new URL(file, import.meta.url));
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    const content = new Uint8Array(bytes);
    let filled = 0;
    for (const reader = answer.body.getReader(); ;) {
      const {done, value} = await reader.read();
      if (done) break;
      if (filled + value.length > bytes) throw new Error('it is larger than it should be');
      content.set(value, filled);
      filled += value.length;
      tell(value.length);
    }
    if (filled !== bytes) throw new Error('it came to an early end');
    return content;
  } catch (error) {
    const reason = answer ? error.message : 'the server cannot be reached';
    throw new Error(`The file ${file.split('?')[0]} could not be downloaded: ${reason}. Check the connection, then try again.`);
  }
}

/** A worker and the networks in it. */
export class Thread {
  #worker = new Worker(new URL('./worker.js', import.meta.url), {type: 'module'});
  #waiting = new Map();
  #asked = 0;

  constructor() {
    this.#worker.onmessage = ({data: {id, answer, error}}) => {
      const {done, fail} = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) done(answer);
      else fail(new Error(`${STUCK} (${error})`));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      for (const {fail} of this.#waiting.values()) fail(new Error(STUCK));
      this.#waiting.clear();
    };
  }

  ask(verb, fields) {
    this.#asked += 1;
    this.#worker.postMessage({id: this.#asked, verb, fields});
    return new Promise((done, fail) => { this.#waiting.set(this.#asked, {done, fail}); });
  }

  stop() {
    this.#worker.terminate();
  }
}

let wasm; // downloaded once, for both threads

/** A thread with the runtime in it. */
export async function start(tell) {
  if (typeof WebAssembly !== 'object') throw new Error(STUCK);
  wasm ??= await download(facts.wasm, tell);
  const thread = new Thread();
  await thread.ask('start', {wasm});
  return thread;
}
