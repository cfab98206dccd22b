"use strict";
// Placing the 68 landmarks of a puppet: they are dragged here, checked and drawn by the server.

const GROUPS = [
  { name: "jaw", colour: "#0a4f9e", first: 0, last: 16 },
  { name: "brows", colour: "#1b7a2f", first: 17, last: 26, breaks: [22] },
  { name: "nose", colour: "#8a5a00", first: 27, last: 35 },
  { name: "eyes", colour: "#b3261e", first: 36, last: 47, breaks: [42], closed: true },
  { name: "outer lip", colour: "#8e24aa", first: 48, last: 59, closed: true },
  { name: "inner lip", colour: "#d81b60", first: 60, last: 67, closed: true },
];
const EYE = ["outer corner", "upper lid, outside", "upper lid, inside", "inner corner", "lower lid, inside", "lower lid, outside"];
const TURNED_EYE = [3, 2, 1, 0, 5, 4].map((k) => EYE[k]);
const LIP = ["left corner", "upper, left", "upper, left of the middle", "upper, middle", "upper, right of the middle",
  "upper, right", "right corner", "lower, right", "lower, right of the middle", "lower, middle",
  "lower, left of the middle", "lower, left"];
const INNER = [0, 1, 3, 5, 6, 7, 9, 11].map((k) => LIP[k]);
const REACH = 24; // pixels of the screen: how near a point has to be touched
const SVG = "http://www.w3.org/2000/svg";
const get = (id) => document.getElementById(id);

let points = [], size = [1, 1], view = { x: 0, y: 0, scale: 1 };
let chosen = 30, undone = [], done = [], saved = true;
let drag = null;

function groupOf(k) { return GROUPS.find((group) => k >= group.first && k <= group.last); }

function nameOf(k) {
  if (k === 8) return "chin";
  if (k < 17) return `jaw, ${k < 8 ? "left" : "right"}, ${k < 8 ? k + 1 : 17 - k} from the ear`;
  if (k < 22) return `left brow, ${k - 16} from outside`;
  if (k < 27) return `right brow, ${k - 21} from inside`;
  if (k < 31) return `nose bridge, ${k - 26} from above`;
  if (k < 36) return `nose base, ${k - 30} from the left`;
  if (k < 42) return `left eye, ${EYE[k - 36]}`;
  if (k < 48) return `right eye, ${TURNED_EYE[k - 42]}`;
  return k < 60 ? `outer lip, ${LIP[k - 48]}` : `inner lip, ${INNER[k - 60]}`;
}

function element(parent, kind, attributes) {
  const made = document.createElementNS(SVG, kind);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return parent.appendChild(made);
}

// Drawing.

function outlines() {
  const lines = [];
  for (const group of GROUPS) {
    const starts = [group.first, ...(group.breaks || []), group.last + 1];
    for (let s = 0; s + 1 < starts.length; s++) {
      const line = points.slice(starts[s], starts[s + 1]);
      if (group.closed) line.push(line[0]);
      lines.push([group.colour, line]);
    }
  }
  return lines;
}

function draw() {
  const box = get("canvas").getBoundingClientRect();
  get("canvas").setAttribute("viewBox", `${view.x} ${view.y} ${box.width / view.scale} ${box.height / view.scale}`);
  const pixel = 1 / view.scale;
  get("outlines").replaceChildren();
  for (const [colour, line] of outlines()) {
    element(get("outlines"), "polyline", {
      class: "outline", stroke: colour, "stroke-width": 1.5 * pixel, points: line.map((p) => p.join(",")).join(" "),
    });
  }
  get("points").replaceChildren();
  for (const k of [...points.keys()].filter((one) => one !== chosen).concat(chosen)) { // the chosen one on top
    const big = k === chosen, [x, y] = points[k];
    element(get("points"), "circle", {
      class: big ? "point chosen" : "point", cx: x, cy: y, r: (big ? 8 : 5) * pixel, fill: groupOf(k).colour,
      "stroke-width": (big ? 3 : 1.5) * pixel, "data-landmark": k,
    });
    if (big || view.scale > 3) {
      element(get("points"), "text", {
        class: "number", x: x + 9 * pixel, y: y - 6 * pixel, "font-size": 15 * pixel, "stroke-width": 3 * pixel,
      }).textContent = k;
    }
  }
  get("selected").textContent = `Landmark ${chosen}: ${nameOf(chosen)}`;
  get("undo").disabled = done.length === 0;
  get("redo").disabled = undone.length === 0;
  get("shape").hidden = scope() === "point";
}

