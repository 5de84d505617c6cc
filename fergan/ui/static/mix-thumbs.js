// Small faces of the tab Mix: the same person in seven emotions, intensities, moments, history. It goes on where
// mix-wheel.js ends. They are drawn when no large face is wanted, a few at a time.

const FEW = 7; // small faces in one request
const KEPT = 24;
const moments = recall('mix.moments').map(({model, ...settings}) => settings); // of the film, which any model draws
const past = recall('mix.past');

/** What a small face shows: settings, and their model. */
const small = {
  pure: (name) => ({...state, weights: pure(name)}),
  part: (part) => {
    const all = shares(base);
    const weights = Object.fromEntries(facts.emotions.map((name, place) => [name, Math.round(all[place] * part * 100) / 100]));
    weights.neutral = Math.round((weights.neutral + 100 - part) * 100) / 100;
    return {...state, weights};
  },
  moment: (place) => ({...moments[place], model: state.model}),
  past: (place) => past[place],
};

/** Settings that the browser kept; those that are broken, or of a model that is not here, are left out. */
function recall(name) {
  const within = (most, value) => typeof value === 'number' && value >= 0 && value <= most;
  const whole = (most, value) => Number.isInteger(value) && within(most, value);
  const sound = ({model, seed, weights, typical, coarse}) => facts.models.some((other) => other.name === model)
    && whole(facts.lastSeed, seed) && whole(100, typical) && (coarse === null || whole(facts.lastSeed, coarse))
    && facts.emotions.every((emotion) => within(100, weights?.[emotion]));
  try {
    return (JSON.parse(memory.get(name)) ?? []).filter(sound).slice(0, KEPT);
  } catch {
    return []; // another version's, or somebody wrote there
  }
}

/** The settings that a small face's button stands for. */
function shownBy({dataset}) {
  const kind = Object.keys(small).find((name) => name in dataset);
  return small[kind](kind === 'pure' ? dataset.pure : Number(dataset[kind]));
}

const thumbs = () => $$('.mix-thumb').filter((button) => button.dataset.past === undefined || $('.mix-history').open);

function paintThumbs() {
  for (const button of thumbs()) {
    const settings = shownBy(button);
    const picture = faces.get(key(settings, settings.model))?.picture;
    const image = button.querySelector('img');
    button.classList.toggle('waiting', !picture && !image.getAttribute('src'));
    button.classList.toggle('stale', !picture);
    if (picture && image.getAttribute('src') !== picture) image.src = picture;
    if (button.dataset.moment === undefined) button.setAttribute('aria-pressed', key(settings, settings.model) === key());
  }
}

let filling = false;
const refused = new Set(); // keys that the server would not draw: asked once

async function drawThumbs() {
  if (filling) return;
  filling = true;
  try {
    while (!coming.size && shown()) {
      const wanted = new Map(thumbs().map(shownBy).map((settings) => [key(settings, settings.model), settings]));
      const missing = [...wanted].filter(([name]) => !faces.has(name) && !refused.has(name));
      if (!missing.length) return;
      const {model} = missing[0][1];
      const few = missing.filter(([, settings]) => settings.model === model).slice(0, FEW);
      const answer = await askServer(server.draw, {model, moments: few.map(([, settings]) => moment(settings, model))});
      if (answer.lost) return; // they are asked for anew with the next wish, as by Retry, and not before
      few.forEach(([name], place) => {
        if (answer.error) refused.add(name);
        else if (!faces.has(name)) remember(name, answer.faces[place]);
      });
      paintThumbs();
    }
  } finally {
    filling = false;
  }
}

// --- history: settings only, and only of faces that were looked at for a while ---

let looking;
function keepPast() {
  clearTimeout(looking);
  looking = setTimeout(() => {
    const {model, seed, weights, typical, coarse} = state;
    const name = key();
    const before = past.findIndex((settings) => key(settings, settings.model) === name);
    if (before >= 0) past.splice(before, 1);
    past.unshift({model, seed, weights: {...weights}, typical, coarse});
    past.length = Math.min(past.length, KEPT);
    memory.set('mix.past', JSON.stringify(past));
    paintPast();
  }, 1500);
}

function paintPast() {
  if (!$('.mix-history').open) return;
  const focused = $('.mix-past').contains(document.activeElement); // a face pressed by keyboard is the first one now
  $('.mix-past').replaceChildren(...past.map((settings, place) => newThumb('past', place, `${told(settings.weights)}, seed ${settings.seed}`)));
  if (focused) $('.mix-past').firstElementChild?.focus();
  paintThumbs();
  drawThumbs();
}

function newThumb(kind, place, label) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'mix-thumb';
  button.dataset[kind] = place;
  button.title = label;
  button.setAttribute('aria-label', label);
  button.innerHTML = '<img class="face" alt="">';
  return button;
}
