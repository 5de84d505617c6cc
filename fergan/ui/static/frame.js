// The address bar says which tab is open: opens the tab of a link, or of a step back, and tells the tabs when another is
// opened.
// The stage is a view of the tab Mix, or of the quiz where the link names it: its link opens that tab, behind a dark
// page until the stage is there.
const link = new URL(location.href);
if (link.searchParams.get('view') === 'stage') {
  if (link.searchParams.get('tab') !== 'real-or-fake') link.searchParams.set('tab', 'mix');
  history.replaceState(history.state, '', link);
  document.documentElement.classList.add('on-stage');
}
const wanted = link.searchParams.get('tab');
window.ferganLink = wanted; // the tab that the link was made by: it says what is wrong in it

const tabs = () => document.querySelector('#tabs [role="tablist"]');
const tabOf = (address) => address.searchParams.get('tab') ?? tabs().querySelector('button').id.replace(/-button$/, '');

function enter({target}) {
  if (!target.id.endsWith('-button')) return;
  const address = new URL(location.href), left = tabOf(address);
  address.searchParams.set('tab', target.id.replace(/-button$/, ''));
  try { // a way back to the tab that is left; a tab's own settings make none, there would be one for each click
    history[tabOf(address) === left ? 'replaceState' : 'pushState'](history.state, '', address);
  } catch { // Safari takes 100 in half a minute (see writeLink): once more, if nobody has gone on
    return setTimeout(() => { if (target.ariaSelected === 'true') enter({target}); }, 1000);
  }
  dispatchEvent(new Event('fergan-tab'));
}

addEventListener('popstate', () => {
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close(); // it belongs to the tab that is left
  document.getElementById(`${tabOf(new URL(location.href))}-button`)?.click();
});

// A file that no tab takes is not to open in place of the page.
for (const name of ['dragover', 'drop']) {
  addEventListener(name, (event) => {
    if (event.defaultPrevented || !event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = 'none';
  });
}

(function whenTabsAreThere() {
  if (!tabs()) return requestAnimationFrame(whenTabsAreThere);
  tabs().addEventListener('click', enter);
  if (wanted) document.getElementById(`${wanted}-button`)?.click();
})();
