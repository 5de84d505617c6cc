// The noise of a seed, number for number as PyTorch draws it on the CPU, within the rounding of its float32 cosines.

const WORDS = 624;
const BLOCK = 16; // PyTorch turns sixteen uniform numbers into normal ones at a time
const HALF = BLOCK / 2;

/** MT19937 (Matsumoto and Nishimura 1998): 32 bits at a time. */
function* mersenne(seed) {
  const state = new Uint32Array(WORDS);
  state[0] = seed;
  for (let i = 1; i < WORDS; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  for (;;) {
    for (let i = 0; i < WORDS; i++) {
      const bits = (state[i] & 0x80000000) | (state[(i + 1) % WORDS] & 0x7fffffff);
      state[i] = state[(i + 397) % WORDS] ^ (bits >>> 1) ^ (bits & 1 ? 0x9908b0df : 0);
    }
    for (let word of state) {
      word ^= word >>> 11;
      word ^= (word << 7) & 0x9d2c5680;
      word ^= (word << 15) & 0xefc60000;
      yield (word ^ (word >>> 18)) >>> 0;
    }
  }
}

/** A seed, 0 to 2**32 - 1, and a length -> a row of standard normal numbers (Box and Muller 1958). */
export function drawNoise(seed, length) {
  const words = mersenne(seed);
  const next = () => words.next().value;
  const row = new Float32Array(length);
  if (length < BLOCK) return drawFew(row, next);
  const uniform = (part) => part.forEach((_, i) => { part[i] = (next() & 0xffffff) / 2 ** 24; });
  const normal = (part) => {
    for (let i = 0; i < HALF; i++) {
      const radius = Math.fround(Math.sqrt(-2 * Math.log(1 - part[i])));
      const angle = Math.fround(2 * Math.PI * part[i + HALF]);
      part[i] = radius * Math.cos(angle);
      part[i + HALF] = radius * Math.sin(angle);
    }
  };
  uniform(row);
  for (let start = 0; start + BLOCK <= length; start += BLOCK) normal(row.subarray(start, start + BLOCK));
  if (length % BLOCK) { // the last sixteen are drawn anew
    const last = row.subarray(length - BLOCK);
    uniform(last);
    normal(last);
  }
  return row;
}

/** Short rows are drawn in pairs, from 53 bits each. */
function drawFew(row, next) {
  const uniform = () => ((next() & 0x1fffff) * 2 ** 32 + next()) / 2 ** 53;
  for (let i = 0; i < row.length; i += 2) {
    const angle = 2 * Math.PI * uniform();
    const radius = Math.sqrt(-2 * Math.log1p(-uniform()));
    row[i] = radius * Math.cos(angle);
    if (i + 1 < row.length) row[i + 1] = radius * Math.sin(angle);
  }
  return row;
}
