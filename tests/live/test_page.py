"""The live page in Debian's Chromium: what a reader sees while runs begin, train, fail and finish."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fitbench.analysis.studies import Which
from fitbench.live import budget
from fitbench.live.app import make_app
from fitbench.live.changes import Changes
from fitbench.record.claims import claim
from fitbench.record.history import append_history
from fitbench.web.server import listen, make_server

from .. import browser as browsers
from ..run_folders import curves, maker

pytest.importorskip("selenium", reason="needs selenium")
from selenium.webdriver.common.keys import Keys

HOSTILE = "<img src=x onerror=alert(1)>"
INTERVAL = 0.2
BOXES = "return [document.documentElement.scrollWidth, innerWidth]"


class Server:
    """The server of the live page of a folder, which can stop and start again at the same address."""

    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs
        self.port = 0
        self.start()
        self.url = f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it; questions wait until it runs."""
        listener = listen("127.0.0.1", self.port)
        self.port = listener.getsockname()[1]
        self.server = make_server(make_app(Changes(Which([self.outputs], every=True)), INTERVAL), grace=1)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]}, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Stop it, and close all connections."""
        self.server.should_exit = True
        self.thread.join(20)


class Page(browsers.Page):
    """The live page as a reader sees it."""

    def __init__(self, driver, server: Server) -> None:
        super().__init__(driver, server.url)
        self.address = server.url

    def open_study(self, study: str, width: int = 1440, height: int = 900, scheme: str = "light") -> None:
        """Load the page, which shows this study."""
        self.driver.get("about:blank")  # else only the fragment of the address would change
        self.url = f"{self.address}#study={study}"
        self.open(width, height, scheme)
        self.wait(lambda: self.js("return live.token !== null"))

    def text(self, css: str) -> str:
        """The text of an element, also where it is not drawn."""
        return self.js("return document.querySelector(arguments[0])?.textContent ?? ''", css)

    def points(self) -> int:
        """How many points the first curve of the chart has."""
        return self.js(
            "return document.querySelector('#now .growing path')?.getAttribute('d').match(/[ML]/g).length ?? 0"
        )

    def progress(self) -> str:
        return self.js("return document.querySelector('#now .progress').getAttribute('aria-valuetext') ?? ''")

    def sees(self, css: str, text: str) -> None:
        """Wait until the element has the text."""
        self.wait(lambda: text in self.text(css))

    def focused(self) -> str:
        return self.js("return document.activeElement.textContent")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """The server of a folder without runs, to which the tests add some, each in a study of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "SHARE", 1)  # a report is collected whenever runs have ended
        found = Server(tmp_path_factory.mktemp("live") / "outputs")
        yield found
        found.stop()


@pytest.fixture(scope="module")
def make(composed, server) -> Callable[..., Path]:
    """Writes a run folder, as `make_run` does, where the server looks."""
    return maker(composed, server.outputs)


@pytest.fixture
def page(browser, server) -> Page:
    found = Page(browser, server)
    found.problems()
    return found


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Callable[[], None]]:
    """This process holds the run, as if it trained it; gives a function that ends a further epoch."""
    epochs = len((folder / "history.jsonl").read_text().splitlines())

    def end_epoch() -> None:
        nonlocal epochs
        epochs += 1
        append_history(folder, curves(epochs)[-1])

    with claim(folder):
        yield end_epoch


def fail(folder: Path, error: str) -> None:
    (folder / "error.txt").write_text(f"Traceback (most recent call last):\n{error}\n")


def test_a_sweep_is_seen_from_its_beginning_to_its_end(page, server):
    page.open_study("sweep")
    page.sees("#now .empty", "No runs yet below")
    page.js("window.opened = true")
    sweep = [
        *("train", "-m", "data=digits", "model=softmax,lenet5", "training.epochs=800", "training.batch_size=1"),
        *("training.early_stopping=null", "threads=1", f"outputs={server.outputs}", "study=sweep"),
    ]
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.Popen(
        [sys.executable, "-m", "fitbench", *sweep], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env
    )
    try:
        page.wait(lambda: page.points() > 2 and "1 running" in page.progress(), 60)
        grown = page.points()
        page.wait(lambda: page.points() > grown)
        assert "of 2 runs ended" in page.text("#now .answer")
        page.wait(lambda: page.all("#comparison"), 60)  # the first run has finished
        page.js("words.value = 'softmax'; words.dispatchEvent(new Event('input'))")
        page.wait(lambda: page.all("#now .failures li"), 60)
        assert "these are 8x8" in page.text("#now .failures .error")  # lenet5 takes larger images than the digits
        page.sees("#now .answer", "2 runs, all ended")
        page.sees("#count", "1 of 2 runs")
        assert not page.one("#now .pair").is_displayed()  # the report has the curves
        assert page.all("#now .live.idle")
        assert page.one("#words").get_attribute("value") == "softmax"
        assert page.js("return window.opened")
    finally:
        process.kill()
        process.wait()
    assert page.problems() == []


