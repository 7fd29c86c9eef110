# SPDX-License-Identifier: MIT
"""Parts of exo-run that can be read alone."""


class Failure(Exception):
    """exo-run cannot do what was asked; the text tells the user why."""
