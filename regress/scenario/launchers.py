"""Makes launchers by name, by default for this project's trainer."""

from collections.abc import Sequence

from regress.scenario import scenario as scenario_lib
from regress.supervisor import exec_launcher, zygote_launcher

TRAINER = "regress.trainer.main"
NAMES = ("zygote", "exec")


def make(
    name: str,
    scenario: scenario_lib.Scenario,
    module: str = TRAINER,
    *,
    preload_flags: Sequence[str] = (),
) -> zygote_launcher.ZygoteLauncher | exec_launcher.ExecLauncher:
    """Returns a launcher, which is a context manager.

    Args:
        name: `zygote` imports once and forks each rank; `exec` starts each rank
            from scratch. Both give the same bits.
        scenario: The scenario that the ranks will run.
        module: The trainer's module: this project's, or one that takes the
            same flags.
        preload_flags: Additional flags for the trainer's `preload`.

    Raises:
        SupervisorError: The module does not exist.
    """
    if name == "exec":
        return exec_launcher.ExecLauncher(module)
    log = scenario.files.outputs / "zygote.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    return zygote_launcher.ZygoteLauncher(
        module,
        [*scenario.preload_argv(), *preload_flags],
        log,
        environment=scenario.environment(),
    )