def test_a_run_that_fails_appears_and_is_announced(page, make):
    with running(make("study=fails", finished=False)) as end_epoch:
        page.open_study("fails")
        page.sees("h1", "fails")
        assert page.text("#now .failures") == ""
        assert page.points() == 5
        end_epoch()
        page.wait(lambda: page.points() == 6)
    folder = make("study=fails", "seed=3", finished=False)
    fail(folder, "ValueError: <b>no</b>")
    page.sees("#now .failures code", folder.name)
    assert page.text("#now .failures .error") == "ValueError: <b>no</b>"
    assert page.text("#now [role=status]") == f"{folder.name} failed: ValueError: <b>no</b>"
    assert "1 failed" in page.progress()
    assert page.problems() == []


def test_new_content_leaves_the_reader_where_they_are(page, make):
    """Filter, choices, order, selected run, opened list, scroll position and focus."""
    first = [make("study=place", f"seed={seed}") for seed in range(4)]
    make("study=place", "model=softmax")
    page.open_study("place")
    page.sees("#count", "5 runs")
    page.type("#words", "mlp")
    page.js("document.querySelector('#curves .segments button:last-child').click()")
    page.js("document.querySelector('#constant').open = true")
    page.js("[...document.querySelectorAll('#runs thead button')].find((each) => each.innerText === 'seed').click()")
    page.js("document.querySelector('#runs tbody button').click()")
    page.wait(lambda: page.text("#detail-title") == first[0].name)
    page.js("document.querySelector('#runs tbody tr:nth-child(2)').scrollIntoView()")
    where = "return document.querySelector('#runs tbody tr:nth-child(2)').getBoundingClientRect().top"
    top = page.js(where)

    page.mouse("mousePressed", 5, 5)  # in the middle of something
    page.js("document.querySelector('#runs tbody tr:nth-child(2) button').focus({ preventScroll: true })")
    make("study=place", "seed=5")
    page.sees("#now .answer", "6 runs")
    assert page.text("#count") == "4 of 5 runs"
    page.mouse("mouseReleased", 5, 5)
    page.sees("#count", "5 of 6 runs")
    page.wait(lambda: abs(page.js(where) - top) < 2)
    assert page.one("#words").get_attribute("value") == "mlp"
    assert page.text("#curves .segments [aria-pressed=true]") == "Runs"
    assert page.js("return document.querySelector('#constant').open")
    assert page.text("#runs [aria-sort=ascending]").startswith("seed")
    assert page.text("#detail-title") == first[0].name
    assert page.focused() == first[1].name
    assert page.text("#runs tr.selected button") == first[0].name
    assert page.problems() == []


def test_a_study_that_begins_is_offered_and_opens_by_keyboard(page, make):
    make("study=before")
    page.open_study("before")
    page.sees("h1", "before")
    with running(make("study=after", finished=False)) as end_epoch:
        page.sees("#now .elsewhere", "Also active: after (1 running)")
        page.sees("#which", "after (1 run)")
        page.js("document.querySelector('#now .elsewhere a').focus()")
        end_epoch()
        page.driver.switch_to.active_element.send_keys(Keys.ENTER)
        page.sees("h1", "after")
        assert page.js("return document.activeElement.id") == "now"  # what follows the link that has gone
        assert not page.all("main section")  # no run has finished
        page.js("document.querySelector('#now select').focus()")
        drawn = page.points()
        end_epoch()
        page.wait(lambda: page.points() > drawn)
        assert page.js("return document.activeElement.getAttribute('aria-label')") == "Curve of"


def test_a_study_that_cannot_be_read_any_more_goes_with_a_notice(page, make):
    make("study=stays")
    folder = make("study=goes")
    page.open_study("goes")
    page.sees("h1", "goes")
    (folder / "result.json").write_text("{")
    page.sees("#left-out", f"{folder} result.json: not JSON")
    page.wait(lambda: page.text("h1") != "goes")
    assert "goes" not in page.text("#which")
    assert page.problems() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_of_a_stranger_stay_text_and_fit_onto_a_phone(page, make, scheme):
    folder = make(f"study=phone_{scheme}", finished=False)
    folder = folder.rename(folder.with_name(HOSTILE))
    with running(folder):
        fail(make(f"study=phone_{scheme}", "seed=1", finished=False), "E" * 300)
        page.open_study(f"phone_{scheme}", 390, 844, scheme)
        page.wait(lambda: len(page.all("#now tbody tr")) == 1 and page.points() == 5)
        width, window = page.js(BOXES)
        assert width == window == 390
        table = page.one("#now .scroll")
        assert page.js("return arguments[0].scrollWidth - arguments[0].clientWidth", table) == 0
        assert page.one("#now tbody th").get_attribute("title") == HOSTILE
    fail(folder, HOSTILE)
    page.sees("#now .failures code", HOSTILE)
    assert page.js("return document.querySelectorAll('img').length + document.scripts.length") == 2
    assert page.problems() == []


