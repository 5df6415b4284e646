"""Scores that others published, for other data: to stand beside, never to rank with.

Sources: the paper on StefaLand, version 1 (tables 1 to 4 and F1) and version 3; where
they differ, version 3.
"""

from __future__ import annotations

PAPER = "StefaLand, version 3"

PUBLISHED: dict[str, tuple[str, tuple[str, ...], dict[str, tuple[float, ...]]]] = {
    # key: data, scores, then a row for each system
    "camels-pub": (
        f"531 CAMELS-US basins, ten groups; medians ({PAPER})",
        ("rmse", "ubrmse", "corr", "nse"),
        {
            "StefaLand resConn": (1.111, 1.068, 0.869, 0.717),
            "LSTM": (1.402, 1.360, 0.762, 0.636),
            "DLinear": (2.012, 2.000, 0.598, 0.302),
            "Informer": (2.262, 2.237, 0.521, 0.104),
            "Reformer": (1.908, 1.871, 0.718, 0.270),
            "TabPFN": (2.727, 2.725, 0.718, 0.509),
            "AlphaEarth, LSTM": (1.409, 1.393, 0.837, 0.618),
            "AlphaEarth, resConn": (1.361, 1.345, 0.859, 0.647),
        },
    ),
    "camels-pur": (
        f"531 CAMELS-US basins, seven regions; medians ({PAPER})",
        ("rmse", "ubrmse", "corr", "nse"),
        {
            "StefaLand resConn": (1.344, 1.334, 0.801, 0.635),
            "LSTM": (1.609, 1.457, 0.743, 0.554),
            "DLinear": (2.019, 1.983, 0.597, 0.290),
            "Informer": (2.332, 2.295, 0.497, 0.046),
            "Reformer": (2.074, 1.978, 0.686, 0.257),
            "TabPFN": (2.709, 2.501, 0.576, 0.328),
            "AlphaEarth, LSTM": (1.724, 1.685, 0.780, 0.456),
            "AlphaEarth, resConn": (1.727, 1.684, 0.790, 0.520),
        },
    ),
    "global-streamflow": (
        "3 434 basins, three random folds; medians (StefaLand, version 1, table 2)",
        ("rmse", "corr"),
        {"StefaLand-Transformer": (0.749, 0.843), "LSTM": (0.870, 0.798)},
    ),
    "global-streamflow-continents": (
        "3 434 basins, continents left out; medians (StefaLand, version 1, table 2)",
        ("rmse", "corr"),
        {"StefaLand-Transformer": (1.075, 0.697), "LSTM": (1.253, 0.672)},
    ),
    "soil-moisture": (
        f"1 316 ISMN stations, random folds; medians ({PAPER})",
        ("rmse", "ubrmse", "corr"),
        {
            "StefaLand resConn": (0.068, 0.054, 0.783),
            "LSTM": (0.073, 0.055, 0.764),
            "DLinear": (0.088, 0.065, 0.612),
            "Informer": (0.102, 0.082, 0.232),
            "Reformer": (0.090, 0.071, 0.568),
            "TabPFN": (0.068, 0.057, 0.404),
            "AlphaEarth, LSTM": (0.075, 0.062, 0.427),
            "AlphaEarth, resConn": (0.082, 0.067, 0.406),
        },
    ),
    "soil-moisture-region": (
        f"1 316 ISMN stations, Europe left out; medians ({PAPER})",
        ("rmse", "ubrmse", "corr"),
        {
            "StefaLand resConn": (0.090, 0.059, 0.638),
            "LSTM": (0.112, 0.053, 0.510),
            "DLinear": (0.093, 0.051, 0.623),
            "Informer": (0.088, 0.063, 0.358),
            "Reformer": (0.087, 0.058, 0.553),
            "TabPFN": (0.081, 0.054, 0.401),
            "AlphaEarth, LSTM": (0.087, 0.068, 0.313),
            "AlphaEarth, resConn": (0.090, 0.071, 0.308),
        },
    ),
    "soil-composition": (
        f"ISRIC soil profiles ({PAPER})",
        ("corr", "r2"),
        {
            "clay: StefaLand": (0.509, 0.259),
            "clay: random forest": (0.456, 0.207),
            "clay: linear": (0.138, 0.019),
            "clay: AlphaEarth, forest": (0.462, 0.205),
            "sand: StefaLand": (0.704, 0.495),
            "sand: random forest": (0.585, 0.342),
            "sand: linear": (0.347, 0.120),
            "sand: AlphaEarth, forest": (0.615, 0.373),
        },
    ),
    "landslide": (
        f"SLIDO, Oregon ({PAPER})",
        ("f1", "auc"),
        {
            "StefaLand + CNN2D": (0.908, 0.911),
            "CNN2D": (0.877, 0.954),
            "random forest": (0.777, 0.849),
            "logistic": (0.756, 0.823),
        },
    ),
}
"""Published scores by task."""
