"""The subcommands of ``silvertalk``, a module each: ``get_parser()`` and ``main(cmd)``."""
