"""A trainer that executes its arguments as commands, in order.

  progress:ITERATION[:TEXT]  send a progress message
  pid                        send its pid as a progress message's text
  begin                      wait to begin
  wait:ITERATION:PHASE       wait for an interruption
  print:TEXT                 print a line
  exit:CODE                  return from main
  quit:CODE                  end the process without another word
  tell                       tell of its end, and go on
  end_slowly                 begin to end, and never be done
  sys_exit:CODE              raise SystemExit, with a number or a text
  fail:TEXT                  raise an exception
  torn_down:CODE             exit with a code if the interpreter is torn down
  raise:SIGNAL               send a signal to itself
  ignore:SIGNAL              ignore a signal
  catch:SIGNAL:CODE          exit with a code when a signal comes
  pause                      do nothing forever
  burn:SECONDS               use that much more user CPU time
  child                      start a process and send its pid as text
  daemon                     the same, in a new session
  stray                      the same, with an empty environment, too
  open:PATH:MODE             open a FIFO and keep it open
  read:PATH                  read a FIFO to its end
  report:PATH                write what the process sees, as JSON
  store                      meet the other ranks at the store's port and send
                             the port as text
  garbage                    send something that is not a progress message
  hang_up                    close the control socket

Commands of `preload`:

  thread                     start a thread that never ends
  fail:TEXT                  raise an exception
  exit:CODE                  end the process
  open:PATH:MODE             open a FIFO and keep it open
  pause                      do nothing forever
"""

import atexit
import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

from regress.run import control, run_pb2

# By the ABI of x86-64.
_SYS_EXIT = 60

_preloads: list[Sequence[str]] = []


def preload(argv: Sequence[str]) -> None:
    _preloads.append(list(argv))
    # Without a newline, so the text stays in the buffer.
    print("preloading", end=" ")
    for command in argv:
        match command.split(":"):
            case ["thread"]:
                threading.Thread(
                    target=threading.Event().wait, daemon=True
                ).start()
            case ["fail", text]:
                raise ValueError(text)
            case ["exit", code]:
                os._exit(int(code))
            case ["open", path, mode]:
                _open(path, mode)
            case ["pause"]:
                signal.pause()
            case _:
                raise AssertionError(command)


def main(argv: Sequence[str]) -> int:
    channel = control.Control.from_environment()
    for command in argv:
        match command.split(":"):
            case ["progress", iteration]:
                channel.progress(int(iteration), "")
            case ["progress", iteration, text]:
                channel.progress(int(iteration), text)
            case ["pid"]:
                channel.progress(0, str(os.getpid()))
            case ["begin"]:
                channel.wait_to_begin()
            case ["wait", iteration, phase]:
                place = run_pb2.Progress(phase=phase)
                channel.wait_here(int(iteration), place.phase)
            case ["print", text]:
                print(text)
            case ["exit", code]:
                return int(code)
            case ["quit", code]:
                os._exit(int(code))
            case ["tell"]:
                control.for_last_message().end()
            case ["end_slowly"]:
                _end_slowly()
            case ["sys_exit", code]:
                sys.exit(int(code) if code.isdigit() else code)
            case ["fail", text]:
                raise ValueError(text)
            case ["torn_down", code]:
                atexit.register(os._exit, int(code))
            case ["raise", name]:
                signal.raise_signal(signal.Signals[name])
            case ["ignore", name]:
                signal.signal(signal.Signals[name], signal.SIG_IGN)
            case ["catch", name, code]:
                _exit_on(signal.Signals[name], int(code))
            case ["pause"]:
                signal.pause()
            case ["burn", seconds]:
                # Polling a clock would spend half of the time in the kernel.
                end = os.times().user + float(seconds)
                while os.times().user < end:
                    sum(range(100_000))
            case ["child" | "daemon" | "stray" as kind]:
                child = subprocess.Popen(
                    [sys.executable, "-c", "import signal; signal.pause()"],
                    start_new_session=kind != "child",
                    env={} if kind == "stray" else None,
                )
                channel.progress(0, str(child.pid))
            case ["open", path, mode]:
                _open(path, mode)
            case ["read", path]:
                pathlib.Path(path).read_bytes()
            case ["report", path]:
                pathlib.Path(path).write_text(json.dumps(_report(argv)))
            case ["store"]:
                channel.progress(0, _meet())
            case ["garbage"]:
                _control_socket().send(b"\xff\xff")
            case ["hang_up"]:
                _control_socket().close()
            case _:
                raise AssertionError(command)
    return 0


def _open(path: str, mode: str) -> None:
    os.open(path, os.O_WRONLY if mode == "w" else os.O_RDONLY)


def _exit_on(number: signal.Signals, code: int) -> None:
    signal.signal(number, lambda *_: os._exit(code))


def _end_slowly() -> None:
    # The first thread exits alone, as a process's first thread does while
    # another one still closes the files.
    threading.Thread(target=threading.Event().wait).start()
    ctypes.CDLL(None).syscall(_SYS_EXIT, 0)


def _control_socket() -> socket.socket:
    return socket.socket(fileno=int(os.environ[control.CONTROL_FD]))


def _meet() -> str:
    """Rank 0 greets every other rank, and each waits for it."""
    port = os.environ[control.STORE_PORT]
    if control.STORE_FD in os.environ:
        store = socket.socket(fileno=int(os.environ[control.STORE_FD]))
        for _ in range(int(os.environ["WORLD_SIZE"]) - 1):
            connection, _ = store.accept()
            with connection:
                connection.send(b"welcome")
    else:
        with socket.create_connection(("127.0.0.1", int(port))) as connection:
            assert connection.recv(100) == b"welcome"
    return port


def _report(argv: Sequence[str]) -> dict[str, Any]:
    # The descriptors that the process inherited.
    descriptors = [
        int(path.name)
        for path in pathlib.Path("/proc/self/fd").iterdir()
        if path.exists()
    ]
    return {
        "argv": argv,
        "sys.argv": sys.argv,
        "sys.path": sys.path,
        "safe_path": sys.flags.safe_path,
        "environment": dict(os.environ),
        "directory": str(pathlib.Path.cwd()),
        "descriptors": sorted(descriptors),
        "inheritable": [fd for fd in descriptors if os.get_inheritable(fd)],
        "stdin": sys.stdin.read(),
        "output": [
            str(pathlib.Path(f"/proc/self/fd/{fd}").readlink()) for fd in (1, 2)
        ],
        "line_buffering": [
            sys.stdout.line_buffering,
            sys.stderr.line_buffering,
        ],
        "pid": os.getpid(),
        "parent": os.getppid(),
        "session": os.getsid(0),
        "group": os.getpgrp(),
        "blocked": list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "ignored": [
            number
            for number in sorted(signal.valid_signals())
            if signal.getsignal(number) == signal.SIG_IGN
        ],
        "threads": threading.active_count(),
        "preloads": _preloads,
    }
