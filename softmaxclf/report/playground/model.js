"use strict";
// The model: scores = departures W + b, of departures = columns - center, divided by their length where the model does
// so. Columns are the row itself, or its patch features.

const parsed = (id) => JSON.parse(document.getElementById(id).textContent);
const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

const numbersOf = (base64) => new Float64Array(bytesOf(base64).buffer);

// Weights (D, K): whole numbers of three bytes, low ones first, times the step (D,) of their column.
const weightsOf = (base64, steps) => {
  const bytes = bytesOf(base64),
    weights = new Float64Array(bytes.length / 3),
    classes = weights.length / steps.length;
  for (let i = 0, at = 0; i < weights.length; i++, at += 3) {
    const signed = ((bytes[at + 2] << 24) | (bytes[at + 1] << 16) | (bytes[at] << 8)) >> 8;
    weights[i] = signed * steps[Math.floor(i / classes)];
  }
  return weights;
};

const model = (() => {
  const told = parsed("model");
  return {
    ...told,
    weights: weightsOf(told.weights, numbersOf(told.steps)),
    center: numbersOf(told.center), // (D,)
    spread: numbersOf(told.spread), // (D,) deviations of features; of images empty
    count: told.classes.length,
    size: told.shape && { channels: told.shape[0], height: told.shape[1], width: told.shape[2] },
  };
})();

const departuresOf = (columns) => {
  const length = lengthOfColumns(columns);
  return Float64Array.from(columns, (value, d) => (value - model.center[d]) / (length || 1));
};

const lengthOfColumns = (columns) =>
  model.unit ? lengthOf(Float64Array.from(columns, (value, d) => value - model.center[d])) : 1;

// Mirror folding measures an image's mean with its mirror image.
const lengthOf = (departures) => {
  const width = model.mirror ? model.size.width : 1;
  let sum = 0;
  for (let d = 0; d < departures.length; d++) {
    const reflected = d - (d % width) + (width - 1 - (d % width));
    sum += (model.mirror ? (departures[d] + departures[reflected]) / 2 : departures[d]) ** 2;
  }
  return Math.sqrt(sum);
};

const scoresOf = (row) => {
  const scores = Float64Array.from(model.bias),
    departures = departuresOf(reading.columns(row));
  for (let d = 0; d < departures.length; d++) {
    for (let k = 0; k < model.count; k++) scores[k] += departures[d] * model.weights[d * model.count + k];
  }
  return scores;
};

// The weight of column d for a class, against another one where that is given.
const weightOf = (d, chosen, other) =>
  model.weights[d * model.count + chosen] - (other === null ? 0 : model.weights[d * model.count + other]);

const biasOf = (chosen, other) => model.bias[chosen] - (other === null ? 0 : model.bias[other]);

// How columns come from a row, and what each number of the row adds to the score of a class, or to its difference from
// that of another one. Patch features have their own.
const reading = {
  columns: (row) => row,
  evidence: (row, chosen, other) => departuresOf(row).map((value, d) => value * weightOf(d, chosen, other)),
};
const evidenceOf = (row, chosen, other) => reading.evidence(row, chosen, other);

const total = (values) => values.reduce((sum, value) => sum + value, 0);
const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

// softmax((scores + shift) / temperature). The largest is subtracted first: no exponential overflows, no share changes.
const softmaxOf = (scores, temperature, shift) => {
  const inputs = scores.map((score) => (score + shift) / temperature);
  const largest = inputs.reduce((most, value) => Math.max(most, value), -Infinity);
  const powers = inputs.map((value) => Math.exp(value - largest)),
    sum = total(powers);
  return { inputs, shares: powers.map((power) => power / sum) };
};

// The classes by score, highest first.
const ranked = (scores) => [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
