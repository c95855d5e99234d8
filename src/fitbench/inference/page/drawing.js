// The input of images: a drawing pad, which also takes image files. Of colour photos, opening a file comes first.

import { Pad } from "./pad.js";

export class Drawing {
  static template = "drawing";
  query = "seen=true"; // of /predict

  /** `changed()` is called when the drawing changes, `say(text)` with text for a screen reader. */
  constructor({ find, changed, say, info }) {
    this.find = find;
    if (takesPhotos(info.models)) this.openFirst();
    this.pad = new Pad(find("pad"), () => this.update(changed), say);
    find("undo").addEventListener("click", () => this.pad.undo());
    find("clear").addEventListener("click", () => this.pad.clear());
    find("choose").addEventListener("click", () => find("file").click());
    addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "z") {
        event.preventDefault();
        this.pad.undo();
      }
    });
  }

  update(changed) {
    this.find("undo").disabled = !this.pad.undoable;
    this.find("clear").disabled = this.pad.empty;
    this.find("prompt").hidden = !this.pad.empty;
    changed();
  }

  openFirst() {
    const [choose, paper] = [this.find("choose"), this.find("paper")];
    choose.classList.add("first");
    choose.parentElement.prepend(choose);
    paper.before(choose.parentElement);
    this.find("prompt").textContent = "Drop an image here, or draw";
  }

  /** What the page is called, and what models do with the input. */
  texts(models) {
    if (takesPhotos(models)) return { title: "Open an image", does: "the image that you open", knownClasses: false };
    const classes = models.flatMap((model) => model.classes ?? []);
    const digits = classes.length > 0 && classes.every((name) => /^[0-9]$/.test(name));
    return { title: digits ? "Draw a digit" : "Draw", does: "it while you draw", knownClasses: digits };
  }

  get empty() {
    return this.pad.empty;
  }

  async content() {
    const body = await this.pad.content();
    const type = body.type.startsWith("image/") ? body.type : "application/octet-stream";
    return { body, size: body.size, headers: { "Content-Type": type } };
  }

  open(file) {
    this.pad.open(file);
  }

  /** Open an example of the test part. */
  async take({ image }) {
    await this.pad.open(await (await fetch(image)).blob());
  }
}

/** Whether all models take images of three channels. */
function takesPhotos(models) {
  return models.every(({ shape }) => shape[2] === 3);
}
