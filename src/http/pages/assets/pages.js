// Keeps a page up to date: asks for it again, and changes what differs. What has the attribute data-live is
// followed; its children are told apart by data-key, so that focus, scroll and what is open stay as they are.
// A page without any in its main part is left alone.
"use strict";

const EVERY = 2000; // ms
const TYPED = 150; // ms after the last key

const parser = new DOMParser();
const sources = new WeakMap(); // of each child, what the server said
let etag = "";
let following = true;
let asking = null; // the request that is under way
let lost = false;
const isLive = document.querySelector("main [data-live]") !== null;

const all = (root, selector) => [...root.querySelectorAll(selector)];

function remember(root) {
  const lives = root.matches?.("[data-live]") ? [root, ...all(root, "[data-live]")] : all(root, "[data-live]");
  for (const live of lives) {
    sources.set(live, live.innerHTML);
    for (const child of live.children) sources.set(child, child.outerHTML);
  }
}

// ----- time -----

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function span(seconds) {
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.round(seconds / size)} ${unit}`;
}

function ago(seconds) {
  return seconds < 0 ? `in ${span(-seconds)}` : `${span(seconds)} ago`;
}

function showTimes(root) {
  for (const time of all(root, "time")) {
    time.title ||= time.textContent;
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    time.textContent = "since" in time.dataset ? `for ${span(Math.max(seconds, 0))}` : ago(seconds);
  }
}

// ----- what differs -----

const FOCUSABLE = "a[href], button, input, summary";

function replace(live, next) {
  const old = new Map([...live.children].map((child) => [child.dataset.key, child]));
  const children = [...next.children];
  if (children.length === 0 || children.some((child) => !child.dataset.key)) {
    if (sources.get(live) === next.innerHTML) return;
    live.replaceChildren(...[...next.childNodes].map((node) => document.importNode(node, true)));
    remember(live);
    showTimes(live);
    return;
  }
  const keys = new Set(children.map((child) => child.dataset.key));
  for (const [key, child] of old) if (!keys.has(key)) child.remove();
  for (const node of [...live.childNodes]) if (node.nodeType !== Node.ELEMENT_NODE) node.remove();
  let place = live.firstElementChild;
  for (const child of children) {
    const have = old.get(child.dataset.key);
    const source = child.outerHTML;
    if (have && sources.get(have) === source) {
      if (have === place) place = place.nextElementSibling;
      else live.insertBefore(have, place);
      continue;
    }
    const fresh = document.importNode(child, true);
    sources.set(fresh, source);
    fresh.classList.add("fresh");
    showTimes(fresh);
    if (have) {
      if (have === place) place = place.nextElementSibling;
      takeOver(have, fresh);
    } else {
      live.insertBefore(fresh, place);
    }
  }
}

// What is open stays open, and what has the focus keeps it.
function takeOver(have, fresh) {
  const inside = (root, selector) => (root.matches(selector) ? [root] : []).concat(all(root, selector));
  const opened = inside(have, "details").map((details) => details.open);
  inside(fresh, "details").forEach((details, at) => (details.open = opened[at] ?? false));
  const focus = inside(have, FOCUSABLE).indexOf(document.activeElement);
  have.replaceWith(fresh);
  if (focus >= 0) inside(fresh, FOCUSABLE)[focus]?.focus({ preventScroll: true });
}

// What somebody looks at stays where it is on the screen, whatever comes or goes above it.
function standing() {
  if (scrollY === 0) return () => {};
  const rows = all(document, "[data-live] > [data-key]");
  const focused = document.activeElement?.closest("[data-live] > [data-key]");
  const row = focused ?? rows.find((row) => row.getBoundingClientRect().bottom > 0);
  if (!row) return () => {};
  const { key } = row.dataset;
  const top = row.getBoundingClientRect().top;
  return () => {
    const there = row.isConnected ? row : all(document, "[data-live] > [data-key]").find((row) => row.dataset.key === key);
    if (there) scrollBy(0, there.getBoundingClientRect().top - top);
  };
}

function show(text) {
  const next = parser.parseFromString(text, "text/html");
  const stand = standing();
  for (const live of all(document, "[data-live]")) {
    const its = next.getElementById(live.id);
    if (its) replace(live, its);
  }
  // A refusal comes or goes together with what is around a list.
  const ids = (root) => all(root, "main [data-live]").map((live) => live.id).join();
  if (ids(document) !== ids(next)) {
    for (const stale of all(document, "main > [data-live], main > .columns")) stale.remove();
    const main = document.querySelector("main");
    for (const node of all(next, "main > [data-live], main > .columns")) main.append(document.importNode(node, true));
    remember(main);
  }
  document.title = next.title;
  stand();
}

// ----- asking -----

async function ask(always) {
  asking?.abort();
  const mine = (asking = new AbortController());
  const headers = { Accept: "text/html" };
  if (etag && !always) headers["If-None-Match"] = etag;
  try {
    const answer = await fetch(location.href, { headers, signal: mine.signal, cache: "no-store" });
    if (answer.status !== 304) {
      const text = await answer.text();
      if (mine !== asking) return;
      if (!answer.headers.get("Content-Type")?.startsWith("text/html")) throw new Error("no page");
      etag = answer.headers.get("ETag") ?? "";
      show(text);
    }
    lost = false;
  } catch (error) {
    if (error.name === "AbortError") return;
    lost = true;
  }
  if (mine === asking) asking = null;
  showState();
}

function tick() {
  showTimes(document);
  if (isLive && following && !document.hidden && !asking) ask(false);
}

// ----- controls -----

const button = document.createElement("button");

function showState() {
  button.textContent = !following ? "Paused" : lost ? "Not reached" : "Live";
  button.classList.toggle("lost", following && lost);
  button.setAttribute("aria-pressed", String(following));
}

function addControls() {
  button.type = "button";
  button.className = "live";
  button.title = "Whether this page follows what changes";
  button.addEventListener("click", () => {
    following = !following;
    showState();
    if (following) ask(true);
  });
  if (isLive) document.querySelector(".bar").append(button);
  showState();
}

function address(form) {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value) query.append(name, value);
  return query.size ? `${form.getAttribute("action")}?${query}` : form.getAttribute("action");
}

function follow(form) {
  let timer = 0;
  const search = () => {
    clearTimeout(timer);
    history.replaceState(null, "", address(form));
    ask(true);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  form.addEventListener("input", (event) => {
    clearTimeout(timer);
    // Half a name of a namespace names none.
    if (!("settle" in event.target.dataset)) timer = setTimeout(search, TYPED);
  });
  form.addEventListener("change", search);
  for (const submit of all(form, "button[type=submit]")) submit.hidden = true;
}

document.addEventListener("keydown", (event) => {
  const search = document.getElementById("q");
  const typing = event.target.closest?.("input, textarea, select");
  if (event.key === "/" && search && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});
document.addEventListener("visibilitychange", tick);

remember(document);
showTimes(document);
addControls();
all(document, "form[data-follow]").forEach(follow);
setInterval(tick, EVERY);
