"""Ways into a running dashboard: pages of other sites, proxies, guessed tokens, the token itself, and using it up.

Each is tried on a real server, by sessions that say anything (`tests/raw_session.py`) and by Chromium.
"""

import http.server
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest
from playwright.sync_api import Browser, sync_playwright

from dashboard.gate import PAGES_OF_ONE
from tests.browser.conftest import CHROMIUM_ARGUMENTS, start_dashboard, stop
from tests.ports import free_port
from tests.raw_session import RawSession, RefusedError, wait_until
from training.home import Home
from training.presets import load_preset
from training.store import Store

TOKEN = "a-secret-of-some-length"
SLOW = r"(\w+\s?)+(\w+\s?)+(\w+\s?)+XQ"
"""A regular expression that does not end on the demo's questions."""
WAIT_S = 300.0


class Dashboard:
    """A running dashboard with a home of its own."""

    def __init__(self, home: Path, variables: dict[str, str], script: Path | None = None) -> None:
        arguments = {} if script is None else {"script": script}
        self.log = home / "dashboard.log"
        self._server, self.address = start_dashboard(home, self.log, variables, **arguments)
        self.port = int(self.address.rpartition(":")[2])
        self.process = psutil.Process(self._server.pid)
        self.store = Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(home)}).store_url)

    def session(self, page: str = "", **how: str) -> RawSession:
        """A session as a program on this machine has it, unless `how` says otherwise."""
        return RawSession(self.port, page=page, **how)  # type: ignore[arg-type]

    def started(self) -> list[psutil.Process]:
        """The processes that were started from it and are there still."""
        try:
            return self.process.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def cpu_s(self) -> float:
        """Processor seconds of the web process alone."""
        times = self.process.cpu_times()
        return times.user + times.system

    def end(self) -> None:
        """Stop it and all that it started."""
        started = self.started()
        stop(self._server)
        for process in started:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.store.close()


@contextmanager
def dashboard(home: Path, script: Path | None = None, **variables: str) -> Iterator[Dashboard]:
    running = Dashboard(home, variables, script)
    try:
        yield running
    finally:
        running.end()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """On a loopback address without a sign-in: whoever is at this machine may act."""
    with dashboard(tmp_path_factory.mktemp("own")) as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """With a token, which only some know."""
    with dashboard(tmp_path_factory.mktemp("shared"), GRPO_ATLAS_TOKEN=TOKEN) as running:
        run, _ = running.store.create_job("train", "demo", load_preset("demo").model_dump(mode="json"), total=60)
        running.store.end(run.id, "finished", "done")  # a list of runs can be searched only where there is one
        yield running


def evil(port: int) -> dict[str, str]:
    """How a page asks whose name was made to resolve to this machine."""
    return {"host": f"evil.example:{port}", "origin": f"http://evil.example:{port}"}


def test_a_page_of_another_site_does_not_even_connect(own: Dashboard) -> None:
    here = f"127.0.0.1:{own.port}"
    for how in (
        evil(own.port),
        {"host": here, "origin": "http://evil.example"},
        {"host": here, "origin": "http://localhost:3000"},
        {"host": here, "origin": f"http://localhost:{own.port}"},
        {"host": here, "origin": "null"},
        {"host": f"127.0.0.1.evil.example:{own.port}"},
        {"host": f"0.0.0.0:{own.port}", "origin": f"http://0.0.0.0:{own.port}"},
    ):
        with pytest.raises(RefusedError):
            own.session("launch", **how).open()
    assert own.store.jobs() == []


def test_pages_of_this_machine_act_by_any_of_its_names_and_through_a_tunnel(own: Dashboard) -> None:
    for server in (f"127.0.0.1:{own.port}", f"localhost:{own.port}", f"[::1]:{own.port}", "localhost:9000"):
        with own.session("launch", host=server, origin=f"http://{server}") as session:
            assert not session.widgets["button", "Launch the run"].disabled


def test_who_comes_through_a_proxy_needs_a_sign_in(own: Dashboard) -> None:
    with pytest.raises(RefusedError):
        RawSession(own.port, headers={"X-Forwarded-For": "203.0.113.9"}).open()


def test_without_the_gate_a_session_of_another_site_still_may_not_act(tmp_path: Path) -> None:
    """Whoever serves the pages without it, as an older `streamlit run` did."""
    app = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"
    bare = tmp_path / "bare.py"
    bare.write_text(f"import runpy\nrunpy.run_path({str(app)!r}, run_name='__main__')\n")
    with dashboard(tmp_path, bare, STREAMLIT_SERVER_ADDRESS="127.0.0.1") as running:
        with running.session("launch", **evil(running.port)) as session:
            assert session.widgets["button", "Launch the run"].disabled
            assert "You are looking on" in session.press("Launch the run").words
        with running.session("launch") as session:
            assert not session.widgets["button", "Launch the run"].disabled
        assert running.store.jobs() == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for which evil.example is this machine."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("needs Chromium: neither `chromium` nor `google-chrome` is on the path")
    with sync_playwright() as playwright:
        rules = "--host-resolver-rules=MAP evil.example 127.0.0.1"
        found = playwright.chromium.launch(executable_path=executable, args=[*CHROMIUM_ARGUMENTS, rules])
        yield found
        found.close()


