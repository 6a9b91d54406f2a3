"""Named skeletons, one TOML file each."""
