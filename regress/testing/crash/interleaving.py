"""Runs ranks as threads of one process, one at a time.

The order of their steps is chosen by the caller and reproducible.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any


class Interleaving:
    """Schedules the ranks.

    A rank runs until it gathers or ends, or with `alternate` until the end of
    its next step.
    """

    def __init__(self, order: Sequence[int], *, alternate: bool) -> None:
        """Prepares to run the ranks.

        Args:
            order: The ranks, in the order of their turns.
            alternate: Whether a turn ends after each step.
        """
        self._order = list(order)
        self._alternate = alternate
        self._changed = threading.Condition()
        self._turn = self._order[0]
        self._brought: dict[int, Any] = {}
        self._gathered: list[Any] = []
        self._gathers = 0
        self._ended: set[int] = set()
        self._errors: list[BaseException] = []

    def run(self, rank: Callable[[int], object]) -> None:
        """Calls `rank` with each rank's number, and waits for all of them.

        Raises:
            BaseException: The exception of the first rank that failed.
        """
        threads = [
            threading.Thread(target=self._run, args=(rank, number))
            for number in self._order
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def step(self, rank: int) -> None:
        """Ends a step. A rank calls this after each of its steps."""
        if self._alternate:
            self._pass(rank)
            self._wait(rank)

    def gather(self, rank: int, mine: Any) -> list[Any]:
        """Waits for all ranks and returns their objects, by rank."""
        with self._changed:
            gathers = self._gathers
            self._brought[rank] = mine
            if len(self._brought) == len(self._order):
                self._gathered = [
                    self._brought[one] for one in sorted(self._brought)
                ]
                self._brought = {}
                self._gathers += 1
                self._turn = self._order[0]
                self._changed.notify_all()
            else:
                self._pass(rank)
            self._changed.wait_for(
                lambda: (
                    (self._gathers > gathers and self._turn == rank)
                    or self._errors
                )
            )
            return self._gathered

    def _run(self, rank: Callable[[int], object], number: int) -> None:
        self._wait(number)
        try:
            rank(number)
        except BaseException as error:
            self._errors.append(error)
        with self._changed:
            self._ended.add(number)
            self._pass(number)

    def _wait(self, rank: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._turn == rank or self._errors)

    def _pass(self, rank: int) -> None:
        """Passes the turn to the next rank that neither gathers nor ended."""
        with self._changed:
            place = self._order.index(rank)
            following = self._order[place + 1 :] + self._order[: place + 1]
            for one in following:
                if one not in self._brought and one not in self._ended:
                    self._turn = one
                    break
            self._changed.notify_all()
