// The curves under the faces of the tab Evolution: it goes on where evolution.js ends. Names and notes of a checkpoint
// may come from strangers: they are put in as text, never as HTML.

const [WIDE, HIGH] = [1000, 300]; // the drawing's own units; it is stretched over its box
const charts = [];                // {side, points, low, high, box}: those on the page

/** A new element: put('b', {class: 'x'}, 'text', child). */
function put(name, attributes = {}, ...children) {
  const made = name.startsWith('svg:') ? document.createElementNS('http://www.w3.org/2000/svg', name.slice(4)) : document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

// --- scales: images seen by their logarithm, as the pages are drawn; both models on the same one ---

let first = 1;
let last = 2;

function setScale() {
  const all = sides().map(film).filter(Boolean).flatMap(({frames, curves}) => [...frames, ...Object.values(curves).flatMap((points) => [points[0][0], points.at(-1)[0]])]);
  first = Math.max(1, Math.min(...all));
  last = Math.max(first + 1, ...all);
}

const share = (seen) => Math.min(1, Math.max(0, Math.log(Math.max(seen, 1) / first) / Math.log(last / first)));
const seenAt = (across) => first * (last / first) ** across;
const short = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2));
const brief = (count) => (count >= 1e6 ? `${+(count / 1e6).toPrecision(2)}M` : count >= 1000 ? `${Math.round(count / 1000)}k` : `${Math.round(count)}`);

/** The value of a curve after so many images, between its points; null where it has none. */
function valueAt(points, seen) {
  const next = points.findIndex(([at]) => at >= seen);
  if (next === 0) return points[0][0] === seen ? points[0][1] : null;
  if (next < 0) return seen <= points.at(-1)[0] * 1.1 ? points.at(-1)[1] : null; // a log's last line comes before the last page
  const [[from, low], [to, high]] = [points[next - 1], points[next]];
  return low + (high - low) * (seen - from) / Math.max(1, to - from);
}

// --- drawing ---

function paintCharts() {
  charts.length = 0;
  setScale();
  for (const side of SIDES) {
    const found = state[side] ? film(side) : null;
    const box = $(`.evo-charts[data-side=${side}]`);
    box.hidden = !found;
    const groups = found ? facts.groups.filter(({curves}) => curves.some(([name]) => found.curves[name])) : [];
    box.replaceChildren(...groups.map((group) => chart(side, group, found)), ...lacking(found));
  }
  paintNotes();
}

/** Sentences in place of curves that are not there. */
function lacking(found) {
  if (!found) return [];
  if (!Object.keys(found.curves).length) return [put('p', {class: 'evo-lacking'}, 'It came without a history of its training, so there are no curves.')];
  if (!found.curves.diversity) return [put('p', {class: 'evo-lacking'}, 'Its log holds no diversity: it was trained before that was measured.')];
  return [];
}

function chart(side, {title, curves}, found) {
  const here = curves.map(([name, words, meaning], style) => ({name, words, meaning, style, points: found.curves[name]})).filter(({points}) => points);
  const values = here.flatMap(({points}) => points.map(([, value]) => value));
  const [low, high] = title === 'Diversity' ? [0, Math.max(1.1, ...values)] : span(values);
  const up = (value) => (1 - (value - low) / (high - low)) * HIGH;
  const drawing = put('svg:svg', {viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: 'none', 'aria-hidden': 'true'},
    ...[0, 0.5, 1].map((part) => put('svg:path', {class: 'evo-grid', d: `M0 ${part * HIGH}H${WIDE}`})),
    ...found.notes.map(([seen]) => put('svg:path', {class: 'evo-noted', d: `M${share(seen) * WIDE} 0V${HIGH}`})),
    ...here.map(({style, points}) => put('svg:path', {
      class: `evo-curve style-${style}`, d: points.map(([seen, value], step) => `${step ? 'L' : 'M'}${(share(seen) * WIDE).toFixed(1)} ${up(value).toFixed(1)}`).join(''),
    })));
  const box = put('div', {class: 'evo-plot'}, drawing,
    ...[0, 0.5, 1].map((part) => put('span', {class: 'evo-y', style: `top: ${part * 100}%`, 'aria-hidden': 'true'}, short(high - part * (high - low)))),
    ...[0, 0.5, 1].map((part) => put('span', {class: 'evo-x', style: `left: ${part * 100}%`, 'aria-hidden': 'true'}, brief(seenAt(part)))),
    put('i', {class: 'evo-line'}), put('i', {class: 'evo-line evo-hover', hidden: ''}, put('b')),
    ...here.map(({style}) => put('i', {class: `evo-dot style-${style}`})));
  const legend = put('ul', {class: 'evo-legend'}, ...here.map(({words, meaning, style}) => put('li', {title: meaning},
    put('svg:svg', {viewBox: '0 0 30 8', 'aria-hidden': 'true'}, put('svg:path', {class: `evo-curve style-${style}`, d: 'M1 4H29'})), put('span', {}, words), put('b'))));
  const {title: name} = model(side);
  const made = {side, low, high, box, legend, curves: here};
  charts.push(made);
  point(made);
  return put('section', {class: 'evo-chart', 'aria-label': `${title} of ${name}`}, put('header', {}, put('h3', {}, ...(sides().length > 1 ? [put('b', {class: 'badge', 'aria-hidden': 'true'}, side === 'left' ? 'A' : 'B'), ' '] : []), title), legend), box);
}

