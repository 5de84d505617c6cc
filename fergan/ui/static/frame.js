// The address bar says which tab is open: opens the tab of a link, and tells the tabs when another is opened.
const wanted = new URLSearchParams(location.search).get('tab');

function enter({target}) {
  if (!target.id.endsWith('-button')) return;
  const address = new URL(location.href);
  address.searchParams.set('tab', target.id.replace(/-button$/, ''));
  history.replaceState(history.state, '', address);
  dispatchEvent(new Event('fergan-tab'));
}

(function whenTabsAreThere() {
  const tabs = document.querySelector('#tabs [role="tablist"]');
  if (!tabs) return requestAnimationFrame(whenTabsAreThere);
  tabs.addEventListener('click', enter);
  if (wanted) document.getElementById(`${wanted}-button`)?.click();
})();
