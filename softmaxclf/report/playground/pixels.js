// An image file as a row of pixels, with the arithmetic by which `predict` reads it: Pillow's, bit for bit.
// The largest centred part of the model's shape is averaged over areas where the image is larger, and interpolated by
// cubic splines where it is smaller. https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Resample.c

const MOST_PIXELS = 64e6;
const DIGITS = 22; // of the fixed-point weights

const averaging = { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };
const cubic = {
  support: 2,
  at: (x) => {
    const a = -0.5,
      away = Math.abs(x);
    if (away < 1) return ((a + 2) * away - (a + 3)) * away * away + 1;
    return away < 2 ? (((away - 5) * away + 8) * away - 4) * a : 0;
  },
};

// The pixels (RGBA) of a file, over white where it is transparent; no colour profile is applied.
const decoded = async (file) => {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) throw new Error("it has more than 64 megapixels");
  const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
};

// ITU-R 601-2 luma, in the fixed point of Pillow.
const luma = (red, green, blue) => (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;

// The planes that the model reads of RGBA pixels: three, or one of grey.
const planesOf = ({ data, width, height }) => {
  const planes = Array.from({ length: model.size.channels }, () => new Uint8Array(width * height));
  for (let pixel = 0, at = 0; pixel < width * height; pixel++, at += 4) {
    if (planes.length === 1) planes[0][pixel] = luma(data[at], data[at + 1], data[at + 2]);
    else for (let c = 0; c < 3; c++) planes[c][pixel] = data[at + c];
  }
  return planes;
};

// The centred part [left, top, right, bottom] of an image that has the shape of the model's.
const centredPart = (from, to) => {
  const own = from.width / from.height,
    wanted = to.width / to.height;
  const width = own > wanted ? wanted * from.height : from.width;
  const height = own >= wanted ? from.height : from.width / wanted;
  const left = (from.width - width) * 0.5,
    top = (from.height - height) * 0.5;
  return [left, top, left + width, top + height].map(Math.fround);
};

// For each of `count` pixels that the part start..end of `length` pixels becomes: the first one it sees, and weights.
const weightsAlong = (length, start, end, count, filter) => {
  const scale = Math.fround(end - start) / count,
    stretch = Math.max(scale, 1),
    support = filter.support * stretch;
  return Array.from({ length: count }, (_, place) => {
    const middle = start + (place + 0.5) * scale;
    const first = Math.max(Math.trunc(middle - support + 0.5), 0);
    const after = Math.min(Math.trunc(middle + support + 0.5), length);
    const weights = Array.from({ length: after - first }, (_, x) =>
      filter.at((x + first - middle + 0.5) * (1 / stretch)),
    );
    const sum = total(weights);
    return { first, weights: weights.map((weight) => rounded(weight / sum)) };
  });
};

const rounded = (weight) => Math.trunc(weight * (1 << DIGITS) + (weight < 0 ? -0.5 : 0.5));

// Lines of pixels made shorter or longer; they lie `line` apart, their pixels `step`, and so in what is returned.
const resampledLines = (plane, lines, stretches, from, to) => {
  const out = new Uint8ClampedArray(lines * stretches.length);
  stretches.forEach(({ first, weights }, place) => {
    for (let line = 0; line < lines; line++) {
      const start = line * from.line + first * from.step;
      let sum = 1 << (DIGITS - 1);
      for (let x = 0; x < weights.length; x++) sum += plane[start + x * from.step] * weights[x];
      out[line * to.line + place * to.step] = sum >> DIGITS;
    }
  });
  return out;
};

// Pillow 13 begins with the columns of tall images, older ones with the rows of all.
const columnsFirst = (from, to) =>
  model.tall_first && from.height > to.height && from.height - to.height > 2 * (from.width - to.width);

// A plane of the size `from` in the size `to`: along its rows, and along its columns.
const resized = (plane, from, to) => {
  const filter = from.width >= to.width && from.height >= to.height ? averaging : cubic;
  const [left, top, right, bottom] = centredPart(from, to);
  const across = weightsAlong(from.width, left, right, to.width, filter);
  const down = weightsAlong(from.height, top, bottom, to.height, filter);
  const rows = (width) => ({ line: width, step: 1 }),
    columns = (width) => ({ line: 1, step: width });
  if (columnsFirst(from, to)) {
    const low = resampledLines(plane, from.width, down, columns(from.width), columns(from.width));
    return resampledLines(low, to.height, across, rows(from.width), rows(to.width));
  }
  const narrow = resampledLines(plane, from.height, across, rows(from.width), rows(to.width));
  return resampledLines(narrow, to.width, down, columns(to.width), columns(to.width));
};

// The row of an image: its planes behind each other.
const rowOfPixels = (pixels) => {
  const row = new Uint8Array(model.size.channels * model.size.height * model.size.width);
  planesOf(pixels).forEach((plane, c) =>
    row.set(resized(plane, pixels, model.size), c * model.size.height * model.size.width),
  );
  return row;
};
