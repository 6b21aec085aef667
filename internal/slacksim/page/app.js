import { blocks } from './blocks.js';
import { closeOnEscape, confirmed, showModal } from './dialogs.js';
import { el, reconcile } from './dom.js';
import { mrkdwn } from './text.js';

const byId = (id) => document.getElementById(id);
const chooser = byId('user');
const opened = new Set(); // the ts of messages whose threads are open
let state;
let names = new Map();
let source;

// call asks the server to act for the person who was chosen. Trouble is shown, and
// returned.
async function call(path, request = {}) {
  let answer;
  try {
    const response = await fetch(`sim/${path}`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ user: chooser.value, ...request }),
    });
    answer = response.ok || response.status === 409 ? await response.json() : { error: await response.text() };
  } catch {
    answer = { error: 'The stand-in does not answer.' };
  }
  if (answer?.error) toast(answer.error);
  return answer ?? {};
}

let hide;
function toast(text) {
  byId('toast').textContent = text;
  byId('toast').hidden = false;
  clearTimeout(hide);
  hide = setTimeout(() => { byId('toast').hidden = true; }, 6000);
}

const act = (path) => async (target, question) => {
  if (await confirmed(question, names)) await call(path, target);
};

function message(m) {
  const { ts, user, ephemeral, text, attachments, edited, replies } = m;
  const name = names.get(user) ?? 'app';
  const at = new Date(Number(ts) * 1000);
  const context = { names, ts, use: (target, question) => act('click')({ ...target, ts }, question) };
  const shown = m.blocks ? blocks(m.blocks, context) : [el('div', { class: 'text' }, mrkdwn(text, names), edited ? el('small', {}, ' (edited)') : null)];
  return el('article', { class: ephemeral ? 'message ephemeral' : 'message', 'data-ts': ts, 'data-user': user },
    el('span', { class: 'avatar', 'data-name': name, 'aria-hidden': 'true' }, name[0].toUpperCase()),
    el('div', { class: 'body' },
      el('div', { class: 'by' }, el('strong', {}, name), names.has(user) ? null : el('small', { class: 'badge' }, 'APP'),
        el('time', { datetime: at.toISOString(), title: at.toLocaleString() }, at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })),
        ephemeral ? el('small', { class: 'only' }, 'Only visible to you') : null),
      el('div', { class: 'blocks' }, shown),
      (attachments ?? []).map((a) => el('div', { class: 'attachment blocks' }, a.blocks ? blocks(a.blocks, context) : mrkdwn(a.text ?? a.fallback ?? '', names))),
      replies?.length ? thread(ts, replies) : null));
}

function thread(ts, replies) {
  const toggle = (event) => (event.currentTarget.open ? opened.add(ts) : opened.delete(ts));
  return el('details', { class: 'thread', open: opened.has(ts), toggle },
    el('summary', {}, replies.length === 1 ? '1 reply' : `${replies.length} replies`), replies.map(message));
}

function showMessages(section, messages, empty) {
  const list = messages.filter((m) => !m.threadTs || m.broadcast || m.ephemeral)
    .map((m) => ({ ...m, replies: messages.filter((reply) => reply.threadTs === m.ts && !reply.ephemeral) }))
    .sort((a, b) => (a.ts < b.ts ? -1 : 1));
  const main = document.querySelector('main');
  const atEnd = main.scrollHeight - main.scrollTop - main.clientHeight < 60;
  reconcile(section, list.length ? list : [{ empty }], (m) => m.ts ?? 'empty', (m) => (m.empty ? el('p', { class: 'empty' }, m.empty) : message(m)));
  if (atEnd && !section.hidden) main.scrollTop = main.scrollHeight;
}

function showHome() {
  const home = byId('home');
  const hash = state.home ? state.home.id + state.home.hash : 'none';
  if (home.dataset.hash === hash) return;
  home.dataset.hash = hash;
  home.replaceChildren(el('div', { class: 'blocks' }, state.home
    ? blocks(state.home.blocks, { names, use: act('home/click') })
    : el('p', { class: 'empty' }, 'The app has not published a home for you yet.')));
}

