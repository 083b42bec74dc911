"""Modules of py_proto_library import, and import each other."""

from absl.testing import absltest

from tools.proto.testdata import inner_pb2, outer_pb2


class PyProtoLibraryTest(absltest.TestCase):
    def test_makes_messages(self):
        message = inner_pb2.Inner(value=3)
        self.assertEqual(
            inner_pb2.Inner.FromString(message.SerializeToString()), message
        )

    def test_imports_from_the_workspace(self):
        self.assertEqual(
            outer_pb2.Outer.DESCRIPTOR.fields_by_name["inner"].message_type,
            inner_pb2.Inner.DESCRIPTOR,
        )

    def test_imports_what_comes_with_protoc(self):
        message = outer_pb2.Outer()
        message.duration.FromMilliseconds(1500)
        self.assertEqual(message.duration.seconds, 1)


if __name__ == "__main__":
    absltest.main()
