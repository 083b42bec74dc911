"""Stands in for classes of frameworks that need not be installed.

Megatron-LM saves its arguments, and some of them are members of enums that
megatron-core defines. What the file says of such a value, the arguments of its
constructor and its attributes, is kept as data; nothing of the framework is
imported, and nothing that the file names is called.
"""

from typing import Any

# What gets a stand-in: the classes of a module, and a class by itself, as
# Megatron-LM's arguments name a signal. All others are refused by name.
PREFIXES = ("megatron.", "signal.Signals")


class Inert:
    """What a file says of one value of a class that is not imported.

    Attributes:
        of: The name of the class.
        arguments: What its constructor would be called with.
        state: What its attributes would be set to.
    """

    of = ""

    def __init__(self, *arguments: Any) -> None:
        """Keeps the constructor's arguments."""
        self.arguments = arguments
        self.state: Any = None

    def __new__(cls, *arguments: Any) -> "Inert":
        """Keeps the arguments of values that are made without __init__."""
        made = super().__new__(cls)
        made.arguments = arguments
        made.state = None
        return made

    def __setstate__(self, state: Any) -> None:
        """Keeps the state."""
        self.state = state

    def content(self) -> dict[str, Any]:
        """Returns what is compared."""
        return {
            self.of: list(self.arguments),
            **({} if self.state is None else {"state": self.state}),
        }


def stand_in(name: str) -> Any:
    """Returns a class for `torch.serialization.safe_globals`, with its name."""
    return type("Inert", (Inert,), {"of": name}), name


def has_stand_in(name: str) -> bool:
    """Whether a class gets a stand-in."""
    return name.startswith(PREFIXES)
