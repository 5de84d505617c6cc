// What every tab's script begins with. Each gr.HTML runs in a function of its own, so these are local names.
// EMOTIONS, the seven names, comes from fergan/emotions.py by way of theme.py.

/** Columns and the side of a square face, so that `count` faces with `label` pixels of text below fill a box best. */
function fitGrid(count, width, height, {gap, label, smallest, largest = 480}) {
  let best = {columns: 1, side: 0, empty: Infinity};
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const side = Math.min((width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows - label, largest);
    const empty = columns * rows - count;
    if (side > best.side * 1.04 || (side > best.side * 0.96 && empty < best.empty)) best = {columns, side, empty};
  }
  if (best.side >= smallest) return best;
  const columns = Math.max(1, Math.min(count, Math.floor((width + gap) / (smallest + gap))));
  return {columns, side: (width - gap * (columns - 1)) / columns};  // too many to fit: the box scrolls
}

/** Base64 -> bytes. */
const unpack = (content) => Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));

/** Bytes -> base64; as many arguments of one call browsers would refuse. */
const inBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));

/** Hands a file {name, type, content in base64} to the person. */
function saveFile({name, type, content}) {
  const anchor = document.createElement('a');
  anchor.href = URL.createObjectURL(new Blob([unpack(content)], {type}));
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10000);
}

/** A File of the browser -> its bytes in base64. */
async function readFile(file) {
  const uri = await new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(file);
  });
  return uri.slice(uri.indexOf(',') + 1);
}

/** Copies text; false where the browser forbids it (no https, no permission). */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement('textarea');
    field.value = text;
    (document.querySelector('dialog[open]') ?? document.body).append(field);
    field.select();
    const copied = document.execCommand('copy');
    field.remove();
    return copied;
  }
}

/** The address without Gradio's and the Hub's own parameters: on a private Space `__sign` is the token that opens it. */
function linkToShare() {
  const address = new URL(location.href);
  for (const name of [...address.searchParams.keys()]) {
    if (name.startsWith('__')) address.searchParams.delete(name);
  }
  return address.href;
}

/** Copies the tab's link as it is now, `publish`ed first, and says so. */
async function copyLink(publish, words = 'Link copied.') {
  publish();
  const link = linkToShare();
  notify(await copyText(link) ? words : `Copy this link: ${link}`);
}

/** Puts settings, but those that are null, into the address bar, and into the Hub's when the page is a Space. */
function writeLink(settings) {
  const address = new URL(location.href);
  for (const name of [...address.searchParams.keys()]) {
    if (!name.startsWith('__')) address.searchParams.delete(name); // Gradio's own, as __theme, stay
  }
  for (const [name, value] of Object.entries(settings)) {
    if (value !== null) address.searchParams.set(name, value);
  }
  if (address.href === location.href) return;
  try {
    history.replaceState(history.state, '', address);
  } catch {
    return; // Safari takes 100 in half a minute, fewer than a hand on a slider makes: a later change is written
  }
  if (window.parent !== window) {
    window.parent.postMessage({queryString: new URL(linkToShare()).search}, 'https://huggingface.co');
  }
}

/** Says what of a link is not here; a tab that another one's link led to says nothing: those settings are not its own. */
function tellWrong(wrong, tab) {
  if (!wrong.length || window.ferganLink !== tab) return;
  notify(`This link asks for what is not here (${wrong.join(', ')}); the rest of it is shown.`);
}

/** A setting that this browser keeps; where it forbids to, or is full, it lasts a visit, and for all tabs. */
const memory = {
  visit: window.ferganMemory ??= new Map(),
  get(name) {
    if (this.visit.has(name)) return this.visit.get(name);
    try { return localStorage.getItem(`fergan.${name}`); } catch { return null; }
  },
  set(name, value) {
    try {
      localStorage.setItem(`fergan.${name}`, value);
      this.visit.delete(name);
    } catch {
      this.visit.set(name, String(value)); // as the browser would give it back
    }
  },
};

