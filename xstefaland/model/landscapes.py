"""The landscape library: twelve fixed parameter sets of HBV 1.1.

Run on a site's weather they answer how twelve different landscapes would respond to
it: small and large soils, early and late snow, quick and slow groundwater. No
observation is needed and nothing is learned. As inputs twelve sets did better than
thirty-two.

The rows are points 1 to 12 of a scrambled Sobol sequence
(``torch.quasirandom.SobolEngine(16, scramble=True, seed=0)``), stretched to logits
between -2.5 and 2.5 and rounded. Heads are trained on these very numbers: they must
not change.
"""

from __future__ import annotations

from xstefaland.model.hbv import PHYSICAL, ROUTING

COLUMNS = tuple(entry.name for entry in (*PHYSICAL, *ROUTING))
"""Names of the columns, in the order of HBV's lean logits of one component."""

# fmt: off
LANDSCAPES: tuple[tuple[float, ...], ...] = (
    (-0.124, 0.463, -0.028, -0.931, 2.280, -2.083, -2.006, -0.763,
     1.735, 1.308, 1.914, 1.901, 1.512, 1.755, -0.677, 2.260),
    (0.844, -1.041, 0.108, 1.447, -0.737, 1.810, 1.912, 0.672,
     -1.324, -2.000, -2.182, -0.913, -0.661, -1.258, 0.770, -2.266),
    (1.722, 1.778, -2.451, -1.700, -1.841, 1.245, -0.342, 1.710,
     -0.551, -0.353, -1.216, -2.115, 0.506, 0.714, 1.580, 0.268),
    (-2.290, -2.382, 2.371, 0.990, 0.298, -0.191, 0.433, -1.621,
     0.141, 1.066, 0.939, 0.700, -2.292, -1.194, -1.663, -0.196),
    (-1.407, 2.468, 1.217, 0.185, 0.680, -1.456, -0.967, 2.086,
     -0.730, -1.513, -0.188, 0.567, 0.855, -2.497, -2.407, -1.071),
    (1.981, -1.809, -1.147, -2.125, -2.262, 2.433, 1.071, -2.180,
     1.218, 2.069, 0.153, -1.614, -1.396, 2.000, 2.480, 0.965),
    (0.439, 0.996, 1.304, 2.224, -0.162, 0.623, -1.373, -0.514,
     1.906, 0.577, 1.682, -0.314, 2.486, -0.051, 0.185, -1.423),
    (-1.154, -0.313, -1.374, -0.399, 1.744, -0.818, 1.272, 0.610,
     -2.395, -1.115, -1.727, 1.865, -0.390, 0.531, -0.248, 1.551),
    (-0.742, 1.471, 1.819, -2.332, -0.944, -0.613, -0.882, 2.327,
     -1.168, 0.777, -1.264, 2.297, -1.856, -0.339, 1.364, -0.727),
    (0.167, -2.064, -1.753, 0.369, 1.901, 0.808, 0.829, -2.233,
     0.641, -0.065, 1.542, -1.134, 1.010, 0.174, -1.252, 0.674),
    (2.413, 0.155, 0.660, -0.308, 0.524, 1.446, -1.776, -0.151,
     2.485, -2.328, 0.606, -2.354, -0.225, -2.111, -1.085, -1.781),
    (-1.697, -0.724, -0.726, 2.080, -1.481, -2.423, 1.831, 0.055,
     -1.957, 1.634, -0.338, 1.076, 2.016, 2.297, 0.983, 1.808),
)
# fmt: on
