"""Prints the name of the worker that runs this."""

import socket

if __name__ == "__main__":
    print(f"This is {socket.gethostname()}.")
