import { el } from './dom.js';
import { link, mrkdwn, textObject } from './text.js';

// blocks shows blocks. In the context are the names of people, the ts of the message
// if it is one, and use, which is called when a person uses an element.
export function blocks(list, context) {
  return (list ?? []).map((block) => show(block, context));
}

function show(block, context) {
  const id = { 'data-block-id': block.block_id };
  const text = (object) => textObject(object, context.names);
  switch (block.type) {
    case 'header':
      return el('h2', id, text(block.text));
    case 'divider':
      return el('hr', id);
    case 'section':
      return el('div', { class: 'section', ...id },
        el('div', { class: 'said' },
          block.text && el('div', { class: 'text' }, text(block.text)),
          block.fields && el('div', { class: 'fields' }, block.fields.map((field) => el('div', { class: 'text' }, text(field))))),
        block.accessory && element(block.accessory, block, context));
    case 'context':
      return el('div', { class: 'context', ...id },
        block.elements.map((item) => (item.type === 'image' ? image(item) : el('span', { class: 'text' }, text(item)))));
    case 'actions':
      return el('div', { class: 'actions', ...id }, block.elements.map((item) => element(item, block, context)));
    case 'input':
      return input(block, context);
    case 'image':
      return el('div', { class: 'context', ...id }, image(block));
    case 'rich_text':
      return el('div', { class: 'text', ...id }, block.elements.map((item) => richText(item, context)));
    default:
      return el('div', { class: 'context', ...id }, `(a block of type ${block.type})`);
  }
}

// An image is shown by its description: the page asks nobody for anything.
const image = (item) => link(item.image_url, `🖼 ${item.alt_text}`);

function input(block, context) {
  const group = block.element.type === 'radio_buttons' || block.element.type === 'checkboxes';
  return el(group ? 'fieldset' : 'label', { class: 'input', 'data-block-id': block.block_id },
    el(group ? 'legend' : 'span', { class: 'label' }, textObject(block.label, context.names), block.optional ? el('small', {}, ' (optional)') : null),
    element(block.element, block, context),
    block.hint && el('small', { class: 'hint' }, textObject(block.hint, context.names)),
    el('span', { class: 'problem', role: 'alert', hidden: true }));
}

function element(item, block, context) {
  const attributes = { 'data-action-id': item.action_id, 'data-block-id': block.block_id, 'data-ts': context.ts };
  const use = (value) => context.use({ blockId: block.block_id, actionId: item.action_id, value }, item.confirm);
  switch (item.type) {
    case 'button':
      return button(item, attributes, use, context);
    case 'static_select':
      return select(item, attributes, block.type === 'input' ? undefined : use);
    case 'overflow':
      return overflow(item, attributes, use);
    case 'radio_buttons':
    case 'checkboxes':
      return choices(item, attributes, block.type === 'input' ? undefined : use, context);
    case 'plain_text_input':
      return el(item.multiline ? 'textarea' : 'input', {
        ...attributes, placeholder: item.placeholder?.text, maxlength: item.max_length, rows: item.multiline ? 4 : undefined,
        value: item.multiline ? undefined : item.initial_value, autofocus: item.focus_on_load, autocomplete: 'off',
      }, item.multiline ? item.initial_value : null);
    case 'image':
      return image(item);
    default:
      return el('span', attributes, `(an element of type ${item.type})`);
  }
}

function button(item, attributes, use, context) {
  const click = async (event) => {
    const clicked = event.currentTarget;
    clicked.disabled = true;
    if (item.url) window.open(item.url, '_blank', 'noopener');
    await use(item.value ?? '');
    clicked.disabled = false;
  };
  return el('button', {
    ...attributes, type: 'button', class: item.style, 'data-value': item.value, 'aria-label': item.accessibility_label, click,
  }, textObject(item.text, context.names));
}

const options = (item) => item.options ?? [];
const option = (o, chosen) => el('option', { value: o.value, selected: chosen === o.value }, o.text.text);

