"""Every page of the dashboard: values as `views` reads them in, the bytes of one HTML document out.

Pages hold no script and no style of their own, only addresses of files of ours, and no content from elsewhere. All
text is escaped. What never happens here: a look at the journal, a socket, a clock.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.core.model import PoolDecision, PoolName
from autoscaler.journal.contract import OrderRecord
from autoscaler.views import attention as matters_of
from autoscaler.views import documents, drawing
from autoscaler.views.history import History
from autoscaler.views.portraits import NodePortrait, PoolPortrait
from autoscaler.views.standing import PoolStanding, Standing
from autoscaler.web import bars, charts, comparison, deeds, reasons, rendering, rows, wording
from autoscaler.web.candidates import SINCE, Knob
from autoscaler.web.trials import Trial
from policies.account import explain


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How pages are made. Without `orders` no button is shown: there is no token by which one could be given."""

    orders: bool = False


READ_ONLY = Manner()


def overview(now: Standing, manner: Manner = READ_ONLY) -> bytes:
    """`/`: the fleet in ten seconds."""
    accounts = [each for each in now.accounts if each.configured or each.trouble]
    return _page(
        "overview.html",
        now,
        manner,
        here="overview",
        rows=rows.of(now),
        sums=rows.sums(now.pools),
        oldest=rows.oldest(now.pools),
        late=sum(rows.is_late(pool) for pool in now.pools),
        money=bars.money(now.bill.spent, now.bill.projected, now.bill.most),
        accounts=accounts,
    )


def pool(
    now: Standing, portrait: PoolPortrait, manner: Manner = READ_ONLY, *, past: History | None = None
) -> bytes:
    """`/pools/{pool}`: one pool, why its number is what it is, its machines and its last moves; and its last hours."""
    standing = _standing(now, portrait)
    span_s = bars.span_of((each.node for each in portrait.nodes), portrait.at)
    lives = [_life(each, portrait.at - span_s, portrait.at, manner) for each in portrait.nodes]
    return _page(
        "pool.html",
        now,
        manner,
        here="",
        pool=standing,
        sentence=wording.tail(standing.sentence, standing.pool),
        portrait=portrait,
        pills=rows.pills(standing),
        late=rows.is_late(standing),
        workers=bars.workers(
            standing.serving, standing.arriving, standing.leaving, standing.lost, standing.wanted
        ),
        waited=bars.wait(standing.oldest_s, standing.target_wait_s)
        if standing.waiting and standing.oldest_s is not None and standing.target_wait_s
        else (),
        money=bars.money(standing.bill.spent, standing.bill.projected, standing.bill.most),
        deeds=deeds.of_pool(standing, portrait.max_workers) if manner.orders else (),
        why=reasons.of(portrait.decision) if portrait.decision else None,
        boots=[reasons.of_boots(known) for known in portrait.boots],
        lives=lives,
        span_s=span_s,
        chart=charts.of(past, "over-time") if past else None,
        past=past,
        spans=charts.SPANS,
    )


def node(now: Standing, portrait: NodePortrait, manner: Manner = READ_ONLY) -> bytes:
    """`/nodes/{node}`: one machine from its order to its end."""
    of = portrait.node
    until_at = now.at if of.state is not of.state.GONE else of.entered_at
    return _page(
        "node.html",
        now,
        manner,
        here="",
        portrait=portrait,
        node=of,
        until_at=until_at,
        life=bars.life(of, portrait.moves, of.ordered_at, until_at),
        boot=bars.boot(portrait.boot, of),
        meanings=reasons.MEANINGS,
        deeds=deeds.of_node(of, whole=True) if manner.orders else (),
    )


def attention(now: Standing, manner: Manner = READ_ONLY) -> bytes:
    """`/attention`: everything that needs an eye, each with what to do."""
    found = matters_of.look(now)
    groups = [
        (subject, [(matter, deeds.of_matter(matter) if manner.orders else None) for matter in of])
        for subject in dict.fromkeys(matter.subject for matter in found)
        for of in [[matter for matter in found if matter.subject is subject]]
    ]
    return _page("attention.html", now, manner, here="attention", groups=groups)


def orders(now: Standing, records: tuple[OrderRecord, ...], manner: Manner = READ_ONLY) -> bytes:
    """`/orders`: who ordered what, when, and what became of it."""
    return _page("orders.html", now, manner, here="orders", records=records)


def decision(now: Standing, stored: PoolDecision, manner: Manner = READ_ONLY) -> bytes:
    """`/pools/{pool}/decisions/{at}`: the decision that held then, in words and whole."""
    document = json.dumps(documents.decision(stored), indent=2, ensure_ascii=False, default=str)
    return _page(
        "decision.html",
        now,
        manner,
        here="",
        stored=stored,
        why=reasons.of(stored),
        words=explain(stored.decision),
        document=document,
    )


def history(now: Standing, past: History, since: str, manner: Manner = READ_ONLY) -> bytes:
    """`/pools/{pool}/history?since=…`: a pool's past, and what the same work would have cost otherwise."""
    return _page(
        "history.html",
        now,
        manner,
        here="",
        past=past,
        since=since,
        spans=charts.SPANS,
        chart=charts.of(past, "history"),
        summary=drawing.summary(past),
        costs=tuple(drawing.costs(past)),
    )


def what_if(
    now: Standing, pool: PoolName, knobs: Sequence[Knob], trial: Trial | None, *, gone: bool, manner: Manner
) -> bytes:
    """`/pools/{pool}/what-if`: other settings on the pool's own past, and what they come to beside today's."""
    facts = trial.facts if trial else None
    return _page(
        "what_if.html",
        now,
        manner,
        here="",
        pool=pool,
        knobs=knobs,
        trial=trial,
        gone=gone,
        spans=charts.SPANS,
        since=trial.since if trial else SINCE,
        told=comparison.document(facts) if facts else None,
        rows=comparison.rows(facts) if facts else (),
    )


def trouble(now: Standing | None, title: str, says: str) -> bytes:
    """What is shown in place of a page: nothing of that name, or a journal that cannot be read."""
    if now is None:
        return rendering.render("bare.html", title=title, says=says)
    return _page("trouble.html", now, READ_ONLY, here="", title=title, says=says)


def _standing(now: Standing, portrait: PoolPortrait) -> PoolStanding:
    """The pool among those of the fleet; one that left since is not there, and whoever asks asks for a known one."""
    return next(each for each in now.pools if each.pool == portrait.pool)


def _life(portrait: NodePortrait, since_at: float, until_at: float, manner: Manner) -> dict[str, object]:
    of = portrait.node
    return {
        "node": of,
        "portrait": portrait,
        "offer": wording.offer(of.offer),
        "life": bars.life(of, portrait.moves, since_at, until_at),
        "boot": bars.boot(portrait.boot, of),
        "deeds": deeds.of_node(of) if manner.orders else (),
    }


def _page(template: str, now: Standing, manner: Manner, **values: object) -> bytes:
    matters = matters_of.look(now)
    graves = sum(matter.grave for matter in matters)
    frame = {
        "now": now,
        "at": now.at,
        "tick_at": now.daemon.last_tick_at or 0.0,
        "fleet": now.fleet,
        "matters": matters,
        "graves": graves,
        "may_order": manner.orders,
    }
    return rendering.render(template, **(frame | values))
