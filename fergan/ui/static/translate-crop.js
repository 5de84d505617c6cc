// The squares around faces, and the divider, of the tab Translate: it goes on where translate.js ends.

const LEAST = 24; // pixels of a face's side: fewer show no expression

/** The photo as large as the stage: faces of 48 pixels too, drawn smoothly. */
function fit() {
  if (!before.width) return;
  const scale = Math.min(stage.clientWidth / before.width, stage.clientHeight / before.height);
  view.style.width = `${Math.floor(before.width * scale)}px`;
  view.style.height = `${Math.floor(before.height * scale)}px`;
}

function paintBoxes() {
  const {width, height} = state.photo ?? {};
  while (boxes.children.length > state.faces.length) boxes.lastChild.remove();
  while (boxes.children.length < state.faces.length) {
    boxes.insertAdjacentHTML('beforeend', '<button type="button" class="box"><span></span><i aria-hidden="true"></i></button>');
  }
  state.faces.forEach((face, place) => {
    const box = boxes.children[place];
    box.style.cssText = `left:${100 * (face.x - face.side / 2) / width}%;top:${100 * (face.y - face.side / 2) / height}%;`
      + `width:${100 * face.side / width}%;height:${100 * face.side / height}%;transform:rotate(${face.roll}deg)`;
    box.dataset.face = place;
    box.firstChild.textContent = state.faces.length > 1 ? place + 1 : '';
    box.setAttribute('aria-label', `Face ${place + 1} of ${state.faces.length}`);
    box.setAttribute('aria-pressed', state.face === null || place === state.face);
  });
  paintWho();
}

/** A button for each face, and one for all of them. */
function paintWho() {
  const who = $('.tr-who');
  who.hidden = state.faces.length < 2;
  const all = [...state.faces.keys(), null];
  if (who.children.length !== all.length) {
    who.innerHTML = all.map((place) => `<button type="button" class="button" data-who="${place}">${place === null ? 'All' : place + 1}</button>`).join('');
  }
  all.forEach((place, at) => {
    const button = who.children[at];
    button.setAttribute('aria-label', place === null ? 'All faces' : `Face ${place + 1}`);
    button.setAttribute('aria-pressed', place === state.face);
  });
}

/** Moves, sizes and turns a face's square; places in the photo's pixels, `turn` in degrees. */
function nudge(place, {right = 0, down = 0, times = 1, turn = 0}) {
  const {width, height} = state.photo;
  const limit = (value, least, most) => Math.min(Math.max(value, least), most);
  const moved = state.faces.map((face, at) => (at !== place ? face : {
    x: limit(face.x + right, 0, width),
    y: limit(face.y + down, 0, height),
    side: limit(face.side * times, LEAST, 2 * Math.max(width, height)),
    roll: (face.roll + turn + 540) % 360 - 180,
  }));
  change({faces: moved, face: place}, {live: true});
}

const NUDGES = {
  left: {right: -1}, right: {right: 1}, up: {down: -1}, down: {down: 1}, larger: {times: 1}, smaller: {times: -1}, back: {turn: -1}, on: {turn: 1},
};

/** One step of a button or a key; `far` is five of them. */
function step(name, place = state.face ?? 0, far = false) {
  if (lacking()) return notify(lacking());
  const face = state.faces[place];
  const by = far ? 5 : 1;
  const {right = 0, down = 0, times = 0, turn = 0} = NUDGES[name];
  nudge(place, {right: right * by * face.side / 50, down: down * by * face.side / 50, times: 1.03 ** (times * by), turn: 2 * turn * by});
}

/** A square in the middle of the photo, where nobody was found or somebody was missed. */
function byHand() {
  if (state.faces.length >= facts.most) return notify(`At most ${facts.most} faces are changed at once.`);
  const {width, height} = state.photo;
  field.adjust.checked = true;
  paintAdjust();
  if (root.dataset.state === 'failed') enter('waiting');
  const face = {x: width / 2, y: height / 2, side: Math.max(LEAST, Math.min(width, height) / 2), roll: 0};
  const faces = [...state.faces, face];
  change({faces, found: [...state.found, face], face: faces.length - 1});
  boxes.lastElementChild.focus({preventScroll: true});
}

function paintAdjust() {
  root.classList.toggle('adjusting', field.adjust.checked);
  $('.tr-nudges').hidden = !field.adjust.checked;
}

// --- a square by pointer: where it is being adjusted; a click chooses it ---

let held = null; // {place, corner, x, y, face}: the square in the hand, and where the hand took it

boxes.addEventListener('pointerdown', (event) => {
  const box = event.target.closest('.box');
  if (!box || event.button || !field.adjust.checked) return;
  const place = Number(box.dataset.face);
  held = {place, corner: event.target.matches('i'), x: event.clientX, y: event.clientY, face: state.faces[place]};
  box.setPointerCapture(event.pointerId);
});
boxes.addEventListener('pointermove', (event) => {
  if (!held) return;
  const scale = state.photo.width / view.clientWidth;
  const {face, place} = held;
  const now = state.faces[place];
  if (held.corner) {
    const edges = view.getBoundingClientRect();
    const far = (x, y) => Math.hypot((x - edges.left) * scale - face.x, (y - edges.top) * scale - face.y);
    const side = face.side * far(event.clientX, event.clientY) / far(held.x, held.y);
    return nudge(place, {times: side / now.side});
  }
  const [x, y] = [face.x + (event.clientX - held.x) * scale, face.y + (event.clientY - held.y) * scale];
  nudge(place, {right: x - now.x, down: y - now.y});
});
for (const end of ['pointerup', 'pointercancel']) boxes.addEventListener(end, () => { held = null; });

boxes.addEventListener('keydown', (event) => {
  const box = event.target.closest('.box');
  const name = {
    ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'up', ArrowDown: 'down', '+': 'larger', '=': 'larger', '-': 'smaller', '[': 'back', ']': 'on',
  }[event.key];
  if (!box || !name || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  step(name, Number(box.dataset.face), event.shiftKey);
});

// --- the divider: left of it the photo as it was ---

const divider = $('.tr-divider');
let parted = 0; // percent of the width

function part(percent) {
  parted = Math.min(100, Math.max(0, percent));
  view.style.setProperty('--parted', `${parted}%`);
  divider.setAttribute('aria-valuenow', Math.round(parted));
  divider.setAttribute('aria-valuetext', `before: the left ${Math.round(parted)} percent`);
}

/** Beside the faces: their change is seen at once, and the line that takes it back stands next to them. */
function partBeside() {
  const {width} = state.photo;
  part(Math.max(5, 100 * Math.min(...state.faces.map((face) => face.x - 0.56 * face.side)) / width));
}

divider.addEventListener('pointerdown', (event) => {
  if (event.button) return;
  divider.setPointerCapture(event.pointerId);
  divider.focus({preventScroll: true});
  event.preventDefault(); // else the drag selects text
});
divider.addEventListener('pointermove', (event) => {
  if (!divider.hasPointerCapture(event.pointerId)) return;
  const edges = view.getBoundingClientRect();
  part(100 * (event.clientX - edges.left) / edges.width);
});
divider.addEventListener('keydown', (event) => {
  const by = event.shiftKey ? 10 : 2;
  const there = {ArrowLeft: parted - by, ArrowDown: parted - by, ArrowRight: parted + by, ArrowUp: parted + by, Home: 0, End: 100}[event.key];
  if (there === undefined) return;
  event.preventDefault();
  part(there);
});