/** Whether a key press belongs to whoever has the focus: text, numbers, lists. */
function isTyping(target) {
  return target.isContentEditable || target.matches?.('textarea, select, input:not([type=radio], [type=checkbox], [type=range], [type=file])');
}

/** Asks the server; always an object: `error` is a sentence where it refuses, with `lost` where no answer came. */
async function askServer(verb, fields, seconds = 60) {
  const late = new Promise((done) => setTimeout(done, seconds * 1000, {error: 'The server takes too long to answer. Try again.', lost: true}));
  const answer = await Promise.race([verb(fields), late]);
  return answer ?? {error: 'The server does not answer. Check that it is running, then try again.', lost: true};
}

/** Probabilities that sum to 1 -> whole percents that sum to 100: the largest remainders are rounded up. */
function percents(probabilities) {
  const exact = probabilities.map((share) => share * 100);
  const whole = exact.map(Math.floor);
  const order = exact.map((_, place) => place).sort((one, other) => exact[other] % 1 - exact[one] % 1);
  const short = 100 - whole.reduce((sum, part) => sum + part, 0);
  order.slice(0, short).forEach((place) => { whole[place] += 1; });
  return whole;
}

/** What a classifier reads: the strongest of the seven, and how sure it is in percent. */
function reading(probabilities) {
  const place = probabilities.indexOf(Math.max(...probabilities));
  return {emotion: EMOTIONS[place], percent: percents(probabilities)[place]};
}

/**
 * Fills an element (a `<ul class="bars">`) with a bar for each emotion. `probabilities` are seven in the order of
 * EMOTIONS, or null while nobody has read the face: the bars are empty then, and as large. `asked`, an emotion's
 * name, is marked. The bars stay the same elements, so that they glide from face to face.
 */
function fillBars(element, probabilities, {asked = null} = {}) {
  if (element.children.length !== EMOTIONS.length) {
    element.innerHTML = EMOTIONS.map((name) => `<li data-emotion="${name}">
      <svg class="icon" aria-hidden="true"><use href="#icon-${name}"></use></svg>
      <span class="word">${name}<svg class="icon mark" aria-hidden="true"><use href="#icon-asked"></use></svg><span class="unseen"></span></span>
      <span class="track" aria-hidden="true"></span><span class="percent"></span></li>`).join('');
  }
  const whole = probabilities && percents(probabilities);
  const first = probabilities && reading(probabilities).emotion;
  EMOTIONS.forEach((name, place) => {
    const row = element.children[place];
    row.classList.toggle('asked', name === asked);
    row.classList.toggle('first', name === first);
    row.title = name === asked ? 'The emotion that was asked for' : '';
    row.querySelector('.unseen').textContent = name === asked ? ', asked for' : '';
    row.style.setProperty('--share', probabilities ? probabilities[place] : 0);
    row.querySelector('.percent').textContent = probabilities ? `${whole[place]} %` : '';
  });
}

/** Whether this tab is the one on screen. */
const shown = () => element.isConnected && element.offsetParent !== null;

/** Files dropped anywhere on the page go to `take` while `may()` allows it; until then the veil says what happens. */
function onDrop(veil, may, take) {
  let depth = 0; // dragging over a child enters it before it leaves the parent
  const carries = (event) => may() && event.dataTransfer?.types.includes('Files');
  const count = (by) => { depth = by && depth + by; veil.hidden = depth <= 0; };
  document.addEventListener('dragenter', (event) => { if (carries(event)) count(1); });
  document.addEventListener('dragleave', (event) => { if (carries(event)) count(-1); });
  document.addEventListener('dragover', (event) => { if (carries(event)) event.preventDefault(); });
  document.addEventListener('drop', (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    count(0);
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
  });
}

let restores = 0; // files so far: of two in quick succession the last one counts, whichever answer comes first

/** The settings that the server reads from a file; null where there are none, which is said, or where another file came. */
async function settingsFrom(file) {
  const refuse = (sentence) => { notify(sentence); return null; };
  if (file.size > facts.maxUpload) return refuse(`${file.name} is larger than ${facts.maxUpload >> 20} MB.`);
  const restore = restores += 1;
  const answer = await askServer(server.restore, await readFile(file).catch(() => ''));
  if (restore !== restores) return null;
  return answer.error ? refuse(`${file.name}: ${answer.error}`) : answer;
}

