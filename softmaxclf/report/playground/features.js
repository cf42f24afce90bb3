// A row of features to play with: a slider and a number for each.

const MOST_SLIDERS = 24,
  MOST_BARS = 12;
const REACH = 3; // deviations to either side of the mean that a slider covers

// The features by how much they can matter: the spread of their weights over the classes, per deviation.
const importance = Array.from(model.features, (_, d) => {
  const weights = Array.from({ length: model.count }, (_, k) => model.weights[d * model.count + k]);
  const mean = total(weights) / model.count;
  return model.spread[d] * Math.sqrt(total(weights.map((weight) => (weight - mean) ** 2)));
});
const byImportance = [...importance.keys()].sort((a, b) => importance[b] - importance[a]);
const few = model.features.length <= MOST_SLIDERS;

const readable = (value) => Number(value.toPrecision(5));

const setFeature = (d, value) => {
  const row = Float64Array.from(state.row);
  row[d] = value;
  setRow(row);
};

// Sliders

const sliders = new Map(); // of the features that are shown
const sliderOf = (d) => {
  const id = `feature-${d}`,
    [low, high] = [-REACH, REACH].map((reach) => model.center[d] + reach * model.spread[d]);
  const bounds = { min: String(low), max: String(high), step: "any" };
  const range = made("input", { type: "range", id, ...bounds });
  const number = made("input", { type: "number", step: "any", className: "value" });
  number.setAttribute("aria-label", `${model.features[d]}: value`);
  const take = (event) => {
    if (event.target.value !== "" && Number.isFinite(event.target.valueAsNumber))
      setFeature(d, event.target.valueAsNumber);
  };
  for (const input of [range, number]) input.addEventListener("input", take);
  sliders.set(d, { range, number });
  return made("li", {}, made("label", { htmlFor: id, textContent: model.features[d] }), range, number);
};

const listFeatures = () => {
  const sought = byId("sought").value.trim().toLowerCase(),
    order = few ? [...importance.keys()] : byImportance;
  const found = order.filter((d) => model.features[d].toLowerCase().includes(sought)),
    shown = found.slice(0, MOST_SLIDERS);
  sliders.clear();
  byId("features").replaceChildren(...shown.map(sliderOf));
  const which = few ? "" : ", those first that can matter most";
  byId("found").textContent = `${shown.length} of ${found.length}${sought ? " found" : " features"}${which}.`;
  if (state.row) showFeatures();
};

const showFeatures = () => {
  for (const [d, { range, number }] of sliders) {
    range.value = state.row[d];
    if (document.activeElement !== number) number.value = readable(state.row[d]);
  }
};

// Evidence: the largest shares as bars, the rest as one.

const barLine = (name, value, limit) => {
  const bar = made("span", { className: `bar ${value < 0 ? "against" : "for"}` });
  bar.style.width = `${(50 * Math.abs(value)) / (limit || 1)}%`;
  const track = made("span", { className: "track middle" }, bar);
  return made(
    "tr",
    {},
    made("th", { scope: "row", textContent: name }),
    made("td", {}, track),
    made("td", { className: "number", textContent: signed(value) }),
  );
};

const showShares = () => {
  const evidence = evidenceOf(state.row, chosen(), other()),
    order = [...evidence.keys()];
  order.sort((a, b) => Math.abs(evidence[b]) - Math.abs(evidence[a]));
  const count = order.length === MOST_BARS + 1 ? order.length : MOST_BARS,
    rest = order.slice(count);
  const lines = order.slice(0, count).map((d) => [`${model.features[d]} = ${readable(state.row[d])}`, evidence[d]]);
  if (rest.length) lines.push([`${rest.length} others together`, total(rest.map((d) => evidence[d]))]);
  const limit = largest(lines.map(([, value]) => value));
  byId("evidence-bars").replaceChildren(...lines.map(([name, value]) => barLine(name, value, limit)));
  showSum(evidence);
};

// Starting points

const randomRow = () => {
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return Float64Array.from(model.center, (mean, d) => mean + normal() * model.spread[d]);
};

byId("middle").addEventListener("click", () => setRow(model.center));
byId("random").addEventListener("click", () => setRow(randomRow()));
byId("sought").closest("label").hidden = few;
byId("sought").addEventListener("input", listFeatures);
views.push(showFeatures, showShares);
listFeatures();
setRow(model.center);
