"""`backends.toml`: what is read, what is refused with which remedy, and that no secret can stand in it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.hostile import BAD_SETTINGS, NO_FILES
from training.backends.configuration import RayConfig, expand, variable
from training.backends.ray import RayBackend
from training.backends.registry import EXAMPLE, backend_named, backend_names
from training.errors import BackendError, ConfigError
from training.home import Home

RAY = 'kind = "ray"\naddress = "http://head:8265"\n'


def written(home: Home, text: str) -> Home:
    (home.root / "backends.toml").write_text(text, encoding="utf-8")
    return home


def test_without_a_file_there_is_this_machine(home: Home) -> None:
    assert backend_names(home) == ("local",)


def test_the_shipped_example_is_read_and_names_every_key(home: Home) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    backend = backend_named("a100", written(home, text))
    assert isinstance(backend, RayBackend)
    found = backend.config
    assert (found.accelerator_type, found.secrets) == ("A100", ("HF_TOKEN", "WANDB_API_KEY"))
    assert [key for key in RayConfig.model_fields if key not in text] == []


def test_backends_are_made_by_name(home: Home) -> None:
    written(home, f'[a100]\n{RAY}title = "One A100"\n')
    assert backend_names(home) == ("local", "a100")
    assert backend_named("a100", home).title == "One A100"
    with pytest.raises(BackendError, match="Use one of local, a100"):
        backend_named("moon", home)


def test_this_machine_is_there_whatever_the_file_holds(home: Home) -> None:
    written(home, "not toml")
    assert backend_named("local", home).title == "This machine"
    with pytest.raises(ConfigError, match="cannot be read"):
        backend_names(home)


def test_the_file_can_lie_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.toml"
    environ = {"GRPO_ATLAS_HOME": str(tmp_path / "home"), "GRPO_ATLAS_BACKENDS": str(file)}
    home = Home.from_environment(environ)
    with pytest.raises(ConfigError, match="Correct or unset GRPO_ATLAS_BACKENDS"):
        backend_names(home)
    file.write_text(f"[b]\n{RAY}", encoding="utf-8")
    assert backend_names(home) == ("local", "b")
    assert home.environment()["GRPO_ATLAS_BACKENDS"] == str(file)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[local]\nkind = "ray"\n', "always there"),
        ('[here]\nkind = "local"\n', 'kind must be "ray"'),
        ('[a]\nkind = "slurm"\n', 'kind must be "ray"'),
        ('[a]\nkind = "ray"\n', "address is missing"),
        (f"[a]\n{RAY}gpu = 1\n", "there is no key gpu"),
        ('[a]\nkind = "ray"\naddress = "ray://head:10001"\n', "must be the head's dashboard"),
        (f"[a]\n{RAY}gpus = 3\nworkers = 2\n", "cannot be shared evenly"),
        (f'[a]\n{RAY}[a.environment]\nGRPO_ATLAS_HOME = "/x"\n', "set by the backend itself"),
        ("a = 1\n", "'a' is no backend"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str, home: Home) -> None:
    with pytest.raises(ConfigError, match=told):
        backend_names(written(home, text))


@pytest.mark.parametrize(
    "text",
    [
        f'[a]\n{RAY}[a.environment]\nHF_TOKEN = "hunter2"\n',
        f'[a]\n{RAY}[a.headers]\nAuthorization = "Bearer hunter2"\n',
        f'[a]\n{RAY}store = "postgresql+psycopg://me:hunter2@db/atlas"\n',
        f'[a]\n{RAY}secrets = ["HF_TOKEN=hunter2"]\n',
        '[a]\nkind = "ray"\naddress = "http://me:hunter2@head:8265"\n',
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(text: str, home: Home) -> None:
    with pytest.raises(ConfigError) as refused:
        backend_names(written(home, text))
    assert "hunter2" not in str(refused.value)


def test_variables_are_put_in_and_a_missing_one_is_named() -> None:
    environ = {"PASSWORD": "a/b@c"}
    assert expand("x ${PASSWORD}", "a100", environ) == "x a/b@c"
    assert expand("p://u:${PASSWORD}@h", "a100", environ, in_url=True) == "p://u:a%2Fb%40c@h"
    with pytest.raises(BackendError, match="'a100' needs the environment variable TOKEN"):
        expand("${TOKEN}", "a100", environ)


def test_no_backend_gets_the_dashboards_token() -> None:
    environ = {"GRPO_ATLAS_TOKEN": "sixteen-letters-of-it"}
    for asked in (
        lambda: variable("GRPO_ATLAS_TOKEN", "a100", environ),
        lambda: expand("${GRPO_ATLAS_TOKEN}", "a100", environ),
    ):
        with pytest.raises(BackendError) as refused:
            asked()
        assert "GRPO_ATLAS_TOKEN" in refused.value.problem
        assert "sixteen-letters" not in str(refused.value)


@pytest.mark.parametrize("name", [name for name in BAD_SETTINGS if name != "nothing"])
def test_a_bad_file_of_backends_is_an_error_with_its_reason(name: str, home: Home) -> None:
    (home.root / "backends.toml").write_bytes(BAD_SETTINGS[name])
    if name == "huge":
        (home.root / "backends.toml").write_bytes(b"#" * 300_000)
    with pytest.raises(ConfigError) as raised:
        backend_names(home)
    assert len(str(raised.value)) < 2000


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_configures_no_backend_and_nobody_waits_for_it(name: str, home: Home, tmp_path: Path) -> None:
    NO_FILES[name](tmp_path / "backends.toml")
    with pytest.raises(ConfigError):
        backend_names(replace(home, backends=tmp_path / "backends.toml"))
