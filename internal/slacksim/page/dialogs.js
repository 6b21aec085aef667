import { blocks, enter, entered } from './blocks.js';
import { el } from './dom.js';
import { textObject } from './text.js';

// confirmed asks what a confirm object asks, and tells whether the answer is yes.
export function confirmed(question, names) {
  if (!question) return Promise.resolve(true);
  const dialog = document.getElementById('confirm');
  return new Promise((resolve) => {
    const answer = (yes) => () => {
      dialog.close();
      resolve(yes);
    };
    dialog.replaceChildren(
      el('h2', {}, question.title.text),
      el('div', { class: 'text' }, textObject(question.text, names)),
      el('footer', {},
        el('button', { type: 'button', id: 'confirm-no', click: answer(false) }, question.deny.text),
        el('button', { type: 'button', id: 'confirm-yes', class: question.style ?? 'primary', click: answer(true) }, question.confirm.text)));
    dialog.addEventListener('close', () => resolve(false), { once: true }); // by the Escape key
    dialog.showModal();
  });
}

const dialog = document.getElementById('modal');
let shown; // the view that the dialog shows

// showModal makes the dialog show a view, or none. Of a view that was updated, what a person
// has entered stays.
export function showModal(view, names, actions) {
  if (!view) {
    shown = undefined;
    if (dialog.open) dialog.close();
    return;
  }
  if (shown?.id === view.id && shown.hash === view.hash) return;
  const before = shown?.id === view.id ? entered(dialog) : {};
  shown = view;
  const form = el('form', { method: 'dialog', novalidate: true, submit: (event) => submit(event, actions) },
    el('h2', {}, view.title.text),
    el('div', { class: 'blocks' }, blocks(view.blocks, {
      names,
      use: (target, question) => actions.use({ ...target, values: entered(dialog) }, question),
    })),
    el('p', { class: 'problem', role: 'alert', hidden: true }),
    el('footer', {},
      el('button', { type: 'button', id: 'modal-close', click: actions.close }, view.close?.text ?? 'Close'),
      view.submit && el('button', { id: 'modal-submit', class: 'primary' }, view.submit.text)));
  dialog.replaceChildren(form);
  dialog.dataset.callbackId = view.callback_id;
  enter(dialog, before);
  if (!dialog.open) dialog.showModal();
}

async function submit(event, actions) {
  event.preventDefault();
  const button = dialog.querySelector('#modal-submit');
  if (!button || button.disabled) return;
  for (const problem of dialog.querySelectorAll('.problem')) problem.hidden = true;
  button.disabled = true;
  const { errors, trouble } = await actions.submit(entered(dialog));
  button.disabled = false;
  for (const [block, text] of Object.entries(errors ?? {})) {
    tell(dialog.querySelector(`.input[data-block-id="${CSS.escape(block)}"] .problem`), text);
  }
  if (trouble) tell(dialog.querySelector('p.problem'), trouble);
}

function tell(place, text) {
  if (!place) return;
  place.textContent = text;
  place.hidden = false;
}

// The Escape key closes a modal as its button does: the view goes when the server
// says so.
export function closeOnEscape(close) {
  dialog.addEventListener('cancel', (event) => {
    event.preventDefault();
    close();
  });
}
