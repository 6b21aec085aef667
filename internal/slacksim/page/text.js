import { el } from './dom.js';

// The emoji that have a short name here. Others are shown by their names, as they came.
const emoji = {
  arrow_right: '➡️', arrows_counterclockwise: '🔄', bell: '🔔', black_circle: '⚫', bulb: '💡', calendar: '📅',
  clipboard: '📋', eyes: '👀', fire: '🔥', floppy_disk: '💾', hammer_and_wrench: '🛠️', heavy_check_mark: '✔️',
  hourglass: '⌛', hourglass_flowing_sand: '⏳', information_source: 'ℹ️', large_blue_circle: '🔵',
  large_green_circle: '🟢', large_orange_circle: '🟠', large_yellow_circle: '🟡', link: '🔗', lock: '🔒', mag: '🔍',
  memo: '📝', no_entry: '⛔', package: '📦', question: '❓', raised_hand: '✋', red_circle: '🔴', ring_buoy: '🛟',
  rotating_light: '🚨', shield: '🛡️', stopwatch: '⏱️', tada: '🎉', warning: '⚠️', white_check_mark: '✅',
  white_circle: '⚪', x: '❌', zzz: '💤',
};

const shortNames = (text) => text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => (Object.hasOwn(emoji, name) ? emoji[name] : whole));

// decode undoes the three escapes that Slack asks of those who send text.
const decode = (text) => text.replace(/&(amp|lt|gt);/g, (_, name) => ({ amp: '&', lt: '<', gt: '>' })[name]);

// Only addresses of these kinds become links.
const linkable = /^(https?:\/\/|mailto:)/i;

export function link(address, ...label) {
  return linkable.test(address) ? el('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, ...label) : el('span', {}, ...label);
}

// textObject shows a text object of Slack's: plain, or in its kind of Markdown.
export function textObject(object, names) {
  return object.type === 'mrkdwn' ? mrkdwn(object.text, names) : shortNames(object.text);
}

// mrkdwn shows text in Slack's kind of Markdown. Names of people go by their ids.
export function mrkdwn(text, names) {
  const shown = new DocumentFragment();
  text.split(/```\n?([\s\S]*?)```/).forEach((part, i) => {
    if (i % 2) shown.append(el('pre', {}, decode(part)));
    else shown.append(...lines(part, names));
  });
  return shown;
}

function lines(text, names) {
  return text.split(/(?<=\n)/).flatMap((line) => {
    const quoted = /^(?:&gt;|>) ?(.*)\n?$/.exec(line);
    return quoted ? [el('blockquote', {}, ...inline(quoted[1], names))] : inline(line, names);
  });
}

const pattern = new RegExp([
  '`([^`\\n]+)`',
  '<([^<>\\n]+)>',
  '(?<![\\w*])\\*(?=\\S)([^*\\n]*?[^\\s*])\\*(?![\\w*])',
  '(?<![\\w_])_(?=\\S)([^_\\n]*?[^\\s_])_(?![\\w_])',
  '(?<![\\w~])~(?=\\S)([^~\\n]*?[^\\s~])~(?![\\w~])',
].join('|'), 'g');

function inline(text, names) {
  const shown = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    shown.push(decode(shortNames(text.slice(end, match.index))));
    end = match.index + match[0].length;
    const [, code, angle, bold, italic, strike] = match;
    if (code !== undefined) shown.push(el('code', {}, decode(code)));
    else if (angle !== undefined) shown.push(special(angle, names));
    else if (bold !== undefined) shown.push(el('strong', {}, ...inline(bold, names)));
    else if (italic !== undefined) shown.push(el('em', {}, ...inline(italic, names)));
    else shown.push(el('s', {}, ...inline(strike, names)));
  }
  shown.push(decode(shortNames(text.slice(end))));
  return shown;
}

// special shows what stands in angle brackets: a person, a channel, a date or a link.
function special(text, names) {
  const [target, ...rest] = text.split('|');
  const label = rest.length ? decode(rest.join('|')) : undefined;
  if (target.startsWith('@')) return mention('@' + (names.get(target.slice(1)) ?? label ?? target.slice(1)));
  if (target.startsWith('#')) return mention('#' + (names.get(target.slice(1)) ?? label ?? target.slice(1)));
  if (target.startsWith('!date^')) return date(target, label);
  if (target.startsWith('!')) return mention('@' + (label ?? target.slice(1)));
  return link(decode(target), label ?? decode(target));
}

const mention = (name) => el('span', { class: 'mention' }, name);

// date shows a time as a person here reads it. What cannot be read is shown by its
// fallback.
function date(target, fallback) {
  const [, seconds, format, address] = target.split('^');
  const at = new Date(Number(seconds) * 1000);
  if (!format || Number.isNaN(at.getTime())) return fallback ?? target;
  const text = format.replace(/\{(\w+)\}/g, (whole, token) => part(at, token) ?? whole);
  const time = el('time', { datetime: at.toISOString(), title: at.toLocaleString() }, text);
  return address ? link(decode(address), time) : time;
}

function part(at, token) {
  const day = (options) => at.toLocaleDateString(undefined, options);
  switch (token.replace(/_pretty$/, '')) {
    case 'date_num': return at.toISOString().slice(0, 10);
    case 'date': return day({ month: 'long', day: 'numeric', year: 'numeric' });
    case 'date_short': return day({ month: 'short', day: 'numeric', year: 'numeric' });
    case 'date_long': return day({ weekday: 'long', month: 'long', day: 'numeric', year: 'numeric' });
    case 'time': return at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
    case 'time_secs': return at.toLocaleTimeString();
    case 'ago': return ago(at);
    default: return undefined;
  }
}

function ago(at) {
  const minutes = Math.round((at - Date.now()) / 60000);
  const format = new Intl.RelativeTimeFormat();
  if (Math.abs(minutes) < 120) return format.format(minutes, 'minute');
  return Math.abs(minutes) < 2880 ? format.format(Math.round(minutes / 60), 'hour') : format.format(Math.round(minutes / 1440), 'day');
}
