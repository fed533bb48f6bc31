"""brainjax: pictures from brain recordings, and how far to believe them."""

__version__ = '0.1.0'
