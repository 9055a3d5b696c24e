/** Elements in one line. Texts are set as texts: a file's name is never read as HTML. */

/**
 * @param {string} tag name, with classes: "p.note"
 * @param {object} properties of the element; `style` and `data` are objects
 * @param {...(Node|string|null)} children
 */
export function make(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  const { style = {}, on = {}, ...others } = properties;
  for (const [key, value] of Object.entries(others)) {
    if (key.includes("-") || key === "role") element.setAttribute(key, value);
    else element[key] = value;
  }
  Object.assign(element.style, style);
  for (const [event, hear] of Object.entries(on)) element.addEventListener(event, hear);
  element.append(...children.filter((child) => child !== null));
  return element;
}

export const byId = (id) => document.getElementById(id);

export const two = (number) => number.toFixed(2);

/** "a, b and c" */
export const listed = (words, last) =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1)}`;

export const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
