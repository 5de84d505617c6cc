// What stands beside the photo on the tab Translate: what the network saw and did, the judge's bars, the seven small
// faces. It goes on where translate-crop.js ends. All but the first wait until the hand rests.

const HEAT = [255, 110, 20];
const AROUND = 1.15; // of a small face, in its sides
const LONGER = 2;   // times: arrows of a few pixels would not be seen

const where = $('.tr-where');

function paintSeen(result) {
  $('[data-seen=before]').src = result.before;
  $('[data-seen=after]').src = result.after;
  $('[data-seen=before]').alt = 'The face as the network saw it';
  $('[data-seen=after]').alt = `The face as the network drew it: ${told()}`;
  paintWhere(result);
}

/** The mask as heat over the grey face, and the flow as arrows from where the skin was to where it is. */
async function paintWhere(result) {
  const [face, mask] = await Promise.all([result.before, result.mask].map(async (uri) => {
    const image = new Image();
    image.src = uri;
    await image.decode();
    return image;
  }));
  if (result !== results.get(onScreen)) return;
  const side = Math.round(where.clientWidth * devicePixelRatio) || 240;
  const ink = where.getContext('2d');
  [where.width, where.height] = [side, side];
  ink.filter = 'contrast(0.7) brightness(0.8)';
  ink.drawImage(face, 0, 0, side, side);
  ink.filter = 'none';
  const heat = newCanvas(mask.width, mask.height);
  const warm = heat.getContext('2d');
  warm.drawImage(mask, 0, 0);
  const pixels = warm.getImageData(0, 0, heat.width, heat.height);
  for (let at = 0; at < pixels.data.length; at += 4) {
    const level = pixels.data[at];
    pixels.data.set([...HEAT, Math.min(230, 1.4 * level)], at);
  }
  warm.putImageData(pixels, 0, 0);
  ink.drawImage(heat, 0, 0, side, side);
  paintArrows(ink, side, result.arrows);
}

function paintArrows(ink, side, arrows) {
  Object.assign(ink, {lineWidth: side / 110, strokeStyle: '#8fe8ff', fillStyle: '#8fe8ff', lineCap: 'round'});
  arrows.forEach((row, down) => row.forEach(([x, y], right) => {
    const [dx, dy] = [x, y].map((way) => LONGER * way * side);
    const length = Math.hypot(dx, dy);
    if (length < side / 70) return;
    const [fromX, fromY] = [right, down].map((place) => (place + 0.5) * side / arrows.length);
    const tip = Math.min(side / 30, 0.6 * length);
    ink.save();
    ink.translate(fromX, fromY);
    ink.rotate(Math.atan2(dy, dx));
    ink.beginPath();
    ink.moveTo(0, 0);
    ink.lineTo(length - tip / 2, 0);
    ink.stroke();
    ink.beginPath();
    ink.moveTo(length, 0);
    ink.lineTo(length - tip, tip / 2);
    ink.lineTo(length - tip, -tip / 2);
    ink.fill();
    ink.restore();
  }));
}

// --- the judge: one reading at a time, of the two faces that stand beside the photo ---

let judging = false;
let unjudged = null; // why the judge gave no answer, a sentence

async function read() {
  const result = results.get(onScreen);
  if (!facts.judge || judging || !result) return;
  if (result.judged) return paintJudge(result.judged);
  judging = true;
  const answer = await askServer(server.read, [result.before, result.after], 20);
  judging = false;
  unjudged = answer.error ?? null;
  if (!unjudged) result.judged = answer.probabilities;
  paintJudge(result.judged);
  if (result !== results.get(onScreen)) return settle();
  if (!isLive()) say();
}

/** Bars stay at the last reading until the next one comes, so that they glide. */
function paintJudge(both) {
  if (!facts.judge || (!both && !unjudged)) return;
  $$('.tr-judge .bars').forEach((bars, place) => fillBars(bars, both?.[place] ?? null, {asked: place ? state.emotion : null}));
  $('.tr-judge').title = unjudged ?? facts.judge;
}

// --- the same face in all seven emotions: upright, in the photo's colours ---

let filling = false;
let thumbed = null; // what the small faces show

async function drawThumbs() {
  const face = chosen()[0];
  const {model, intensity, photo} = state;
  const name = face && JSON.stringify([photo.number, face, model, intensity]);
  if (filling || !face || name === thumbed) return;
  filling = true;
  try {
    const side = facts.thumb / AROUND;
    const square = {x: facts.thumb / 2, y: facts.thumb / 2, side, roll: 0};
    const fields = {model, intensity: intensity / 100, emotion: {neutral: 1}, photo: await encode(upright(face)), faces: [square]};
    const answer = await askServer(server.seven, fields);
    if (photo !== state.photo || isLive()) return;
    thumbed = name;
    if (answer.error) return; // the large picture says it
    $$('.tr-mood img').forEach((image, place) => { image.src = answer.faces[place]; });
    settle(); // somebody may have gone on meanwhile
  } finally {
    filling = false;
    if (photo !== state.photo) settle(); // its own seven were not asked for meanwhile
  }
}

/** A face turned upright, with a little room around it; beyond the photo lie its own colours, blurred. */
function upright(face) {
  const canvas = newCanvas(facts.thumb, facts.thumb);
  const context = canvas.getContext('2d');
  const {picture, ratio} = state.photo;
  const scale = facts.thumb / (AROUND * face.side);
  context.imageSmoothingQuality = 'high';
  const blurred = newCanvas(4, 4);
  blurred.getContext('2d').drawImage(picture, 0, 0, 4, 4);
  context.drawImage(blurred, 0, 0, canvas.width, canvas.height);
  context.translate(facts.thumb / 2, facts.thumb / 2);
  context.rotate(-face.roll * Math.PI / 180);
  context.scale(scale, scale);
  context.drawImage(picture, -face.x, -face.y, picture.width / ratio, picture.height / ratio);
  return canvas;
}

function clearLook() {
  thumbed = onScreen = null;
  for (const image of $$('.tr-mood img, [data-seen]')) image.removeAttribute('src');
  where.width = where.height = 0;
  if (facts.judge) for (const bars of $$('.tr-judge .bars')) fillBars(bars, null);
  said.textContent = said.nextElementSibling.textContent = '';
}