@contextmanager
def website(html: str) -> Iterator[int]:
    """A server of this machine with one page; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@contextmanager
def tunnel(to: int) -> Iterator[int]:
    """What `ssh -L` is for the server: another port, the same bytes."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while some := source.recv(65_536):
                target.sendall(some)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            target.close()

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", to))
            for ends in ((near, far), (far, near)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    with socket.create_server(("127.0.0.1", free_port())) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1])


ATTACK = """<script>
const told = document.title;
const socket = new WebSocket("ws://TARGET/_stcore/stream", ["streamlit"]);
socket.onopen = () => { document.title = "open"; };
socket.onerror = () => { document.title = "refused"; };
</script><iframe src="http://TARGET/launch"></iframe>"""


def test_in_chromium_a_name_that_resolves_here_gets_no_page(own: Dashboard, browser: Browser) -> None:
    page = browser.new_page()
    answer = page.goto(f"http://evil.example:{own.port}/launch")
    assert answer is not None
    assert answer.status == 403
    assert page.get_by_role("button").count() == 0
    page.close()


@pytest.mark.parametrize("name", ["evil.example", "localhost", "127.0.0.1"])
def test_in_chromium_another_page_neither_connects_nor_frames(own: Dashboard, browser: Browser, name: str) -> None:
    with website(ATTACK.replace("TARGET", f"127.0.0.1:{own.port}")) as port:
        page = browser.new_page()
        page.goto(f"http://{name}:{port}/")
        page.wait_for_function("() => document.title === 'refused'", timeout=WAIT_S * 1_000)
        (frame,) = (frame for frame in page.frames if frame.parent_frame is not None)
        assert frame.url.startswith("chrome-error://")
        page.close()
    assert own.store.jobs() == []


def test_in_chromium_this_machine_acts_by_name_by_address_and_through_a_tunnel(own: Dashboard, browser: Browser) -> None:
    with tunnel(own.port) as port:
        for place in (f"localhost:{own.port}", f"127.0.0.1:{own.port}", f"localhost:{port}"):
            page = browser.new_page()
            page.goto(f"http://{place}/launch")
            button = page.get_by_role("button", name="Launch the run")
            button.wait_for(timeout=WAIT_S * 1_000)
            page.wait_for_function("() => !document.querySelector('.st-key-launch button')?.disabled", timeout=WAIT_S * 1_000)
            page.close()


def test_every_answer_says_that_no_other_site_may_frame_it(own: Dashboard) -> None:
    for path in ("/", "/launch", "/_stcore/health"):
        with urlopen(Request(f"{own.address}{path}"), timeout=60) as answer:
            assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
            assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]


@contextmanager
def signed_in(running: Dashboard, page: str = "", query: str = "") -> Iterator[RawSession]:
    with running.session(page, query=query) as session:
        yield give(session, TOKEN)


def give(session: RawSession, token: str) -> RawSession:
    """Have the session type a token and press the button."""
    typed, button = session.type("Token", token), session.widgets["button", "Sign in"]
    pressed = type(typed)(id=button.id, trigger_value=True)
    return session.run(typed, pressed)


def test_no_process_that_is_started_knows_the_token(tmp_path: Path) -> None:
    seen: dict[str, bool] = {}
    ended = threading.Event()

    def watch(running: Dashboard) -> None:
        while not ended.wait(0.02):
            for process in running.started():
                try:
                    command, variables = " ".join(process.cmdline()), process.environ()
                except psutil.Error:  # it has ended
                    continue
                knows = "GRPO_ATLAS_TOKEN" in variables or TOKEN in {*variables.values()} or TOKEN in command
                seen[command] = seen.get(command, False) or knows

    def was_seen(part: str) -> Callable[[], bool]:
        return lambda: any(part in command for command in seen)

    with dashboard(tmp_path, GRPO_ATLAS_TOKEN=TOKEN) as running:
        watcher = threading.Thread(target=watch, args=(running,), daemon=True)
        watcher.start()
        with signed_in(running, "launch") as session:
            session.press("Launch the run")
        wait_until(was_seen("training.jobs demo-1"), WAIT_S)
        with signed_in(running, query="model=tf-idf") as session:
            session.press("Build the map")
        wait_until(was_seen("training.jobs map of"), WAIT_S)
        wait_until(was_seen("multiprocessing"), WAIT_S)  # the layout's own process
        with signed_in(running, query="search=regex") as session:
            session.run(session.type("Search", SLOW))
        wait_until(was_seen("search_worker"), WAIT_S)
        with signed_in(running, "evaluate", "part=ask") as session:
            session.run(session.type("Question", "How many?", "text_area"))
            session.press("Ask")
        wait_until(was_seen("training.jobs.playground"), WAIT_S)
        ended.set()
        watcher.join()
        assert TOKEN not in running.log.read_text(errors="replace")
    assert [command for command, knows in seen.items() if knows] == []


