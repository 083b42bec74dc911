"""Stands in for nvidia-cuda-mps-control on a machine without a driver.

Run as a program with -f, it is the daemon, which has a server as its child;
otherwise it is a client that passes its standard input to the daemon.
REGRESS_MPS makes the daemon fail: "ends" or "deaf".
"""

import os
import pathlib
import signal
import socket
import subprocess
import sys


def main() -> int:
    """Runs the daemon or the client. Returns the exit status."""
    control = pathlib.Path(os.environ["CUDA_MPS_PIPE_DIRECTORY"], "control")
    if "-f" in sys.argv:
        return _serve(control, os.environ.get("REGRESS_MPS", ""))
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(control))
        except OSError:
            return 1
        client.sendall(sys.stdin.buffer.read())
        return 0 if client.recv(100) else 1


def _serve(control: pathlib.Path, failure: str) -> int:
    if failure == "ends":
        return 7
    server = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.pause()"]
    )
    log = pathlib.Path(os.environ["CUDA_MPS_LOG_DIRECTORY"], "control.log")
    with (
        log.open("a") as said,
        socket.create_server(str(control), family=socket.AF_UNIX) as listener,
    ):
        print(os.getpid(), server.pid, file=said, flush=True)
        while True:
            client, _ = listener.accept()
            with client:
                command = client.recv(100).decode()
                print(command.strip(), file=said, flush=True)
                if command.startswith("quit") and failure == "deaf":
                    signal.pause()
                client.sendall(b"done")
            if command.startswith("quit"):
                server.kill()
                server.wait()
                return 0


if __name__ == "__main__":
    sys.exit(main())
