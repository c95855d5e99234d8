// The drawing pad. It accepts a mouse, a finger, a pen, the keyboard, and image files.
//
// A drawing is a list of strokes, pictures and clearings, each of which can be undone. Points are between 0 and 1, so
// that the drawing can be painted at any size.

const PEN = 0.075; // thickness, as a fraction of the side of the pad
const STEP = 1 / 28; // distance that an arrow key moves the pen
const SENT = 84; // side of the image that is sent, in pixels
const MARGIN = 6; // pixels around the pad in that image, so that strokes at the edge of the pad have a margin
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Pad {
  /** `changed()` is called when the drawing changes, `say(text)` with text for a screen reader. */
  constructor(canvas, changed, say) {
    this.canvas = canvas;
    this.say = say;
    this.changed = () => {
      this.show();
      changed();
    };
    this.entries = [];
    this.stroke = null; // the current stroke
    this.pointer = null; // the pointer that draws it; other pointers are ignored
    this.cursor = null; // the pen of the keyboard
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.release(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("focus", () => this.focus());
    canvas.addEventListener("blur", () => this.blur());
    new ResizeObserver(() => this.show()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.show());
  }

  // -- the drawing --

  /** The visible entries: everything after the last clearing. */
  get visible() {
    return this.entries.slice(this.entries.findLastIndex((entry) => entry.kind === "clear") + 1);
  }

  get empty() {
    return this.visible.length === 0;
  }

  get undoable() {
    return this.entries.length > 0;
  }

  undo() {
    this.lift();
    if (this.entries.pop()) this.changed();
  }

  clear() {
    this.lift();
    if (this.empty) return;
    this.entries.push({ kind: "clear" });
    this.changed();
  }

  /** Replace the drawing by an image file. If the browser cannot decode it, the pad shows its name. */
  async open(file) {
    const picture = { kind: "picture", file, bitmap: await createImageBitmap(file).catch(() => null) };
    this.lift();
    if (!this.empty) this.entries.push({ kind: "clear" });
    this.entries.push(picture);
    this.changed();
  }

  /** The content to send: an image file unchanged, or the drawing as a small PNG, white on black. */
  content() {
    const visible = this.visible;
    if (visible.length === 1 && visible[0].kind === "picture") return Promise.resolve(visible[0].file);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SENT;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#000";
    context.fillRect(0, 0, SENT, SENT);
    context.translate(MARGIN, MARGIN);
    draw(context, visible, SENT - 2 * MARGIN, "#fff");
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  // -- mouse, finger, pen --

  press(event) {
    if (this.pointer !== null || event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.lift();
    this.cursor = null;
    this.pointer = event.pointerId;
    this.stroke = { kind: "stroke", points: [this.at(event)] };
    this.entries.push(this.stroke);
    this.changed();
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    this.stroke.points.push(...(moves.length ? moves : [event]).map((each) => this.at(each)));
    this.changed();
  }

  release(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = this.stroke = null;
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  // -- the keyboard --

  focus() {
    if (!this.canvas.matches(":focus-visible") || this.pointer !== null) return;
    this.cursor ??= { x: 0.5, y: 0.5 };
    this.show();
  }

  blur() {
    this.lift();
    this.cursor = null;
    this.show();
  }

  key(event) {
    if (event.altKey || event.metaKey || event.ctrlKey || this.pointer !== null) return;
    if (event.key in ARROWS) this.step(...ARROWS[event.key]);
    else if (event.key === " " && !event.repeat) this.toggle();
    else if (event.key === "Backspace") this.undo();
    else if (event.key === "Delete") this.clear();
    else return;
    event.preventDefault();
  }

  step(right, down) {
    this.cursor ??= { x: 0.5, y: 0.5 };
    const inside = (value) => Math.min(1 - PEN / 2, Math.max(PEN / 2, value));
    this.cursor = { x: inside(this.cursor.x + right * STEP), y: inside(this.cursor.y + down * STEP) };
    if (!this.stroke) return this.show();
    this.stroke.points.push(this.cursor);
    this.changed();
  }

  toggle() {
    this.cursor ??= { x: 0.5, y: 0.5 };
    if (this.stroke) {
      this.lift();
      this.say("Pen lifted");
      return this.show();
    }
    this.stroke = { kind: "stroke", points: [this.cursor] };
    this.entries.push(this.stroke);
    this.say("Pen down");
    this.changed();
  }

  lift() {
    this.stroke = this.pointer = null;
  }

  // -- the screen --

  show() {
    if (this.showing) return;
    this.showing = requestAnimationFrame(() => {
      this.showing = 0;
      this.paint();
    });
  }

  paint() {
    const { canvas } = this;
    const side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    const styles = getComputedStyle(canvas);
    context.clearRect(0, 0, side, side);
    draw(context, this.visible, side, styles.color);
    if (!this.cursor) return;
    context.strokeStyle = styles.caretColor;
    context.fillStyle = context.strokeStyle;
    context.lineWidth = 2 * devicePixelRatio;
    context.beginPath();
    context.arc(this.cursor.x * side, this.cursor.y * side, (PEN / 2) * side + context.lineWidth, 0, 2 * Math.PI);
    context.stroke();
    if (this.stroke) context.fill();
  }
}

/** Draw strokes and pictures into a square. If there is a picture, the paper is white and the ink black. */
function draw(context, entries, side, ink) {
  const pictures = entries.some((entry) => entry.kind === "picture");
  if (pictures) {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, side, side);
  }
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = PEN * side;
  context.strokeStyle = context.fillStyle = pictures ? "#000" : ink;
  for (const entry of entries) {
    if (entry.kind === "stroke") drawStroke(context, entry.points, side);
    else drawPicture(context, entry, side);
  }
}

/** Draw a smooth line through points: parabolas between the midpoints of the segments. */
function drawStroke(context, points, side) {
  const [first, ...rest] = points.map(({ x, y }) => ({ x: x * side, y: y * side }));
  context.beginPath();
  if (rest.every(({ x, y }) => x === first.x && y === first.y)) {
    context.arc(first.x, first.y, (PEN / 2) * side, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  context.moveTo(first.x, first.y);
  for (let i = 0; i + 1 < rest.length; i++) {
    const [here, next] = [rest[i], rest[i + 1]];
    context.quadraticCurveTo(here.x, here.y, (here.x + next.x) / 2, (here.y + next.y) / 2);
  }
  context.lineTo(rest.at(-1).x, rest.at(-1).y);
  context.stroke();
}

function drawPicture(context, { bitmap, file }, side) {
  if (!bitmap) {
    context.font = `${side / 22}px sans-serif`;
    context.textAlign = "center";
    context.fillText(file.name, side / 2, side / 2, side * 0.9);
    return;
  }
  const scale = side / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  context.imageSmoothingEnabled = scale < 1;
  context.drawImage(bitmap, (side - width) / 2, (side - height) / 2, width, height);
}
