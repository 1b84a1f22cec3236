"""Tasks in one queue, and machines that run them, on virtual time: every event at its exact instant.

The queue is first in, first out, and a machine has a number of slots that run a task each. Sizes are made for traces
of millions of tasks: no object for a task, and one plain loop. What never happens here: a decision (who uses this says
when a machine begins, drains and goes), a fault, a step of time, dice, or the broker's prefetching.
"""

from __future__ import annotations

import heapq
import math
from array import array
from bisect import bisect_left
from collections import deque

from autoscaler.study.contract import Workload

IDLE = -1
"""In place of a task: the slot runs none."""


class World:
    """A queue and its machines from time 0 on. Times are seconds, and never go back.

    The workload's tasks must be in the order of their arrival. A task that is handed out is acknowledged at its end, so
    a machine that goes gives back what it ran. Of the free slots the one that is free longest takes the next task, as
    with a broker that hands out in turn. At one instant machines begin first, then tasks end, then tasks arrive.
    """

    def __init__(self, workload: Workload, slots: int) -> None:
        """`slots` is the number of tasks that each machine runs at once; ValueError below 1."""
        if slots < 1:
            raise ValueError(f"a machine has {slots} slots; expected 1 or more")
        self.now_s = 0.0
        self.arrived = 0
        self.started = 0
        """Tasks that were started at least once."""
        self.done = 0
        self.redelivered = 0
        self.busy_s = 0.0
        """Seconds of running up to now, all tasks together: those that still run, and those given back, too."""
        self.waits_s: array[float] = array("d")
        """From sending to the first start, in the order of first starts: that is, of arrival."""
        self._submit_s, self._runtime_s = workload.submit_s, workload.runtime_s
        self._slots = slots
        self._given_back: deque[int] = deque()
        """The front of the queue: tasks to be run anew. Behind them come the tasks from `started` to `arrived`."""
        # Slots are numbered through: those of one machine are a row, and nobody gets a number a second time.
        self._first_slot: dict[str, int] = {}
        self._task: list[int] = []
        """Of each slot ever."""
        self._takes = bytearray()
        """Of each slot ever: its machine serves and takes tasks."""
        self._free: deque[int] = deque()
        """Slots that take and run nothing, the one free longest first. While there is one, nothing is queued."""
        self._ends: list[tuple[float, int]] = []
        """A heap: when each running task ends, and its slot."""
        self._begins: list[tuple[float, int, str]] = []
        """A heap of the machines on their way."""
        self._not_begun: dict[str, bool] = {}
        """The machines on their way, and whether they shall take tasks."""

    @property
    def backlog(self) -> int:
        """Tasks that are queued."""
        return len(self._given_back) + self.arrived - self.started

    @property
    def in_progress(self) -> int:
        """Tasks that run."""
        return len(self._ends)

    @property
    def finished(self) -> bool:
        """All tasks of the workload have arrived and are done."""
        return self.done == len(self._submit_s)

    def advance(self, until_s: float) -> None:
        """All that happens before `until_s`, which becomes now; what happens at exactly that time is still to come.

        ValueError for a time before now, and for one that is not finite.
        """
        if not self.now_s <= until_s < math.inf:
            raise ValueError(f"the time is {self.now_s}; it cannot advance to {until_s}")
        begins = self._begins
        while begins and begins[0][0] < until_s:
            self._run(begins[0][0])
            self._open(heapq.heappop(begins))
        self._run(until_s)

    def begin(self, node: str, at_s: float) -> None:
        """A new machine, whose worker takes tasks from `at_s` on: at once if that is now.

        A name may come again after its machine was removed. ValueError for one that is there, and for a past time.
        """
        if node in self._first_slot:
            raise ValueError(f"machine {node} is there already")
        if not self.now_s <= at_s < math.inf:
            raise ValueError(f"the time is {self.now_s}; machine {node} cannot begin at {at_s}")
        first = len(self._task)
        self._first_slot[node] = first
        self._task.extend([IDLE] * self._slots)
        self._takes.extend(bytes(self._slots))
        self._not_begun[node] = True
        if at_s == self.now_s:
            self._open((at_s, first, node))
        else:
            heapq.heappush(self._begins, (at_s, first, node))

    def stop_taking(self, node: str) -> None:
        """It ends what it runs and takes nothing new, now or when it begins.

        KeyError for a machine that is not there.
        """
        first = self._first_slot[node]
        if node in self._not_begun:
            self._not_begun[node] = False
        else:
            self._leave_line(first)

    def take_again(self, node: str) -> None:
        """Undoes `stop_taking`: its idle slots join the line of free ones. KeyError for a machine that is not there."""
        first = self._first_slot[node]
        if node in self._not_begun:
            self._not_begun[node] = True
        elif not self._takes[first]:
            self._join_line(first)

    def remove(self, node: str) -> int:
        """The machine is gone now; what it ran goes back to the front of the queue, to be run anew from its start.

        Returns how many tasks that were. KeyError for a machine that is not there.
        """
        first = self._first_slot.pop(node)
        last = first + self._slots
        if self._not_begun.pop(node, None) is not None:
            self._begins = [one for one in self._begins if one[2] != node]
            heapq.heapify(self._begins)
        self._leave_line(first)
        given_back = sorted(task for task in self._task[first:last] if task != IDLE)
        if given_back:
            self._task[first:last] = [IDLE] * self._slots
            self._ends = [one for one in self._ends if not first <= one[1] < last]
            heapq.heapify(self._ends)
            self._given_back.extendleft(reversed(given_back))
            self.redelivered += len(given_back)
            self._hand_out()
        return len(given_back)

    def in_hand(self, node: str) -> int:
        """Tasks that this machine runs. KeyError for a machine that is not there."""
        first = self._first_slot[node]
        return self._slots - self._task[first : first + self._slots].count(IDLE)

    def _open(self, begun: tuple[float, int, str]) -> None:
        _, first, node = begun
        if self._not_begun.pop(node):
            self._join_line(first)

    def _join_line(self, first: int) -> None:
        for slot in range(first, first + self._slots):
            self._takes[slot] = True
            if self._task[slot] == IDLE:
                self._free.append(slot)
        self._hand_out()

    def _leave_line(self, first: int) -> None:
        last = first + self._slots
        self._takes[first:last] = bytes(self._slots)
        if self._free:
            self._free = deque(slot for slot in self._free if not first <= slot < last)

    def _hand_out(self) -> None:
        """Queued tasks to free slots now, after there came to be more of either."""
        while self._free and self.backlog:
            if self._given_back:
                task = self._given_back.popleft()
            else:
                task = self.started
                self.started += 1
                self.waits_s.append(self.now_s - self._submit_s[task])
            slot = self._free.popleft()
            self._task[slot] = task
            heapq.heappush(self._ends, (self.now_s + self._runtime_s[task], slot))

    def _run(self, until_s: float) -> None:
        """Arrivals and ends before `until_s`, while no machine comes or goes. All the time is spent here."""
        submit_s, runtime_s, task_of, takes = self._submit_s, self._runtime_s, self._task, self._takes
        free, given_back, ends, waited = self._free, self._given_back, self._ends, self.waits_s.append
        replace, push, pop = heapq.heapreplace, heapq.heappush, heapq.heappop
        now_s, busy_s, done = self.now_s, self.busy_s, self.done
        arrived, started, running, tasks = self.arrived, self.started, len(ends), len(submit_s)
        arrives_s = submit_s[arrived] if arrived < tasks else math.inf
        while True:
            end_s = ends[0][0] if running else math.inf
            if arrives_s < end_s:
                if arrives_s >= until_s:
                    break
                if free:  # so nothing is queued, and it starts at once
                    busy_s += running * (arrives_s - now_s)
                    now_s = arrives_s
                    slot = free.popleft()
                    task_of[slot] = arrived
                    push(ends, (now_s + runtime_s[arrived], slot))
                    waited(0.0)
                    running += 1
                    arrived = started = arrived + 1
                else:  # until a task ends, all that arrive do is to queue
                    arrived = bisect_left(submit_s, min(end_s, until_s), arrived)
                arrives_s = submit_s[arrived] if arrived < tasks else math.inf
                continue
            if end_s >= until_s:
                break
            busy_s += running * (end_s - now_s)
            now_s = end_s
            done += 1
            slot = ends[0][1]
            taking = takes[slot]
            # While a task is queued no other slot is free, so this one takes it.
            if taking and given_back:
                task = given_back.popleft()
            elif taking and started < arrived:
                task = started
                started += 1
                waited(now_s - submit_s[task])
            else:
                task_of[slot] = IDLE
                pop(ends)
                running -= 1
                if taking:
                    free.append(slot)
                continue
            task_of[slot] = task
            replace(ends, (now_s + runtime_s[task], slot))
        self.now_s, self.busy_s = until_s, busy_s + running * (until_s - now_s)
        self.arrived, self.started, self.done = arrived, started, done
