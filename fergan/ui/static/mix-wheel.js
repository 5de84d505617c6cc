// The wheel of the tab Mix: it goes on where mix.js ends. Between neutral, in the centre, and two neighbours on the
// rim a point has one blend, and a blend of those one point: what the wheel asks for, the sliders give back.

const wheel = $('.mix-wheel');
const knob = $('.mix-point');
const RIM = facts.emotions.filter((name) => Math.hypot(...facts.places[name]) > 0)
  .sort((one, other) => turn(facts.places[one]) - turn(facts.places[other]));
const VIEW = {left: -1.42, top: -1.5, width: 2.84, height: 2.6}; // the drawing's viewBox; its y points down
let point = [0, 0];
let held = false; // the point is where the hand is, not where the rounded sliders would have it

function turn([x, y]) {
  return (Math.atan2(y, x) + 2 * Math.PI) % (2 * Math.PI);
}

/** Where a blend lies: the mean of its emotions' places. */
function placeOf(all) {
  return [0, 1].map((axis) => all.reduce((sum, share, place) => sum + share * facts.places[facts.emotions[place]][axis], 0));
}

/** A point -> {weights, point}: its barycentric weights; from outside the rim it is moved onto the rim. */
function blendAt([x, y]) {
  const angle = turn([x, y]);
  let next = RIM.findIndex((name) => turn(facts.places[name]) > angle);
  if (next < 0) next = 0;
  const [one, other] = [RIM.at(next - 1), RIM[next]];
  const [[ax, ay], [bx, by]] = [facts.places[one], facts.places[other]];
  const area = ax * by - ay * bx;
  let [a, b] = [(x * by - y * bx) / area, (ax * y - ay * x) / area];
  if (a + b > 1) {
    const along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2);
    b = Math.min(1, Math.max(0, along));
    a = 1 - b;
  }
  [a, b] = [a, b].map((part) => Math.round(Math.max(0, part) * 1000) / 10);
  const weights = {...none, neutral: Math.round((100 - a - b) * 10) / 10, [one]: a, [other]: b};
  return {weights, point: placeOf(shares(weights))};
}

function moveTo(place, live) {
  const found = blendAt(place);
  held = true;
  ({point} = found);
  change({weights: found.weights}, {live});
  held = false;
}

function paintPoint(all) {
  if (!held) point = placeOf(all);
  const [x, y] = point;
  knob.style.left = `${100 * (x - VIEW.left) / VIEW.width}%`;
  knob.style.top = `${100 * (-y - VIEW.top) / VIEW.height}%`;
  const [pleasant, excited] = [x, y].map((value) => Math.round(100 * value));
  knob.setAttribute('aria-valuenow', pleasant);
  knob.setAttribute('aria-valuetext', `${told()}: pleasant ${pleasant}, excited ${excited}`);
}

// --- hand and keys ---

function under(event) {
  const edges = wheel.querySelector('svg').getBoundingClientRect();
  return [
    VIEW.left + VIEW.width * (event.clientX - edges.left) / edges.width,
    -(VIEW.top + VIEW.height * (event.clientY - edges.top) / edges.height),
  ];
}

let touched = false; // beside the knob: a swipe there scrolls the page, only a tap is meant for the wheel

wheel.addEventListener('pointerdown', (event) => {
  if (event.button) return;
  touched = event.pointerType !== 'mouse' && event.target !== knob;
  if (touched) return;
  wheel.setPointerCapture(event.pointerId);
  knob.focus({preventScroll: true});
  event.preventDefault(); // else the drag selects text
  moveTo(under(event), true);
});
wheel.addEventListener('pointermove', (event) => {
  if (wheel.hasPointerCapture(event.pointerId)) moveTo(under(event), true);
});
wheel.addEventListener('click', (event) => {
  if (!touched || event.target === knob) return; // Enter on the knob is a click too
  touched = false;
  knob.focus({preventScroll: true});
  moveTo(under(event), false);
});

knob.addEventListener('keydown', (event) => {
  const step = event.shiftKey ? 0.2 : 0.05;
  const way = {ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step]}[event.key];
  if (!way && event.key !== 'Home') return;
  event.preventDefault();
  moveTo(way ? [point[0] + way[0], point[1] + way[1]] : [0, 0], true);
});

// --- the drawing ---

wheel.querySelector('polygon').setAttribute('points', RIM.map((name) => facts.places[name]).map(([x, y]) => `${x},${-y}`).join(' '));
wheel.querySelector('.marks').innerHTML = facts.emotions.map((name) => {
  const [x, y] = facts.places[name];
  const out = Math.hypot(x, y) ? 1.16 : 0; // beside the corner, so that the point does not hide it
  return `<circle data-emotion="${name}" cx="${x}" cy="${-y}" r="${out ? 0.05 : 0}"></circle>
    <use data-emotion="${name}" href="#icon-${name}" x="${x * out - 0.13}" y="${-y * out - 0.13}" width="0.26" height="0.26"></use>`;
}).join('');
