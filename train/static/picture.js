// Pictures of faces: from what a network answers to pixels, larger ones, and PNG files that say what they are.

/** Image [C, H, W] in [-1, 1] -> pixels of a canvas, RGBA. */
export function toPixels(image, size, channels) {
  const pixels = new Uint8ClampedArray(4 * size * size).fill(255);
  for (let place = 0; place < size * size; place++) {
    for (let channel = 0; channel < 3; channel++) {
      const level = image[(channels === 3 ? channel * size * size : 0) + place];
      pixels[4 * place + channel] = (level + 1) * 127.5; // rounded and clamped
    }
  }
  return pixels;
}

/** RGBA -> image [channels, H, W] in [-1, 1]; colour becomes grey by its luma (ITU-R BT.601). */
export function toImage(pixels, channels) {
  const count = pixels.length / 4;
  const image = new Float32Array(channels * count);
  for (let place = 0; place < count; place++) {
    const [red, green, blue] = pixels.subarray(4 * place, 4 * place + 3);
    if (channels === 1) image[place] = (red === green && green === blue ? red : 0.299 * red + 0.587 * green + 0.114 * blue) / 127.5 - 1;
    else [red, green, blue].forEach((level, channel) => { image[channel * count + place] = level / 127.5 - 1; });
  }
  return image;
}

/** RGBA, a square of `size` -> one `factor` times larger, smooth (bicubic, Keys 1981 with a = -1/2). */
export function enlarge(pixels, size, factor, channels) {
  const wide = size * factor;
  const large = new Uint8ClampedArray(4 * wide * wide).fill(255);
  const taps = Array.from({length: wide}, (_, to) => weigh((to + 0.5) / factor - 0.5, size));
  const rows = new Float32Array(size * wide);
  const line = new Float32Array(wide);
  for (let channel = 0; channel < channels; channel++) {
    rows.fill(0);
    taps.forEach((found, x) => {
      for (const [from, weight] of found) {
        for (let y = 0; y < size; y++) rows[y * wide + x] += weight * pixels[4 * (y * size + from) + channel];
      }
    });
    taps.forEach((found, y) => {
      line.fill(0);
      for (const [from, weight] of found) {
        const start = from * wide;
        for (let x = 0; x < wide; x++) line[x] += weight * rows[start + x];
      }
      const start = 4 * y * wide + channel;
      for (let x = 0; x < wide; x++) large[start + 4 * x] = line[x];
    });
  }
  if (channels === 1) { // grey: green and blue are as red
    const words = new Uint32Array(large.buffer);
    for (let place = 0; place < words.length; place++) words[place] = 0xff000000 | ((words[place] & 0xff) * 0x010101);
  }
  return large;
}

/** The four pixels around a place on a line of `size`, those that there are, each with its weight. */
function weigh(place, size) {
  const first = Math.floor(place) - 1;
  const found = [0, 1, 2, 3].map((step) => [first + step, cubic(place - first - step)]).filter(([from]) => from >= 0 && from < size);
  const sum = found.reduce((total, [, weight]) => total + weight, 0);
  return found.map(([from, weight]) => [from, weight / sum]);
}

function cubic(distance) {
  const x = Math.abs(distance);
  return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

// --- files ---

/** RGBA, a square of `size` -> a PNG file with texts by keyword. */
export async function png(pixels, size, texts) {
  const canvas = new OffscreenCanvas(size, size);
  canvas.getContext('2d').putImageData(new ImageData(pixels, size, size), 0, 0);
  const file = await canvas.convertToBlob({type: 'image/png'});
  const head = 8 + 25; // the signature, and IHDR, after which texts may stand
  const chunks = Object.entries(texts).map(([keyword, text]) => textChunk(keyword, text));
  return new Blob([file.slice(0, head), ...chunks, file.slice(head)], {type: 'image/png'});
}

/** Hands a file to the person. */
export function handOver(file, name) {
  const anchor = document.createElement('a');
  anchor.href = URL.createObjectURL(file);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10000);
}

/** An iTXt chunk (PNG, third edition, 11.3.3.4): neither packed nor translated. */
function textChunk(keyword, text) {
  const body = new TextEncoder().encode(`iTXt${keyword}\0\0\0\0\0${text}`);
  const chunk = new Uint8Array(body.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4);
  chunk.set(body, 4);
  view.setUint32(body.length + 4, checksum(body));
  return chunk;
}

/** CRC-32, bit by bit: texts are short. */
function checksum(bytes) {
  let rest = 0xffffffff;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return (rest ^ 0xffffffff) >>> 0;
}

const escaped = (text) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** What a saved face says about itself, as fergan/provenance.py writes and reads it. */
export function provenance(settings, sentence, sourceType) {
  const json = JSON.stringify(settings);
  const xmp = `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:fergan="urn:fergan:1"
 Iptc4xmpExt:DigitalSourceType="${sourceType}" xmp:CreatorTool="fergan" fergan:settings="${escaped(json)}">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">${escaped(sentence)}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>`;
  return {fergan: json, Description: sentence, Software: 'fergan', 'XML:com.adobe.xmp': xmp};
}
