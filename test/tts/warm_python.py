"""A `python` that has imported ESPnet already, for tests that start many of its programs.

ESPnet's import takes seconds, its work on a toy corpus a tenth of one. A server imports it once and forks a process
for each command, which runs in the caller's folder, environment and streams.

    warm_python.py serve SOCKET            the server; ends with its standard input
    warm_python.py run SOCKET ARGUMENT...  the stand-in: as `python ARGUMENT...`, for -m MODULE
"""

import os
import pickle
import runpy
import socket
import sys
import threading
import traceback

MODULES = ("aggregate_stats_dirs", "gan_tts_train", "tokenize_text", "tts_inference", "tts_train")


def serve(path: str) -> None:
    """Import, then answer until the standard input closes."""
    import importlib

    for name in MODULES:
        importlib.import_module(f"espnet2.bin.{name}")
    import librosa
    import matplotlib.pyplot  # noqa: F401
    import torch.utils.tensorboard

    # These import more, seconds of it, when they are used first.
    librosa.filters.mel(sr=16000, n_fft=64, n_mels=4)
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                os._exit(answer(connection))
            connection.close()


def answer(connection: socket.socket) -> int:
    """Run a command in a child, so that its end reaches the caller whatever it does."""
    message, streams, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    child = os.fork()
    if child == 0:
        os._exit(execute(*pickle.loads(message), streams))
    _, status = os.waitpid(child, 0)
    connection.sendall(bytes([os.waitstatus_to_exitcode(status) & 255]))
    return 0


def execute(folder: str, environment: dict, arguments: list[str], streams: list[int]) -> int:
    """Be `python -m MODULE ARGUMENT...`."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, mode, closefd=False) for n, mode in enumerate("rww"))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments[1:]
    code = 0
    try:
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is not None:
            code = end.code if isinstance(end.code, int) else 1
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def run(path: str, arguments: list[str]) -> int:
    """Ask the server; what is no module is run by an ordinary Python."""
    if arguments[:1] != ["-m"]:
        os.execv(sys.executable, [sys.executable, *arguments])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        message = pickle.dumps((os.getcwd(), dict(os.environ), arguments))
        socket.send_fds(client, [message], [0, 1, 2])
        return (client.recv(1) or b"\1")[0]


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(run(sys.argv[2], sys.argv[3:]))
