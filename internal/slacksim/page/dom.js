// el makes an element. Properties that are functions are event listeners, all others
// attributes; those that are undefined, null or false are left out. Strings among the children become text, never
// markup.
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return element;
}

// reconcile makes a list of elements show items, and touches only those that changed,
// so that what a person is about to click stays where it is.
export function reconcile(list, items, key, render) {
  const before = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let place = null;
  for (const item of items) {
    const id = key(item);
    const signature = JSON.stringify(item);
    let child = before.get(id);
    before.delete(id);
    if (!child || child.signature !== signature) {
      const fresh = render(item);
      fresh.dataset.key = id;
      fresh.signature = signature;
      if (child) child.replaceWith(fresh);
      child = fresh;
    }
    const next = place ? place.nextSibling : list.firstChild;
    if (child !== next) list.insertBefore(child, next);
    place = child;
  }
  for (const gone of before.values()) gone.remove();
}
