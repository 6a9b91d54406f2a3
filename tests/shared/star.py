"""A skeleton of one's own as a TOML file: four joints round the first."""

STAR = """
root = "hub"
centre = "hub"
spine = "hub"
axes = ["x", "y", "z"]
joints = ["hub", "left", "right", "foot"]
bones = [["left", "hub"], ["right", "hub"], ["foot", "hub"]]
mirror = [["left", "right"]]

[parts]
trunk = ["hub"]
arms = ["left", "right"]
legs = ["foot"]
"""
