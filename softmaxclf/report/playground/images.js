// An image to look at: opened, dropped, pasted, picked, or painted, a pixel of the model's at a time.

const picture = byId("picture"),
  map = byId("map");
const MOST_UNDONE = 100;
let earlier = []; // rows to go back to
let cursor = null; // the pixel {x, y} that the mouse or the arrow keys point at
let stroke = null; // where the brush was last, while it is down

// Where images come from

const replaceRow = (row) => {
  if (state.row) earlier = [...earlier, state.row].slice(-MOST_UNDONE);
  setRow(row);
};

const openImage = async (file) => {
  byId("trouble").textContent = "";
  try {
    replaceRow(rowOfPixels(await decoded(file)));
  } catch (error) {
    const reason = error instanceof DOMException ? "this browser cannot read it as an image" : error.message;
    byId("trouble").textContent =
      `${file.name || "The image"}: ${reason}; save it as PNG or JPEG, smaller if need be, and open that`;
  }
};

let opening = Promise.resolve(); // one after another
const openFirst = (files) => {
  const file = [...files][0];
  if (file) opening = opening.then(() => openImage(file));
};

byId("file").addEventListener("change", (event) => {
  openFirst(event.target.files);
  event.target.value = ""; // so that the same file can be opened again
});
document.addEventListener("paste", (event) => openFirst(event.clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  openFirst(event.dataTransfer.files);
});

const sampleFile = (button) => {
  const base64 = button.querySelector("img").src.split(",")[1];
  return new Blob([bytesOf(base64)], { type: "image/png" });
};
const samples = [...document.querySelectorAll("#samples button")];
for (const button of samples) button.addEventListener("click", () => openFirst([sampleFile(button)]));

// Painting

const paintColour = () => {
  const value = Number.parseInt(byId("colour").value.slice(1), 16);
  const channels = [value >> 16, (value >> 8) & 255, value & 255];
  return model.size.channels === 1 ? [luma(...channels)] : channels;
};

// The row with the colour on all pixels {x, y} of which `touched` is true.
const painted = (row, touched) => {
  const out = Uint8Array.from(row),
    colour = paintColour(),
    { width, height } = model.size;
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (touched(pixel % width, Math.floor(pixel / width)))
      colour.forEach((value, c) => (out[c * width * height + pixel] = value));
  }
  return out;
};

const distanceToLine = (x, y, from, to) => {
  const along = { x: to.x - from.x, y: to.y - from.y },
    squared = along.x ** 2 + along.y ** 2;
  const share = squared && Math.min(Math.max(((x - from.x) * along.x + (y - from.y) * along.y) / squared, 0), 1);
  return Math.hypot(x - from.x - share * along.x, y - from.y - share * along.y);
};

const brushed = (from, to) => {
  const radius = Number(byId("brush").value) / 2;
  return painted(state.row, (x, y) => distanceToLine(x, y, from, to) < radius);
};

const undo = () => {
  if (earlier.length) setRow(earlier.pop());
};

byId("fill").addEventListener("click", () => replaceRow(painted(state.row, () => true)));
byId("undo").addEventListener("click", undo);
document.addEventListener("keydown", (event) => {
  if (event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
});

// Pointing

const pixelUnder = (canvas, event) => {
  const box = canvas.getBoundingClientRect(),
    { width, height } = model.size;
  const within = (share, count) => Math.min(Math.max(Math.floor(share * count), 0), count - 1);
  return {
    x: within((event.clientX - box.left) / box.width, width),
    y: within((event.clientY - box.top) / box.height, height),
  };
};

const paints = () => byId("paints").checked;

picture.addEventListener("pointerdown", (event) => {
  if (!paints() || event.button !== 0) return;
  picture.setPointerCapture(event.pointerId);
  stroke = cursor = pixelUnder(picture, event);
  replaceRow(brushed(stroke, stroke));
});
picture.addEventListener("pointerup", () => (stroke = null));
picture.addEventListener("pointercancel", () => (stroke = null));
for (const canvas of [picture, map]) {
  canvas.addEventListener("pointermove", (event) => {
    const from = stroke;
    cursor = pixelUnder(canvas, event);
    if (from === null) return render();
    stroke = cursor;
    setRow(brushed(from, cursor));
  });
  canvas.addEventListener("pointerleave", () => {
    if (stroke === null) cursor = null;
    render();
  });
  canvas.addEventListener("blur", () => {
    cursor = null;
    render();
  });
  canvas.addEventListener("keydown", (event) => moveBy(event, canvas));
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const moveBy = (event, canvas) => {
  const { width, height } = model.size,
    step = STEPS[event.key];
  if (step && cursor) {
    const within = (value, count) => Math.min(Math.max(value, 0), count - 1);
    cursor = { x: within(cursor.x + step[0], width), y: within(cursor.y + step[1], height) };
  } else if (step) {
    cursor = { x: Math.floor(width / 2), y: Math.floor(height / 2) };
  } else if ((event.key === " " || event.key === "Enter") && canvas === picture && cursor) {
    replaceRow(brushed(cursor, cursor));
  } else return;
  event.preventDefault();
  render();
};

const setTouch = () => picture.classList.toggle("painted", paints());
byId("paints").checked = matchMedia("(pointer: fine)").matches; // elsewhere a finger scrolls until it is told to paint
byId("paints").addEventListener("change", setTouch);

// What is seen

const showImage = () => {
  const evidence = evidenceOf(state.row, chosen(), other()),
    values = mapOf(evidence);
  drawRow(picture, state.row);
  drawMap(map, values);
  showSum(evidence);
  const limit = largest(values);
  byId("least").textContent = figure(-limit);
  byId("most").textContent = signed(limit);
  map.setAttribute(
    "aria-label",
    `Evidence map of ${byId("score-name").textContent.slice(2)}: its sum is ${byId("map-sum").textContent}`,
  );
  for (const canvas of cursor ? [picture, map] : []) drawFrame(canvas, cursor);
  byId("reading").textContent = cursor
    ? pixelText(values)
    : "Point at a pixel, or use the arrow keys on the map, to read what it adds.";
};

const pixelText = (values) => {
  const pixel = cursor.y * model.size.width + cursor.x;
  const levels = channelsAt(state.row, pixel).join(", ");
  return `Row ${cursor.y}, column ${cursor.x} (${levels}) adds ${signed(values[pixel])}.`;
};

views.push(showImage);
setTouch();
setRow(
  model.patches
    ? new Uint8Array(model.size.channels * model.size.height * model.size.width).fill(128)
    : Uint8Array.from(model.center, Math.round),
);
openFirst(
  samples
    .filter((button) => "known" in button.dataset)
    .slice(0, 1)
    .map(sampleFile),
);
