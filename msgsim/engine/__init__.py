"""Time: what acts on the bus, driven by SimPy."""
