"""The stack of containers: there is no engine here to run it, so what the containers would run is run as processes."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from dockerfile_parse import DockerfileParser

from e2e.ports import accepts, free_port
from servers import needs
from stack.programs import ROOT, TESTING, ask, run, running, wait_for

SMALL = {"collector", "collector-queue", "exporter"}
BESIDE = {"alertmanager", "grafana", "password-check", "prometheus"}
NODES = {f"clickhouse-{shard}{replica}" for shard in "12" for replica in "ab"}
CLUSTER = {
    *("collector-queue", "gateway", "exporter-1", "exporter-2", "redis", "keeper"),
    *("cluster-volumes", "cluster-secrets"),
    *NODES,
}
ALL = SMALL | BESIDE | CLUSTER
ONE_SHOT = {"collector-queue", "password-check", "cluster-volumes", "cluster-secrets"}
CHOWNING = {"collector-queue", "cluster-volumes"}
EXPORTERS = {"exporter", "exporter-1", "exporter-2"}
"""Their image says how to check the health."""
NO_PROGRAMS = {"collector", "gateway"}
"""Images in which nothing could check the health."""
ANYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens there in the tests

DOCKERFILE = ROOT / "exporter" / "Dockerfile"
SECRETS = ROOT / "clickhouse" / "secrets.sh"
PASSWORD_CHECK = ROOT / "grafana" / "check-password.sh"


def compose(profile: str) -> dict[str, Any]:
    """Return the stack as docker compose understands it, the variables of .env put in."""
    program = TESTING.program("docker-compose")
    chosen = {**os.environ, "COMPOSE_PROFILES": profile}
    command = [program, "config", "--format", "json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=chosen, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert not ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return compose("full")["services"] | compose("cluster,monitoring")["services"]


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        ("full", SMALL | BESIDE),
        ("single", SMALL),
        ("cluster", CLUSTER),
        ("cluster,monitoring", CLUSTER | BESIDE),
    ],
)
def test_profiles_choose_the_services(profile: str, names: set[str]) -> None:
    assert set(compose(profile)["services"]) == names


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_container_is_locked_down(name: str, services: dict[str, Any]) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name in CHOWNING:
        assert (service["user"], service["cap_add"]) == ("0:0", ["CHOWN"])
    else:
        assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
        assert "cap_add" not in service
    assert (service.get("restart", "no") == "no") == (name in ONE_SHOT)
    assert "mem_limit" in service or name in ONE_SHOT


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_image_has_an_exact_version(name: str, services: dict[str, Any]) -> None:
    assert re.search(r":v?\d+\.\d+\.\d+(\.\d+)?$", services[name]["image"])


@pytest.mark.parametrize("name", sorted(ALL))
def test_everything_listens_on_loopback_alone(name: str, services: dict[str, Any]) -> None:
    assert {port["host_ip"] for port in services[name].get("ports", ())} <= {"127.0.0.1"}


@pytest.mark.parametrize("name", sorted(ALL - ONE_SHOT - NO_PROGRAMS - EXPORTERS))
def test_what_can_say_whether_it_is_well_is_asked(name: str, services: dict[str, Any]) -> None:
    assert services[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", sorted(ALL))
def test_what_is_mounted_from_here_exists(name: str, services: dict[str, Any]) -> None:
    for volume in services[name].get("volumes", ()):
        if volume["type"] == "bind":
            assert Path(volume["source"]).exists()
            assert volume["read_only"] is True


def test_the_profile_of_the_file_with_the_settings_is_that_of_one_exporter() -> None:
    assert "COMPOSE_PROFILES=full" in (ROOT / ".env").read_text().splitlines()


def test_no_port_of_the_cluster_is_open_to_others(services: dict[str, Any]) -> None:
    assert not [name for name in (*NODES, "redis", "keeper") if services[name].get("ports")]


def test_the_same_names_lead_to_the_right_service_in_every_profile() -> None:
    for profile, expected in (
        ("full", {"sql": {"exporter"}}),
        ("single", {"sql": {"exporter"}}),
        ("cluster", {"sql": NODES, "exporter": {"exporter-1"}, "collector": {"gateway"}}),
    ):
        found: dict[str, set[str]] = {}
        for name, service in compose(profile)["services"].items():
            for alias in (service["networks"]["llmlab"] or {}).get("aliases", ()):
                found.setdefault(alias, set()).add(name)
        assert found == expected


def test_a_mistake_in_the_file_would_be_found(tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yml"
    broken.write_text((ROOT / "docker-compose.yml").read_text().replace("retries: 6", "retriess: 6"))
    shutil.copy(ROOT / ".env", tmp_path)
    ended = run(TESTING.program("docker-compose"), "config", "-q", cwd=tmp_path)
    assert "retriess" in ended.stderr


@pytest.mark.parametrize(
    ("address", "password", "code"),
    [
        ("127.0.0.1", "admin", 0),
        ("::1", "admin", 0),
        (ANYWHERE, "admin", 1),
        (ANYWHERE, "", 1),
        ("192.0.2.7", "admin", 1),
        (ANYWHERE, "a password of one's own", 0),
    ],
)
def test_the_default_password_is_refused_outside_loopback(address: str, password: str, code: int) -> None:
    chosen = {"BIND_ADDRESS": address, "GRAFANA_PASSWORD": password}
    ended = subprocess.run(["sh", PASSWORD_CHECK], env=chosen, capture_output=True, text=True, check=False, timeout=10)
    assert ended.returncode == code
    assert ("set GRAFANA_PASSWORD" in ended.stderr) == bool(code)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """Run what makes the secrets of a cluster."""
    directory = tmp_path / "secrets"
    directory.mkdir()
    make_secrets(directory)
    return directory


def make_secrets(directory: Path) -> None:
    command = ["sh", str(SECRETS), str(directory), str(directory.with_name("grafana-token"))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_secrets_are_made_once_and_nobody_else_may_read_them(secrets: Path) -> None:
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    make_secrets(secrets)
    assert {path.name: path.read_text() for path in secrets.iterdir()} == before
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o600}
    passwords = {before[name] for name in ("redis", "exporter", "nodes")}
    assert len(passwords) == 3
    assert all(re.fullmatch(r"[0-9a-f]{48}", password) for password in passwords)


def test_a_token_that_an_exporter_wrote_stays(tmp_path: Path) -> None:
    directory = tmp_path / "secrets"
    directory.mkdir()
    token = tmp_path / "grafana-token"
    token.write_text("of the exporter")
    make_secrets(directory)
    assert token.read_text() == "of the exporter"
    assert sha256(b"of the exporter").hexdigest() in (directory / "clickhouse.xml").read_text()


@needs("redis-server")
def test_redis_lets_in_who_has_the_url_alone(services: dict[str, Any], secrets: Path) -> None:
    port = free_port()
    (data := secrets.with_name("data")).mkdir()
    said = [*services["redis"]["entrypoint"], *services["redis"]["command"]]
    paths = {"/run/llmlab-secrets/redis.conf": str(secrets / "redis.conf"), "/data": str(data)}
    url = (secrets / "redis-url").read_text().strip().replace("redis:6379", f"127.0.0.1:{port}")
    with subprocess.Popen([*[str(paths.get(word) or word) for word in said], "--port", str(port)]) as process:
        try:
            wait_for(lambda: accepts(port), "Redis")
            with redis.Redis.from_url(url) as client:
                client.set("a", "b")
                assert client.config_get("appendonly", "maxmemory-policy", "save") == {
                    "appendonly": "yes",
                    "maxmemory-policy": "noeviction",
                    "save": "",
                }
            with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
                stranger.get("a")
        finally:
            process.kill()


def test_the_engine_reads_the_configuration_of_a_node(secrets: Path) -> None:
    config = secrets.with_name("cluster.xml")
    text = (ROOT / "clickhouse" / "cluster.xml").read_text()
    config.write_text(text.replace("/run/llmlab-secrets", str(secrets)))
    program = f"""
