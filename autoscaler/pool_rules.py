"""A pool as it is configured, in the words of the core: the dull mapping from settings to rules.

Light on purpose: commands and pages that only read the journal need it and none of the clients that `wiring` opens.
What never happens here: a decision, or a default that the configuration does not name.
"""

from __future__ import annotations

from autoscaler.config import pools as configured
from autoscaler.core import supply
from autoscaler.core.learned import FIRST_S
from autoscaler.core.model import DrainExpiry, Offer, OfferOrder, PoolName, PoolRules, Timeouts
from policies.contract import Limits, PolicySpec, Stabilization
from policies.stabilize import default_scale_in_window_s
from providers.contract import ProviderName


def of(name: str, pool: configured.Pool) -> PoolRules:
    """One pool in the words of the core."""
    limits, calm, times = pool.limits, pool.stabilize, pool.timeouts
    offers = tuple(
        Offer(
            provider=ProviderName(offer.provider),
            location=offer.location,
            size=offer.size,
            image=offer.image,
            price_per_h=offer.price_per_h,
            quantum_s=offer.quantum_s,
        )
        for offer in pool.offers
    )
    return PoolRules(
        name=PoolName(name),
        queues=pool.consumed,
        slots=pool.slots,
        policies=tuple(PolicySpec(kind=p.kind, options=p.options()) for p in pool.policies),
        limits=Limits(
            min_workers=limits.min_workers,
            max_workers=limits.max_workers,
            on_unknown=limits.on_unknown,
            max_creates_in_flight=limits.max_creates_in_flight,
            max_cost_per_hour=limits.max_cost_per_hour,
            max_cost_per_month=limits.max_cost_per_month,
        ),
        stabilization=Stabilization(
            scale_out_window_s=calm.scale_out_window_s,
            scale_in_window_s=calm.scale_in_window_s
            if calm.scale_in_window_s is not None
            else default_scale_in_window_s(supply.quantum_s(offers)),
            scale_out_cooldown_s=calm.scale_out_cooldown_s,
            scale_in_cooldown_s=calm.scale_in_cooldown_s,
            tolerance=calm.tolerance,
            max_step_out=calm.max_step_out,
            max_step_in=calm.max_step_in,
            good_looks=calm.good_looks,
        ),
        timeouts=Timeouts(
            create_s=times.create_s,
            enrol_s=times.enrol_most_s if times.enrol_s == configured.LEARNED else times.enrol_s,
            enrol_first_s=min(FIRST_S, times.enrol_most_s) if times.enrol_s == configured.LEARNED else None,
            silence_s=times.silence_s,
            lost_s=times.lost_s,
            drain_s=times.drain_s,
            drain_expiry=DrainExpiry(times.on_drain_timeout),
            stall_s=times.stall_s,
            task_s=times.task_s,
            stop_s=times.stop_s,
            call_s=times.call_s,
        ),
        offers=offers,
        paused=pool.paused,
        canary=pool.canary,
        replaces_drifted=pool.replace == "drifted",
        max_age_s=limits.max_age_s,
        residency=pool.residency,
        offer_order=OfferOrder(pool.offers_order),
        offer_margin=pool.offers_margin,
        own_slots={
            made.name: written.slots
            for made, written in zip(offers, pool.offers, strict=True)
            if written.slots is not None and written.slots != pool.slots
        },
    )


def own_target_s(*pools: PoolRules) -> float | None:
    """The shortest target of the policies `wait` of the first of these pools that has any; None where none has."""
    for pool in pools:
        own_s = [float(str(spec.options["target_wait_s"])) for spec in pool.policies if spec.kind == "wait"]
        if own_s:
            return min(own_s)
    return None
