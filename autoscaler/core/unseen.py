"""What of a snapshot could not be seen, in words for operators. Facts go in, sentences come out; nothing is judged."""

from __future__ import annotations

from autoscaler.core.facts import Missing, Snapshot


def missing(snapshot: Snapshot) -> dict[str, str]:
    """Each fact that could not be seen, in words, with why."""
    missed = {f"demand of {p}": d.why for p, d in snapshot.demand.items() if isinstance(d, Missing)}
    for provider, listing in snapshot.listings.items():
        if isinstance(listing, Missing):
            missed[f"machines at {provider}"] = listing.why
        elif not listing.complete:
            missed[f"some machines at {provider}"] = listing.why_incomplete
    for node in snapshot.nodes:
        if node.offer.provider not in snapshot.listings:
            missed[f"machines at {node.offer.provider}"] = (
                "it is not configured any more, but nodes bought there have records: configure it again, or forget them"
            )
    if isinstance(snapshot.sightings, Missing):
        missed["workers"] = snapshot.sightings.why
    if isinstance(snapshot.reports, Missing):
        missed["machines that become workers"] = snapshot.reports.why
    return missed
