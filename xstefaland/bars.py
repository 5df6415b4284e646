"""tqdm's progress bar for terminals and notebooks, without its advice on widgets.

In a notebook without ipywidgets the import of ``tqdm.auto`` warns; the plain bar that
comes in its place is all right.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tqdm.autonotebook import tqdm

__all__ = ["tqdm"]
