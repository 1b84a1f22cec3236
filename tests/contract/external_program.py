"""An operator's program as the contract suite runs it: one call of protocol 1, with machines as files in a directory.

It shares no code with the provider, so that both can be wrong only where the documented protocol is. `FAULTS` are names
of files that a test puts into the directory; the first that concerns the call is taken away and met. A machine boots
for a moment, and a name is given once in each fleet.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, NoReturn

BOOT_S = 0.3
FAULTS = {
    "capacity": "create",
    "quota": "create",
    "rejected": "create",
    "throttled": "create",
    "answer-lost": "create",
    "request-lost": "create",
    "listing-cut": "list",
    "listing-fails": "list",
    "silence": "any",
}
REFUSALS = {"capacity": 193, "quota": 199, "rejected": 194, "throttled": 195}


def met(faults: Path, verb: str) -> str:
    """The fault that this call meets, taken away; nothing for most calls."""
    for file in sorted(faults.iterdir()):
        fault = file.name.partition(".")[2]
        if FAULTS[fault] in {"any", verb}:
            try:
                file.unlink()
            except FileNotFoundError:
                continue  # another run met it
            return fault
    return ""


def answer(**said: object) -> NoReturn:
    sys.stdout.write(json.dumps({"protocol": 1, **said}))
    sys.exit(0)


def refuse(code: int, **said: object) -> NoReturn:
    sys.stdout.write(json.dumps({"protocol": 1, **said}))
    sys.exit(code)


def row(machine: dict[str, Any]) -> dict[str, object]:
    shown = {key: machine[key] for key in ("name", "id", "fleet", "pool", "size", "location", "created_at")}
    booted = time.time() - machine["created_at"] > BOOT_S
    return {**shown, "state": "running" if booted else "pending", "addresses": ["192.0.2.7"]}


def standing(place: Path) -> list[dict[str, Any]]:
    found = []
    for file in sorted((place / "machines").glob("*.json")):
        try:
            found.append(json.loads(file.read_text()))
        except FileNotFoundError:
            continue  # ended meanwhile
    return sorted(found, key=lambda each: (each["created_at"], each["id"]))


def create(place: Path, fleet: str, wanted: dict[str, Any]) -> dict[str, object]:
    taken = place / "names" / f"{fleet} {wanted['name']}"
    try:
        os.close(os.open(taken, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        refuse(194, message=f"the name {wanted['name']} is taken")
    machine = {
        **wanted,
        "id": f"vm-{uuid.uuid4()}",
        "fleet": fleet,
        "created_at": round(time.time(), 3),
        "taken": str(taken),
    }
    draft = place / "machines" / f"{machine['id']}.draft"
    draft.write_text(json.dumps(machine))
    draft.rename(draft.with_suffix(".json"))
    return row(machine)


def destroy(place: Path, fleet: str, wanted: dict[str, Any]) -> None:
    for machine in standing(place):
        if machine["fleet"] == fleet and machine["id"] == wanted["id"]:
            (place / "machines" / f"{machine['id']}.json").unlink()
            Path(machine["taken"]).unlink()
            return
    refuse(196, message=f"there is no machine {wanted['id']}")


def check(place: Path, wanted: dict[str, Any]) -> list[dict[str, object]]:
    there = {"size": {"small"}, "location": {"no-1"}, "image": {"debian-12"}}
    return [
        {"subject": key, "ok": wanted[key] in known, "says": f"there is {', '.join(known)}"}
        for key, known in there.items()
    ]


def main() -> None:
    """Carry out one call."""
    place = Path(sys.argv[1])
    asked = json.load(sys.stdin)
    verb, fleet = asked["verb"], asked["fleet"]
    if asked["protocol"] != 1 or asked["secrets"] != {"token": "sesame"}:
        refuse(194, message="who are you?")
    fault = met(place / "faults", verb)
    if fault in REFUSALS:
        refuse(
            REFUSALS[fault], message=f"met {fault}", **({"retry_after_s": 7} if fault == "throttled" else {})
        )
    if fault == "request-lost":
        sys.exit(1)
    if fault == "listing-fails":
        refuse(197, message="502 Bad Gateway")
    if fault == "silence":
        # A descendant that keeps the pipes open is as silent.
        subprocess.run(["sleep", "600"], check=False)
    match verb:
        case "create":
            made = create(place, fleet, asked["create"])
            if fault == "answer-lost":
                os.kill(os.getpid(), signal.SIGKILL)
            answer(machine=made)
        case "destroy":
            destroy(place, fleet, asked["destroy"])
            answer()
        case "list":
            rows = [row(machine) for machine in standing(place)]
            strangers = [{**each, "fleet": None, "id": f"{each['id']}-theirs"} for each in rows]
            if fault == "listing-cut":
                answer(machines=rows[1:], complete=False, why_incomplete="page 2 did not come")
            answer(machines=[*rows, *strangers], complete=True)
        case "check":
            answer(findings=check(place, asked["check"]))
        case _:
            refuse(194, message=f"{verb} is no verb of protocol 1")


def user_data(machine: dict[str, Any]) -> bytes:
    """What a machine of this program would read."""
    return base64.b64decode(machine["user_data_base64"], validate=True)


if __name__ == "__main__":
    main()