def test_the_page_goes_on_when_the_server_does(page, server, make):
    with running(make("study=returns", finished=False)) as end_epoch:
        page.open_study("returns")
        page.wait(lambda: page.points() == 5)
        server.stop()
        page.sees("#lost", "No connection to fitbench. What is shown is ")
        assert page.one("#lost").is_displayed()
        end_epoch()
        server.start()
        page.wait(lambda: page.points() == 6)
        assert not page.one("#lost").is_displayed()


def test_a_hidden_page_asks_seldom_and_catches_up(page, make):
    with running(make("study=hidden", finished=False)) as end_epoch:
        page.open_study("hidden")
        page.wait(lambda: page.points() == 5)
        page.js("Object.defineProperty(document, 'hidden', { get: () => window.away }); window.away = true")
        page.js("clearTimeout(live.timer); ask()")  # the question that is asked while nobody looks
        page.wait(lambda: page.js("return live.asked === null"))
        token = page.js("return live.token")
        end_epoch()
        time.sleep(5 * INTERVAL)
        assert page.js("return live.token") == token
        page.js("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
        page.wait(lambda: page.points() == 6)


MANY = """
clearTimeout(live.timer);
live.asked = 0; // the page asks no more
const counts = { finished: 980, failed: 10, pruned: 0, interrupted: 0, running: 10, waiting: 200, total: 1200 };
const beside = { finished: 2, failed: 0, pruned: 0, interrupted: 0, running: 1, waiting: 0, total: 3 };
const study = { name: "many", kind: "search", ...counts, beside, runs: 1000, active: 10, reached: 0.4, done: false,
  left: 60, best: "validation loss 0.1, trial 3", newest: 0, report: 0 };
const run = (i, epochs, from) => ({
  folder: `many/${i}`, run_id: `run${i}`, study: "many", label: `seed ${i}`, epoch: epochs, epochs: 500, left: 9,
  state: i < 10 ? "running" : i < 20 ? "failed" : "finished", error: i >= 10 && i < 20 ? "an error" : null,
  metric: { label: "validation accuracy", value: epochs / 500, digits: 4 }, updated: i,
  ...(i < 10 ? { series: [{ name: "accuracy", label: "accuracy", kind: "metric", digits: 4, low: 0, high: 1 }], curve: {
    from, epoch: Array.from({ length: epochs - from }, (_, e) => from + e + 1),
    values: { val_accuracy: Array.from({ length: epochs - from }, (_, e) => (from + e) / 500) } } } : {}),
});
const answer = (runs, more) => ({ token: "", now: Date.now() / 1000, studies: [], runs, gone: [], ended: [], ...more });
const all = Array.from({ length: 1000 }, (_, i) => run(i, 200, 0));
take(answer(all, { full: true, studies: [study] }));
location.hash = "#study=many";
show();
const rows = [...document.querySelectorAll("#now tbody tr, #now .failures li")];
const seen = new MutationObserver(() => {});
seen.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
take(answer(all.slice(0, 10).map((_, i) => run(i, 201, 200)), { studies: [study] }));
const changed = seen.takeRecords();
const outside = changed.filter(({ target }) => !target.parentNode?.closest?.("#now") && target.id !== "now");
const isKept = rows.every((row) => row.isConnected);
const [{ duration }] = performance.getEntriesByName("fitbench update");
return [rows.length, isKept, changed.length, outside.map(({ target }) => target.nodeName), duration];
"""


def test_of_a_thousand_runs_an_epoch_changes_the_rows_that_run_alone(page):
    page.open_study("many")
    rows, are_kept, changes, outside, milliseconds = page.js(MANY)
    print(f"an update of 1,000 runs, of which 10 run, takes {milliseconds:.1f} ms")
    assert rows == 10 + 5
    assert are_kept
    assert changes < 400
    assert outside == []
    assert "and 5 more" in page.text("#now .failed-part")
    assert page.text("#now .answer") == "990 of 1,200 trials ended"
    assert page.text("#now .best") == "Best so far: validation loss 0.1, trial 3"
    assert page.text("#now .beside") == "Besides the trials, 3 runs: 2 finished, 1 running"
    assert page.text("#which") == ""
    assert page.points() == 201
    assert page.problems() == []
