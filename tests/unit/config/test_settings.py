"""What each section accepts, and how its keys must agree."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from autoscaler.config import Problem
from autoscaler.config.values import duration, seconds
from tests.unit.config.documents import problems, settings, the_problem

LIBCLOUD = (
    'kind = "local"',
    'kind = "libcloud"\ndriver = "ec2"\nkey = { env = "PASSWORD" }\nsecret = { env = "PASSWORD" }',
)
SECOND_POOL = """
[pools.other]
queues = [{queue}]
slots = 1
limits = {{ max_workers = 1 }}
policies = [{{ kind = "backlog", messages_per_worker = 1 }}]
offers = [{{ provider = "here" }}]
bootstrap = {{ app = "shop", queues = [{consumed}] }}
"""


def told(*changes: tuple[str, str], more: str = "") -> tuple[str, str]:
    problem = the_problem(*changes, more=more)
    return problem.path, str(problem)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", 0.0),
        ("500ms", 0.5),
        ("1.5h", 5400.0),
        ("30d", 2_592_000.0),
        ("2w", 1_209_600.0),
        ("0.1m", 6.0),
        ("5 m", 300.0),
    ],
)
def test_durations_are_seconds(text: str, expected: float) -> None:
    """Each unit, fractions too, without the errors of binary fractions."""
    assert expected == seconds(text)
    assert expected == seconds(duration(expected))


def test_settings_cannot_be_changed() -> None:
    """What was checked once stays as it was checked."""
    loaded = settings()

    with pytest.raises(ValidationError):
        loaded.fleet.name = "other"  # type: ignore[misc]


def test_an_unset_section_has_its_defaults() -> None:
    """A short file is a whole configuration."""
    loaded = settings()

    assert (5.0, 8.0, 16) == (
        loaded.loop.tick_s,
        loaded.loop.observe_timeout_s,
        loaded.loop.max_calls_in_flight,
    )
    assert "sqlite:////var/lib/autoscaler/journal.db" == loaded.journal.url
    assert loaded.pools["images"].stabilize.scale_in_window_s is None
    assert ("images",) == loaded.pools["images"].consumed


def test_policies_are_handed_on_as_written() -> None:
    """Known kinds are checked, others pass through; the options of both are plain values."""
    more = """
