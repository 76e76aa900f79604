"""Named random streams: each component and purpose has its own, so that adding one shifts no other's numbers."""

from random import Random


def stream(seed: int, component: str, purpose: str, replication: int = 0) -> Random:
    """The generator for one purpose of one component.

    Seeded by text, which Python hashes with SHA-512: independent of `PYTHONHASHSEED` and of the machine.
    """
    return Random(f"{seed}/{replication}/{component}/{purpose}")
