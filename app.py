"""The page: `python app.py` opens a playground where a click on an emotion draws faces that show it."""

import argparse
import errno
import gc
import inspect
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

# Read when the libraries are first imported: no telemetry, idle threads that sleep instead of spinning, and one
# thread for a face. Two that wait for each other at every layer take longer; the second core has the next
# request, and the browser.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# What is no number, as 3500m, would be ignored for all cores.
_threads = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
if not _threads.isdecimal() or not int(_threads):
    os.environ["OMP_NUM_THREADS"] = "1"

if TYPE_CHECKING:
    import gradio as gr

    from fergan.engine import Engine


@contextmanager
def without_stubs() -> Iterator[None]:
    """In it Gradio is imported in half the time: it writes no type stubs of its components.

    For editors it parses the source of each component and writes a .pyi beside it, at every start. It leaves those alone
    that are in no file, and here none of them is.
    """
    getfile = inspect.getfile

    def nowhere(thing: Any) -> str:
        if str(getattr(thing, "__module__", "")).startswith("gradio."):
            raise OSError("a component of Gradio's, for which no stubs are wanted")
        return getfile(thing)

    inspect.getfile = nowhere  # type: ignore[assignment]  # theirs says more precisely of what
    try:
        yield
    finally:
        inspect.getfile = getfile


def build_app(engine: "Engine", waiting: int = 32) -> "gr.Blocks":
    """The page over an engine: one tab for each entry of TABS, and at most `waiting` queued requests.

    Raises:
        ValueError: a model that a tab opens with cannot be loaded, or the real faces cannot be read.
        FileNotFoundError: its weights are not there, or no real faces are.
    """
    with without_stubs():
        import gradio as gr  # late, as below: --help and a wrong flag answer at once

    from fergan.ui import TABS, frame

    # Files that the endpoints answered with are looked at every 10 minutes and live for an hour.
    with gr.Blocks(
        title="fergan", analytics_enabled=False, fill_width=True, delete_cache=(600, 3600)
    ) as page:
        frame.header()
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            for title, build in TABS.items():
                with gr.Tab(title, elem_id=frame.tab_id(title)):
                    build(engine)
        frame.footer()
    return page.queue(max_size=waiting, default_concurrency_limit=2)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Flags, most with an environment variable behind them."""
    parser = argparse.ArgumentParser(prog="app.py", description=__doc__)
    add = parser.add_argument
    add(
        "--models",
        nargs="+",
        metavar="SOURCE",
        default=os.environ.get("FERGAN_MODELS", "weights").split(),
        help="checkpoint folders, folders of them, or Hub repositories owner/name[@revision] "
        "(FERGAN_MODELS, separated by spaces; default: weights)",
    )
    add(
        "--host",
        default=os.environ.get("FERGAN_HOST") or os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        help="address to listen on; 0.0.0.0 for every network (FERGAN_HOST; default: %(default)s)",
    )
    add(
        "--port",
        type=int,
        default=os.environ.get("FERGAN_PORT") or os.environ.get("GRADIO_SERVER_PORT"),
        help="port to listen on (FERGAN_PORT; default: the first that is free from 7860 on)",
    )
    add(
        "--real-faces",
        metavar="PATH",
        default=os.environ.get("FERGAN_REAL_FACES") or None,
        help="FER2013, whose test photos the quiz may then show to every visitor; they stay in memory "
        "(FERGAN_REAL_FACES; default: none, and the quiz asks which network drew a face)",
    )
    add(
        "--discriminators",
        nargs="+",
        metavar="RUN",
        default=os.environ.get("FERGAN_DISCRIMINATORS", "").split(),
        help="folders of training runs, or checkpoints with their opponents, whose discriminators play the quiz too "
        "(FERGAN_DISCRIMINATORS, separated by spaces; default: none)",
    )
    add("--queue", type=int, default=32, help="API requests that may wait (default: %(default)s)")
    add("--open", action="store_true", help="open the page in a browser")
    options = parser.parse_args(arguments)
    if options.port is not None and not 1 <= options.port <= 65535:
        parser.error(f"a port runs from 1 to 65535; got {options.port}.")
    if options.queue < 1:
        parser.error(f"at least one request must be able to wait; got {options.queue}.")
    return options


def check_place(host: str, port: int | None) -> None:
    """Whether the page can be served there, asked before seconds go into loading it.

    Raises:
        OSError: the port is taken, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port or 0), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OSError(f"The port {port} of {host} is taken; choose another with --port.") from error
        raise OSError(f"The page cannot be served at {host}, port {port}: {error.strerror}.") from error


def serve(page: "gr.Blocks", host: str, port: int | None = None, browser: bool = False) -> str:
    """Starts serving, with a health route at /healthz, and returns the page's address."""
    from fergan.ui.theme import launch_options

    app, address, _ = page.launch(
        server_name=host, server_port=port, inbrowser=browser, prevent_thread_lock=True, **launch_options()
    )
    app.add_api_route("/healthz", lambda: {"ok": True})
    return str(address)


def device() -> str | None:
    """Where models run; None leaves it to the engine.

    Hardware of the kind ZeroGPU lends its GPU to marked functions alone, and stops a Space that marks none. Faces
    of this size are drawn faster than a GPU is lent, so one is marked that nobody calls, and all runs on the CPU.
    """
    if not os.environ.get("SPACES_ZERO_GPU"):
        return None
    import spaces  # type: ignore[import-not-found]  # is on such hardware alone; before torch looks for CUDA

    spaces.GPU(lambda: None)
    return "cpu"


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is interrupted; 2, and a sentence on stderr, where it cannot start."""
    options = parse(arguments)
    gc.disable()  # a quarter of a start went into looking for garbage among the libraries
    try:
        check_place(options.host, options.port)
        where = device()
        from fergan.engine import Engine

        engine = Engine(
            options.models, where, real_faces=options.real_faces, discriminators=options.discriminators
        )
        page = build_app(engine, options.queue)
        address = serve(page, options.host, options.port, options.open)
    except (OSError, ValueError) as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    finally:
        gc.enable()
    gc.freeze()  # what was loaded stays: no search in the middle of a drag goes through it again
    print(f"fergan is at {address}", flush=True)
    try:
        while True:  # on Windows nothing interrupts a wait without an end
            time.sleep(1)
    except KeyboardInterrupt:
        page.close(verbose=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
