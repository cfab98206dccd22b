"""Networks that know how they were made."""

import functools
import inspect
import json

from torch import nn


class Network(nn.Module):
    """A network that keeps its constructor's arguments in ``options``, so that a file can name and rebuild it."""

    options: dict

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        build = cls.__init__

        @functools.wraps(build)
        def build_and_remember(self, *args, **options):
            given = inspect.signature(build).bind(self, *args, **options)
            given.apply_defaults()
            build(self, *args, **options)
            self.options = {name: value for name, value in given.arguments.items() if name != "self"}

        cls.__init__ = build_and_remember

    def about(self) -> dict[str, str]:
        """Options as a file of weights states them."""
        return {"options": json.dumps(self.options)}
