"""Tests for the names of state entries."""

from absl.testing import absltest, parameterized

from regress.run import run_pb2, state_entry

_Key = state_entry.Key


class StateEntryTest(parameterized.TestCase):
    @parameterized.parameters(
        (
            "chunk 0/exp_avg/decoder.weight",
            _Key("exp_avg", "decoder.weight", chunk=0),
        ),
        ("chunk 12/param/a/b", _Key("param", "a/b", chunk=12)),
        (
            "param group default (no weight decay)/lr",
            _Key("param group", "lr", group="default (no weight decay)"),
        ),
        ("param group a/b/lr", _Key("param group", "lr", group="a/b")),
        ("scheduler/num_steps", _Key("scheduler", "num_steps")),
        (
            "rng/rng_tracker_states/model-parallel-rng",
            _Key("rng", "rng_tracker_states/model-parallel-rng"),
        ),
        ("iteration", _Key("iteration")),
        # Almost a chunk or a param group, but not quite.
        ("chunk 0", _Key("chunk 0")),
        ("chunk one/param/a", _Key("chunk one", "param/a")),
        ("param group default", _Key("param group default")),
        ("chunk 007/param/a", _Key("chunk 007/param/a")),
        ("rng/", _Key("rng/")),
        ("", _Key("")),
    )
    def test_is_read_and_composed(
        self, name: str, key: state_entry.Key
    ) -> None:
        self.assertEqual(state_entry.read(name), key)
        self.assertEqual(state_entry.compose(key), name)

    def test_gives_the_entries_of_a_state(self) -> None:
        entry = run_pb2.StateEntry(name="chunk 0/param/a", digest="abc")
        self.assertEqual(
            state_entry.by_key(run_pb2.StateDigest(entries=[entry])),
            {_Key("param", "a", chunk=0): entry},
        )


if __name__ == "__main__":
    absltest.main()
