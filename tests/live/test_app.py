"""The server of the live page: its answers, its headers, whom it answers, and how it ends."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from fitbench.analysis.request import Which
from fitbench.live.app import Scans, make_app
from fitbench.live.changes import Changes
from fitbench.web import server
from fitbench.web.protection import COMMON, protect

from ..report.test_report import Parsed


@pytest.fixture
def client(tmp_path) -> TestClient:
    return TestClient(make_app(Changes(Which([tmp_path / "outputs"])), 0.001, ("localhost",)), "http://localhost")


def rules(policy: str) -> dict[str, str]:
    return dict(rule.strip().split(" ", 1) for rule in policy.split(";"))


def test_the_page_is_that_of_the_report_and_may_ask_its_own_server(make_run, client):
    empty = Parsed(client.get("/").text)
    assert (empty.page["studies"], empty.page["title"], empty.page["live"]) == ([], "No runs yet", {"interval": 0.001})
    make_run()
    answer = client.get("/")
    found = Parsed(answer.text)
    assert [(study["name"], study["report"]) for study in found.page["studies"]] == [("default", 1)]
    assert found.page["title"] == "default"
    assert rules(found.policy)["connect-src"] == "'self'"
    assert rules(found.policy)["default-src"] == "'none'"
    assert "unsafe" not in found.policy
    assert client.get("/changes").json()["studies"][0]["report"] == 1
    assert client.get("/study", params={"name": "default"}).json() == found.page["studies"][0]


def test_every_answer_is_protected(client):
    answers = [client.get(path) for path in ("/", "/changes", "/study?name=x", "/nothing")]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 404]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert rules(answer.headers["content-security-policy"])["frame-ancestors"] == "'none'"
    assert answers[1].headers["content-type"] == "application/json"


def test_a_name_that_another_site_points_at_this_computer_is_refused(client):
    refused = client.get("/changes", headers={"host": "evil.example"})
    assert (refused.status_code, refused.json()["error"].split(";")[0]) == (400, "Invalid host header")
    assert refused.headers["x-content-type-options"] == "nosniff"


def test_errors_say_what_is_wrong_and_nothing_can_be_changed(client):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = client.request(method, "/changes")
        assert (answer.status_code, answer.json()) == (405, {"error": f"Method Not Allowed: {method} /changes"})
    assert client.head("/changes").status_code == 200
    missing = client.get("/study", params={"name": "\x1b<b>" * 100})
    assert missing.json()["error"].startswith("no run of the study '\\x1b<b>")
    assert len(missing.text) < 200


def test_one_look_is_enough_for_all_pages_that_ask_at_a_time():
    class Counted:
        scans = 0

        def scan(self) -> None:
            self.scans += 1

    async def ask() -> list[int]:
        counted = Counted()
        scans, seen = Scans(counted, 0.4), []  # type: ignore[arg-type]
        for wait in (0.0, 0.01, 0.2, 0.0):
            await asyncio.sleep(wait)
            await asyncio.gather(*(scans.newer() for _ in range(5)))
            seen.append(counted.scans)
        return seen

    began = time.monotonic()
    assert asyncio.run(ask())[::3] == [1, 2]  # on a busy computer, the second may have been late
    assert time.monotonic() - began >= 0.4


# -- the command ------------------------------------------------------------------------------------------------------


def test_command_serves_what_it_may_only_read_and_ctrl_c_ends_it_at_once_with_connections_open(
    make_run, tmp_path, tree
):
    run = make_run()
    for path in (run, *run.iterdir(), *run.parents[:2]):
        path.chmod(path.stat().st_mode & ~0o222)
    is_root = os.getuid() == 0 and shutil.which("setpriv")
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if is_root else []
    command += [sys.executable, "-m", "fitbench", "report", "--live", "outputs", "--port", "0", "--interval", "0.2"]
    before = tree()
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        with urlopen(address) as page:
            assert b'"live":{"interval":0.2}' in page.read()
        with urlopen(f"{address}changes") as answer:
            assert len(json.load(answer)["runs"]) == 1
        with socket.create_connection(("127.0.0.1", int(address.rstrip("/").rpartition(":")[2]))):
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
        assert process.stderr.read() == "Open this address to watch the runs. Ctrl-C ends the server.\n"
    assert tree() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["outputs"], "report needs -o or --live"),
        (["outputs", "--live", "-o", "x.html"], "-o and --live exclude each other"),
        (["--live", "mispelt"], "'mispelt' fits none of the 1 runs in outputs"),
        (["--live", "no/such/folder"], "'no/such/folder' fits none of the 1 runs in outputs"),
        (["--live", "outputs", "--where", "model =="], "--where"),
        (["--live", "outputs", "--study", "a", "--all"], "--study and --all exclude each other"),
        (["--live", "outputs", "--study", "defualt"], "there is no study 'defualt' here; did you mean default"),
        (["--live", "outputs", "--by", "modle"], "there is no column 'modle'; did you mean model"),
        (["--live", "outputs", "--metric", "acuracy"], "test_accuracy"),
        (["--live", "outputs", "--interval", "0"], r"--interval 0: expected seconds from 0\.1 to 3600"),
        (["--live", "outputs", "--interval", "nan"], r"--interval nan: expected seconds from 0\.1 to 3600"),
        (["--live", "outputs", "--host", "nosuchhost."], r"--host nosuchhost\. --port 0 \((?!Unknown error)"),
    ],
)
def test_wrong_request_is_refused_before_anything_is_served(make_run, call, monkeypatch, arguments, message):
    make_run()
    monkeypatch.setattr("fitbench.web.server.run", lambda *_, **__: pytest.fail("it was served"))
    status, out, err = call("report", *arguments, *(["--port", "0"] if "--live" in arguments else []))
    assert (status, out) == (2, "")
    assert re.search(message, err), err


@pytest.mark.parametrize(
    ("host", "allowed", "refused"),
    [
        ("127.2", ["127.0.0.2", "127.0.0.2:80", "localhost", "127.2", "[::1]:80"], ["192.0.2.7", "my-computer"]),
        (
            "0.0.0.0",
            ["192.0.2.7:80", "[2001:db8::1]:80", "LocalHost", "my-computer", "my-computer.lan:80"],
            ["127.0.0.1.x"],
        ),
    ],
)
def test_server_answers_to_its_own_names_alone(monkeypatch, host, allowed, refused):
    monkeypatch.setattr(socket, "gethostname", lambda: "My-Computer")
    monkeypatch.setattr(socket, "getfqdn", lambda: "my-computer.lan")
    with server.listen(host, 0) as listener:
        hosts = server.allowed_hosts(listener, host)
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("runs"))])
    protect(app, hosts, COMMON, cache="no-store")
    client = TestClient(app)
    status = {
        host: client.get("/", headers={"host": host}).status_code for host in (*allowed, *refused, "evil.example")
    }
    assert status == dict.fromkeys(allowed, 200) | dict.fromkeys([*refused, "evil.example"], 400)


def test_port_that_is_taken_is_refused_with_the_way_to_a_free_one(call, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, _, err = call("report", "--live", "--port", port)
    assert status == 2
    assert re.search(rf"cannot listen at --host 127\.0\.0\.1 --port {port} \(.*--port 0 is any free port", err)


@pytest.mark.parametrize("path", [None, "outputs", "outputs/later", "here/later"])
def test_folder_that_does_not_exist_yet_is_waited_for(call, tmp_path, monkeypatch, path):
    (tmp_path / "here").mkdir()
    if path == "outputs/later":
        (tmp_path / "outputs").mkdir()
    monkeypatch.setattr("fitbench.live.app.FRESH_SECONDS", 0)
    served = []
    monkeypatch.setattr("fitbench.web.server.run", lambda app, *_, **__: served.append(app) or 0)
    status, _, err = call("report", "--live", *([path] if path else []), "--port", 0, "--interval", 0.1)
    assert status == 0
    assert f"{path or 'outputs'} does not exist yet; runs appear on the page when they begin" in err
    folder = Path(path or "outputs") / "study" / "run"
    with TestClient(served[0], "http://localhost") as client:
        assert client.get("/changes").json()["runs"] == []
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text("data: {}\nmodel: {}\noptimizer: {}\ntraining: {}\ndistortion: {}\n"
                                            "study: study\nseed: 0\n")  # fmt: skip
        assert [run["folder"] for run in client.get("/changes").json()["runs"]] == [os.fspath(folder)]
