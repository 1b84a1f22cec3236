"""The production code with one of its rules broken, each as an honest programmer might break it.

The soak must catch every one of them: a check that never fails proves nothing. Each is put in place for one life and
taken out after it. Where the rule is also an invariant of plans, the mistake is made there too, as whoever believed the
wrong rule would have. What never happens here: an exception raised to be noticed, or a part that outlives its life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import MappingProxyType

from autoscaler.simulate import misdeeds, misread
from autoscaler.simulate.parts import Parts

SABOTAGES: Mapping[str, Callable[[Parts], None]] = MappingProxyType(
    {
        breaking.__name__: breaking
        for breaking in (
            misdeeds.repeats_an_unanswered_create,
            misread.believes_absence_at_once,
            misread.believes_absence_while_blind,
            misdeeds.commits_after_dispatch,
            misdeeds.leaves_unknown_outcomes_out_of_the_ceiling,
            misread.trusts_the_worker_alone,
            misread.trusts_the_broker_alone,
            misdeeds.stops_asking_after_the_first_yes,
            misdeeds.asks_for_an_end_on_an_old_word,
            misdeeds.obeys_every_destroy,
            misread.sweeps_on_an_incomplete_listing,
            misread.reads_missing_statistics_as_zero,
            misdeeds.ignores_the_lease,
            misdeeds.sends_without_the_lease,
            misread.lets_one_bad_node_stop_the_tick,
            misdeeds.scales_in_on_the_first_good_look,
            misdeeds.counts_no_calls,
            misdeeds.asks_again_whatever_an_account_says,
            misdeeds.asks_for_an_end_on_every_tick,
            misdeeds.orders_on_from_an_account_that_is_silent,
            misdeeds.buys_many_of_a_new_kind,
            misdeeds.takes_what_arrives_for_nothing,
            misdeeds.never_takes_back,
            misdeeds.ignores_a_pause,
            misdeeds.leaves_strangers_out_of_the_ceiling,
            misdeeds.ends_silent_strangers_without_a_word,
            misdeeds.answers_no_order_about_a_node,
            misdeeds.destroys_by_name,
            misread.takes_deafness_for_silence,
            misread.knows_a_worker_by_its_pid,
            misread.takes_figures_for_granted,
            misdeeds.decides_without_asking_whether_demand_was_seen,
            misdeeds.orders_with_a_wrong_argument,
            misread.lets_zombies_be,
        )
    }
)
"""By the name of the rule that is broken. The daemon's own code never knows of them."""


@contextmanager
def applied(name: str) -> Iterator[None]:
    """The production code with that rule broken; `""` breaks none. Raises KeyError for a name that is not known."""
    with ExitStack() as stack:
        if name:
            SABOTAGES[name](Parts(stack))
        yield
