// @ts-check
/** The page of the race: starts the worker in which all contestants run, and shows what it says. `bench/lab.mjs` reads `window.race`. */

const state = /** @type {HTMLElement} */ (document.getElementById('state'));
const result = /** @type {HTMLElement} */ (document.getElementById('result'));

const task = await (await fetch('/task.json')).json();
/** @type {Worker} */
const worker = new Worker(new URL('./contestants.mjs', import.meta.url), { type: 'module' });

/** @type {{ race?: unknown }} */
const shared = /** @type {any} */ (window);

worker.onerror = (/** @type {ErrorEvent} */ event) => {
  shared.race = { failure: event.message || 'the worker could not be loaded' };
};
worker.onmessage = (/** @type {MessageEvent} */ { data }) => {
  if (data.state) {
    state.textContent = data.state;
    return;
  }
  shared.race = data;
  state.textContent = data.failure ? `Failed: ${data.failure}` : 'Done';
  result.textContent = JSON.stringify(data, null, 2);
};
worker.postMessage(task);
