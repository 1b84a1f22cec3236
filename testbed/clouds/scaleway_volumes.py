"""Scaleway's volumes on loopback: local ones of Instances, and those of Block Storage, which has an API of its own.

They follow Scaleway's reference of 2026 and its SDK (Instances v1: volumes, `ServerAction`; Block Storage v1). A volume
that came with a server bears no tags until somebody puts them on. Not there: snapshots, sizes that change, exports.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from testbed.clouds import paging
from testbed.clouds.exchange import Answer, Asked, Kind, Refused, Route
from testbed.clouds.machines import Clock
from testbed.clouds.server import CloudServer
from testbed.clouds.shapes import each, integer, record, text

Document = dict[str, Any]

SIZE = 10 * 10**9
LOCAL = frozenset({"l_ssd", "scratch"})
CHANGE = record(
    optional={
        "tags": each(text(at_least=1, at_most=255)),
        "name": text(at_least=1),
        "size": integer(at_least=1),
    }
)
ABSENT = Answer(
    status=404, body={"type": "not_found", "message": "resource is not found", "resource": "volume"}
)
IN_USE = Answer(status=412, body={"type": "precondition_failed", "message": "the volume is in use"})
WRONG_PAGE = Answer(status=400, body={"type": "invalid_arguments", "message": "invalid argument(s)"})


@dataclass(slots=True, kw_only=True)
class Volume:
    """One volume; `server` is empty once it is detached, and a block volume is in use until `free_at`."""

    key: str
    kind: str
    server: str
    created_at: float
    tags: list[str] = field(default_factory=list)
    free_at: float = 0.0


class Volumes:
    """Those of one zone of one project. What tests may turn: `stuck`, which none can delete; `release_s`, how long a
    block volume stays in use after its server was deleted; `short`, how many rows a listing leaves out in silence."""

    def __init__(self, server: CloudServer, clock: Clock, *, zone: str, project: str) -> None:
        self._server = server
        self._clock = clock
        self._zone = zone
        self._project = project
        self._numbers = itertools.count(1)
        self.standing: dict[str, Volume] = {}
        self.stuck = False
        self.release_s = 0.0
        self.short = 0

    def routes(self) -> tuple[Route, ...]:
        """Two products with the same words, and pages and states that are called otherwise."""
        local, block = (f"/{product}/v1/zones/{self._zone}/volumes" for product in ("instance", "block"))
        pages = frozenset({"page", "tags"})
        of_local, of_block = pages | {"per_page", "project"}, pages | {"page_size", "project_id"}
        routes = [
            Route(method="GET", path=local, handler=self.look, query=of_local),
            Route(method="GET", path=block, handler=self.look, query=of_block),
        ]
        for path in (local, block):
            routes += [
                Route(method="DELETE", path=f"{path}/{{id}}", handler=self.end, kind=Kind.END),
                Route(method="PATCH", path=f"{path}/{{id}}", handler=self.change),
            ]
        return tuple(routes)

    def make(self, *, kind: str, server: str = "", tags: Sequence[str] = (), age_s: float = 0.0) -> Volume:
        """A new one, as it comes with a server, or as somebody makes it."""
        key = f"{next(self._numbers):08x}-0000-4000-8000-00000000000f"
        born = self._clock.now() - age_s
        volume = Volume(key=key, kind=kind, server=server, created_at=born, tags=[*tags])
        self.standing[key] = volume
        return volume

    def let_go(self, server: str, *, local_end: bool) -> None:
        """The server ends: local volumes with it where it is terminated, all others are detached."""
        for volume in [one for one in self.standing.values() if one.server == server]:
            if local_end and volume.kind in LOCAL:
                del self.standing[volume.key]
            volume.server = ""
            volume.free_at = self._clock.now() + (0.0 if volume.kind in LOCAL else self.release_s)

    def of(self, server: str) -> Mapping[str, Document]:
        """A server's volumes as its own description has them: of block volumes it says little."""
        mine = [one for one in self.standing.values() if one.server == server]
        told: dict[str, Document] = {}
        for at, volume in enumerate(mine):
            local = {"name": "root", "size": SIZE} if volume.kind in LOCAL else {}
            told[str(at)] = {"id": volume.key, "volume_type": volume.kind, "boot": False, **local}
        return told

    def look(self, asked: Asked) -> Answer:
        block = asked.path.startswith("/block/")
        wanted = {*filter(None, asked.parameter("tags").split(","))}
        ours = asked.parameter("project_id" if block else "project", self._project) == self._project
        rows = [
            self._told_block(one) if block else self._told(one)
            for one in self.standing.values()
            if ours and (one.kind in LOCAL) is not block and wanted <= {*one.tags}
        ]
        size = "page_size" if block else "per_page"
        try:
            page = paging.numbered(
                rows,
                number=asked.parameter("page"),
                size=asked.parameter(size),
                names=("page", size),
                default=50,
                most=100,
            )
        except paging.BadPage:
            raise Refused(WRONG_PAGE) from None
        shown = list(page.rows)[: len(page.rows) - self.short]
        if block:
            return Answer(body={"volumes": shown, "total_count": page.total})
        return Answer(body={"volumes": shown}, headers={"X-Total-Count": str(page.total)})

    def change(self, asked: Asked) -> Answer:
        wish: Document = dict(self._server.read(asked, CHANGE))
        volume = self._find(asked)
        volume.tags = wish.get("tags", volume.tags)
        if volume.kind in LOCAL:
            return Answer(body={"volume": self._told(volume)})
        return Answer(body=self._told_block(volume))

    def end(self, asked: Asked) -> Answer:
        volume = self._find(asked)
        if volume.server or self.stuck or self._clock.now() < volume.free_at:
            raise Refused(IN_USE)
        del self.standing[volume.key]
        return Answer(status=204)

    def _find(self, asked: Asked) -> Volume:
        volume = self.standing.get(asked.places["id"])
        if volume is None or (volume.kind in LOCAL) is asked.path.startswith("/block/"):
            raise Refused(ABSENT)
        return volume

    def _told(self, volume: Volume) -> Document:
        born = datetime.fromtimestamp(volume.created_at, UTC).isoformat()
        server = {"id": volume.server, "name": "a-server"} if volume.server else None
        return {
            "id": volume.key, "name": "root", "volume_type": volume.kind, "size": SIZE, "state": "available",
            "tags": volume.tags, "creation_date": born, "modification_date": born, "project": self._project,
            "organization": self._project, "zone": self._zone, "export_uri": None,
            **({"server": server} if server else {}),
        }  # fmt: skip

    def _told_block(self, volume: Volume) -> Document:
        born = datetime.fromtimestamp(volume.created_at, UTC).isoformat()
        used = bool(volume.server) or self._clock.now() < volume.free_at
        reference = {
            "id": volume.key, "product_resource_type": "instance_server", "product_resource_id": volume.server,
            "created_at": born, "type": "exclusive", "status": "attached",
        }  # fmt: skip
        return {
            "id": volume.key, "name": "root", "type": "sbs_5k", "size": SIZE, "project_id": self._project,
            "created_at": born, "updated_at": born, "references": [reference] if used else [], "zone": self._zone,
            "status": "in_use" if used else "available", "tags": volume.tags, "parent_snapshot_id": None,
            "specs": {"perf_iops": 5000, "class": "sbs"}, "last_detached_at": None,
        }  # fmt: skip
