"""Pure formulas on plain arrays: potential evapotranspiration, humidity, climate."""
