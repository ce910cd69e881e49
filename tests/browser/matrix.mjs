// The page of `toolgate matrix --format html` in a real browser.
//
//   matrix.mjs PAGE                 tests it: the page of `matrix_page odd`
//   matrix.mjs PAGE --shoot DIR     writes the pictures, with the hash of the page they show
//   matrix.mjs PAGE --check DIR     says whether the pictures still show this page
//   matrix.mjs PAGE --time          prints how long a (large) page takes
//
// Modules are found below $BROWSER_MODULES, where tests/browser/bootstrap puts them.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const modules = createRequire(join(resolve(process.env.BROWSER_MODULES), 'package.json'));
const load = async (name) => (await import(pathToFileURL(modules.resolve(name)).href)).default;
const [puppeteer, packaged] = [await load('puppeteer-core'), await load('@sparticuz/chromium')];
const axe = readFileSync(modules.resolve('axe-core/axe.min.js'), 'utf8');

const [file, mode = '--test', directory = '.'] = process.argv.slice(2);
const url = pathToFileURL(resolve(file)).href;
const hash = createHash('sha256').update(readFileSync(file)).digest('hex');

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || await packaged.executablePath(),
  args: puppeteer.defaultArgs({ args: packaged.args, headless: 'shell' }),
  headless: 'shell',
});

const SIZES = { wide: { width: 1280, height: 900 }, narrow: { width: 390, height: 844 } };
const complaints = [];

// A page that notes whatever it asks the network for, and whatever it complains about.
const open = async ({ size = 'wide', scheme = 'light', fragment = '' } = {}) => {
  const page = await browser.newPage();
  page.on('request', (request) => {
    if (request.url().split('#')[0] !== url) complaints.push(`asked for ${request.url()}`);
  });
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.setViewport(SIZES[size]);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.goto(url + fragment, { waitUntil: 'load' });
  return page;
};

// What can be seen, without the order of the file: `server/item` for each row.
const seen = (page) => page.$$eval('main section:not([hidden]) tbody tr:not([hidden])', (rows) =>
  rows.map((row) => `${row.closest('section').querySelector('h2').firstChild.data}/${row.querySelector('.name').textContent}`));
const settled = (page) => page.evaluate(() => new Promise((done) => setTimeout(done, 150)));
const choose = async (page, select, name) => {
  const value = await page.$$eval(`#${select} option`, (options, name) =>
    options.find((option) => option.textContent === name).value, name);
  await page.select(`#${select}`, value);
  await settled(page);
};
const clear = async (page) => { await page.click('button[type=reset]'); await settled(page); };

const tests = {
  async 'every filter shows what it says, and all of it comes back'(page) {
    const all = await seen(page);
    await page.type('#q', 'PRESTO staging');
    await settled(page);
    assert.ok((await seen(page)).every((row) => row.startsWith('presto/')));
    assert.equal((await page.$$('main section:not([hidden])')).length, 1);
    await clear(page);
    await choose(page, 'effect', 'destructive');
    assert.deepEqual(new Set(await seen(page)), new Set(['presto/overwrite_table', 'spark/kill_application']));
    await clear(page);
    await page.click('#sensitive');
    await settled(page);
    assert.deepEqual(new Set(await seen(page)), new Set(['presto/get_revenue_metrics']));
    await clear(page);
    await choose(page, 'place', 'nightly-lineage');
    assert.deepEqual(new Set((await seen(page)).filter((row) => !row.includes('looking'))), new Set(['presto/list_tables']));
    const heads = await page.$$eval('main section:not([hidden]) thead th:not([hidden])', (heads) => heads.map((head) => head.textContent));
    assert.deepEqual(heads, ['Item', 'Effect', 'nightly-lineage service']);
    await clear(page);
    assert.deepEqual(await seen(page), all);
    assert.equal(await page.$eval('#shown', (shown) => shown.textContent), '');
  },
  async 'a group shows what belonging to it helps with, and never what it is left out of'(page) {
    await choose(page, 'group', 'data-trained');
    assert.ok((await seen(page)).includes('presto/get_revenue_metrics'));
    await choose(page, 'group', 'contractors');
    const rows = await seen(page);
    assert.ok(rows.includes('knowledge/search'));
    assert.ok(!rows.some((row) => row.startsWith('<img')));
    assert.ok(!rows.includes('presto/overwrite_table') && !rows.includes('spark/kill_application'));
    await choose(page, 'group', 'infra');
    assert.match(await page.$eval('#shown', (shown) => shown.textContent), /^Within reach of infra: \d+ items on \d+ servers, 1 destructive, of \d+ items in all$/);
    assert.ok((await page.$$eval('.hit', (hits) => hits.map((hit) => hit.textContent))).every((name) => name === 'infra'));
  },
  async 'names are text, whatever they hold'(page) {
    const strange = await page.$eval('main section:last-of-type', (section) => ({
      heading: section.querySelector('h2').textContent,
      place: section.querySelector('thead th:nth-child(3)').textContent,
      chips: Array.from(section.querySelectorAll('.g'), (chip) => chip.textContent),
      others: section.querySelectorAll('script, img, b').length,
    }));
    assert.deepEqual(strange, {
      heading: '<img src=x onerror=alert(1)>@prod</h2><script>alert(1)</script>',
      place: '"><script>alert(1)</script>',
      chips: ['<b>bold</b>', '\'"&amp;'],
      others: 0,
    });
    await choose(page, 'group', '<b>bold</b>');
    assert.ok((await seen(page)).some((row) => row.startsWith('<img')));
  },
  async 'nothing found is said'(page) {
    await page.type('#q', 'no such thing');
    await settled(page);
    assert.deepEqual(await seen(page), []);
    assert.ok(await page.$eval('#none', (none) => !none.hidden));
  },
  async 'a view can be passed on, and names in it are text'(page) {
    await choose(page, 'group', 'infra');
    await page.type('#q', '<img src=x onerror=alert(1)> &');
    await settled(page);
    const fragment = await page.evaluate(() => location.hash);
    const other = await open({ fragment });
    assert.equal(await other.$eval('#q', (q) => q.value), '<img src=x onerror=alert(1)> &');
    assert.equal(await other.$eval('#group', (group) => group.selectedOptions[0].textContent), 'infra');
    assert.equal((await other.$$('img')).length, 0);
    await other.close();
  },
  async 'the keyboard reaches all of it'(page) {
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'q');
    const order = [];
    for (let step = 0; step < 5; step += 1) {
      await page.keyboard.press('Tab');
      order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent));
    }
    assert.deepEqual(order, ['group', 'place', 'effect', 'sensitive', 'Clear']);
  },
  async 'a script that is not its own does not run'(page) {
    const ran = await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.ran = true';
      document.body.append(script);
      return Boolean(window.ran);
    });
    assert.equal(ran, false);
    const blocked = complaints.splice(0).filter((complaint) => !complaint.includes('Content Security Policy'));
    assert.deepEqual(blocked, []);
  },
};

