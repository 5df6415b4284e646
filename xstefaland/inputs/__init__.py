"""From a Dataset to what a model needs: names, units, derived variables, checks."""