import clickhouse_connect
path = "file:{secrets.with_name("engine")}?config-file={config}"
client = clickhouse_connect.get_client(interface="chdb", path=path)
print(client.query("SELECT macro, substitution FROM system.macros ORDER BY 1").result_rows)
question = "SELECT shard_num, replica_num, host_name FROM system.clusters WHERE cluster = 'llmlab' ORDER BY 1, 2"
print(client.query(question).result_rows)
"""
    variables = {**os.environ, "SHARD": "2", "REPLICA": "b"}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=False, timeout=60
    )
    macros, nodes = ended.stdout.splitlines()
    assert macros == "[('replica', 'b'), ('shard', '2')]"
    assert nodes == str(
        [(shard, place + 1, f"clickhouse-{shard}{'ab'[place]}") for shard in (1, 2) for place in (0, 1)]
    )


def test_each_node_is_what_its_name_says_and_each_exporter_writes_to_both_replicas_of_its_shard(
    services: dict[str, Any], secrets: Path
) -> None:
    for name in NODES:
        shard, replica = services[name]["environment"]["SHARD"], services[name]["environment"]["REPLICA"]
        assert name == services[name]["hostname"] == f"clickhouse-{shard}{replica}"
    for number in (1, 2):
        said = services[f"exporter-{number}"]["environment"]
        urls = (secrets / Path(said["LLMLAB_CLICKHOUSE_URL_FILE"]).name).read_text().strip().split(",")
        assert [urlsplit(url).hostname for url in urls] == [f"clickhouse-{number}a", f"clickhouse-{number}b"]
        assert {urlsplit(url).password for url in urls} == {(secrets / "exporter").read_text()}
        assert Path(said["LLMLAB_REDIS_URL_FILE"]).name == "redis-url"
        assert said["LLMLAB_CLICKHOUSE_CLUSTER"] == "llmlab"


def test_grafana_may_read_and_nothing_else() -> None:
    text = (ROOT / "clickhouse" / "users.xml").read_text()
    grants = re.findall(r"<query>(.*)</query>", text[text.index("<grafana>") : text.index("</grafana>")])
    assert grants == ["GRANT SELECT ON llmlab.*", "GRANT SELECT ON llmlab_shard.*"]
    assert '<default remove="remove"/>' in text
    assert "<password>" not in text
    assert "no_password" not in text


class Image:
    """What the Dockerfile says, the values of its arguments put in."""

    def __init__(self, directory: Path) -> None:
        parser = DockerfileParser(path=str(directory))
        parser.content = DOCKERFILE.read_text()
        self.structure = parser.structure
        self.stages = [
            self.structure[start:end] for start, end in zip(self._starts, [*self._starts[1:], None], strict=True)
        ]

    @property
    def _starts(self) -> list[int]:
        return [place for place, each in enumerate(self.structure) if each["instruction"] == "FROM"]

    def values(self, stage: int, instruction: str) -> list[str]:
        """Return what stands behind an instruction, each time that it is used."""
        return [each["value"] for each in self.stages[stage] if each["instruction"] == instruction]

    def environment(self, stage: int) -> dict[str, str]:
        """Return the variables of a stage."""
        pairs = [shlex.split(value) for value in self.values(stage, "ENV")]
        return dict(pair.split("=", 1) for each in pairs for pair in each)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image(tmp_path_factory.mktemp("dockerfile"))


def test_the_image_is_built_in_stages_and_runs_without_privileges(image: Image) -> None:
    assert len(image.stages) == 2
    (user,) = image.values(-1, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert image.values(-1, "COPY") == ["--from=build /opt/llmlab /opt/llmlab"]
    assert not any("pip install" in line or "apt-get" in line for line in image.values(-1, "RUN"))
    assert all("latest" not in line for stage in (0, 1) for line in image.values(stage, "FROM"))
    assert not [each for each in image.structure if each["instruction"] == "ADD"]


def test_what_the_image_does_not_need_is_not_sent_to_the_engine() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    copied = {"pyproject.toml", "uv.lock", "README.md", "LICENSE", "instrumentation", "exporter"}
    assert {line[1:] for line in lines if line.startswith("!")} == copied


@pytest.fixture(scope="module")
def built(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the steps of the build stage in a directory, and return the environment that they make."""
    source = tmp_path_factory.mktemp("image")
    place = source / "opt"
    uv = shutil.which("uv") or str(ROOT / ".cache/uv/bin/uv")
    variables = {**os.environ, **image.environment(0), "UV_PROJECT_ENVIRONMENT": str(place)}
    del variables["UV_PYTHON_DOWNLOADS"]
    variables.pop("VIRTUAL_ENV", None)
    for each in image.stages[0]:
        if each["instruction"] == "COPY":
            *copied, target = each["value"].split()
            for name in copied:
                _copy(ROOT / name, source / target / name if target in {".", "./"} else source / target)
        elif each["instruction"] == "RUN" and each["value"].startswith("uv "):
            command = [uv, *shlex.split(each["value"])[1:]]
            ended = subprocess.run(command, cwd=source, env=variables, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, ended.stderr
    return place


def _copy(origin: Path, target: Path) -> None:
    if origin.is_dir():
        shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(origin, target)


@contextmanager
def container(image: Image, built: Path, data: Path) -> Generator[int]:
    """Run what the container would run, on free ports; yields the HTTP port."""
    (entry,), (command,) = image.values(-1, "ENTRYPOINT"), image.values(-1, "CMD")
    port = free_port()
    arguments = [*json.loads(entry), *json.loads(command), "--http-port", str(port), "--grpc-port", "0"]
    arguments[0] = built / "bin" / arguments[0]
    arguments[arguments.index(ANYWHERE)] = "127.0.0.1"
    with running(
        [*arguments, "--sql-port", "0", "--data", str(data)], f"http://127.0.0.1:{port}/readyz", data.parent / "log"
    ):
        yield port


@pytest.mark.e2e
def test_what_the_container_runs_starts_and_says_that_it_is_well(image: Image, built: Path, tmp_path: Path) -> None:
    (check,) = image.values(-1, "HEALTHCHECK")
    program, *arguments = json.loads(check[check.index("[") :])
    with container(image, built, tmp_path / "data") as port:
        aimed = [argument.replace("4318", str(port)) for argument in arguments]
        assert run(built / "bin" / program, *aimed).returncode == 0
        assert ask(f"http://127.0.0.1:{port}/readyz")["status"] == "ready"
    assert run(built / "bin" / program, *aimed).returncode != 0


@pytest.mark.e2e
def test_the_image_holds_no_development_tools(built: Path) -> None:
    names = {path.name.partition("-")[0] for path in (built / "lib").glob("python*/site-packages/*.dist-info")}
    assert "chdb" in names
    assert not names & {"pytest", "pyright", "ruff", "openai", "hypothesis"}
    assert not list((built / "lib").glob("python*/site-packages/*llmlab*.pth")), "it needs no checkout"


@pytest.mark.e2e
def test_the_first_start_of_the_image_answers_on_its_front_page(image: Image, built: Path, tmp_path: Path) -> None:
    with (
        container(image, built, tmp_path / "data") as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer,
    ):
        assert answer.read().startswith(b"LLMLab exporter")
