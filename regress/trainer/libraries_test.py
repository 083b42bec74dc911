"""Tests for where CUDA libraries come from."""

import ctypes
import pathlib
from unittest import mock

from absl.testing import absltest

from regress.trainer import libraries


class LibrariesTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        # Each wheel has its own folder, as under Bazel.
        self.cudnn = self._wheel(
            "nvidia-cudnn-cu13", "nvidia/cudnn/lib/libcudnn.so.9"
        )
        self.nvrtc = self._wheel(
            "nvidia-cuda-nvrtc", "nvidia/cu13/lib/libnvrtc.so.13"
        )
        self.path = [str(self.cudnn), str(self.nvrtc)]

    def _wheel(self, name: str, library: str) -> pathlib.Path:
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / library).parent.mkdir(parents=True)
        (folder / library).touch()
        info = folder / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.2\n")
        (info / "RECORD").write_text(f"{library},,\n")
        return folder

    def _maps(self, *paths: pathlib.Path) -> str:
        return "".join(
            f"7f00-7f01 r-xp 00000000 fe:00 {number}    {path}\n"
            for number, path in enumerate(paths)
        )

    def test_points_to_the_wheels(self) -> None:
        self.assertEqual(
            libraries.homes(self.path),
            {
                "CUDNN_HOME": str(self.cudnn / "nvidia/cudnn"),
                "NVRTC_HOME": str(self.nvrtc / "nvidia/cu13"),
            },
        )

    def test_opens_a_library_after_those_that_it_names(self) -> None:
        with mock.patch.object(ctypes, "CDLL") as open_library:
            libraries.open_all(self.path)
        self.assertEqual(
            [call.args for call in open_library.call_args_list],
            [
                (f"{self.nvrtc}/nvidia/cu13/lib/libnvrtc.so.13",),
                (f"{self.cudnn}/nvidia/cudnn/lib/libcudnn.so.9",),
            ],
        )

    def test_points_nowhere_without_wheels(self) -> None:
        self.assertEqual(libraries.homes(["", "/nowhere"]), {})

    def test_names_the_wheel_of_a_library(self) -> None:
        file = self.cudnn / "nvidia/cudnn/lib/libcudnn.so.9"
        self.assertEqual(
            libraries.loaded(self._maps(file, file), self.path),
            {
                "libcudnn.so.9": "nvidia/cudnn/lib/libcudnn.so.9 of "
                "nvidia-cudnn-cu13 1.2"
            },
        )

    def test_finds_a_library_behind_the_links_of_runfiles(self) -> None:
        links = pathlib.Path(self.create_tempdir().full_path, "site-packages")
        links.symlink_to(self.cudnn)
        file = links / "nvidia/cudnn/lib/libcudnn.so.9"
        for path in ([str(links)], [str(self.cudnn)]):
            self.assertEqual(
                libraries.loaded(self._maps(file), path),
                {
                    "libcudnn.so.9": "nvidia/cudnn/lib/libcudnn.so.9 of "
                    "nvidia-cudnn-cu13 1.2"
                },
            )

    def test_finds_a_library_that_is_linked_from_an_image(self) -> None:
        links = pathlib.Path(self.create_tempdir().full_path)
        (links / "nvidia/cudnn").mkdir(parents=True)
        (links / "nvidia/cudnn/lib").symlink_to(self.cudnn / "nvidia/cudnn/lib")
        (info,) = self.cudnn.glob("*.dist-info")
        (links / info.name).symlink_to(info)
        file = self.cudnn / "nvidia/cudnn/lib/libcudnn.so.9"
        self.assertEqual(
            libraries.loaded(self._maps(file), [str(links)]),
            {
                "libcudnn.so.9": "nvidia/cudnn/lib/libcudnn.so.9 of "
                "nvidia-cudnn-cu13 1.2"
            },
        )

    def test_names_the_hosts_own_by_its_whole_path(self) -> None:
        host = pathlib.Path(self.create_tempdir().full_path, "libcudnn.so.9")
        host.touch()
        self.assertEqual(
            libraries.loaded(self._maps(host), self.path),
            {"libcudnn.so.9": str(host.resolve())},
        )

    def test_passes_over_what_is_no_cuda_library(self) -> None:
        maps = self._maps(
            pathlib.Path("/usr/lib/libcuda.so.1"),
            pathlib.Path("/usr/lib/libc.so.6"),
        )
        maps += "7f00-7f01 rw-p 00000000 00:00 0    [heap]\n7f02-7f03 rw-p\n"
        self.assertEqual(libraries.loaded(maps, self.path), {})

    def test_reads_its_own_process(self) -> None:
        self.assertEqual(libraries.loaded(), {})


if __name__ == "__main__":
    absltest.main()
