// Many files in the tab Recognise: one request each, a row for each face, a table to keep. It goes on where
// recognise-live.js ends.

const TRIES = 5;   // of one file while no answer comes: a short gap in the network is not to spoil all the rest
const LULL = 2000; // milliseconds from one of them to the next

const table = {rows: [], running: 0}; // the run that goes on, or 0
let runs = 0;
const [batchSaid, batchBar, batchBody] = ['.batch-head p', '.batch progress', '.batch tbody'].map($);

async function readMany(files) {
  const run = table.running = ++runs;
  asked++;
  clearReading();
  table.rows = [];
  batchBody.replaceChildren();
  enter('batch');
  batchBar.max = files.length;
  for (const [place, file] of files.entries()) {
    batchBar.value = place;
    batchSaid.textContent = `Reading ${place + 1} of ${files.length}: ${file.name}`;
    const rows = await rowsOf(file, run);
    if (table.running !== run) return;
    for (const row of rows) addRow(row);
  }
  batchBar.value = files.length;
  endBatch(`${count(table.rows.filter((row) => row.face).length, 'face')} in ${count(files.length, 'file')}.`);
}

const count = (number, word) => `${number} ${word}${number === 1 ? '' : 's'}`;

async function rowsOf(file, run) {
  let photo = null;
  try {
    photo = await prepare(file);
  } catch (error) {
    return [{file: file.name, error: error.message}];
  }
  if (photo.src) URL.revokeObjectURL(photo.src);
  const {name: model, untaught} = reader(); // another may be chosen while it reads
  const ask = () => askServer(server.recognise, {photo: photo.content, model});
  let answer = await ask();
  for (let tries = 1; answer.lost && tries < TRIES && table.running === run; tries++) {
    batchSaid.textContent = `No answer for ${file.name}: trying again`;
    await new Promise((done) => setTimeout(done, LULL));
    if (table.running === run) answer = await ask();
  }
  if (answer.error) return [{file: file.name, error: answer.error}];
  if (!answer.faces.length) return [{file: file.name, error: answer.sentence}];
  return answer.faces.map((face, place) => ({file: file.name, number: place + 1, face, untaught}));
}

function addRow(row) {
  table.rows.push(row);
  const line = batchBody.insertRow();
  const head = document.createElement('th');
  head.scope = 'row';
  head.textContent = row.file;
  head.title = row.file;
  line.append(head);
  if (row.error) {
    const cell = line.insertCell();
    cell.colSpan = facts.emotions.length + 2;
    cell.className = 'wrong';
    cell.textContent = row.error;
    return;
  }
  line.insertCell().textContent = row.number;
  const best = line.insertCell();
  best.dataset.emotion = strongest(row.face);
  best.className = 'best';
  best.textContent = strongest(row.face);
  for (const name of facts.emotions) {
    const cell = line.insertCell();
    const share = row.face.probabilities[name];
    cell.dataset.emotion = name;
    cell.style.setProperty('--share', `${Math.round(44 * share)}%`); // with more, the dark page's numbers would be hard to read
    cell.textContent = row.untaught.includes(name) ? '–' : percent(share);
  }
}

function endBatch(sentence) {
  table.running = 0;
  batchSaid.textContent = sentence;
  enter('batch-done');
}

function stopBatch() {
  if (!table.running) return;
  endBatch(`Stopped after ${count(batchBar.value, 'file')}.`);
}

/** The table as CSV; a name that a spreadsheet would take for a formula is put in as text. */
function csv() {
  const quoted = (value) => {
    const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [['file', 'face', ...facts.emotions, 'strongest', 'error']];
  for (const {file, number, face, untaught, error} of table.rows) {
    const share = (name) => face && !untaught.includes(name) ? face.probabilities[name].toFixed(4) : '';
    lines.push([
      file, number ?? '', ...facts.emotions.map(share),
      face ? strongest(face) : '', error ?? '',
    ]);
  }
  return lines.map((line) => line.map(quoted).join(',')).join('\r\n') + '\r\n';
}

function saveTable() {
  const bytes = new TextEncoder().encode(`\ufeff${csv()}`); // Excel takes a file without the mark for another code page
  saveFile({name: 'emotions.csv', type: 'text/csv', content: inBase64(bytes)});
  notify('Saved emotions.csv.');
}
