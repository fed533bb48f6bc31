"""
The audit of a cheat
====================

Could anything but brain activity explain the pictures? Below, a method that
shows the training picture most like the answer, beside an honest one. The
audit asks the same of both.
"""

from brainjax.evaluation.audit import cheats, checks
from brainjax.reports import figures

cases = {
    'training by target': cheats.make('training by target', seed=0, n=40),
    'honest': cheats.make('honest', seed=0, n=40),
}
for name, case in cases.items():
    print(f'A method called {name}')
    for row in checks.of_pictures(
        case.target, case.reconstruction, case.train, case.categories
    ):
        if row.flagged:
            print(f'  flagged, {row.check}: {row.verdict}')

case = cases['training by target']
figure = figures.montage(case.target[:16], case.reconstruction[:16])
