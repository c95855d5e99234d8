// The input of images: a drawing pad, which also takes image files.

import { Pad } from "./pad.js";

export class Drawing {
  static template = "drawing";
  query = "seen=true"; // of /predict

  /** `changed()` is called when the drawing changes, `say(text)` with text for a screen reader. */
  constructor({ find, changed, say }) {
    this.find = find;
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

  /** What the page is called, and what models do with the input. */
  texts(models) {
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
}
