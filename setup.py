"""Packages of the wheel: what pyproject.toml cannot say.

The configs stand in `configs/`, and are in the wheel as `brainjax.configs`.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=['brainjax*']), 'brainjax.configs'],
    package_dir={'brainjax.configs': 'configs'},
)
