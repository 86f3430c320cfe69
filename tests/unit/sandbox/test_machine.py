"""What is said of the machine beside figures."""

from sandbox import machine


def test_a_stand_in_is_named() -> None:
    assert "stand-in" in machine.provider("kubernetes", ["pulumi-resource-kubernetes"])
    assert machine.provider("gcp", ["pulumi-resource-kubernetes"]).startswith("the real one, ")
    assert "stand-in" in machine.facts(["pulumi-resource-gcp"])["gcp provider"]
