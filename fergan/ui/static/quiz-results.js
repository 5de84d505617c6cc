// The end of a game: scores, the ten faces with what was said, tables, files. It goes on where quiz.js ends.

const LOOKS = 600; // ms between two looks at whether the networks have learnt

let compared = null; // what the networks say of this game: {said, heldOut}, {progress} or {error}

/** The game as it is kept and handed over: without pictures. */
function record() {
  const {session, mode, began, answers} = game;
  return {
    fergan: 'quiz', session, mode, began, choices: facts.answers[mode],
    rounds: answers.map((answer) => ({...answer, right: right(answer)})),
  };
}

function finish() {
  keep(record());
  compared = null;
  $('.quiz-detail').replaceChildren();
  paintResult();
  compare(dealing);
}

/** Asks what the networks take the ten faces for, until they have learnt enough to say. */
async function compare(own) {
  if (!Object.keys(facts.machines).length) return detail(own);
  for (;;) {
    compared = await askServer(server.compare, {tickets: game.tickets});
    if (own !== dealing) return;
    paintResult();
    if (!('progress' in compared)) break;
    await new Promise((done) => setTimeout(done, LOOKS));
  }
  if (compared.said) {
    for (const [name, said] of Object.entries(compared.said)) said.forEach((answer, place) => { game.answers[place].machines[name] = answer; });
    keep(record());
  }
  paintResult();
  detail(own);
}

async function detail(own) {
  const answer = await askServer(server.count, [record()]);
  if (own !== dealing) return;
  if (answer.error) return notify(answer.error);
  $('.quiz-detail').replaceChildren(table(answer.modes[game.mode], counted));
}

function paintResult() {
  if (!isOver()) return;
  const total = facts.rounds;
  write('#quiz-result-title', `You were right about ${score()} of ${total} faces.`);
  const chance = Math.round(total / facts.answers[game.mode].length * 10) / 10;
  const players = [['You', score()], ...Object.entries(facts.machines).map(([name, {title: label}]) => [label, machineScore(name)]), ['Guessing', chance]];
  $('.quiz-scores').replaceChildren(...players.map(([label, points]) => {
    const row = make('li', {class: points === null ? 'away' : ''}, make('span', {}, label), make('i', {'aria-hidden': 'true'}), make('b', {}, points === null ? waiting() : `${points} of ${total}`));
    row.style.setProperty('--share', (points ?? 0) / total);
    return row;
  }));
  $('.quiz-past').replaceChildren(...game.answers.map(past));
  const how = Object.entries(facts.machines).map(([name, {line}]) => line + (compared?.heldOut ? ` It is right about ${Math.round(100 * compared.heldOut[name])} % of faces that it was not fitted on.` : ''));
  $('.quiz-how').replaceChildren(...how.flatMap((line) => [line, make('br')]));
  if (compared?.error && !$('.quiz-how button')) {
    $('.quiz-how').append(make('span', {role: 'alert'}, compared.error, ' '), make('button', {type: 'button', 'data-do': 'compare'}, 'Retry'));
  }
}

const machineScore = (name) => (compared?.said?.[name] ? compared.said[name].filter((said, place) => said === game.answers[place].truth).length : null);

function waiting() {
  if (compared?.error) return 'no answer';
  return compared ? `learns, ${Math.round(100 * compared.progress)} %` : 'thinks';
}

/** One face of the game, with what it was and what was said. */
function past(answer, place) {
  const machines = Object.entries(answer.machines).map(([name, said]) => `${facts.machines[name]?.title ?? name}: ${word(said)}`);
  const mark = make('span', {class: 'quiz-mark', 'aria-hidden': 'true'}, icon(right(answer) ? 'better' : 'close'));
  return make('li', {class: right(answer) ? 'right' : 'wrong', title: [told(answer), `You: ${word(answer.said)}`, ...machines].join('\n')},
    make('img', {class: 'face', src: game.faces[place], alt: told(answer)}), mark,
    make('b', {}, answer.model ? title(answer.model) : 'Photo'),
    make('span', {}, `you: ${word(answer.said)}`),
    make('span', {class: 'unseen'}, right(answer) ? ', right' : ', wrong'));
}

// --- tables: a row for each group of answers ---

const NAMES = {all: () => 'All', truth: (name) => (name === 'real' ? 'Photos' : 'Drawn'), model: (name) => `by ${title(name)}`, emotion: (name) => name};

/** Groups of answers that the server counted; `cell` shows one rate. */
function table({machines, rows}, cell) {
  const heads = ['You', ...machines.map((name) => facts.machines[name]?.title ?? name)];
  const made = make('table', {}, make('caption', {}, cell.caption),
    make('thead', {}, make('tr', {}, make('td'), ...heads.map((head) => make('th', {scope: 'col'}, cell.head?.(head) ?? head)))),
    make('tbody', {}, ...rows.map(({kind, name, people, machines: rates}) => make('tr', {class: kind},
      make('th', {scope: 'row', ...(kind === 'emotion' ? {'data-emotion': name} : {})}, ...(kind === 'emotion' ? [icon(name)] : []), NAMES[kind](name)),
      ...[people, ...machines.map((machine) => rates[machine])].map((rate, place) => (rate ? cell(rate, place) : make('td', {}, '–')))))));
  return made;
}

/** Of a game: how many of how many were right. */
const counted = ({n, errors}) => make('td', {}, `${n - errors} of ${n}`);
counted.caption = 'Right answers in this game';

// --- files ---

function handOver(name, type, text) {
  saveFile({name, type, content: inBase64(new TextEncoder().encode(text))});
  notify(`Saved ${name}.`);
}

const stem = () => `fergan_quiz_${game.began.slice(0, 19).replace(/[:T]/g, '-')}`;

const saveJson = () => handOver(`${stem()}.json`, 'application/json', `${JSON.stringify(record(), null, 1)}\n`);

/** One line a round; an empty field where there is nothing to say: a photo has no model and no seed. */
function saveCsv() {
  const machines = Object.keys(facts.machines);
  const columns = ['session', 'mode', 'round', 'time', 'milliseconds', 'said', 'truth', 'right', 'model', 'emotion', 'seed'];
  const quoted = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const lines = record().rounds.map((answer) => [
    ...columns.map((name) => ({...answer, session: game.session, mode: game.mode})[name]), ...machines.map((name) => answer.machines[name]),
  ].map((value) => quoted(String(value ?? ''))).join(','));
  handOver(`${stem()}.csv`, 'text/csv', `${[[...columns, ...machines].join(','), ...lines].join('\n')}\n`);
}
