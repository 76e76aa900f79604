"""Addresses of the mailbox simulator: what becomes of an email to each of them (SES-SIM-1)."""

DOMAIN = "simulator.amazonses.com"

SUCCESS = "success"
BOUNCE = "bounce"
OUT_OF_OFFICE = "ooto"
COMPLAINT = "complaint"
SUPPRESSED = "suppressionlist"
SCENES = (SUCCESS, BOUNCE, OUT_OF_OFFICE, COMPLAINT, SUPPRESSED)


def simulated(address: str) -> str | None:
    """What the mailbox simulator does with an email to an address.

    Args:
        address: without a name. What follows a plus sign is a label and of no consequence.

    Returns:
        One of `SCENES`, "bounce" for a mailbox that the simulator does not have; None for an address elsewhere.

    >>> simulated("bounce+list-7@simulator.amazonses.com"), simulated("ann@example.com")
    ('bounce', None)
    """
    local, _, domain = address.rpartition("@")
    if domain.lower() != DOMAIN:
        return None
    scene = local.partition("+")[0].lower()
    return scene if scene in SCENES else BOUNCE
