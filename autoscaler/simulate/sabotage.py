"""The production code with one of its rules broken, each as an honest programmer might break it.

The soak must catch every one of them: a check that never fails proves nothing. Each is put in place for one life and
taken out after it. Where the rule is also an invariant of plans, the mistake is made there too, as whoever believed the
wrong rule would have. What never happens here: an exception raised to be noticed, or a part that outlives its life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import MappingProxyType

from autoscaler.simulate import (
    sabotage_acts,
    sabotage_money,
    sabotage_places,
    sabotage_rolling,
    sabotage_sight,
    sabotage_words,
)
from autoscaler.simulate.sabotage_parts import Parts

SABOTAGES: Mapping[str, Callable[[Parts], None]] = MappingProxyType(
    {
        breaking.__name__: breaking
        for breaking in (
            sabotage_acts.repeats_an_unanswered_create,
            sabotage_sight.believes_absence_at_once,
            sabotage_sight.believes_absence_while_blind,
            sabotage_acts.commits_after_dispatch,
            sabotage_acts.leaves_unknown_outcomes_out_of_the_ceiling,
            sabotage_sight.trusts_the_worker_alone,
            sabotage_sight.trusts_the_broker_alone,
            sabotage_acts.stops_asking_after_the_first_yes,
            sabotage_acts.asks_for_an_end_on_an_old_word,
            sabotage_acts.obeys_every_destroy,
            sabotage_sight.sweeps_on_an_incomplete_listing,
            sabotage_sight.reads_missing_statistics_as_zero,
            sabotage_acts.ignores_the_lease,
            sabotage_acts.sends_without_the_lease,
            sabotage_sight.lets_one_bad_node_stop_the_tick,
            sabotage_acts.scales_in_on_the_first_good_look,
            sabotage_acts.counts_no_calls,
            sabotage_acts.asks_again_whatever_an_account_says,
            sabotage_acts.looks_on_at_an_account_that_wants_peace,
            sabotage_acts.asks_for_an_end_on_every_tick,
            sabotage_acts.orders_on_from_an_account_that_is_silent,
            sabotage_acts.buys_many_of_a_new_kind,
            sabotage_acts.takes_what_arrives_for_nothing,
            sabotage_acts.never_takes_back,
            sabotage_acts.ignores_a_pause,
            sabotage_acts.leaves_strangers_out_of_the_ceiling,
            sabotage_acts.ends_silent_strangers_without_a_word,
            sabotage_acts.answers_no_order_about_a_node,
            sabotage_acts.destroys_by_name,
            sabotage_sight.takes_deafness_for_silence,
            sabotage_sight.knows_a_worker_by_its_pid,
            sabotage_sight.takes_figures_for_granted,
            sabotage_acts.decides_without_asking_whether_demand_was_seen,
            sabotage_acts.orders_with_a_wrong_argument,
            sabotage_sight.lets_zombies_be,
            sabotage_sight.waits_no_longer_than_the_last_time,
            sabotage_money.forgets_what_is_gone,
            sabotage_money.lets_each_pool_spend_the_last_of_it,
            sabotage_money.leaves_the_fleets_money_to_the_pools,
            sabotage_money.stops_buying_and_lets_them_run,
            sabotage_money.bills_a_machine_in_the_month_of_its_order,
            sabotage_money.pays_by_the_second,
            sabotage_places.takes_residency_for_a_wish,
            sabotage_places.lets_be_what_is_not_known,
            sabotage_rolling.takes_a_new_machine_for_a_worker,
            sabotage_rolling.replaces_all_at_once,
            sabotage_rolling.believes_in_the_new_definition,
            sabotage_rolling.leaves_the_last_old_one,
            sabotage_words.takes_any_token,
            sabotage_words.believes_a_machine_that_says_it_failed,
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
