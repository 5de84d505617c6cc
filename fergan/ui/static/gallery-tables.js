// What was measured of the two models on the tab Models, what a person can do there, and its link: it goes on where
// gallery.js ends. Words of a checkpoint may come from strangers: they are put in as text, never as HTML.

const emotionHead = (emotion, scope) => make('th', {scope, 'data-emotion': emotion, title: emotion}, icon(emotion), make('span', {}, emotion));
const other = (side) => (side === 'left' ? 'right' : 'left');
const meaning = (side, name) => facts.meanings[card(side).kind][name];
const comparable = () => state.left !== state.right && card('left').kind === card('right').kind && card('left').yardstick === card('right').yardstick;

// --- numbers, and which is better ---

/** Whether a number is better than the same one of the other side: where they read alike, neither is. */
function isBetter(mine, theirs) {
  return comparable() && mine && theirs && mine.shown !== theirs.shown && mine.merit !== null && mine.merit > theirs.merit;
}

function numberCell(mine, theirs, worded) {
  if (!mine) return make('td', {class: 'none'}, make('span', {'aria-hidden': 'true'}, '–'), make('span', {class: 'unseen'}, 'not measured'));
  const cell = make('td', {}, mine.shown);
  if (isBetter(mine, theirs)) {
    cell.className = 'better';
    cell.append(' ', icon('better'), make('span', {class: worded ? '' : 'unseen'}, 'better'));
  }
  return cell;
}

/** [side whose words explain it, name] of every number that either model has; two kinds have two lists. */
function rows() {
  const kinds = card('left').kind === card('right').kind ? ['left'] : SIDES;
  return kinds.flatMap((side) => Object.keys(facts.meanings[card(side).kind])
    .filter((name) => SIDES.some((one) => card(one).kind === card(side).kind && name in card(one).numbers))
    .map((name) => [side, name]));
}

function paintNumbers() {
  const shown = rows();
  const head = make('tr', {}, make('td'), ...SIDES.map((side, place) =>
    make('th', {scope: 'col'}, make('b', {class: 'badge', 'aria-hidden': 'true'}, 'AB'[place]), card(side).title)));
  const body = shown.map(([side, name]) => {
    const {title, meaning: words, good} = meaning(side, name);
    const [mine, theirs] = SIDES.map((one) => (card(one).kind === card(side).kind ? card(one).numbers[name] : undefined));
    return make('tr', {}, make('th', {scope: 'row', title: words}, title, ' ', make('small', {}, good)),
      numberCell(mine, theirs, true), numberCell(theirs, mine, true));
  });
  const table = make('table', {}, make('caption', {class: 'unseen'}, 'Numbers of both models'), make('thead', {}, head), make('tbody', {}, ...body));
  $('.numbers').replaceChildren(...(shown.length ? [table] : []));
  $('.comparison').textContent = [...new Set(SIDES.map((side) => card(side).measured))].join(' ') + said();
  $('.comparison').hidden = !$('.comparison').textContent;
  $('.meanings').hidden = !shown.length;
  explain();
}

function said() {
  if (SIDES.some((side) => !card(side).measured) || state.left === state.right || comparable()) return '';
  if (card('left').kind !== card('right').kind) return ' They do different work, so their numbers do not compare.';
  return ' They were measured in different ways, so neither number is called better.';
}

function explain() {
  const kinds = card('left').kind === card('right').kind ? ['left'] : SIDES;
  const named = kinds.flatMap((side) => Object.entries(facts.meanings[card(side).kind]).filter(([name]) => SIDES.some((one) =>
    card(one).kind === card(side).kind && (name in card(one).numbers || Object.values(card(one).emotions).some((row) => name in row)))));
  list($('.meanings dl'), named.map(([, {title, meaning: words, good}]) => [title, good ? `${words}; ${good}` : words]));
}

function list(target, terms) {
  target.replaceChildren(...terms.flatMap(([term, value]) => [make('dt', {}, term), make('dd', {}, value)]));
}

// --- how each emotion is read ---

/** A confusion in percent of each row: the right answers in their emotion's colour, the mistakes in grey. */
function matrix(side) {
  const {counts, kind, title} = card(side);
  const asked = kind === 'classifier' ? 'labelled' : 'asked for';
  const body = facts.emotions.map((row, r) => {
    const total = counts[r].reduce((sum, count) => sum + count, 0);
    return make('tr', {}, emotionHead(row, 'row'), ...facts.emotions.map((column, c) => {
      const count = counts[r][c];
      const share = total ? count / total : 0;
      const percent = count && share < 0.005 ? '<1' : `${Math.round(share * 100)}`;
      return make('td', {
        class: [r === c ? 'right' : '', count ? '' : 'zero'].join(' ').trim(), style: `--share: ${share.toFixed(3)}`, 'data-emotion': row,
        title: `${count.toLocaleString('en')} of ${total.toLocaleString('en')} faces ${asked} ${row}: read as ${column}`,
      }, total ? percent : '–');
    }));
  });
  const words = `Row: ${asked}. Column: read${kind === 'classifier' ? '' : ' by the judge'}. Percent of the row.`;
  return make('table', {class: 'matrix'}, make('caption', {}, make('span', {class: 'unseen'}, `${title}. `), words),
    make('thead', {}, make('tr', {}, make('td'), ...facts.emotions.map((name) => emotionHead(name, 'col')))), make('tbody', {}, ...body));
}

