
'use strict';
(() => {
  const form = document.getElementById('filters');
  const field = (id) => document.getElementById(id);
  const q = field('q'), group = field('group'), place = field('place');
  const effect = field('effect'), sensitive = field('sensitive');
  const numbers = (text) => (text ? text.split(' ') : []);
  let model = null;
  let marked = [];

  // Read from the tables once, at the first filter: pages with 1,000 servers open at once.
  const read = () => Array.from(document.querySelectorAll('main section'), (section) => {
    const table = section.querySelector('table');
    const heads = Array.from(table.tHead.rows[0].cells);
    const about = section.querySelector('h2').textContent.toLowerCase();
    const rows = Array.from(table.tBodies[0].rows, (row) => ({
      row,
      text: about + '\n' + row.textContent.toLowerCase(),
      effect: row.dataset.e || '',
      sensitive: row.dataset.s === '1',
      cells: Array.from(row.cells).slice(2).map((cell) => ({
        cell,
        place: cell.dataset.p,
        clauses: Array.from(cell.children).filter((clause) => clause.className === 'c'),
      })),
    }));
    return { section, server: section.dataset.server, heads: heads.slice(2), rows };
  });

  // Whether membership in the group helps with this clause.
  const reaches = (clause, wanted) => {
    const { g, x } = clause.dataset;
    return g === '*' ? !numbers(x).includes(wanted) : numbers(g).includes(wanted);
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
      for (const { row, text, effect: has, sensitive: touchy, cells } of rows) {
        all += 1;
        let show = (!wantedEffect || has === wantedEffect) && (!sensitive.checked || touchy)
          && words.every((word) => text.includes(word));
        let reached = !wantedGroup && !wantedPlace;
        for (const { cell, place: at, clauses } of cells) {
          const here = !wantedPlace || at === wantedPlace;
          cell.hidden = !here;
          const mine = wantedGroup ? clauses.filter((clause) => reaches(clause, wantedGroup)) : clauses;
          if (here && mine.length) reached = true;
          cell.classList.toggle('dim', Boolean(wantedGroup) && !mine.length);
          if (!show || !here || !wantedGroup) continue;
          for (const clause of mine) {
            for (const chip of clause.querySelectorAll('.g')) {
              if (chip.textContent === name) { chip.classList.add('hit'); marked.push(chip); }
            }
          }
        }
        show = show && reached;
        row.hidden = !show;
        if (!show) continue;
        some = true;
        seen.items += 1;
        if (has === 'destructive') seen.destructive += 1;
        if (touchy) seen.sensitive += 1;
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
})();
