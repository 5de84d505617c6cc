// The address bar says which tab is open: opens the tab of a link, and tells the tabs when another is opened.
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

function enter({target}) {
  if (!target.id.endsWith('-button')) return;
  const address = new URL(location.href);
  address.searchParams.set('tab', target.id.replace(/-button$/, ''));
  try {
    history.replaceState(history.state, '', address);
  } catch { // Safari takes 100 in half a minute (see writeLink): once more, if nobody has gone on
    return setTimeout(() => { if (target.ariaSelected === 'true') enter({target}); }, 1000);
  }
  dispatchEvent(new Event('fergan-tab'));
}

(function whenTabsAreThere() {
  const tabs = document.querySelector('#tabs [role="tablist"]');
  if (!tabs) return requestAnimationFrame(whenTabsAreThere);
  tabs.addEventListener('click', enter);
  if (wanted) document.getElementById(`${wanted}-button`)?.click();
})();
