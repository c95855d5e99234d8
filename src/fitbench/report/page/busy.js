// Whether the reader is in the middle of something, in which the page leaves them alone.

const PAUSE = { typing: 1000, selecting: 30000 }; // milliseconds after which a reader has stopped
let [pressed, acted] = [false, -Infinity];

for (const kind of ["pointerdown", "pointerup", "pointercancel", "keydown"]) {
  const noted = () => {
    if (kind !== "keydown") pressed = kind === "pointerdown";
    acted = performance.now();
  };
  addEventListener(kind, noted, true);
}

addEventListener("blur", () => {
  pressed = false;
});

// Whether a list of choices is open, as far as the browser says so.
function isOpen() {
  return CSS.supports("selector(select:open)") && document.querySelector("select:open") !== null;
}

function isBusy() {
  const since = performance.now() - acted;
  if (pressed || since < PAUSE.typing || isOpen()) return true;
  const { isCollapsed, anchorNode } = getSelection();
  return since < PAUSE.selecting && !isCollapsed && document.querySelector("main").contains(anchorNode);
}

// Waits until the reader does nothing.
async function untilIdle() {
  while (isBusy()) await new Promise((done) => setTimeout(done, 200));
}
