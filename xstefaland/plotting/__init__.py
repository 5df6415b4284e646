"""Pictures of answers: hydrographs, maps, scores; needs the extra ``plot``.

Every function takes labelled arrays, draws into ``ax=`` or a new figure, returns the
Axes and shows nothing: ``matplotlib.pyplot.show()`` or a notebook does. Labels come
from the CF attributes. Lazy arrays are computed; matplotlib is imported when something
is drawn.
"""

from xstefaland.plotting.colours import embedding_colours
from xstefaland.plotting.maps import embedding_rgb, map, skill_map
from xstefaland.plotting.series import flow_duration, hydrograph
from xstefaland.plotting.summaries import box, explanation, missing_inputs
from xstefaland.plotting.training import training_places

__all__ = [
    "hydrograph",
    "flow_duration",
    "map",
    "skill_map",
    "embedding_rgb",
    "embedding_colours",
    "box",
    "explanation",
    "missing_inputs",
    "training_places",
]
