"""Readers of public archives: files as they are published become CF Datasets.

Every reader takes the file, or the folder that holds it, and returns a Dataset that
``ds.stefaland`` takes as it is: dims ``(site, time)``, the catalogue's names, units on
every variable, positions, and the observed target beside the inputs. What has to be
minded about an archive (products that must not be mixed, radiation that is a mean over
daylight, columns that leak the target) is minded here, once.

================================ ============== ========================================
reader                           sites          observed
================================ ============== ========================================
:func:`camels_us`                ``basin``      ``streamflow``
:func:`camels_gb`                ``basin``      ``streamflow``
:func:`camels_ch`                ``basin``      ``streamflow``, snow water
:func:`mopex`                    ``basin``      ``streamflow``
:func:`caravan`                  ``basin``      ``streamflow``
:func:`caravan_attributes`       ``basin``      (attributes alone)
:func:`uscrn`                    ``station``    ``soil_moisture``, ``soil_temperature``
:func:`aemet`                    ``station``    (weather alone)
:func:`delaware`                 ``hru``        (weather alone)
:func:`delaware_gauges`          ``basin``      ``streamflow`` (no weather)
:func:`era5land`                 grid           (weather alone)
:func:`soil_profiles`            ``profile``    ``sand``, ``silt``, ``clay`` and more
:func:`landslides`               ``event``      ``landslide``, positives only
:func:`landslides_ecuador`       ``point``      ``landslide``
================================ ============== ========================================

``sites`` chooses by id. With ``chunks=None`` (the default) what was chosen is loaded;
``chunks={}`` gives dask arrays.

Archives overlap: Caravan has British, Swiss and American basins of the others, HYSETS
and MOPEX have gauges of the USGS, and gauges of LamaH lie within 2 km of Swiss ones.
Before one archive tests what was trained on another, leave out by id, by ``gauge``
(numbers are unique within a country) and by distance.
"""

from __future__ import annotations

from xstefaland.datasets.aemet import aemet
from xstefaland.datasets.camels_ch import camels_ch
from xstefaland.datasets.camels_gb import camels_gb
from xstefaland.datasets.camels_us import camels_us
from xstefaland.datasets.caravan import caravan, caravan_attributes
from xstefaland.datasets.delaware import delaware, delaware_gauges
from xstefaland.datasets.era5land import era5land
from xstefaland.datasets.landslides import landslides, landslides_ecuador
from xstefaland.datasets.mopex import mopex
from xstefaland.datasets.soil_profiles import soil_profiles
from xstefaland.datasets.uscrn import uscrn

__all__ = [
    "camels_us",
    "camels_gb",
    "camels_ch",
    "mopex",
    "caravan",
    "caravan_attributes",
    "uscrn",
    "aemet",
    "delaware",
    "delaware_gauges",
    "era5land",
    "soil_profiles",
    "landslides",
    "landslides_ecuador",
]
