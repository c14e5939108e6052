// Elements, and how those that are shown become those that are wanted. Texts become text nodes, and nothing else: what berthd tells has names in it
// that somebody else chose.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "path", "rect", "title", "line"]);

/** An element. Attributes that are null or false are left out; children are elements, texts, numbers, lists of those, or null. */
export function make(tag, attributes, ...children) {
  const element = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

// What the reader opened stays open.
const READERS_OWN = new Set(["open"]);

function takeAttributes(shown, wanted) {
  for (const { name } of [...shown.attributes]) {
    if (!wanted.hasAttribute(name) && !READERS_OWN.has(name)) shown.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (shown.getAttribute(name) !== value && !READERS_OWN.has(name)) shown.setAttribute(name, value);
  }
}

function isSame(shown, wanted) {
  return shown.nodeType === wanted.nodeType && shown.nodeName === wanted.nodeName && (shown.id ?? "") === (wanted.id ?? "");
}

/** Makes the children of `shown` those of `wanted`, and keeps what is there already: focus, selection and what was opened stay. */
export function become(shown, wanted) {
  let at = shown.firstChild;
  for (const next of [...wanted.childNodes]) {
    let found = at;
    if (next.id) {
      while (found && !isSame(found, next)) found = found.nextSibling;
    } else if (!found || !isSame(found, next)) {
      found = null;
    }
    if (!found) {
      shown.insertBefore(next, at);
      continue;
    }
    while (at !== found) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
    if (found.nodeType === Node.TEXT_NODE) {
      if (found.data !== next.data) found.data = next.data;
    } else {
      takeAttributes(found, next);
      become(found, next);
    }
    at = found.nextSibling;
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}
