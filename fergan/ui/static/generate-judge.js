// What the judge reads on the tab Generate: it goes on where generate.js ends. Faces come first: they are read once
// they are on screen and no others are wanted, in a request of its own, and what was read is kept beside them.

const REST = 120; // ms without a new wish before the judge begins: a quick hand gets its faces undisturbed
let judging = false;
let unjudged = null; // why the judge gave no answer, a sentence

const judged = (seed, emotion) => (isJudged() && faces.get(key(seed, emotion))?.judged) || null;
const sure = ({emotion, percent}) => `${emotion}, ${percent}\u00a0%\u00a0sure`;

/** Whether the judge is here and wanted. */
function isJudged() {
  return Boolean(facts.judge) && field.judge.checked;
}

/** Keys of faces on screen that nobody has read: the enlarged face first, then its sheet, then its moods. */
function unread() {
  const all = seeds().map((seed) => key(seed));
  if (dialog.open) all.unshift(key(state.face));
  if (dialog.open) all.push(...facts.emotions.map((emotion) => key(state.face, emotion)));
  return [...new Set(all)].filter((name) => faces.has(name) && !faces.get(name).judged).slice(0, CHUNK);
}

let resting;
function readSoon() {
  clearTimeout(resting);
  if (isJudged()) resting = setTimeout(read, REST);
}

/** Reads what is on screen; drawing goes first, and calls this again when it is done. */
async function read() {
  if (judging || working) return;
  judging = true;
  try {
    for (let names = unread(); names.length && isJudged() && !working; names = unread()) {
      const answer = await askServer(server.read, names.map((name) => faces.get(name)?.picture), 20);
      unjudged = answer.error ?? null;
      if (!unjudged) names.forEach((name, place) => { if (faces.has(name)) faces.get(name).judged = answer.probabilities[place]; });
      paintJudge();
      if (unjudged) return;
    }
  } finally {
    judging = false;
  }
}

// --- painting ---

function paintJudge() {
  if (!facts.judge) return;
  for (const cell of sheet.children) mark(cell, judged(Number(cell.dataset.seed)), state.emotion);
  if (!missing(state.emotion)) paintHits();
  if (dialog.open) paintVerdict();
}

/** Tells on a face what the judge read, and shows it where that is another emotion. */
function mark(button, probabilities, emotion) {
  const found = probabilities && reading(probabilities);
  const other = button.querySelector('.other');
  button.title = found ? `The judge reads ${sure(found)}` : '';
  other.hidden = !found || found.emotion === emotion;
  if (other.hidden) return;
  other.dataset.emotion = found.emotion;
  other.querySelector('use').setAttribute('href', `#icon-${found.emotion}`);
}

/** The sheet's hit rate, once all its faces are read; until then the status is busy, so that it is spoken once. */
function paintHits() {
  const all = seeds().map((seed) => judged(seed));
  const done = all.every(Boolean);
  const hits = all.filter((found) => found && reading(found).emotion === state.emotion).length;
  let sentence = '';
  if (done) sentence = `The judge read ${state.emotion} in ${hits} of ${state.count}`;
  else if (unjudged && isJudged()) sentence = 'The judge gave no answer';
  $('.hits').title = unjudged && !done ? unjudged : facts.judge;
  if ($('.hits b').textContent !== sentence) $('.hits b').textContent = sentence;
  $('.hits').classList.toggle('done', Boolean(sentence));
  $('.status').ariaBusy = String(isJudged() && !sentence);
}

function paintVerdict() {
  $('.verdict').hidden = !isJudged();
  const found = judged(state.face);
  let sentence = '';
  if (found) sentence = `The judge reads ${sure(reading(found))}.`;
  else if (unjudged) sentence = `The judge gave no answer. ${unjudged}`;
  if ($('.verdict p').textContent !== sentence) $('.verdict p').textContent = sentence;
  fillBars($('.verdict .bars'), found, {asked: state.emotion});
  for (const mood of $$('.mood')) mark(mood, judged(state.face, mood.dataset.mood), mood.dataset.mood);
}