[[pools.images.policies]]
kind = "steps"
out = [{ above = 100, add = 2 }]
in = [{ below = 1, remove = 1 }]
[[pools.images.policies]]
kind = "theirs"
anything = [1, { a = "b" }]
"""
    policies = settings(more=more).pools["images"].policies

    assert [
        ("backlog", {"messages_per_worker": 10}),
        ("steps", {"out": ({"above": 100, "add": 2},), "in": ({"below": 1, "remove": 1},)}),
        ("theirs", {"anything": [1, {"a": "b"}]}),
    ] == [(policy.kind, policy.options()) for policy in policies]


def test_a_providers_options_are_plain_values_without_unset_ones() -> None:
    """Durations are seconds in keys that say so; what was not set is left to the provider."""
    options = (
        settings(
            (LIBCLOUD[0], LIBCLOUD[1] + '\nsettle = "1m"\nsecurity_groups = ["a"]'),
            ('provider = "here"', 'provider = "here"\nsize = "s"\nimage = "i"'),
        )
        .providers["here"]
        .options()
    )

    assert {
        "driver": "ec2",
        "key": "p@ss/w:rd%",
        "secret": "p@ss/w:rd%",
        "secure": True,
        "settle_s": 60.0,
        "security_groups": ("a",),
    } == options


@pytest.mark.parametrize(
    "url",
    [
        "postgres://h/d",
        "postgresql+psycopg2://h/d",
        "postgresql://h",
        "postgresql://h/",
        "postgresql:///d",
        "postgresql://h/d/e",
        "postgresql://h/d#e",
        "postgresql:h/d",
        "postgresql://h:99999/d",
        "postgresql://[::1/d",
        "postgresql://h/d?connect_timeout=1",
        "postgresql://h/d?passw0rd",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///journal.db",
        "sqlite:////",
        "mysql://h/d",
        "",
        5,
    ],
)
def test_only_a_journal_that_lasts_is_accepted(url: object) -> None:
    """In memory, under a relative path or in an unsupported database it would forget machines that cost money."""
    path, _ = told(more=f"[journal]\nurl = {url if isinstance(url, int) else repr(url)}\n")

    assert "journal.url" == path


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////srv/journal.db",
        "postgresql://h/d",
        "postgresql+psycopg://me@db.example:5433/scaling",
        "postgresql+psycopg://me@/scaling?host=/run/postgresql",
        "postgresql+psycopg://me@/scaling?host=a:5432&host=b:5432&target_session_attrs=read-write",
        "postgresql+psycopg://me@[::1]/scaling?sslmode=verify-full&sslrootcert=/etc/ca.pem",
    ],
)
def test_a_journal_may_be_a_file_or_a_database_on_a_server(url: str) -> None:
    """As it was written."""
    assert url == settings(more=f"[journal]\nurl = {url!r}\n").journal.url


@pytest.mark.parametrize(
    "url", ["postgresql://me:hush@h/d", "postgresql://h/d?password=hush", "postgresql://me:hu@sh@h/d"]
)
def test_a_password_in_the_journals_url_is_refused_and_not_shown(url: str) -> None:
    """It has a key of its own, which takes a reference."""
    path, problem = told(more=f"[journal]\nurl = {url!r}\n")

    assert "journal.url" == path
    assert "journal.password" in problem
    assert "hu" not in problem.partition("found")[2]


def test_a_password_for_a_journal_in_a_file_is_a_slip() -> None:
    """Whoever wrote it meant another url."""
    path, _ = told(more='[journal]\npassword = { env = "PASSWORD" }\n')

    assert "journal.password" == path


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("management_url", "ftp://rabbit"),
        ("management_url", "http://"),
        ("management_url", "http://rabbit:99999"),
        ("management_url", "http://rabbit:0"),
        ("management_url", "http://[::1"),
        ("management_url", "http://rabbit/?a=b"),
        ("amqp_url", "http://rabbit"),
        ("amqp_url", "amqp://rabbit/vhost"),
        ("amqp_url", "amqp://shop:secret@rabbit"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(key: str, value: str) -> None:
    """Wrong scheme, no host, no port, a path or a query where none belongs."""
    old = {"management_url": '"http://rabbit:15672"', "amqp_url": '"amqp://rabbit:5672"'}[key]

    assert f"broker.{key}" == told((old, f'"{value}"'))[0]


def test_an_address_loses_only_its_last_slash() -> None:
    """Gateways may append paths; a prefix of the management plugin stays."""
    loaded = settings(('"http://rabbit:15672"', '"https://proxy/rabbit/"'))

    assert "https://proxy/rabbit" == loaded.broker.management_url


@pytest.mark.parametrize("key", ["min_workers", "on_unknown"])
def test_no_number_of_workers_passes_the_ceiling(key: str) -> None:
    """The floor and the number raised to while blind are bound by the ceiling."""
    path, says = told(("max_workers = 4", f"max_workers = 4\n{key} = 5"))

    assert f"pools.images.limits.{key}" == path
    assert "at most max_workers, which is 4" in says


def test_a_large_ceiling_must_be_meant() -> None:
    """10000 is a slip of the hand, unless it is said not to be."""
    path, says = told(("max_workers = 4", "max_workers = 10000"))

    assert "pools.images.limits.max_workers" == path
    assert "allow_large = true" in says
    assert () == problems(("max_workers = 4", "max_workers = 10000\nallow_large = true"))


@pytest.mark.parametrize(
    ("queue", "consumed"), [('"images"', ""), ('"imag*"', '"images2"'), ('"x", "images"', '"x", "images"')]
)
def test_a_queue_belongs_to_one_pool(queue: str, consumed: str) -> None:
    """By name or by pattern: a message that counts in two pools buys machines twice."""
    path, says = told(more=SECOND_POOL.format(queue=queue, consumed=consumed))

    assert path.startswith("pools.other.queues[")
    assert "counted twice" in says


def test_the_same_pattern_in_two_pools_is_a_shared_queue() -> None:
    """Patterns that are written alike match alike."""
    changes = (
        ('queues = ["images"]', 'queues = ["i*"]'),
        ('app = "shop"', 'app = "shop"\nqueues = ["images"]'),
    )
    path, _ = told(*changes, more=SECOND_POOL.format(queue='"i*"', consumed='"images"'))

    assert "pools.other.queues[0]" == path


def test_different_queues_in_two_pools_are_fine() -> None:
    """Two pools are the usual case."""
    assert () == problems(more=SECOND_POOL.format(queue='"other"', consumed=""))


def test_a_pattern_needs_concrete_queues_to_consume() -> None:
    """A worker cannot consume a pattern, and an unconsumed queue would buy workers for nothing."""
    pattern = ('queues = ["images"]', 'queues = ["thumbs.*"]')

    path, says = told(pattern)
    assert "pools.images.bootstrap.queues" == path
    assert "the queues that match thumbs.*" in says
    assert () == problems(pattern, ('app = "shop"', 'app = "shop"\nqueues = ["thumbs.small"]'))
    assert "pools.images.queues[0]" == told(pattern, ('app = "shop"', 'app = "shop"\nqueues = ["other"]'))[0]
    assert (
        "pools.images.bootstrap.queues[1]"
        == told(('app = "shop"', 'app = "shop"\nqueues = ["images", "b*"]'))[0]
    )


def test_a_queue_given_twice_is_refused() -> None:
    """Its messages would count twice."""
    assert "pools.images.queues[1]" == told(('queues = ["images"]', 'queues = ["images", "images"]'))[0]


@pytest.mark.parametrize("queue", ["", " a", "a ", "a,b", "a\\nb", "x" * 256])
def test_a_queue_name_that_celery_cannot_consume_is_refused(queue: str) -> None:
    """A comma would make two of it on the worker's command line."""
    assert "pools.images.queues[0]" == told(('queues = ["images"]', f'queues = ["{queue}"]'))[0]


