"""Scenarios as TOML: the inside of `msgsim.files`, loaded on first use."""
