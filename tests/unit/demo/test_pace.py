"""Virtual time beside real time: it runs so many times as fast, never back, and others can tell what time it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from autoscaler.cli import opened
from autoscaler.config import Settings, parse
from autoscaler.demo import configured, pace
from autoscaler.demo.pace import Pace, course_beside

AT, VIRTUAL_AT = 1_800_000_000.0, 1_900_000_000.0


@dataclass
class Watch:
    """A machine's clocks, moved by hand."""

    at: float = AT
    elapsed: float = 5.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.elapsed

    def passes(self, seconds: float) -> None:
        self.at += seconds
        self.elapsed += seconds


def _pace(watch: Watch, directory: Path, speed: float = 60.0) -> Pace:
    return Pace(watch, virtual_at=VIRTUAL_AT, speed=speed, file=directory / pace.FILE)


def test_a_second_is_a_minute_at_sixty_times(tmp_path: Path) -> None:
    """Durations stay real: whoever waits for something waits in his own time."""
    watch = Watch()
    clock = _pace(watch, tmp_path)
    watch.passes(1.0)

    assert VIRTUAL_AT + 60.0 == clock.now()
    assert 6.0 == clock.monotonic()


def test_another_speed_holds_from_that_moment_on(tmp_path: Path) -> None:
    """Time neither jumps nor runs back when somebody presses a key."""
    watch = Watch()
    clock = _pace(watch, tmp_path)
    watch.passes(1.0)
    clock.go_on(speed=10.0)
    watch.passes(1.0)

    assert VIRTUAL_AT + 70.0 == clock.now()
    assert 10.0 == clock.speed


def test_a_wall_clock_that_is_set_moves_nothing(tmp_path: Path) -> None:
    """Ticks go by the clock that is never set."""
    watch = Watch()
    clock = _pace(watch, tmp_path)
    watch.at -= 3_600.0

    assert VIRTUAL_AT == clock.now()


def test_another_program_knows_the_same_time(tmp_path: Path) -> None:
    """By the file beside the configuration, after every change of the speed."""
    watch = Watch()
    clock = _pace(watch, tmp_path)
    watch.passes(2.0)
    clock.go_on(speed=5.0)
    watch.passes(2.0)
    course = course_beside(tmp_path / configured.FILE)

    assert course is not None
    assert clock.now() == course.now(watch.at)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "5",
        json.dumps({"real_at": "now", "virtual_at": 1, "speed": 1}),
        '{"real_at": NaN, "virtual_at": 1, "speed": 1}',
        json.dumps({"real_at": 1, "virtual_at": 1, "speed": -1}),
        json.dumps({"real_at": 1, "virtual_at": 1, "speed": 1e9}),
    ],
)
def test_a_file_that_tells_no_time_is_none(tmp_path: Path, text: str) -> None:
    """Then the machine's own clock is the right one."""
    (tmp_path / pace.FILE).write_text(text)

    assert course_beside(tmp_path / configured.FILE) is None


def _settings(directory: Path) -> tuple[Path, Settings, Settings]:
    """The demo's configuration, and the same with an account of another kind beside the simulated ones."""
    path = configured.write(directory)
    text = path.read_text()
    local = f'[providers.own]\nkind = "local"\ndirectory = "{directory}"\n'
    return path, parse(text, {}), parse(text + local, {})


def test_commands_go_by_the_time_of_a_demo(tmp_path: Path) -> None:
    """An hour's hold is an hour of the fleet that is held."""
    path, played, _ = _settings(tmp_path)
    _pace(Watch(), tmp_path, speed=0.0)
    clock = opened.FleetClock()
    clock.of(path, played)

    assert VIRTUAL_AT == clock.now()


def test_a_fleet_with_a_real_machine_never_has_another_time(tmp_path: Path) -> None:
    """A file that somebody left beside the configuration must not make orders of next year."""
    path, played, real = _settings(tmp_path)
    _pace(Watch(), tmp_path, speed=0.0)
    clock = opened.FleetClock()
    clock.of(path, played)
    clock.of(path, real)

    assert clock.now() < VIRTUAL_AT