def test_an_offer_names_a_known_provider_once() -> None:
    """A misspelt provider is answered with the near one; the same offer twice is one too many."""
    assert "Did you mean here?" in told(('provider = "here"', 'provider = "her"'))[1]

    path, says = told(('app = "shop"', 'app = "shop"\n[[pools.images.offers]]\nprovider = "here"'))
    assert "pools.images.offers[1]" == path
    assert "offers[0]" in says


def test_an_offer_of_a_cloud_needs_size_and_image() -> None:
    """A cloud has no default machine; a local process has no size."""
    assert ["pools.images.offers[0].image", "pools.images.offers[0].size"] == [
        p.path for p in problems(LIBCLOUD)
    ]


def test_a_cloud_machine_must_be_able_to_reach_the_broker() -> None:
    """On a machine elsewhere `localhost` is that machine."""
    changes = (
        LIBCLOUD,
        ('provider = "here"', 'provider = "here"\nsize = "s"\nimage = "i"'),
        ('"amqp://rabbit:5672"', '"amqp://localhost:5672"'),
    )

    assert "pools.images.bootstrap.broker_url" == told(*changes)[0]
    assert () == problems(*changes, ('app = "shop"', 'app = "shop"\nbroker_url = { env = "PASSWORD" }'))
    assert () == problems(('"amqp://rabbit:5672"', '"amqp://localhost:5672"'))


PIP = 'source = "pip"\nreference = "shop"\n'


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ('source = "pip"', "reference"),
        ('reference = "shop"', "reference"),
        ('source = "pip"\nreference = "shop"\nrevision = "v1"', "revision"),
        ('source = "git"\nreference = "https://u:p@git.example/r"', "reference"),
        ('source = "pip"\nreference = "shop"\nindex_url = "https://u:p@host/simple"', "index_url"),
        ('source = "git"\nreference = "https://geheim@git.example/r"', "reference"),
        ('source = "pip"\nreference = "shop@git+https://geheim@git.example/r"', "reference"),
        ('source = "pip"\nreference = "shop"\nindex_url = "https://geheim@host/simple"', "index_url"),
        (f'{PIP}extra_packages = ["y", "x@git+https://geheim@host/x"]', "extra_packages[1]"),
        (f'{PIP}extra_packages = ["x @ git+https://u:geheim@host/x"]', "extra_packages[0]"),
        (f'{PIP}extra_packages = ["x@git+https://u:geheim/x@host/x"]', "extra_packages[0]"),
        ('source = "git"\nreference = "ssh://git:geheim@host/r"', "reference"),
        ('source = "conda"', "source"),
        ("prefetch_multiplier = 0", "prefetch_multiplier"),
        ('directory = "here"', "directory"),
    ],
)
def test_what_a_machine_runs_must_fit_together(lines: str, key: str) -> None:
    """Each source has its own keys; none holds a password or a token, and none is told."""
    (problem,) = problems(('app = "shop"', f'app = "shop"\n{lines}'))

    assert f"pools.images.bootstrap.{key}" == problem.path
    assert "geheim" not in str(problem)


@pytest.mark.parametrize(
    "lines",
    [
        'source = "git"\nreference = "ssh://git@git.example/r"',
        f'{PIP}extra_packages = ["x@git+https://host/x@v1", "y @ git+ssh://git@host:22/y@main"]',
        f'{PIP}index_url = "http://[::1]:8000/simple"',
    ],
)
def test_an_address_without_a_secret_is_taken(lines: str) -> None:
    """A revision behind an `@` is no user, and the user of ssh is no secret."""
    assert () == problems(('app = "shop"', f'app = "shop"\n{lines}'))


def test_certificates_for_an_unencrypted_broker_are_a_misunderstanding() -> None:
    """Whoever sets them believes the connection to be encrypted."""
    ca = ('username = "daemon"', 'username = "daemon"\nca_file = "/etc/ca.pem"')

    assert "broker.ca_file" == told(ca)[0]
    assert () == problems(ca, ('"amqp://rabbit:5672"', '"amqps://rabbit:5671"'))


@pytest.mark.parametrize(
    ("kind", "options", "path"),
    [
        ("backlog", "messages_per_worker = 0", "messages_per_worker"),
        ("backlog", "messages_per_worker = nan", "messages_per_worker"),
        ("backlog", "messages_per_worker = true", "messages_per_worker"),
        ("steps", "out = []", "out"),
        ("steps", "out = [{ above = 1, add = 1.5 }]", "out[0].add"),
        ("steps", "out = [{ above = 1, add = 1 }]\nin = [{ below = 0, remove = 1 }]", "in[0].below"),
        ("Back Log", "", "kind"),
    ],
)
def test_a_policys_options_are_typed_and_bounded(kind: str, options: str, path: str) -> None:
    """One report has these too, with the path inside the policy."""
    found: tuple[Problem, ...] = problems(
        ('kind = "backlog"\nmessages_per_worker = 10', f'kind = "{kind}"\n{options}')
    )

    assert [f"pools.images.policies[0].{path}"] == [problem.path for problem in found]
