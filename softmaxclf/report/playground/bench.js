// What every page shows of a row: the label, the evidence of a class, softmax step by step.

const MOST_CLASSES = 12,
  MOST_RANKED = 10; // more than the first are shown as the best of them
const byId = (id) => document.getElementById(id);
const state = { row: null, scores: null, inputs: null, shares: null };

const made = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const figure = (value, digits = 4) => {
  const text = Math.abs(value) < 1e6 ? value.toFixed(digits) : value.toExponential(2);
  return text.replace("-", "\u2212");
};
const signed = (value, digits = 4) => (value < 0 ? "" : "+") + figure(value, digits);
const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 2 : 1)}\u00a0%`;
const power = (value) =>
  value >= 1e4 || value < 1e-3
    ? value.toExponential(2).replace("e+", "e").replace("-", "\u2212")
    : value.toPrecision(4);

const temperature = () => 10 ** Number(byId("temperature").value);
const shift = () => Number(byId("shift").value);

// The class that evidence is shown for, and the one against which, or null.
const chosen = () => (byId("chosen").value === "label" ? ranked(state.scores)[0] : Number(byId("chosen").value));
const other = () => {
  const value = byId("other").value;
  if (value === "") return null;
  const found = value === "next" ? ranked(state.scores).find((k) => k !== chosen()) : Number(value);
  return found === chosen() ? null : found;
};

const choose = (k) => {
  byId("chosen").value = String(k);
  render();
};

const showVerdict = () => {
  const [first, ...others] = ranked(state.scores),
    next = others.slice(0, 2);
  byId("label").textContent = model.classes[first];
  byId("share").textContent = percent(state.shares[first]);
  byId("runners").textContent =
    `then ${next.map((k) => `${model.classes[k]} (${percent(state.shares[k])})`).join(", ")}`;
};

// For those who hear the page: said once a change has come to rest.
let announcement = 0;
const announce = () => {
  clearTimeout(announcement);
  const say = () =>
    (byId("status").textContent =
      `${byId("label").textContent} ${byId("share").textContent}, ${byId("runners").textContent}`);
  announcement = setTimeout(say, 600);
};

const classRows = Array.from({ length: model.count > MOST_CLASSES ? MOST_RANKED : model.count }, () => {
  const button = made("button", { type: "button", className: "plain" }),
    bar = made("span", { className: "bar" });
  const cells = ["score", "input", "power"].map((className) => made("td", { className: `number ${className}` }));
  const share = made(
    "td",
    { className: "share" },
    made("span", { className: "track" }, bar),
    made("span", { className: "number" }),
  );
  const line = made("tr", {}, made("th", { scope: "row" }, button), ...cells, share);
  const each = { k: 0, line, button, cells, bar, share: share.lastChild };
  button.addEventListener("click", () => choose(each.k));
  byId("classes").append(line);
  return each;
});

const showClasses = () => {
  const order = ranked(state.scores),
    shown = model.count > MOST_CLASSES ? order : [...order.keys()];
  classRows.forEach((each, place) => {
    const k = (each.k = shown[place]);
    each.button.textContent = model.classes[k];
    each.line.classList.toggle("marked", k === order[0]);
    const figures = [figure(state.scores[k]), figure(state.inputs[k]), power(Math.exp(state.inputs[k]))];
    each.cells.forEach((cell, place) => (cell.textContent = figures[place]));
    each.share.textContent = percent(state.shares[k]);
    each.bar.style.width = `${100 * state.shares[k]}%`;
  });
  byId("powers").textContent = power(total(state.inputs.map(Math.exp)));
};

const showChoice = () => {
  const order = ranked(state.scores);
  byId("chosen").options[0].textContent = `label: ${model.classes[order[0]]}`;
  byId("other").options[1].textContent = `runner-up: ${model.classes[order.find((k) => k !== chosen())]}`;
};

const showSliders = () => {
  for (const [name, text] of [
    ["temperature", temperature().toPrecision(3)],
    ["shift", signed(shift(), 1)],
  ]) {
    byId(`${name}-figure`).textContent = text;
    byId(name).setAttribute("aria-valuetext", text);
  }
};

const showSum = (evidence) => {
  const k = chosen(),
    j = other(),
    bias = biasOf(k, j);
  const name =
    j === null
      ? `score of ${model.classes[k]}`
      : `score of ${model.classes[k]} \u2212 score of ${model.classes[j]}`;
  byId("map-sum").textContent = figure(total(evidence));
  byId("map-bias").textContent = signed(bias).replace(/^([+\u2212])/, "$1 ");
  byId("bias-name").textContent = j === null ? "bias" : "difference of the biases";
  byId("score-name").textContent = `= ${name}`;
  byId("map-score").textContent = figure(total(evidence) + bias);
  byId("odds").textContent = j === null ? aloneText(k) : oddsText(k, j);
};

// A class is never set against itself.
const aloneText = (k) =>
  byId("other").value === String(k) ? `This is the score of ${model.classes[k]} alone.` : "";

const oddsText = (k, j) => {
  const odds = Math.exp(state.inputs[k] - state.inputs[j]),
    [more, less, times] = odds >= 1 ? [k, j, odds] : [j, k, 1 / odds];
  const told = `So ${model.classes[more]} is ${power(times)} times as probable as ${model.classes[less]}`;
  return `${told}: e to this difference, divided by the temperature.`;
};

// The pages of images and of features each add their own.
const views = [showVerdict, showClasses, showChoice, showSliders, announce];

const render = () => {
  const { inputs, shares } = softmaxOf(state.scores, temperature(), shift());
  Object.assign(state, { inputs, shares });
  views.forEach((view) => view());
};

const setRow = (row) => {
  Object.assign(state, { row, scores: scoresOf(row) });
  render();
};

for (const id of ["temperature", "shift", "chosen", "other"]) byId(id).addEventListener("input", () => render());
byId("reset").addEventListener("click", () => {
  byId("temperature").value = byId("temperature").defaultValue;
  byId("shift").value = 0;
  render();
});
