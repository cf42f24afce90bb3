// Patch features: how strongly filters respond in all small patches of an image, averaged over regions of it.
// At each place x / s, with s^2 = variance + contrast, meets the filters G and, mirrored, their mirror images; of a
// response z count max(z - threshold, 0) and max(-z - threshold, 0). A score is a sum over these places.

const side = model.patches.patch;

// How much of each of `length` cells lies in each of `parts` equal parts: weights of the parts' means.
const sharesOf = (length, parts) => {
  const edge = (part) => (part * length) / parts;
  const share = (part, cell) =>
    Math.max(Math.min(edge(part + 1), cell + 1) - Math.max(edge(part), cell), 0) / (length / parts);
  return Array.from({ length: parts }, (_, part) => Float64Array.from({ length }, (_, cell) => share(part, cell)));
};

// What is the same for all images at a scale; `start` is its first column.
const planOf = (scale, start) => {
  const height = Math.floor(model.size.height / scale.factor),
    width = Math.floor(model.size.width / scale.factor);
  const rows = height - side + 1,
    columns = width - side + 1;
  const kernels = weightsOf(scale.filters, numbersOf(scale.steps)); // (C p p + 1, M)
  const inputs = model.size.channels * side ** 2,
    count = kernels.length / (inputs + 1);
  const plan = { start, height, width, rows, columns, count, inputs, places: rows * columns };
  plan.filters = Array.from({ length: count }, (_, m) =>
    Float64Array.from({ length: inputs + 1 }, (_, j) => kernels[j * count + m]),
  );
  plan.down = sharesOf(model.size.height, height);
  plan.across = sharesOf(model.size.width, width);
  return { ...plan, regions: regionsOf(rows, columns) };
};

// For both views, the filters and their mirror images: the share (place, region) of each place in each region's mean.
const regionsOf = (rows, columns) => {
  const { pooling, fold } = model.patches,
    count = pooling ** 2;
  const down = sharesOf(rows, pooling),
    across = sharesOf(columns, pooling),
    factor = fold ? Math.SQRT1_2 : 1;
  const share = (place, region) =>
    down[Math.floor(region / pooling)][Math.floor(place / columns)] * across[region % pooling][place % columns];
  const mirrored = (region) => region - (region % pooling) + (pooling - 1 - (region % pooling));
  return [(region) => region, fold ? mirrored : (region) => region].map((of) =>
    Float64Array.from(
      { length: rows * columns * count },
      (_, i) => factor * share(Math.floor(i / count), of(i % count)),
    ),
  );
};

const ownViews = (model.patches.fold && 1) || 2; // that have columns of their own
const pooled = model.patches.pooling ** 2;
const plans = [];
for (const scale of model.patches.scales) {
  const last = plans.at(-1);
  plans.push(planOf(scale, last ? last.start + ownViews * 2 * last.count * pooled : 0));
}
// Where the column of a view, sign, filter and its first region stands.
const columnOf = (plan, view, sign, m) => plan.start + (((view % ownViews) * 2 + sign) * plan.count + m) * pooled;

// The planes of an image averaged to the size of the plan.
const reducedPlane = (row, c, { down, across, height, width }) => {
  const { height: H, width: W } = model.size,
    flat = new Float64Array(H * width),
    out = new Float64Array(height * width);
  for (let y = 0; y < H; y++)
    for (let x = 0; x < width; x++) {
      for (let from = 0; from < W; from++) flat[y * width + x] += across[x][from] * row[(c * H + y) * W + from];
    }
  for (let y = 0; y < height; y++)
    for (let from = 0; from < H; from++) {
      for (let x = 0; x < width; x++) out[y * width + x] += down[y][from] * flat[from * width + x];
    }
  return out;
};

// The pixels of the patch at a place, divided by their deviation, and those of its mirror image; a 1 behind them.
const patchesAt = (planes, plan, place) => {
  const top = Math.floor(place / plan.columns),
    left = place % plan.columns;
  const patch = new Float64Array(plan.inputs + 1),
    mirrored = new Float64Array(plan.inputs + 1);
  let at = 0,
    sum = 0,
    squares = 0;
  for (const plane of planes)
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) {
        const value = plane[(top + y) * plan.width + left + x];
        patch[at] = mirrored[at - x + (side - 1 - x)] = value;
        sum += value;
        squares += value ** 2;
        at += 1;
      }
  const variance = Math.max(squares / at - (sum / at) ** 2, 0),
    divisor = 1 / Math.sqrt(variance + model.patches.contrast);
  for (let j = 0; j < at; j++) [patch[j], mirrored[j]] = [patch[j] * divisor, mirrored[j] * divisor];
  patch[at] = mirrored[at] = 1;
  return [patch, mirrored];
};