/** The numbers of each emotion; how many faces there were is in the matrix. */
function byEmotion(side) {
  const {emotions, title} = card(side);
  const names = Object.keys(facts.meanings[card(side).kind]).filter((name) => name !== 'n' && Object.values(emotions).some((row) => name in row));
  const body = facts.emotions.map((emotion) => make('tr', {}, emotionHead(emotion, 'row'), ...names.map((name) =>
    numberCell(emotions[emotion][name], card(other(side)).emotions[emotion]?.[name], false))));
  return make('table', {class: 'by-emotion'}, make('caption', {class: 'unseen'}, `${title}, emotion by emotion`),
    make('thead', {}, make('tr', {}, make('td'), ...names.map((name) => make('th', {scope: 'col', title: meaning(side, name).meaning}, meaning(side, name).title)))),
    make('tbody', {}, ...body));
}

function paintReadings(side) {
  const {title, counts, emotions, unmeasured} = card(side);
  const parts = [make('h3', {}, make('b', {class: 'badge', 'aria-hidden': 'true'}, side === 'left' ? 'A' : 'B'), title)];
  if (unmeasured) parts.push(make('p', {class: 'unmeasured'}, unmeasured.sentence, ...(unmeasured.command ? [make('code', {}, unmeasured.command)] : [])));
  if (counts) parts.push(matrix(side));
  if (Object.keys(emotions).length) parts.push(byEmotion(side));
  if (parts.length === 1) parts.push(make('p', {class: 'unmeasured'}, 'It came without numbers for each emotion.'));
  $(`.readings[data-side=${side}]`).replaceChildren(...parts);
}

function paintTables() {
  for (const side of SIDES) {
    paintReadings(side);
    const details = $(`.history[data-side=${side}]`);
    details.firstElementChild.textContent = `How ${card(side).title} was trained`;
    list(details.lastElementChild, card(side).history);
  }
  paintNumbers();
}

// --- the training as an animation: it comes when somebody asks for it ---

async function learn(side) {
  const {name, title} = card(side);
  const image = dialog.querySelector('img');
  const unable = dialog.querySelector('.unable');
  $('#learning-title').textContent = `${title} learns`;
  unable.hidden = true;
  image.removeAttribute('src');
  image.alt = `Faces by ${title} that grow out of noise, a column for each emotion`;
  image.parentElement.hidden = false;
  image.parentElement.classList.add('waiting');
  dialog.dataset.model = name;
  dialog.showModal();
  if (!films.has(name)) {
    const answer = await askServer(server.evolution, name);
    if (!answer.error) films.set(name, answer.picture);
    else if (dialog.dataset.model === name) {
      image.parentElement.hidden = true;
      unable.textContent = answer.error;
      unable.hidden = false;
    }
  }
  if (films.has(name) && dialog.open && dialog.dataset.model === name) show(image, films.get(name));
}

dialog.addEventListener('close', () => { dialog.querySelector('img').removeAttribute('src'); });
dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });

// --- changes ---

function change(changes) {
  Object.assign(state, changes);
  draw();
}

element.addEventListener('change', ({target}) => {
  if (SIDES.includes(target.dataset.field)) change({[target.dataset.field]: target.value});
  if (target !== field.seed) return;
  const seed = Number(target.value);
  if (target.value !== '' && Number.isInteger(seed) && seed >= 0 && seed <= facts.lastSeed) return change({seed});
  notify(`A seed is a whole number from 0 to ${facts.lastSeed}.`);
  target.value = state.seed;
});

const actions = {
  'new-seeds': () => change({seed: Math.floor(Math.random() * 1e6)}), // six digits: short enough to say aloud
  'retry': draw,
  'learn': ({side}) => learn(side),
  'close': () => dialog.close(),
};
element.addEventListener('click', ({target}) => {
  const button = target.closest('button');
  if (button) actions[button.dataset.do]?.(button.dataset);
});

// --- the address bar ---

const isOurs = () => new URLSearchParams(location.search).get('tab') === 'models';

function publish() {
  if (isOurs()) writeLink({tab: 'models', left: state.left, right: state.right, seed: state.seed});
}

/** Settings of the link that opened the page. Without a model it may be another tab's, whose seed is not ours. */
function fromLink() {
  const query = new URLSearchParams(isOurs() ? location.search : '');
  if (!SIDES.some((side) => query.has(side))) return;
  const wrong = [];
  for (const side of SIDES) {
    if (facts.cards.some(({name}) => name === query.get(side))) state[side] = query.get(side);
    else if (query.has(side)) wrong.push(side);
  }
  const seed = query.get('seed');
  if (/^\d+$/.test(seed ?? '') && Number(seed) <= facts.lastSeed) state.seed = Number(seed);
  else if (seed !== null) wrong.push('seed');
  tellWrong(wrong, 'models');
}

for (const side of SIDES) field[side].replaceChildren(...facts.cards.map(({name, title}) => new Option(title, name)));
fromLink();
draw();
addEventListener('fergan-tab', publish); // the address bar is ours again when the tab is