function select(item, attributes, use) {
  const chosen = item.initial_option?.value;
  const change = use && ((event) => event.target.value && use(event.target.value));
  return el('select', { ...attributes, ...(change && { change }) },
    el('option', { value: '' }, item.placeholder?.text ?? 'Choose …'),
    options(item).map((o) => option(o, chosen)),
    (item.option_groups ?? []).map((group) => el('optgroup', { label: group.label.text }, options(group).map((o) => option(o, chosen)))));
}

// overflow is a menu behind three dots.
function overflow(item, attributes, use) {
  const menu = el('details', { class: 'overflow', ...attributes }, el('summary', { 'aria-label': 'More' }, '⋯'),
    el('div', { class: 'menu' }, options(item).map((o) => el('button', {
      type: 'button', 'data-value': o.value,
      click: () => {
        menu.open = false;
        if (o.url) window.open(o.url, '_blank', 'noopener');
        use(o.value);
      },
    }, o.text.text))));
  return menu;
}

let groups = 0;

function choices(item, attributes, use, context) {
  const initial = new Set([item.initial_option, ...(item.initial_options ?? [])].map((o) => o?.value));
  const type = item.type === 'checkboxes' ? 'checkbox' : 'radio';
  groups += 1;
  return el('div', { class: 'choices', ...attributes }, options(item).map((o) => el('label', {},
    el('input', { type, name: `group-${groups}`, value: o.value, checked: initial.has(o.value), ...(use && { change: () => use(o.value) }) }),
    el('span', {}, textObject(o.text, context.names), o.description && el('small', {}, textObject(o.description, context.names))))));
}

// entered reads what stands in the inputs below a node, by block_id/action_id.
export function entered(node) {
  const values = {};
  for (const field of node.querySelectorAll('[data-action-id]')) {
    const name = `${field.dataset.blockId}/${field.dataset.actionId}`;
    if (field.matches('.choices')) values[name] = [...field.querySelectorAll(':checked')].map((box) => box.value).join(',');
    else if (field.matches('input, textarea, select')) values[name] = field.value;
  }
  return values;
}

// enter puts values back into the inputs below a node.
export function enter(node, values) {
  for (const field of node.querySelectorAll('[data-action-id]')) {
    const value = values[`${field.dataset.blockId}/${field.dataset.actionId}`];
    if (value === undefined) continue;
    if (field.matches('.choices')) {
      for (const box of field.querySelectorAll('input')) box.checked = value.split(',').includes(box.value);
    } else if (field.matches('input, textarea, select')) field.value = value;
  }
}

// richText shows the parts of rich text that apps write: sections, lists, quotes and
// preformatted text.
function richText(part, context) {
  const inner = (part.elements ?? []).map((item) => (item.elements ? richText(item, context) : richElement(item, context)));
  switch (part.type) {
    case 'rich_text_list':
      return el(part.style === 'ordered' ? 'ol' : 'ul', {}, inner.map((item) => el('li', {}, item)));
    case 'rich_text_quote':
      return el('blockquote', {}, inner);
    case 'rich_text_preformatted':
      return el('pre', {}, inner);
    default:
      return el('div', {}, inner);
  }
}

function richElement(item, context) {
  let shown;
  switch (item.type) {
    case 'link': shown = link(item.url, item.text ?? item.url); break;
    case 'user': shown = mrkdwn(`<@${item.user_id}>`, context.names); break;
    case 'channel': shown = mrkdwn(`<#${item.channel_id}>`, context.names); break;
    case 'emoji': shown = textObject({ type: 'plain_text', text: `:${item.name}:` }); break;
    default: shown = item.text ?? '';
  }
  for (const [style, tag] of [['bold', 'strong'], ['italic', 'em'], ['strike', 's'], ['code', 'code']]) {
    if (item.style?.[style]) shown = el(tag, {}, shown);
  }
  return shown;
}