function span(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max((high - low) * 0.06, 0.01);
  return [low > 0 && low < (high - low) * 0.5 ? 0 : low - room, high + room];
}

// --- the chosen step, and the one under the pointer ---

const STROKE = 8; // pixels across from which a finger draws along the curve

/** A mouse seeks as it is pressed; a finger where it taps or goes across: one that goes up or down scrolls the page. */
function point(made) {
  const {box} = made;
  let finger = null; // {x, y, draws}: where it came down, and whether it goes along the curve
  box.addEventListener('pointerdown', (event) => {
    finger = event.pointerType === 'mouse' ? null : {x: event.clientX, y: event.clientY, draws: false};
    if (finger) return;
    pause();
    box.setPointerCapture(event.pointerId);
    seek(box, event);
  });
  box.addEventListener('pointermove', (event) => {
    if (finger && event.buttons && !finger.draws) {
      const [across, down] = [event.clientX - finger.x, event.clientY - finger.y].map(Math.abs);
      if (across < STROKE || across < down) return;
      finger.draws = true;
      pause();
    }
    if (event.buttons) seek(box, event);
    hover(made, event);
  });
  box.addEventListener('click', (event) => {
    if (!finger) return;
    pause();
    seek(box, event);
    publish();
  });
  box.addEventListener('pointerup', publish);
  box.addEventListener('pointercancel', () => { finger = null; publish(); });
  box.addEventListener('pointerleave', () => hover(made, null));
}

const acrossOf = (box, {clientX}) => Math.min(1, Math.max(0, (clientX - box.getBoundingClientRect().left) / box.clientWidth));

/** The page nearest to the pointer. */
function seek(box, event) {
  if (!timed()) return;
  const across = acrossOf(box, event);
  const far = steps.map((seen) => Math.abs(share(seen) - across));
  go(far.indexOf(Math.min(...far)));
}

function paintMarks() {
  if (!steps.length) return;
  for (const made of charts) {
    const line = made.box.querySelector('.evo-line');
    line.hidden = !timed();
    if (timed()) mark(made, steps[place()], line);
  }
  for (const item of $$('.evo-notes li')) item.classList.toggle('reached', timed() && steps[place()] >= Number(item.dataset.seen));
}

function mark({box, legend, curves, low, high}, seen, line) {
  line.style.left = `${share(seen) * 100}%`;
  curves.forEach(({points}, number) => {
    const value = valueAt(points, seen);
    const dot = box.querySelectorAll('.evo-dot')[number];
    dot.hidden = value === null;
    if (value !== null) Object.assign(dot.style, {left: `${share(seen) * 100}%`, top: `${(1 - (value - low) / (high - low)) * 100}%`});
    legend.children[number].lastElementChild.textContent = value === null ? '\u2013' : short(value);
  });
}

function hover(made, event) {
  const line = made.box.querySelector('.evo-hover');
  line.hidden = !event;
  if (!event) return paintMarks();
  const seen = Math.round(seenAt(acrossOf(made.box, event)));
  line.firstElementChild.textContent = seen.toLocaleString('en');
  line.classList.toggle('late', share(seen) > 0.5);
  mark(made, seen, line);
}

// --- notes: what the log says in words, each at its place ---

function paintNotes() {
  const items = sides().flatMap((side) => (film(side)?.notes ?? []).map(([seen, words]) => {
    const badge = sides().length > 1 ? [put('b', {class: 'badge'}, side === 'left' ? 'A' : 'B')] : [];
    return [seen, put('li', {'data-seen': seen}, put('button', {type: 'button', 'data-seen': seen}, ...badge, put('span', {}, `${seen.toLocaleString('en')} images`)), put('p', {}, words))];
  })).sort(([one], [other]) => one - other).map(([, item]) => item);
  const watched = sides().filter((side) => film(side)?.curves.diversity);
  if (!items.length && watched.length) items.push(put('li', {class: 'well'}, put('p', {}, `${watched.map((side) => model(side).title).join(' and ')}: the faces never collapsed.`)));
  $('.evo-notes ul').replaceChildren(...items);
  $('.evo-notes').hidden = !items.length;
}
