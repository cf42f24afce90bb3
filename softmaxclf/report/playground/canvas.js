// Rows, templates and maps as pictures with hard pixel edges.

const LEAST_SIDE = 384; // pixels of a canvas: small images are enlarged, so that a frame around a pixel can be seen
const spectrum = bytesOf(model.colours); // red, green, blue of 256 steps from blue over white to red

const colourOf = (share) => {
  const step = 3 * Math.round(127.5 * (1 + Math.min(Math.max(share, -1), 1)));
  return spectrum.subarray(step, step + 3);
};

// Draw the pixels whose colours `of(pixel)` are; a zoom of the canvas's own.
const drawPixels = (canvas, of) => {
  const { width, height } = model.size,
    small = new ImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    small.data.set(of(pixel), 4 * pixel);
    small.data[4 * pixel + 3] = 255;
  }
  const zoom = canvas.classList.contains("tile") ? 1 : Math.max(1, Math.ceil(LEAST_SIDE / width));
  Object.assign(canvas, { width: zoom * width, height: zoom * height });
  const exact = Object.assign(document.createElement("canvas"), { width, height });
  exact.getContext("2d").putImageData(small, 0, 0);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(exact, 0, 0, canvas.width, canvas.height);
};

// The channels of a pixel in a row of planes.
const channelsAt = (row, pixel) => {
  const plane = model.size.width * model.size.height;
  return Array.from({ length: model.size.channels }, (_, c) => row[c * plane + pixel]);
};

const threeOf = (channels) => (channels.length === 1 ? [channels[0], channels[0], channels[0]] : channels);

const drawRow = (canvas, row) => drawPixels(canvas, (pixel) => threeOf(channelsAt(row, pixel)));

// A map (height x width) of what all channels of each pixel add.
const mapOf = (evidence) => {
  const pixels = model.size.width * model.size.height;
  return Float64Array.from({ length: pixels }, (_, pixel) => total(channelsAt(evidence, pixel)));
};

const drawMap = (canvas, map, limit = largest(map)) =>
  drawPixels(canvas, (pixel) => colourOf(map[pixel] / (limit || 1)));

const weightsFor = (k) => Float64Array.from(model.center, (_, d) => model.weights[d * model.count + k]);

// The value below which that share of the values lies: a few extreme weights would leave all others pale.
const quantile = (values, share) => Float64Array.from(values).sort()[Math.round(share * (values.length - 1))];
const RARE = 0.02;

// The weights of a class from its least, black, to its largest, white.
const drawTemplate = (canvas, k) => {
  const weights = weightsFor(k),
    low = quantile(weights, RARE),
    high = quantile(weights, 1 - RARE);
  const levels = weights.map((weight) => (high > low ? (255 * (weight - low)) / (high - low) : 128));
  drawRow(canvas, levels); // which clips what is beyond
};

// The weights of a class summed over the colours, from blue to red.
const drawSignedTemplate = (canvas, k) => {
  const map = mapOf(weightsFor(k));
  drawMap(canvas, map, quantile(map.map(Math.abs), 1 - RARE));
};

// A frame around a pixel, dark in light.
const drawFrame = (canvas, { x, y }) => {
  const zoom = canvas.width / model.size.width,
    context = canvas.getContext("2d");
  for (const [grown, colour, width] of [
    [1, "#fff", 3],
    [1, "#000", 1],
  ]) {
    Object.assign(context, { strokeStyle: colour, lineWidth: width });
    context.strokeRect(x * zoom - grown, y * zoom - grown, zoom + 2 * grown, zoom + 2 * grown);
  }
};