// Responses z (view, place, filter) of a scale to an image.
const responsesOf = (row, plan) => {
  const planes = Array.from({ length: model.size.channels }, (_, c) => reducedPlane(row, c, plan));
  const responses = [0, 1].map(() => new Float32Array(plan.places * plan.count));
  for (let place = 0; place < plan.places; place++) {
    patchesAt(planes, plan, place).forEach((patch, view) => {
      for (let m = 0; m < plan.count; m++) {
        const filter = plan.filters[m];
        let z = 0;
        for (let j = 0; j < patch.length; j++) z += filter[j] * patch[j];
        responses[view][place * plan.count + m] = z;
      }
    });
  }
  return responses;
};

let seen = { row: null, responses: null }; // of the last image: its evidence for other classes needs no new ones
const responsesTo = (row) => {
  if (seen.row !== row) seen = { row, responses: plans.map((plan) => responsesOf(row, plan)) };
  return seen.responses;
};

// Tell of each response of a scale that counts: how much, its column, view and place.
const eachActive = (plan, responses, tell) => {
  for (const view of [0, 1])
    for (let place = 0; place < plan.places; place++)
      for (let m = 0; m < plan.count; m++) {
        const z = responses[view][place * plan.count + m],
          active = Math.abs(z) - model.patches.threshold;
        if (active > 0) tell(active, columnOf(plan, view, z > 0 ? 0 : 1, m), view, place);
      }
};

const featuresOf = (row) => {
  const features = new Float64Array(model.center.length);
  responsesTo(row).forEach((responses, scale) => {
    const plan = plans[scale];
    eachActive(plan, responses, (active, column, view, place) => {
      for (let region = 0; region < pooled; region++)
        features[column + region] += active * plan.regions[view][place * pooled + region];
    });
  });
  return features;
};

// What each place adds to (features - center) . weights: a feature is a mean over places, and they share its center.
const placesOf = (plan, responses, weights) => {
  const places = new Float64Array(plan.places);
  plan.regions.forEach((regions, view) => {
    for (let region = 0; region < pooled; region++) {
      let sum = 0,
        offset = 0;
      for (let place = 0; place < plan.places; place++) sum += regions[place * pooled + region];
      for (const sign of [0, 1])
        for (let m = 0; m < plan.count; m++) {
          const column = columnOf(plan, view, sign, m) + region;
          offset += model.center[column] * weights[column];
        }
      for (let place = 0; place < plan.places; place++)
        places[place] -= (regions[place * pooled + region] / sum) * offset * (ownViews / 2);
    }
  });
  eachActive(plan, responses, (active, column, view, place) => {
    for (let region = 0; region < pooled; region++)
      places[place] += active * plan.regions[view][place * pooled + region] * weights[column + region];
  });
  return places;
};

// A place's share, spread evenly over the pixels of its patch, and of the image.
const spreadPlaces = (places, plan, out) => {
  const pixels = new Float64Array(plan.height * plan.width),
    { height: H, width: W } = model.size;
  places.forEach((value, place) => {
    const corner = Math.floor(place / plan.columns) * plan.width + (place % plan.columns);
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) pixels[corner + y * plan.width + x] += value / side ** 2;
  });
  pixels.forEach((value, pixel) => {
    const down = plan.down[Math.floor(pixel / plan.width)],
      across = plan.across[pixel % plan.width];
    for (let y = 0; y < H; y++)
      if (down[y]) for (let x = 0; x < W; x++) out[y * W + x] += value * down[y] * across[x];
  });
};

const evidenceOfPlaces = (row, chosen, other) => {
  const map = new Float64Array(model.size.height * model.size.width);
  const weights = Float64Array.from(model.center, (_, d) => weightOf(d, chosen, other));
  responsesTo(row).forEach((responses, scale) =>
    spreadPlaces(placesOf(plans[scale], responses, weights), plans[scale], map),
  );
  const length = lengthOfColumns(featuresOf(row)),
    channels = model.size.channels;
  return Float64Array.from(
    { length: channels * map.length },
    (_, d) => map[d % map.length] / channels / (length || 1),
  );
};

Object.assign(reading, { columns: featuresOf, evidence: evidenceOfPlaces });