function fit() {
  const box = get("canvas").getBoundingClientRect();
  const scale = Math.min(box.width / size[0], box.height / size[1]) * 0.96;
  view = { scale, x: (size[0] - box.width / scale) / 2, y: (size[1] - box.height / scale) / 2 };
  draw();
}

function zoom(factor, x, y) {
  const box = get("canvas").getBoundingClientRect();
  const at = toPicture(x ?? box.left + box.width / 2, y ?? box.top + box.height / 2);
  const scale = Math.min(40, Math.max(0.05, view.scale * factor));
  view = { scale, x: at[0] - (at[0] - view.x) * view.scale / scale, y: at[1] - (at[1] - view.y) * view.scale / scale };
  draw();
}

function toPicture(x, y) {
  const box = get("canvas").getBoundingClientRect();
  return [view.x + (x - box.left) / view.scale, view.y + (y - box.top) / view.scale];
}

// Changing.

function scope() { return document.querySelector("input[name=scope]:checked").value; }

function moving() {
  if (scope() === "point") return [chosen];
  const { first, last } = scope() === "group" ? groupOf(chosen) : { first: 0, last: 67 };
  return Array.from({ length: last - first + 1 }, (_, k) => first + k);
}

function remember() {
  done.push(points.map((p) => [...p]));
  undone = [];
  saved = false;
}

function changed() {
  draw();
  preview();
}

function inside([x, y]) {
  return [Math.min(size[0] - 1, Math.max(0, x)), Math.min(size[1] - 1, Math.max(0, y))];
}

function shift(dx, dy, from = points) {
  for (const k of moving()) points[k] = inside([from[k][0] + dx, from[k][1] + dy]);
}

function reshape(kind) {
  const some = moving();
  const centre = [0, 1].map((axis) => some.reduce((sum, k) => sum + points[k][axis], 0) / some.length);
  const [sx, sy, turn] = {
    wider: [1.04, 1, 0], narrower: [1 / 1.04, 1, 0], taller: [1, 1.04, 0], shorter: [1, 1 / 1.04, 0],
    left: [1, 1, -0.035], right: [1, 1, 0.035],
  }[kind];
  remember();
  for (const k of some) {
    const x = (points[k][0] - centre[0]) * sx, y = (points[k][1] - centre[1]) * sy;
    points[k] = inside([centre[0] + x * Math.cos(turn) - y * Math.sin(turn), centre[1] + x * Math.sin(turn) + y * Math.cos(turn)]);
  }
  changed();
}

function step(from, to) {
  if (!from.length) return;
  to.push(points);
  points = from.pop();
  saved = false;
  changed();
}

function choose(k) {
  chosen = (k + 68) % 68;
  draw();
}

// Pointer: mouse, pen or finger.

function press(event) {
  get("canvas").focus();
  const at = toPicture(event.clientX, event.clientY);
  const away = points.map(([x, y]) => Math.hypot(x - at[0], y - at[1]) * view.scale);
  const nearest = away.indexOf(Math.min(...away));
  if (away[nearest] <= REACH) {
    choose(nearest);
    drag = { start: at, from: points.map((p) => [...p]), moved: false };
  } else {
    drag = { pan: [event.clientX, event.clientY], view: { ...view } };
  }
  get("canvas").setPointerCapture(event.pointerId);
  event.preventDefault();
}

function pull(event) {
  if (!drag) return;
  if (drag.pan) {
    view.x = drag.view.x - (event.clientX - drag.pan[0]) / view.scale;
    view.y = drag.view.y - (event.clientY - drag.pan[1]) / view.scale;
    draw();
    return;
  }
  const at = toPicture(event.clientX, event.clientY);
  const [dx, dy] = [at[0] - drag.start[0], at[1] - drag.start[1]];
  if (!drag.moved && Math.hypot(dx, dy) * view.scale < 2) return; // a touch is no move
  if (!drag.moved) remember();
  drag.moved = true;
  shift(dx, dy, drag.from);
  changed();
}

