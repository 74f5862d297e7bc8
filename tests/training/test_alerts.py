"""Alerts: what the file may hold, and what real receivers on this machine get."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from training.__main__ import main
from training.alerts.configuration import EXAMPLE, Channel, channels_of
from training.alerts.sending import Message, of_end, of_finding, send
from training.alerts.telling import tell, tell_end
from training.doctor.finding import Evidence, Finding
from training.errors import AlertError, ConfigError
from training.home import Home
from training.store import Store

FINDING = Finding("Look at whether the run still explores.", 31, "4% of 0.5.", (Evidence(40, 1, 2, "entropy 0.01"),))


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook's host and port, and the JSON that it got."""
    got: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.append(body | {"path": self.path, "key": self.headers.get("X-Key")})
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Hook)) as port:
        yield f"127.0.0.1:{port}", got


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    """The port of a server that answers meanwhile."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def written(home: Home, text: str) -> Home:
    (home.root / "alerts.toml").write_text(text, encoding="utf-8")
    return home


def test_without_a_file_nobody_is_told(home: Home) -> None:
    assert channels_of(home) == {}


def test_the_example_is_read_whole(home: Home) -> None:
    channels = channels_of(written(home, EXAMPLE.read_text(encoding="utf-8")))
    assert list(channels) == ["team", "mail", "hook"]
    assert channels["hook"].signals == ("entropy_collapse", "reward_without_skill")
    assert Channel(url="json://127.0.0.1").on == ("alarm", "failed")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[a]\nurl = "nowhere"', "must be an address as apprise takes it"),
        ('[a]\nurl = "slack://xoxb-1/2/3"', "has to name what is secret in a slack address"),
        ('[a]\nurl = "jsons://me:hunter2@example.org"', "holds a password"),
        ('[a]\nurl = "jsons://example.org?+Authorization=hunter2"', "holds a secret behind the question mark"),
        ('[a]\nurl = "json://h"\non = ["sneeze"]', "on.0"),
        ('[a]\nurl = "json://h"\nsignals = ["entropy"]', "signals.0"),
        ('[a]\nurl = "json://h"\nsecret = "hunter2"', "secret"),
        ("a = 1", "is no channel"),
        ("[a", "cannot be read"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong_and_no_secret(home: Home, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        channels_of(written(home, text))
    assert "hunter2" not in str(raised.value)


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    environ = {"GRPO_ATLAS_HOME": str(tmp_path / "home"), "GRPO_ATLAS_ALERTS": str(tmp_path / "none.toml")}
    home = Home.from_environment(environ)
    with pytest.raises(ConfigError, match=r"none\.toml"):
        channels_of(home)
    assert home.environment()["GRPO_ATLAS_ALERTS"] == environ["GRPO_ATLAS_ALERTS"]


def test_a_webhook_gets_a_finding_with_its_secret_from_the_environment(
    store: Store, receiver: tuple[str, list[dict[str, Any]]]
) -> None:
    address, got = receiver
    job = store.create_job("train", "demo", {})[0]
    channel = Channel(url=f"json://{address}/runs?+X-Key=${{HOOK_TOKEN}}")
    tell({"hook": channel}, of_finding(job, "entropy_collapse", FINDING), {"HOOK_TOKEN": "s/cret ü"})
    assert [(hook["path"], hook["key"]) for hook in got] == [("/runs", "s/cret ü")]
    assert got[0]["title"] == f"{job.id}: alarm entropy_collapse, since step 31"
    assert got[0]["type"] == "warning"
    for part in (FINDING.sentence, FINDING.arithmetic, "step 40, group 2, completion 3: entropy 0.01", "What to do: ", "arXiv"):
        assert part in got[0]["message"]


def test_only_what_a_channel_wants_is_sent(store: Store, receiver: tuple[str, list[dict[str, Any]]]) -> None:
    address, got = receiver
    job = store.create_job("train", "demo", {})[0]
    channels = {
        "ends": Channel(url=f"json://{address}/ends", on=("failed",)),
        "kl": Channel(url=f"json://{address}/kl", signals=("kl_growth",)),
        "all": Channel(url=f"json://{address}/all", on=("alarm", "audit", "failed")),
    }
    tell(channels, of_finding(job, "entropy_collapse", FINDING))
    tell(channels, of_finding(job, "plateau", FINDING))
    store.end(job.id, "failed", "no memory")
    failed = of_end(store.job(job.id))
    assert failed is not None
    tell(channels, failed)
    assert [hook["path"] for hook in got] == ["/all", "/all", "/ends", "/kl", "/all"]
    assert (got[-1]["title"], got[-1]["message"], got[-1]["type"]) == (f"{job.id} failed", "no memory", "failure")


def test_a_mail_is_delivered() -> None:
    lines: list[str] = []

    class Mailbox(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            in_data = False
            for raw in self.rfile:
                line = raw.decode().rstrip("\r\n")
                lines.append(line)
                if in_data and line != ".":
                    continue
                in_data = line.upper() == "DATA"
                self.wfile.write(b"354 go on\r\n" if in_data else b"221 bye\r\n" if line.upper() == "QUIT" else b"250 ok\r\n")
                if line.upper() == "QUIT":
                    return

    with serving(socketserver.TCPServer(("127.0.0.1", 0), Mailbox)) as port:
        url = f"mailto://127.0.0.1:{port}?mode=insecure&from=atlas@example.org&to=${{MAIL_TO}}"
        send("mail", Channel(url=url), Message("alarm", "demo-1: alarm", "Look."), {"MAIL_TO": "me@example.org"})
    assert any(line.upper().startswith("RCPT TO:<ME@EXAMPLE.ORG>") for line in lines), lines
    assert "Subject: demo-1: alarm" in lines


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("json://{address}/broken", r"'hook' of alerts \(json\) was not reached"),
        ("json://{address}/${NOT_SET}", "needs the environment variable NOT_SET"),
        ("json://{address}/${GRPO_ATLAS_TOKEN}", "goes nowhere else"),
        ("nobody://${HOST}/x", r"has an address that apprise does not take \(nobody\)"),
    ],
)
def test_what_cannot_be_sent_is_told_without_its_address(
    receiver: tuple[str, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str], url: str, message: str
) -> None:
    channel = Channel(url=url.replace("{address}", receiver[0]))
    environ = {"HOST": "secret-host", "GRPO_ATLAS_TOKEN": "secret-token"}
    with pytest.raises(AlertError, match=message) as raised:
        send("hook", channel, Message("alarm", "t", "b"), environ)
    assert "secret-" not in str(raised.value)
    tell({"hook": channel}, Message("alarm", "t", "b"), environ)
    assert "alert not sent: " in capsys.readouterr().err


def test_the_end_of_a_run_is_told_and_a_wrong_file_stops_nothing(
    store: Store, home: Home, receiver: tuple[str, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    address, got = receiver
    job = store.create_job("train", "demo", {})[0]
    store.end(job.id, "finished", "all 60 steps done")
    tell_end(store, written(home, f'[hook]\nurl = "json://{address}"\non = ["finished"]'), job.id)
    assert [(hook["title"], hook["type"]) for hook in got] == [(f"{job.id} finished", "success")]
    tell_end(store, written(home, "[hook"), job.id)
    assert f"no alert of the end of {job.id}" in capsys.readouterr().err


def test_the_command_lists_the_channels_and_tries_them(
    home: Home,
    receiver: tuple[str, list[dict[str, Any]]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable, value in home.environment().items():
        monkeypatch.setenv(variable, value)
    assert main(["alerts"]) == 0
    assert "No alerts" in capsys.readouterr().out
    written(home, f'[hook]\nurl = "json://{receiver[0]}/x"')
    assert main(["alerts", "--try"]) == 0
    assert "hook         json       alarm, failed" in capsys.readouterr().out
    assert receiver[1][0]["title"] == "GRPO Atlas: a test"
    assert main(["alerts", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["channels"]["hook"] == {"kind": "json", "on": ["alarm", "failed"], "signals": []}


def test_the_command_names_a_variable_that_a_channel_lacks(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in home.environment().items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv("MAIL_PASSWORD", raising=False)
    written(home, '[mail]\nurl = "mailtos://me:${MAIL_PASSWORD}@example.org"')
    assert main(["alerts"]) == 1
    told = capsys.readouterr()
    assert "mail         mailtos" in told.out
    assert "MAIL_PASSWORD" in told.err
