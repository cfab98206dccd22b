"""Networks in files and experiment folders: found, told apart, built, loaded and saved.

How the networks of a room are called, and how their sizes show, stands in its ``Family``. torch is imported inside the
functions that need it: rendering with a converted network finds its checkpoint here and does without torch.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import logging
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from silvertalk import __version__
from silvertalk.training.experiment import find_weights, load_config
from silvertalk.training.weights import CONTAINERS, first_difference, load_state, read_weights, unwrap
from silvertalk.utils import atomic_path, write_text
from silvertalk.utils.cache import cache_folder, content_key

if TYPE_CHECKING:
    from torch import Tensor, nn

    from silvertalk.training.network import Network

Shapes = Mapping[str, tuple[int, ...]]  # of every key of a state dict
NOTHING = "(?!)"  # a pattern that fits no key


@dataclass(frozen=True)
class Kind:
    """A class of networks, and how its weights are known."""

    module: str  # where the class is
    mark: str  # a key of its weights; where several kinds have it, the first of the family counts
    # Options of the constructor that the shapes tell; or several that may fit, the likeliest first.
    sizes: Callable[[Shapes], dict | Iterable[dict]]
    task: str = ""  # of the training that makes it
    spared: str = NOTHING  # pattern of keys that a file may lack, or have on top, because nothing needs them


@dataclass(frozen=True)
class TrainedNetwork:
    """Where the weights of a network lie and how it is built."""

    weights: Path
    kind: str  # its class
    options: Mapping = field(default_factory=dict)  # of its constructor


@dataclass(frozen=True)
class Family:
    """Networks that are read and written alike."""

    title: str  # for messages
    kinds: Mapping[str, Kind]  # by class
    containers: tuple[str, ...] = CONTAINERS  # what a state dict may be wrapped in, ours first

    def find(self, source: str | os.PathLike, kind: str | None = None) -> TrainedNetwork:
        """Find the weights of a network.

        Args:
            source: Experiment folder, one of its weights files, or any file of weights that ``load`` reads.
            kind: Its class, if only one will do.

        Raises:
            FileNotFoundError: No such folder or file, or nothing trained yet.
            ValueError: It holds another network.
        """
        source = Path(source)
        if source.is_dir():
            found = self._find_trained(source)
        elif source.is_file():
            found = self._find_configured(source) or self._find_alone(source)
        else:
            raise FileNotFoundError(f"no {source}; name an experiment folder or the checkpoint file of a {self.title}")
        _require(kind, found.kind, str(source))
        return found

    def load(self, source: str | os.PathLike | Mapping, model: nn.Module | None = None, **wanted) -> Network:
        """Load weights into a network, or build the network they belong to.

        Args:
            source: A file: ``{"state_dict": ...}`` as the published training code writes (or another of
                ``containers``), a bare state dict, a TorchScript archive or safetensors, keys with or without
                ``module.``; a dictionary of that kind; or an experiment folder. Nothing in a file is executed.
            model: The network whose weights are replaced. Without it, class and options are taken from the file or the
                experiment where they name them, else from keys and shapes.
            **wanted: Without a model: options that it has to have. Of several that have the same shapes, those win.

        Returns:
            ``model``, or a new network in eval mode on the CPU, in float32.

        Raises:
            FileNotFoundError: No such file or folder, or nothing trained yet.
            ValueError: Not a checkpoint, or one of another network; the first key that does not fit is named.
        """
        found, name = None, "the given dictionary"
        if isinstance(source, Mapping):
            state, about = unwrap(source, name, self.containers)
        else:
            folder = Path(source).is_dir()
            found = self._find_trained(Path(source)) if folder else self._find_configured(Path(source))
            name = str(found.weights if found else source)
            state, about = read_weights(name, self.containers)
            about = {} if folder else about
        if model is not None:
            return self._fill(model, state, name)
        wanted = {option: value for option, value in wanted.items() if value is not None}
        known = self._named(about, name) or (found and (found.kind, found.options))
        kind, options = known or self._identify(state, name, wanted)
        network = self._build(kind, options, state, name)
        for option, value in wanted.items():
            if network.options[option] != value:
                raise ValueError(
                    f"{name}: is a {kind} of {option} {network.options[option]}, not {value}; name another"
                )
        return network

    def load_network(self, source: str | os.PathLike | Mapping, kind: str) -> Network:
        """Load a network that has to be of a kind (its class), as ``load`` does.

        Raises:
            FileNotFoundError: No such folder or file, or nothing trained yet.
            ValueError: It holds another network.
        """
        network = self.load(source)
        _require(kind, type(network).__name__, "the given dictionary" if isinstance(source, Mapping) else str(source))
        return network

    def build(self, found: TrainedNetwork) -> Network:
        """Build a network on the CPU, in eval mode, from the weights that were found."""
        state, _ = read_weights(found.weights, self.containers)
        return self._build(found.kind, found.options, state, str(found.weights))

    def start(self, kind: str, init: str | None, free: Collection[str] = (), **options) -> Network:
        """Build the network of a training, or load the one to go on with.

        Args:
            kind: Its class.
            init: Checkpoint or experiment folder to go on with; None: a new network.
            free: Options that ``init`` does not settle; weights that come with them begin anew.
            **options: Of the constructor; None: that of ``init``, or the default.

        Raises:
            ValueError: ``init`` holds another network, or one of another size.
        """
        options = {name: value for name, value in options.items() if value is not None}
        if init is None:
            return self._class(kind)(**options)
        network = self.load_network(init, kind)
        changed = {name for name, value in options.items() if value != network.options[name]}
        for name in changed - set(free):
            raise ValueError(f"{init} has {name} {network.options[name]}, not {options[name]}; leave model.{name} out")
        if changed:
            old, network = network, self._class(kind)(**network.options | options)
            network.load_state_dict(old.state_dict(), strict=False)
        logging.info("%s: %s", init, ", ".join(f"{name} {value}" for name, value in network.options.items()))
        return network.train()

    def _class(self, kind: str) -> type[Network]:
        """The class of a kind."""
        return getattr(importlib.import_module(self.kinds[kind].module), kind)

    def _read_config(self, exp_dir: Path) -> tuple[str, Mapping]:
        """Class and options of an experiment's network."""
        config = load_config(exp_dir)
        config = config if isinstance(config, dict) else {}
        tasks = {known.task: kind for kind, known in self.kinds.items() if known.task}
        if (task := config.get("task")) not in tasks:
            raise ValueError(f"{exp_dir}/config.yaml: task '{task}' is none of {', '.join(tasks)}; name another folder")
        return tasks[task], config.get("model") or {}

    def _find_trained(self, exp_dir: Path) -> TrainedNetwork:
        """Find the best weights of an experiment."""
        kind, options = self._read_config(exp_dir)
        return TrainedNetwork(find_weights(exp_dir), kind, options)

    def _find_configured(self, path: Path) -> TrainedNetwork | None:
        """Take what a file of one of our own experiments is from the configuration beside it, if there is one."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return TrainedNetwork(path, *self._read_config(path.parent))
        return None

    def _find_alone(self, path: Path) -> TrainedNetwork:
        """Find out what network a file belongs to, once: that needs torch, and rendering does not."""
        record = cache_folder("networks") / f"{content_key(path)}.json"
        try:
            known = json.loads(record.read_text(encoding="utf-8"))
            self.kinds[known["kind"]]  # an unknown one is found out anew
            return TrainedNetwork(path, known["kind"], known["options"])
        except (OSError, ValueError, LookupError):
            state, about = read_weights(path, self.containers)
            kind, options = self._named(about, str(path)) or self._identify(state, str(path), {})
            with contextlib.suppress(OSError):  # a cache that cannot be written costs a second next time
                write_text(record, json.dumps({"kind": kind, "options": options}))
        return TrainedNetwork(path, kind, options)

    def _named(self, about: Mapping, name: str) -> tuple[str, dict] | None:
        """Read class and options from what a file says of itself; ours do."""
        kind = about.get("network")
        if not isinstance(kind, str):
            return None
        if kind not in self.kinds:
            raise ValueError(f"{name}: holds a {kind}, which is no network of {self.title}; name another file")
        if "options" in about:
            return kind, json.loads(about["options"])
        names = inspect.signature(self._class(kind)).parameters
        if not names.keys() <= about.keys():
            return None
        return kind, {option: json.loads(str(about[option])) for option in names}

    def _identify(self, state: Mapping[str, Tensor], name: str, wanted: Mapping) -> tuple[str, dict]:
        """Find the class and the options that some weights belong to.

        Raises:
            ValueError: None fits; names the nearest and its first wrong key.
        """
        kind = next((kind for kind, known in self.kinds.items() if known.mark in state), None)
        if kind is None:
            marks = ", ".join(f"'{known.mark}' of a {kind}" for kind, known in self.kinds.items())
            raise ValueError(
                f"{name}: belongs to no network of {self.title}: has '{next(iter(state))}', but not {marks}"
            )
        try:
            sizes = self.kinds[kind].sizes({key: tuple(value.shape) for key, value in state.items()})
        except LookupError as error:
            raise ValueError(f"{name}: is a damaged {kind}; missing key {error}") from error
        if isinstance(sizes, dict):
            return kind, sizes
        nearest: dict[float, str] = {}
        for options in sorted(sizes, key=lambda options: any(options[key] != wanted[key] for key in wanted)):
            layout = self._empty(kind, options).state_dict()
            problem = first_difference(state, layout)
            if problem is None:
                return kind, options
            shared = len(state.keys() & layout.keys()) / len(state.keys() | layout.keys())
            nearest.setdefault(shared, f"{', '.join(f'{key} {value:g}' for key, value in options.items())}: {problem}")
        raise ValueError(f"{name}: is no {kind}; the nearest is one of {nearest[max(nearest)]}")

    def _empty(self, kind: str, options: Mapping) -> Network:
        """Build a network without content."""
        import torch

        with torch.device("meta"):
            return self._class(kind)(**options)

    def _build(self, kind: str, options: Mapping, state: Mapping[str, Tensor], name: str) -> Network:
        """Build a network on the CPU around the weights, which become its own: a copy would need as much again."""
        try:
            network = self._empty(kind, options)
        except TypeError as error:
            raise ValueError(f"{name}: no {kind} can be built with its options ({error})") from error
        if any(re.search(self.kinds[kind].spared, key) for key in network.state_dict().keys() - state.keys()):
            network = self._class(kind)(**options)  # with the content that the file lacks
        return self._fill(network, state, name).float().eval()

    def _fill(self, model: Any, state: Mapping[str, Tensor], name: str) -> Network:
        """Give a network its weights, whatever a file has or lacks of what is spared."""
        known = self.kinds.get(type(model).__name__)
        spared, own = known.spared if known else NOTHING, model.state_dict()
        kept = {key: value for key, value in own.items() if key not in state and re.search(spared, key)}
        state = {key: value for key, value in state.items() if key in own or not re.search(spared, key)}
        return load_state(model, kept | state, name, assign=any(value.is_meta for value in own.values()))


def _require(wanted: str | None, kind: str, name: str) -> None:
    """Refuse a network of another kind."""
    if wanted not in (None, kind):
        raise ValueError(f"{name} holds a {kind}, not a {wanted}; name another")


def save_checkpoint(path: str | os.PathLike, network: nn.Module | Mapping, step: int = 0, epoch: int = 0) -> None:
    """Write weights in the layout that the published inference scripts read, atomically.

    Args:
        path: The file.
        network: A network, of which the file says what it is; or a state dict alone.
        step: Training steps so far.
        epoch: Epochs so far.
    """
    import torch

    if isinstance(network, Mapping):
        content: dict[str, Any] = {"state_dict": dict(network)}
    else:
        content = {"state_dict": network.state_dict(), **describe(network)}
    content |= {"optimizer": None, "global_step": step, "global_epoch": epoch}
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def describe(network: nn.Module) -> dict[str, str]:
    """Say in words what a network is, for the file its weights go into; ``Family.load`` reads it.

    Returns:
        network (class), version of this package, and its options; nothing for a class that is not ours.
    """
    about = getattr(network, "about", None)
    if about is None:
        return {}
    return {"network": type(network).__name__, **about(), "version": __version__}
