"""Worker specs of every kind: each option of a machine drawn, with values nobody should choose.

All are usable. Every secret in them holds the word `geheim`, and nothing else does.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from bootstrap.contract import (
    Application,
    ApplicationSource,
    Credentials,
    Disk,
    DiskCheck,
    File,
    FileOwner,
    IpVersion,
    Keeper,
    Lease,
    LeaseEnd,
    System,
    WorkerPool,
    WorkerSpec,
)
from tests.unit.bootstrap import specs

SHA256 = "0123456789abcdef" * 4
CERTIFICATE = f"-----BEGIN CERTIFICATE-----\n{'MIIB' * 300}\n-----END CERTIFICATE-----\n"

hostile = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    st.sampled_from(
        ["'", '"', "$(id)", "`id`", "${HOME}", "\\", "a\nb", "\r\n", "%(ENV_HOME)s", "100%", "#", " ; exit", "@USER@",
         "{{ v1 }}", "- a: b", "\ttab", "trailing \n", "\u2028", "\x85", "\ufeff", "🐝", "~", "*", "null", "0755"]
    ),
)  # fmt: skip
line = hostile.map(lambda text: "".join(character for character in text if character.isprintable()).strip())
variable = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True).filter(
    lambda name: name not in {"UID", "EUID", "PPID", "PYTHONPATH", "AUTOSCALER_BROKER_CA"}
)
name = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
credential = st.from_regex(r"[A-Za-z0-9%._~-]{0,3}", fullmatch=True)
directory = st.one_of(st.just(""), line.map(lambda text: f"/srv/x{text.replace('/', '')}"))


@st.composite
def repositories(draw: st.DrawFn) -> str:
    """URLs whose user information, if any, holds the word `geheim`: stored for git."""
    user_information = draw(st.sampled_from(["", "geheim@", "me:geheim@", "geheim:x@"]))
    return f"https://{user_information}host.example/shop.git"


@st.composite
def applications(draw: st.DrawFn) -> Application:
    """Applications from every source, with hashes of all or of nothing."""
    source = draw(st.sampled_from(ApplicationSource))
    told: dict[str, Any] = {
        "source": source,
        "directory": draw(directory),
        "python": draw(st.sampled_from(["python3", "python3.12", "/opt/it's/python"])),
    }
    if source is ApplicationSource.IMAGE:
        return Application(**told)
    told["index_url"] = draw(
        st.sampled_from(["", "http://host.example/simple", "https://[2001:db8::5]/simple"])
    )
    hashed = source is not ApplicationSource.GIT and draw(st.booleans())
    told["require_hashes"] = hashed and draw(st.booleans())
    behind = f" --hash=sha256:{SHA256}" if hashed else ""
    told["extra_packages"] = draw(st.sampled_from([(), (f"flower==2.0{behind}",)]))
    query = draw(st.sampled_from(["", "?token=geheim"]))
    match source:
        case ApplicationSource.PIP:
            told["reference"] = (
                draw(st.sampled_from(["shop==1.4", "shop[redis]==1; python_version>'3.8'"])) + behind
            )
        case ApplicationSource.WHEEL:
            told["reference"] = f"https://host.example/shop-1-py3-none-any.whl{query}"
            told["sha256"] = SHA256 if hashed else draw(st.sampled_from(["", SHA256]))
        case ApplicationSource.TARBALL:
            told["reference"] = f"https://host.example/shop-1.tar.gz{query}"
            told["sha256"] = SHA256
        case ApplicationSource.GIT:
            told["reference"] = draw(repositories())
            told["revision"] = draw(st.sampled_from(["", "v1", "feature/x"]))
    return Application(**told)


@st.composite
def files(draw: st.DrawFn, *, secrets: bool) -> tuple[File, ...]:
    """Files of an operator, each at a path of its own."""
    found = []
    for number in range(draw(st.integers(0, 3))):
        is_secret = secrets and draw(st.booleans())
        content = draw(hostile)
        found.append(
            File(
                path=f"/srv/{number}{draw(line).replace('/', '')}",
                content=f"geheim{content}" if is_secret else content,
                mode=draw(st.sampled_from(["0600", "0640"] if is_secret else ["0644", "0755", "0400"])),
                owner=draw(st.sampled_from(FileOwner)),
                is_secret=is_secret,
            )
        )
    return tuple(found)


@st.composite
def systems(draw: st.DrawFn) -> System:
    """Ways out, clocks and upgrades."""
    user_information = draw(st.sampled_from(["", "geheim@", "me:geheim%22@"]))
    mirror = draw(st.sampled_from(["", "http://mirror.example/debian", "https://[2001:db8::5]:8080/ubuntu/"]))
    return System(
        proxy=draw(st.sampled_from(["", f"http://{user_information}proxy.example:3128"])),
        apt_mirror=mirror,
        apt_security_mirror=draw(st.sampled_from(["", "http://mirror.example/security"])) if mirror else "",
        ip_version=draw(st.sampled_from(IpVersion)),
        time_zone=draw(st.sampled_from(["", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])),
        upgrades_after_boot=draw(st.booleans()),
    )


@st.composite
def celery_limits(draw: st.DrawFn) -> dict[str, Any]:
    """A pool, with the limits that it heeds."""
    pool = draw(st.none() | st.sampled_from(WorkerPool))
    found: dict[str, Any] = {"worker_pool": pool}
    if pool in {None, WorkerPool.PREFORK, WorkerPool.GEVENT}:
        found["time_limit_s"] = draw(st.none() | st.floats(10.5, 1e7))
    if pool in {None, WorkerPool.PREFORK}:
        found["soft_time_limit_s"] = draw(st.none() | st.floats(0.1, 10))
        found["max_tasks_per_child"] = draw(st.none() | st.integers(1, 10**9))
        found["max_memory_per_child_kib"] = draw(st.none() | st.integers(1, 10**9))
    return found


commands = st.lists(
    st.one_of(line.map("run {}".format), st.lists(line, max_size=2).map(lambda words: ("run", *words))),
    max_size=2,
).map(tuple)


@st.composite
def worker_specs(draw: st.DrawFn) -> WorkerSpec:
    """Usable specs with any combination of options."""
    credentials = draw(st.sampled_from(Credentials))
    return specs.a_spec(
        node=draw(name),
        pool=draw(hostile),
        fleet=draw(hostile),
        app=draw(st.one_of(st.just("shop.celery:app"), line.map("a{}".format))),
        queues=tuple(
            draw(st.lists(line.map(lambda text: f"q{text}q".replace(",", "")), min_size=1, max_size=3))
        ),
        slots=draw(st.integers(1, 64)),
        prefetch_multiplier=draw(st.none() | st.integers(1, 8)),
        # Never an option of ours in disguise.
        worker_args=tuple(draw(st.lists(hostile.map("--x={}".format), max_size=2))),
        application=draw(applications()),
        environment=draw(st.dictionaries(variable, hostile.map("geheim{}".format), max_size=4)),
        broker_url=draw(
            st.sampled_from(
                ["amqp://me:geheim@broker.example/%2F?geheim=1", "amqps://me:geheim@[2001:db8::5]/v"]
            )
        ),
        packages=tuple(draw(st.lists(st.sampled_from(["ffmpeg", "git", "curl=7.88.1-10"]), max_size=3))),
        user=draw(st.sampled_from(["celery", "jobs_1"])),
        keeper=draw(st.sampled_from(Keeper)),
        broker_ca=draw(st.sampled_from(["", CERTIFICATE])),
        credentials=credentials,
        token=draw(st.sampled_from(["", "geheim70c3"])),
        files=draw(files(secrets=credentials is Credentials.SHARED)),
        commands_before=draw(commands),
        commands_after=draw(commands),
        system=draw(systems()),
        disk=Disk(check=draw(st.sampled_from(DiskCheck)), limit_ms=draw(st.floats(0.01, 1e4))),
        lease=Lease(
            after_s=draw(st.sampled_from([0.0, 30.0, 86_400.0])), then=draw(st.sampled_from(LeaseEnd))
        ),
        **draw(celery_limits()),
    )