function key(event) {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const letter = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && (letter === "z" || letter === "y")) {
    if (letter === "y" || event.shiftKey) step(undone, done);
    else step(done, undone);
  } else if (event.target !== get("canvas") || event.ctrlKey || event.metaKey || event.altKey) {
    return; // the tools have keys of their own
  } else if (event.key in arrows) {
    const [dx, dy] = arrows[event.key], far = event.shiftKey ? 10 : 1;
    remember();
    shift(dx * far, dy * far);
    changed();
  } else if (letter === "n" || letter === "p") choose(chosen + (letter === "n" ? 1 : -1));
  else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.25 : 0.8);
  else if (event.key === "0") fit();
  else return;
  event.preventDefault();
}

// The server.

async function post(path, content) {
  const response = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content),
  });
  if (!response.ok) throw new Error((await response.json()).error);
  return response;
}

function say(text, isError = false) {
  get("message").textContent = text;
  get("message").className = isError ? "error" : "";
}

function puppet() { return { points, inner_lip: get("inner_lip").checked }; }

let busy = false, again = false;

async function preview() { // one at a time; what changes meanwhile is asked for afterwards
  again = true;
  if (busy) return;
  busy = true;
  while (again) {
    again = false;
    try {
      const asked = { ...puppet(), opening: Number(get("opening").value), blink: Number(get("blink").value) };
      const shown = URL.createObjectURL(await (await post("preview", asked)).blob());
      URL.revokeObjectURL(get("preview").src);
      get("preview").src = shown;
      if (get("message").className) say("");
    } catch (error) {
      say(error.message, true);
    }
  }
  busy = false;
}

let speaking = null;

function speak() {
  const button = get("speak");
  if (speaking) clearInterval(speaking);
  speaking = speaking ? null : setInterval(() => {
    const t = performance.now() / 1000;
    get("opening").value = Math.max(0, Math.sin(9 * t) * 0.5 + Math.sin(5.3 * t) * 0.4 + 0.2);
    get("blink").value = t % 3 < 0.25 ? 1 : 0;
    preview();
  }, 60);
  button.setAttribute("aria-pressed", String(Boolean(speaking)));
  button.textContent = speaking ? "Stop" : "Let it speak";
}

async function save() {
  try {
    const answer = await (await post("save", puppet())).json();
    saved = true;
    say(`Saved in ${answer.folder}`);
  } catch (error) {
    say(error.message, true);
  }
}

async function finish() {
  if (!saved && !window.confirm("There are changes that are not saved. Finish without them?")) return;
  saved = true;
  if (speaking) speak();
  try {
    await post("finish", {});
    say("Finished. This page can be closed.");
    document.querySelectorAll("button, input").forEach((one) => { one.disabled = true; });
  } catch (error) {
    say(error.message, true);
  }
}

async function start() {
  const begun = await (await fetch("start.json")).json();
  points = begun.points;
  size = [begun.width, begun.height];
  saved = false;
  get("inner_lip").checked = begun.inner_lip;
  get("hint").textContent = `${begun.hint} ${get("hint").textContent}`;
  for (const [key, value] of Object.entries({ href: "drawing.png", width: size[0], height: size[1], x: -0.5, y: -0.5 })) {
    get("picture").setAttribute(key, value);
  }
  for (const group of GROUPS) {
    const item = get("groups").appendChild(document.createElement("li"));
    item.style.setProperty("--colour", group.colour);
    item.textContent = `${group.name} (${group.first}-${group.last})`;
  }
  const canvas = get("canvas");
  canvas.tabIndex = 0;
  canvas.addEventListener("pointerdown", press);
  canvas.addEventListener("pointermove", pull);
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { drag = null; });
  canvas.addEventListener("wheel", (event) => {
    zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, event.clientX, event.clientY);
    event.preventDefault();
  }, { passive: false });
  document.addEventListener("keydown", key);
  window.addEventListener("resize", draw);
  window.addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
  document.querySelectorAll("input[name=scope]").forEach((input) => input.addEventListener("change", draw));
  document.querySelectorAll("[data-shape]").forEach((b) => b.addEventListener("click", () => reshape(b.dataset.shape)));
  const clicks = {
    undo: () => step(done, undone), redo: () => step(undone, done), zoom_in: () => zoom(1.25), zoom_out: () => zoom(0.8),
    fit, speak, save, finish,
  };
  for (const [id, action] of Object.entries(clicks)) get(id).addEventListener("click", () => action());
  for (const id of ["opening", "blink", "inner_lip"]) get(id).addEventListener("input", preview);
  get("inner_lip").addEventListener("input", () => { saved = false; });
  fit();
  preview();
}

start().catch((error) => say(error.message, true));