def guessing(running: Dashboard, ended: threading.Event) -> int:
    """Guess until told to end, in a new session for every few tries; how many guesses were looked at."""
    looked_at = 0
    while not ended.is_set():
        try:
            with running.session() as session:
                for _ in range(3):
                    if ended.is_set():
                        break
                    looked_at += "This is not the token" in give(session, "a-wrong-guess-of-some-length").words
        except (RefusedError, OSError, KeyError):
            continue
    return looked_at


def test_who_guesses_keeps_nobody_from_signing_in(shared: Dashboard) -> None:
    """Not even those with the guesser's address."""
    ended = threading.Event()
    with ThreadPoolExecutor(8) as guessers:
        guesses = [guessers.submit(guessing, shared, ended) for _ in range(8)]
        try:
            with shared.session() as session:
                for _ in range(4):  # so that it is known from where they come
                    give(session, "wrong")
            began = time.monotonic()
            with signed_in(shared) as session:
                assert "Signed in with a token" in session.words
            took_s = time.monotonic() - began
            elsewhere = RawSession(shared.port, headers={"X-Forwarded-For": "203.0.113.9"}).open()
            assert "Signed in with a token" in give(elsewhere, TOKEN).words
            elsewhere.close()
        finally:
            ended.set()
        looked_at = sum(guess.result(WAIT_S) for guess in guesses)
    print(f"signed in after {took_s:.1f} s, {looked_at} guesses were looked at")


def test_who_is_wrong_again_and_again_waits(shared: Dashboard) -> None:
    with shared.session() as session:
        for _ in range(4):
            give(session, "wrong")
        assert "Try again in" in give(session, TOKEN).words


ONLOOKERS = {
    "a thousand words": ("", "Search", "text_input", " ".join(f"word{number}" for number in range(1_000))),
    "a text of half a megabyte": ("", "Search", "text_input", "ab " * 170_000),
    "the same by meaning": ("search=meaning", "Search", "text_input", "how old is she " * 33_000),
    "a list of all runs by half a megabyte": ("runs", "Search", "text_input", "ab " * 170_000),
    "a system prompt of a book": ("launch", "System prompt", "text_area", "How many apples are there? " * 18_000),
    "a completion of half a megabyte": ("launch", "Completion", "text_area", "<answer>1,</answer>" * 26_000),
}


@pytest.mark.parametrize("what", ONLOOKERS)
def test_who_looks_on_costs_little(shared: Dashboard, what: str) -> None:
    """Processor time of the web process alone: a book as system prompt took 31 s of it, a thousand words 9 s."""
    place, label, kind, text = ONLOOKERS[what]
    page, query = (place, "") if "=" not in place else ("", place)
    with shared.session(page, query=query) as session:
        before = shared.cpu_s()
        session.run(session.type(label, text, kind))
        assert shared.cpu_s() - before < 5


def test_who_looks_on_searches_in_one_process_however_many_they_are(shared: Dashboard) -> None:
    most, memory = 0, 0
    ended = threading.Event()

    def watch() -> None:
        nonlocal most, memory
        while not ended.wait(0.05):
            sizes = [0]
            for process in shared.started():
                try:
                    if any("search_worker" in part for part in process.cmdline()):
                        sizes.append(process.memory_info().rss)
                except psutil.Error:
                    continue
            most, memory = max(most, len(sizes) - 1), max(memory, sum(sizes))

    def search(number: int) -> str:
        with shared.session(query="search=regex") as session:
            return session.run(session.type("Search", f"{SLOW}{number}")).words

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    with ThreadPoolExecutor(12) as sessions:
        said = list(sessions.map(search, range(12)))
    ended.set()
    watcher.join()
    assert all("takes more than" in words or "Too many searches" in words for words in said)
    assert most == 1
    assert memory < 600 * 2**20


def test_only_so_many_pages_are_open_at_once(shared: Dashboard) -> None:
    """Connections alone, which is the least that somebody can do."""
    taken: list[RawSession] = []
    refused = 0
    for _ in range(PAGES_OF_ONE + 5):
        session = RawSession(shared.port, headers={"X-Forwarded-For": "198.51.100.7"})
        try:
            taken.append(session.connect())
        except RefusedError:
            refused += 1
    assert (len(taken), refused) == (PAGES_OF_ONE, 5)
    with shared.session() as session:  # others have their room
        assert session.widgets
    for session in taken:
        session.close()
    wait_until(lambda: is_taken(shared), WAIT_S)


def is_taken(running: Dashboard) -> bool:
    try:
        RawSession(running.port, headers={"X-Forwarded-For": "198.51.100.7"}).connect().close()
    except RefusedError:
        return False
    return True


def test_a_message_that_is_too_large_ends_the_connection_and_nothing_else(shared: Dashboard) -> None:
    with shared.session() as session:
        session.send(b"\x00" * 3_000_000)
        with pytest.raises(RefusedError):
            session.take()
    with shared.session() as session:
        assert session.widgets
