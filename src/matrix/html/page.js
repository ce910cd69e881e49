
'use strict';
(() => {
  const form = document.getElementById('filters');
  const field = (id) => document.getElementById(id);
  const q = field('q'), group = field('group'), place = field('place');
  const effect = field('effect'), sensitive = field('sensitive');
  const numbers = (text) => (text ? text.split(' ') : []);
  let model = null;
  let marked = [];

  // Read from the tables once, when there is time: pages with 1,000 servers open at once. What is
  // shown is remembered, since asking or telling an element costs more than comparing.
  const read = () => Array.from(document.querySelectorAll('main section'), (section) => {
    const table = section.querySelector('table');
    const heads = Array.from(table.tHead.rows[0].cells);
    const about = section.querySelector('h2').textContent.toLowerCase();
    const rows = Array.from(table.tBodies[0].rows, (row) => ({
      row,
      shown: true,
      text: about + '\n' + row.textContent.toLowerCase(),
      effect: row.dataset.e || '',
      sensitive: row.dataset.s === '1',
      cells: Array.from(row.cells).slice(2).map((cell) => ({
        cell,
        shown: true,
        dim: false,
        place: cell.dataset.p,
        clauses: cell.className === 'n' ? [] : Array.from(cell.children, (element) => ({
          element, g: numbers(element.dataset.g), x: numbers(element.dataset.x),
        })),
      })),
    }));
    return { section, server: section.dataset.server, heads: heads.slice(2), rows };
  });

  // Whether membership in the group helps with this clause.
  const reaches = ({ g, x }, wanted) => (g[0] === '*' ? !x.includes(wanted) : g.includes(wanted));

  const show = (entry, element, shown) => {
    if (entry.shown !== shown) element.hidden = !shown;
    entry.shown = shown;
  };

  const count = (number, word) => `${number} ${word}${number === 1 ? '' : 's'}`;

  const apply = () => {
    model = model || read();
    const words = q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const [wantedGroup, wantedPlace, wantedEffect] = [group.value, place.value, effect.value];
    const filtered = Boolean(words.length || wantedGroup || wantedPlace || wantedEffect || sensitive.checked);
    const name = wantedGroup && group.selectedOptions[0].textContent;
    for (const chip of marked) chip.classList.remove('hit');
    marked = [];
    const seen = { servers: new Set(), items: 0, destructive: 0, sensitive: 0 };
    let all = 0;
    for (const { section, server, heads, rows } of model) {
      let some = false;
      for (const head of heads) head.hidden = Boolean(wantedPlace) && head.dataset.p !== wantedPlace;
      for (const entry of rows) {
        all += 1;
        let reached = !wantedGroup && !wantedPlace;
        const fits = (!wantedEffect || entry.effect === wantedEffect)
          && (!sensitive.checked || entry.sensitive) && words.every((word) => entry.text.includes(word));
        for (const cell of entry.cells) {
          const here = !wantedPlace || cell.place === wantedPlace;
          show(cell, cell.cell, here);
          const mine = wantedGroup ? cell.clauses.filter((clause) => reaches(clause, wantedGroup)) : cell.clauses;
          if (here && mine.length) reached = true;
          const dim = Boolean(wantedGroup) && !mine.length;
          if (cell.dim !== dim) cell.cell.classList.toggle('dim', dim);
          cell.dim = dim;
          if (!fits || !here || !wantedGroup) continue;
          for (const { element } of mine) {
            for (const chip of element.querySelectorAll('.g')) {
              if (chip.textContent === name) { chip.classList.add('hit'); marked.push(chip); }
            }
          }
        }
        show(entry, entry.row, fits && reached);
        if (!entry.shown) continue;
        some = true;
        seen.items += 1;
        if (entry.effect === 'destructive') seen.destructive += 1;
        if (entry.sensitive) seen.sensitive += 1;
      }
      section.hidden = !some;
      if (some) seen.servers.add(server);
    }
    field('none').hidden = seen.items > 0;
    const parts = [`${count(seen.items, 'item')} on ${count(seen.servers.size, 'server')}`];
    if (seen.destructive) parts.push(`${seen.destructive} destructive`);
    if (seen.sensitive) parts.push(`${seen.sensitive} sensitive`);
    const of = filtered ? `, of ${count(all, 'item')} in all` : '';
    const who = name ? `Within reach of ${name}: ` : '';
    field('shown').textContent = filtered ? `${who}${parts.join(', ')}${of}` : '';
    remember(filtered);
  };

  // What is filtered stands in the address, so that a view can be passed on.
  const remember = (filtered) => {
    const state = new URLSearchParams();
    if (q.value) state.set('q', q.value);
    for (const select of [group, place, effect]) {
      if (select.value) state.set(select.id, select.selectedOptions[0].textContent);
    }
    if (sensitive.checked) state.set('sensitive', '1');
    if (filtered || location.hash.includes('=')) {
      history.replaceState(null, '', filtered ? `#${state}` : '#');
    }
  };

  const recall = () => {
    if (!location.hash.includes('=')) return;
    const state = new URLSearchParams(location.hash.slice(1));
    q.value = state.get('q') || '';
    for (const select of [group, place, effect]) {
      const wanted = state.get(select.id);
      const option = Array.from(select.options).find((option) => option.textContent === wanted);
      select.value = wanted && option ? option.value : '';
    }
    sensitive.checked = state.get('sensitive') === '1';
    apply();
  };

  let timer = 0;
  form.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(apply, 90); });
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', () => setTimeout(apply));
  addEventListener('hashchange', recall);
  addEventListener('keydown', (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      q.focus();
    }
  });
  form.hidden = false;
  recall();
  (window.requestIdleCallback || setTimeout)(() => { model = model || read(); });
})();
