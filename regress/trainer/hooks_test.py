"""Tests for the trainer's hooks."""

from collections.abc import Callable
from typing import Any

from absl.testing import absltest

from regress.trainer import hooks


def _add(text: str) -> hooks.Wrapper:
    def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: original(*args, **kwargs) + text

    return wrapper


class HookTest(absltest.TestCase):
    def test_a_function_that_is_not_wrapped_is_itself(self) -> None:
        @hooks.Hook("")
        def join(left: str, *, right: str) -> str:
            """Joins."""
            return left + right

        self.assertEqual(join("a", right="b"), "ab")
        self.assertEqual((join.__name__, join.__doc__), ("join", "Joins."))

    def test_the_last_wrapper_is_the_outermost(self) -> None:
        hook = hooks.Hook("")
        hook.wrap(_add("1"))

        @hook
        def name() -> str:
            return "0"

        self.assertEqual(name(), "01")
        hook.wrap(_add("2"))
        self.assertEqual(name(), "012")

    def test_a_method_gets_its_object(self) -> None:
        hook = hooks.Hook("")

        class Counter:
            count = 3

            @hook
            def get(self) -> int:
                return self.count

        hook.wrap(lambda get: lambda counter: get(counter) + counter.count)
        self.assertEqual(Counter().get(), 6)

    def test_a_wrapper_is_made_once(self) -> None:
        made: list[object] = []
        hook = hooks.Hook("")

        def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
            made.append(original)
            return original

        hook.wrap(wrapper)

        @hook
        def nothing() -> None:
            pass

        nothing()
        nothing()
        self.assertLen(made, 1)

    def test_two_functions_have_no_hook_in_common(self) -> None:
        hook = hooks.Hook("twice")
        hook(str)
        with self.assertRaises(AssertionError):
            hook(int)

    def test_every_place_has_a_name_of_its_own(self) -> None:
        self.assertGreater(len(hooks.ALL), 20)
        self.assertLen({hook.name for hook in hooks.ALL}, len(hooks.ALL))


if __name__ == "__main__":
    absltest.main()
