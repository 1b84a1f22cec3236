"""The door: formats, sizes, compression, masking; and the process format."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from typing import Any

import pytest

from bootstrap.contract import Credentials, File, Lease, System, UnusableSpec, UserDataTooLarge
from bootstrap.render import render
from tests.unit.bootstrap import specs


@pytest.mark.parametrize("source", specs.SOURCES)
def test_a_plain_pool_fits_the_tightest_clouds(source: str) -> None:
    """Brightbox, Linode and Vultr take 12,288 bytes, 16 KiB of base64, and nothing compressed as a whole. What
    unpacks a tarball takes the next limit."""
    spec = specs.a_spec(
        application=specs.SOURCES[source],
        environment={"DJANGO_SETTINGS_MODULE": "shop.settings"},
        token="70c3a1f0" * 8,
    )
    limit_bytes = 16_384 if source == "tarball" else 12_288
    fitted = render(spec, user_data_format="cloud-config", limit_bytes=limit_bytes, gzip=False)
    program = len(specs.files(spec)["/usr/local/lib/autoscaler/become-worker"])
    # Shown where it fails, and with `-rP`.
    print(f"{source}: {len(fitted.content)} bytes, {program} of them our program")  # noqa: T201 - what it is about

    assert len(fitted.content) <= limit_bytes


def test_what_fits_is_not_compressed() -> None:
    """Below the limit a document that people can read is worth more than a smaller one."""
    plain = specs.rendered(specs.a_spec()).content

    assert (
        plain
        == render(specs.a_spec(), user_data_format="cloud-config", limit_bytes=len(plain), gzip=True).content
    )


def test_what_does_not_fit_is_compressed_where_the_provider_takes_it() -> None:
    """The same document, and the same bytes each time."""
    spec = specs.a_spec(environment={"CERTIFICATE": "A" * 20_000})
    once = render(spec, user_data_format="cloud-config", limit_bytes=16_384, gzip=True)

    assert len(once.content) <= 16_384
    assert gzip.decompress(once.content) == specs.rendered(spec).content
    assert once == render(spec, user_data_format="cloud-config", limit_bytes=16_384, gzip=True)


def test_the_limit_itself_still_fits_and_one_byte_less_does_not() -> None:
    """A provider's limit is the largest size it takes, compressed or not."""
    spec = specs.a_spec(environment={"CERTIFICATE": "A" * 20_000})
    squeezed = len(render(spec, user_data_format="cloud-config", limit_bytes=16_384, gzip=True).content)

    fits = render(spec, user_data_format="cloud-config", limit_bytes=squeezed, gzip=True)

    assert squeezed == len(fits.content)
    with pytest.raises(UserDataTooLarge):
        render(spec, user_data_format="cloud-config", limit_bytes=squeezed - 1, gzip=True)


def test_what_is_too_large_even_compressed_says_both_sizes() -> None:
    """The operator learns how much is too much, before a provider is asked."""
    noise = "".join(random.Random(1).choices("0123456789abcdef", k=40_000))
    spec = specs.a_spec(environment={"NOISE": noise})
    plain = len(specs.rendered(spec).content)
    with pytest.raises(
        UserDataTooLarge, match=rf"{plain} bytes, \d+ compressed; this provider takes 16384"
    ) as refused:
        render(spec, user_data_format="cloud-config", limit_bytes=16_384, gzip=True)
    with pytest.raises(UserDataTooLarge, match=rf"{plain} bytes, \d+ compressed; this provider takes 16384"):
        render(spec, user_data_format="cloud-config", limit_bytes=16_384, gzip=False)
    process = specs.a_spec(application=specs.IMAGE, environment={"NOISE": noise})
    with pytest.raises(UserDataTooLarge, match=r"takes \d+ bytes; this provider takes 16384"):
        render(process, user_data_format="process", limit_bytes=16_384, gzip=True)

    assert noise[:20] not in str(refused.value)


def test_a_format_nobody_knows_is_refused() -> None:
    """The known ones are named."""
    with pytest.raises(UnusableSpec, match="'ignition', expected one of cloud-config, process"):
        specs.rendered(specs.a_spec(), user_data_format="ignition")


