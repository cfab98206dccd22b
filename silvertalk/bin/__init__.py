"""Workers, one per stage, and the ``silvertalk`` command. Parsing only."""