const accessible = async (size, scheme) => {
  const page = await open({ size, scheme });
  // Off the screen nothing is painted, and what is not painted has no contrast to measure.
  await page.evaluate(() => document.querySelectorAll('section').forEach((section) => { section.style.contentVisibility = 'visible'; }));
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'] }));
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html} ${nodes[0].failureSummary}`);
  assert.deepEqual(found, [], `${size} ${scheme}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(over <= 0, `${size}: ${over} pixels too wide`);
  await page.close();
};

const test = async () => {
  for (const [name, run] of Object.entries(tests)) {
    const page = await open();
    await run(page);
    assert.deepEqual(complaints, [], name);
    await page.close();
    console.log(`ok  ${name}`);
  }
  for (const size of Object.keys(SIZES)) {
    for (const scheme of ['light', 'dark']) await accessible(size, scheme);
  }
  assert.deepEqual(complaints, []);
  console.log('ok  roles, names and contrast (WCAG 2.1 AA), wide and narrow, light and dark');
};

const shoot = async () => {
  mkdirSync(directory, { recursive: true });
  for (const size of Object.keys(SIZES)) {
    for (const scheme of ['light', 'dark']) {
      const page = await open({ size, scheme });
      await page.screenshot({ path: join(directory, `matrix-${size}-${scheme}.png`), optimizeForSpeed: false });
      await page.close();
    }
  }
  writeFileSync(join(directory, 'matrix.sha256'), `${hash}\n`);
};

const time = async () => {
  const start = performance.now();
  const page = await open();
  console.log(`load        ${Math.round(performance.now() - start)} ms`);
  for (const [label, words] of [['first word', 'spark'], ['next word', 'spark kill'], ['none', 'zzz'], ['all again', '']]) {
    const took = await page.evaluate((words) => new Promise((done) => {
      const q = document.getElementById('q');
      const shown = document.getElementById('none');
      q.value = words;
      const from = performance.now();
      q.dispatchEvent(new Event('input', { bubbles: true }));
      setTimeout(() => requestAnimationFrame(() => setTimeout(() => done(performance.now() - from - 90 + 0 * shown.offsetTop))), 90);
    }), words);
    console.log(`${label.padEnd(11)} ${Math.round(took)} ms`);
  }
  const longest = await page.evaluate(() => document.querySelectorAll('*').length);
  console.log(`elements    ${longest}`);
};

const check = () => {
  const shown = readFileSync(join(directory, 'matrix.sha256'), 'utf8').trim();
  assert.equal(shown, hash, 'the page changed since the pictures were taken: run `make screenshots`');
  console.log('ok  the pictures show this page');
};

try {
  await { '--test': test, '--shoot': shoot, '--check': check, '--time': time }[mode]();
} finally {
  await browser.close();
}
