"""What a test runs and which golden judges it; printed before anything else."""

import dataclasses
import math
import pathlib

from regress.case import case_pb2, fingerprint, load
from regress.golden import bands, files, golden_pb2
from regress.run import packages
from regress.supervisor import gpu_sharing

# Length of a digest, in hex digits, for comparing two runs by eye.
_SHORT_DIGEST = 12


@dataclasses.dataclass(frozen=True)
class Selection:
    """A case and its golden, if there is one.

    Attributes:
        case: What is trained and how it is interrupted.
        case_path: The case's file.
        golden: The expected trajectory; None to judge without one.
        golden_path: The golden's file, or None.
        hardware: The declared hardware.
        channel: The declared channel.
    """

    case: case_pb2.Case
    case_path: pathlib.Path
    golden: golden_pb2.Golden | None
    golden_path: pathlib.Path | None
    hardware: str
    channel: str

    def describe(self, launcher: str) -> str:
        """Returns the selection and the environment, one line per item.

        Args:
            launcher: The launcher's name.
        """
        interruptions = ", then ".join(
            f"{case_pb2.Signal.Name(one.signal)} in iteration {one.iteration}"
            f" of {self.case.training.iterations}, phase"
            f" {case_pb2.Phase.Name(one.phase)}"
            for one in self.case.interruption
        )
        rows = {
            "case": self.case_path,
            "fingerprint": fingerprint.fingerprint(self.case),
            "interruption": interruptions,
            "hardware": self.hardware,
            "devices": gpu_sharing.describe(
                self.hardware, self.case.parallelism.pipeline
            ),
            "channel": self.channel,
            **self._describe_golden(),
            "environment": ", ".join(
                f"{name} {version}"
                for name, version in packages.versions().items()
            ),
            **_describe_image(),
            "launcher": launcher,
        }
        return "\n".join(f"{name:12}  {row}" for name, row in rows.items())

    def _describe_golden(self) -> dict[str, str]:
        if self.golden is None:
            return {"golden": "none: judged by proof, state and replay"}
        provenance = self.golden.provenance
        if provenance.HasField("imported"):
            return {
                "golden": str(self.golden_path),
                "imported": (
                    f"{provenance.imported.source}; for reference: no run can "
                    "pass it"
                ),
            }
        return {
            "golden": str(self.golden_path),
            **_tolerances(self.golden),
            "recorded": (
                f"{provenance.date}, {provenance.repeats} repeats"
                f"{_interrupted(provenance)} on"
                f" {provenance.environment.device_name}"
            ),
        }


def _interrupted(provenance: golden_pb2.Provenance) -> str:
    if not provenance.interrupted_repeats:
        return ""
    return f" ({provenance.interrupted_repeats} interrupted and resumed)"


def select(
    case_path: pathlib.Path,
    golden_path: pathlib.Path | None,
    hardware: str,
    channel: str,
    record_command: str = "",
) -> Selection:
    """Reads the case and the golden, if there is one.

    Args:
        case_path: The case's textproto.
        golden_path: The golden's textproto; None to judge without one.
        hardware: The declared hardware.
        channel: The declared channel.
        record_command: The command that records the test's golden, if any.

    Raises:
        CaseError: The case does not exist, or it cannot be run.
        GoldenError: The golden does not exist, or it is malformed.
    """
    return Selection(
        case=load.load(case_path),
        case_path=case_path,
        golden=files.read(golden_path, record_command) if golden_path else None,
        golden_path=golden_path,
        hardware=hardware,
        channel=channel,
    )


def _describe_image() -> dict[str, str]:
    """Describes the packages' origin if they come from an image."""
    python = packages.image_python()
    if not python:
        return {}
    digests = packages.of_computing(packages.record_digests())
    records = ", ".join(
        f"{name} {digest[:_SHORT_DIGEST]}" for name, digest in digests.items()
    )
    return {"packages": f"those of {python}; RECORDs: {records}"}


def _tolerances(golden: golden_pb2.Golden) -> dict[str, str]:
    """Describes the tolerances of a golden for hardware `any`."""
    if golden.hardware != bands.HARDWARE:
        return {}
    allowed = ", ".join(
        f"{band.metric} any value"
        if math.isinf(band.relative)
        else f"{band.metric} within {band.relative:.2g} of it"
        for band in golden.bands
    )
    return {"tolerance": f"hardware any: {allowed}; all else is exact"}
