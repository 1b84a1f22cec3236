"""Arguments a pool adds to `celery worker`: what the daemon rests on cannot be taken away by any spelling."""

from __future__ import annotations

import click
import pytest
from celery.bin.worker import worker

from bootstrap import arguments
from bootstrap.validity import problems
from tests.unit.bootstrap import specs


@pytest.mark.parametrize(
    "given",
    [
        ("-b", "amqp://u:geheim@h"),
        ("-bamqp://u:geheim@h",),
        ("--broker=amqp://u:geheim@h",),
        ("--broker", "amqp://u:geheim@h"),
        ("-Eb", "amqp://u:geheim@h"),
        ("broker_url=amqp://u:geheim@h",),
        ("--", ".broker_url=amqp://u:geheim@h"),
        ("-l", "INFO", "broker.url=amqp://u:geheim@h"),
    ],
)
def test_another_broker_is_refused_and_told_where_it_belongs(given: tuple[str, ...]) -> None:
    """Its password would stand in the command line, and the daemon would never hear the worker."""
    told = problems(specs.a_spec(worker_args=given))

    assert told
    assert all(problem.startswith("worker_args: ") for problem in told)
    assert "bootstrap.broker_url" in told[0]
    assert "geheim" not in "".join(told)


@pytest.mark.parametrize(
    ("given", "option"),
    [
        (("-X", "thumbs"), "-X"),
        (("-Xthumbs",), "-X"),
        (("--exclude-queues=thumbs",), "--exclude-queues"),
        (("-P", "solo"), "-P"),
        (("-Psolo",), "-P"),
        (("-EP", "solo"), "-P"),
        (("--pool=solo",), "--pool"),
        (("--pool", "solo"), "--pool"),
        (("--heartbeat-interval=2",), "--heartbeat-interval"),
        (("--heartbeat-interval", "60"), "--heartbeat-interval"),
        (("-EB",), "-B"),
        (("-EQother",), "-Q"),
        (("-EDlINFO",), "-D"),
        (("-ZB",), "-B"),
        (("-l", "INFO", "-EB"), "-B"),
        (("--shops-own", "-B"), "-B"),
    ],
)
def test_what_the_daemon_rests_on_is_refused_in_every_spelling(given: tuple[str, ...], option: str) -> None:
    """Letters stand together until one takes a value, as click reads them."""
    (told,) = problems(specs.a_spec(worker_args=given))

    assert told.startswith(f"worker_args: {option} ")


@pytest.mark.parametrize(
    "given",
    [
        ("-E",),
        ("-ElINFO",),
        ("-fDB.log",),
        ("-l", "DEBUG", "-Ofair"),
        ("--statedb", "-B"),
        ("--shops-own", "value"),
        ("--shops-address=https://host.example:8443/path", "--other=ssh://git@host.example/a"),
    ],
)
def test_what_changes_nothing_of_that_is_the_pools_own(given: tuple[str, ...]) -> None:
    """A value is not read as options, and options of the app's own pass."""
    assert () == problems(specs.a_spec(worker_args=given))


@pytest.mark.parametrize(
    ("given", "key"),
    [
        (("-P", "gevent"), "worker_pool"),
        (("-EPeventlet",), "worker_pool"),
        (("--pool=threads",), "worker_pool"),
        (("--prefetch-multiplier", "1"), "prefetch_multiplier"),
        (("--time-limit=60",), "time_limit"),
        (("--soft-time-limit", "60"), "soft_time_limit"),
        (("--max-tasks-per-child=100",), "max_tasks_per_child"),
        (("--max-memory-per-child=100000",), "max_memory_per_child"),
    ],
)
def test_what_has_a_setting_is_no_argument(given: tuple[str, ...], key: str) -> None:
    """Said twice, nobody could tell which holds; the refusal names the setting."""
    (told,) = problems(specs.a_spec(worker_args=given))

    assert told.endswith(f"it is a setting of its own, bootstrap.{key}")


@pytest.mark.parametrize(
    "given", ["--store=redis://:geheim@h/0", "--store=https://geheim@h", "--store=amqp://u:geheim/x@h"]
)
def test_an_address_with_credentials_is_no_argument(given: str) -> None:
    """A command line is public on its machine, and so would be the sentence about it."""
    (told,) = problems(specs.a_spec(worker_args=(given,)))

    assert told.startswith("worker_args: an address with credentials (not shown)")
    assert "geheim" not in told


def test_every_option_of_celery_is_known_with_or_without_its_value() -> None:
    """Otherwise a value would be read as options, or an option as a value."""
    options = [option for option in worker.params if isinstance(option, click.Option)]

    assert set() == {name for option in options if option.is_flag for name in option.opts} - arguments.FLAGS
    assert (
        set() == {name for option in options if not option.is_flag for name in option.opts} - arguments.VALUED
    )