function makeNotice() {
  const dismiss = make('button', {'type': 'button', 'class': 'button bare', 'aria-label': 'Dismiss'}, icon('close'));
  dismiss.addEventListener('click', () => notify(''));
  return make('div', {class: 'notice', role: 'alert'}, make('p'), dismiss);
}

let forgetting;

/**
 * Says a sentence at the tab's edge for a while, or nothing more. A dialog that is open hides what is outside it. What
 * is said in a hidden tab, as of a film that failed meanwhile, waits there until the tab is opened.
 */
function notify(sentence) {
  const notice = element.querySelector('.notice') ?? makeNotice();
  (element.querySelector('dialog[open]') ?? element.firstElementChild).append(notice);
  notice.querySelector('p').textContent = sentence;
  notice.hidden = !sentence;
  clearInterval(forgetting);
  let seconds = 9; // on screen
  if (sentence) forgetting = setInterval(() => {
    if (!shown() || (seconds -= 1) > 0) return;
    notice.hidden = true;
    clearInterval(forgetting);
  }, 1000);
}

/** Gives `take` what `ask` brings, or says why there is nothing; the button is busy until then. */
async function takeAnswer(button, ask, take) {
  if (button.ariaBusy === 'true') return;
  button.ariaBusy = 'true';
  const answer = await ask().catch(() => ({error: 'This could not be read; choose it once more.'}));
  button.ariaBusy = 'false';
  if (answer.error) return notify(answer.error);
  take(answer);
}

/** Hands over the file that `ask` brings. */
const saveAnswer = (button, ask) => takeAnswer(button, ask, (file) => { saveFile(file); notify(`Saved ${file.name}.`); });

const PATIENCE = 12000; // ms without an answer

/**
 * Hands over the file that the server makes aside: `begin` asks for it, the tab's verbs `progress` and `stop` tell how
 * far it is and give it up, and `paint(words, share, stop)` shows that; `paint()` nothing. The server goes on while the
 * network is away, so a lost answer is asked for again, for PATIENCE.
 */
async function saveJob(begin, paint) {
  let stopped = false;
  let job = null;
  const stop = () => { stopped = true; if (job) askServer(server.stop, job); };
  paint('Making the file', 0, stop); // before the server answers, so that a second click begins no other
  let answer = await begin();
  job = answer.job;
  if (stopped) stop(); // before its name was known
  let lost = null; // since when no answer comes
  const waiting = () => answer.lost && job && performance.now() - (lost ??= performance.now()) < PATIENCE;
  while (!stopped && !answer.content && (!answer.error || waiting())) {
    await new Promise((done) => setTimeout(done, 300));
    if (stopped) break;
    answer = await askServer(server.progress, job);
    if (!answer.lost) lost = null;
    if (answer.of && !stopped) paint(answer.done < answer.of ? 'Making the file' : 'Writing the file', answer.done / answer.of, stop);
  }
  paint();
  if (stopped) return notify('Stopped; nothing was saved.');
  if (job && !answer.lost) askServer(server.stop, job); // it is here: the server need not keep it
  if (answer.error) return notify(answer.error);
  saveFile(answer);
  notify(`Saved ${answer.name}.`);
}

/** Opens another tab with something for it: it may not have been there before, so the tab fetches it, by `handed`. */
function handTo(tab, what) {
  window.ferganHanded = {tab, what};
  const button = document.getElementById(`${tab}-button`);
  button.click();
  button.focus();
}

/** What another tab has handed to this one, once; null where it was nothing. */
function handed(tab) {
  if (window.ferganHanded?.tab !== tab) return null;
  const {what} = window.ferganHanded;
  delete window.ferganHanded;
  return what;
}

/** A new element: make('td', {title: 'x'}, 'text', child). */
function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

/** An icon of the sprite (see icons.svg). */
function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}