function show() {
  names = new Map([...state.users.map((u) => [u.id, u.name]), [state.channelId, state.channel]]);
  chooser.value = state.user;
  document.querySelector('[data-tab=channel]').textContent = `# ${state.channel}`;
  byId('connection').textContent = ['no app connected', '1 connection'][state.connections] ?? `${state.connections} connections`;
  byId('connection').dataset.connections = state.connections;
  const all = [...state.messages, ...state.ephemerals];
  showMessages(byId('channel'), all.filter((m) => m.channel === state.channelId), 'Nothing was said here yet.');
  showMessages(byId('direct'), all.filter((m) => m.channel !== state.channelId), 'The app has not written to you.');
  showHome();
  showModal(state.modal, names, {
    use: act('modal/click'),
    close: () => call('modal/close'),
    submit: async (values) => {
      const answer = await call('modal/submit', { values });
      return { errors: answer.errors, trouble: answer.error };
    },
  });
  showFaults();
}

const faults = document.querySelector('#faults form');

function showFaults() {
  const f = state.faults;
  for (const name of ['outage', 'redeliver']) faults.elements[name].checked = f[name];
  faults.elements.triggers.checked = f.triggerLifetime > 0;
  for (const name of ['rateLimit', 'loseAnswers']) {
    if (faults.elements[name] !== document.activeElement) faults.elements[name].value = f[name];
  }
  byId('faults').classList.toggle('on', f.outage || f.redeliver || f.triggerLifetime > 0 || f.rateLimit > 0 || f.loseAnswers > 0);
}

faults.addEventListener('submit', (event) => event.preventDefault());
faults.addEventListener('change', () => call('faults', {
  faults: {
    ...state.faults,
    outage: faults.elements.outage.checked,
    redeliver: faults.elements.redeliver.checked,
    triggerLifetime: faults.elements.triggers.checked ? 1 : 0, // a nanosecond
    rateLimit: faults.elements.rateLimit.valueAsNumber || 0,
    loseAnswers: faults.elements.loseAnswers.valueAsNumber || 0,
  },
}));
for (const name of ['disconnect', 'drop']) faults.elements[name].addEventListener('click', () => call(name));

for (const tab of document.querySelectorAll('nav button')) {
  tab.addEventListener('click', () => {
    for (const other of document.querySelectorAll('nav button')) {
      other.ariaPressed = String(other === tab);
      byId(other.dataset.tab).hidden = other !== tab;
    }
    byId('compose').hidden = tab.dataset.tab !== 'channel';
    if (tab.dataset.tab === 'home') call('home/open');
  });
}

byId('compose').addEventListener('submit', async (event) => {
  event.preventDefault();
  const { text } = event.currentTarget.elements;
  const said = text.value.trim();
  if (!said) return;
  text.value = '';
  const [, command, rest] = /^(\/\S+)\s*(.*)$/.exec(said) ?? [];
  const answer = await (command ? call('slash', { command, text: rest }) : call('say', { text: said }));
  if (answer.error) text.value = said;
});

closeOnEscape(() => call('modal/close'));

// follow shows what a person sees, now and after every change.
function follow(user) {
  source?.close();
  source = new EventSource(`sim/events?${new URLSearchParams({ user })}`);
  source.onmessage = (event) => {
    state = JSON.parse(event.data);
    if (!chooser.options.length) chooser.append(...state.users.map((u) => el('option', { value: u.id }, u.name)));
    show();
  };
  source.onerror = () => { byId('connection').textContent = 'the stand-in is not running'; };
}

chooser.addEventListener('change', () => {
  history.replaceState(null, '', `?${new URLSearchParams({ user: chooser.value })}`);
  follow(chooser.value);
  if (!byId('home').hidden) call('home/open');
});

follow(new URLSearchParams(location.search).get('user') ?? '');

// A menu closes when a person clicks elsewhere.
document.addEventListener('click', (event) => {
  for (const menu of document.querySelectorAll('details.overflow[open], #faults[open]')) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