def test_a_process_is_the_same_worker() -> None:
    """What the keeper reads is the command and environment a rented machine would run."""
    spec = specs.a_spec(
        application=replace(specs.IMAGE, python="/venv/bin/python", directory="/srv/shop"),
        environment={"A": "1", "LANG": "nb_NO.UTF-8"},
    )
    document = json.loads(specs.rendered(spec, user_data_format="process").content)

    assert document == {
        "argv": [
            "/venv/bin/python", "-m", "celery", "--app=shop.celery:app", "worker",
            "--hostname=celery@shop-images-7k2f", "--queues=images,thumbs", "--concurrency=4",
            "--loglevel=INFO", "--without-gossip",
        ],
        "environment": {
            "PYTHONUNBUFFERED": "1", "LANG": "nb_NO.UTF-8", "AUTOSCALER_FLEET": "shop",
            "AUTOSCALER_POOL": "images", "AUTOSCALER_NODE": "shop-images-7k2f",
            "CELERY_BROKER_URL": spec.broker_url, "A": "1",
        },
        "directory": "/srv/shop",
        "expected_exit_codes": [0],
    }  # fmt: skip


def test_where_a_provider_takes_no_compressed_document_its_files_are_compressed() -> None:
    """Each that gets smaller; cloud-init unpacks them to what would have stood there, and people see the plain text."""
    spec = specs.a_spec(environment={"CERTIFICATE": "A" * 20_000})
    made = render(spec, user_data_format="cloud-config", limit_bytes=16_384, gzip=False)
    plain = specs.rendered(spec)

    assert len(made.content) <= 16_384
    assert specs.files_in(plain.content) == specs.files_in(made.content)
    assert plain.masked == made.masked


def test_on_the_tightest_clouds_a_worker_does_without_the_mark_of_a_drain() -> None:
    """It would take more than is left; the daemon tells a worker that came back once more."""
    plain, tight = (
        render(specs.a_spec(), user_data_format="cloud-config", limit_bytes=limit, gzip=False)
        for limit in (16_384, 12_288)
    )
    starts = [specs.files_in(made.content)["/usr/local/lib/autoscaler/run-worker"] for made in (plain, tight)]

    assert ["/run/autoscaler/drained" in text for text in starts] == [True, False]
    assert ["run-celery" in text for text in starts] == [True, False]
    assert "-m celery" in starts[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"packages": ("ffmpeg",)},
        {"files": (File(path="/etc/shop.toml", content="x", mode="0600"),)},
        {"commands_before": ("true",)},
        {"commands_after": (("true",),)},
        {"lease": Lease(after_s=60.0)},
        {"credentials": Credentials.NODE},
        {"system": System(time_zone="Europe/Oslo")},
    ],
)
def test_a_process_changes_nothing_of_this_machine(changes: dict[str, Any]) -> None:
    """What would silently not be done is refused by its name."""
    (name,) = changes

    with pytest.raises(UnusableSpec, match=f"^{name}: nothing is done for a process of this machine"):
        specs.rendered(specs.a_spec(application=specs.IMAGE, **changes), user_data_format="process")


@pytest.mark.parametrize("source", ["pip", "wheel", "git", "tarball"])
def test_a_process_installs_nothing(source: str) -> None:
    """On this machine only what is here can run."""
    with pytest.raises(UnusableSpec, match=rf'application.source: "{source}".*expected source = "image"'):
        specs.rendered(specs.a_spec(application=specs.SOURCES[source]), user_data_format="process")


def test_a_broker_with_a_token_in_place_of_a_user_shows_none_of_it() -> None:
    """Before the `:` stands a user's name, which helps; without one it may be anything."""
    shown = specs.rendered(specs.a_spec(broker_url="amqps://a:b@h1;amqps://c:d@h2/v?password=e")).masked

    assert "CELERY_BROKER_URL='amqps://a:********@h1;amqps://c:********@h2/v?********'" in shown
