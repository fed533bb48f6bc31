"""What a method tells a report beside the pictures' own scores."""

from typing import Any, NamedTuple


class Findings(NamedTuple):
    """Scores, figures and sentences of a method.

    Attributes:
      method: what made the pictures, as in 'from brain activity by X'.
      transductive: whether test responses took part in fitting.
      scores: name -> as in scores.json.
      figures: (title, caption, figure).
      notes: sentences.
    """

    method: str
    transductive: bool
    scores: dict[str, dict[str, float]]
    figures: list[tuple[str, str, Any]]
    notes: list[str]
