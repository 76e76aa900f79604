"""The mailbox simulator: which address stands for which end of an email."""

import pytest

from msgsim.bus.mailbox_simulator import SCENES, simulated


@pytest.mark.rule("SES-SIM-1")
@pytest.mark.parametrize("scene", SCENES)
def test_each_address_has_its_scene(scene: str) -> None:
    assert simulated(f"{scene}@simulator.amazonses.com") == scene
    assert simulated(f"{scene}+label-7@simulator.amazonses.com") == scene
    assert simulated(f"{scene.upper()}@Simulator.AmazonSES.com") == scene


@pytest.mark.rule("SES-SIM-1")
def test_elsewhere_nothing_is_simulated() -> None:
    assert simulated("bounce@example.com") is None
    assert simulated("bounce@mail.simulator.amazonses.com") is None


def test_a_mailbox_that_the_simulator_does_not_have_bounces() -> None:
    assert simulated("nobody@simulator.amazonses.com") == "bounce"
