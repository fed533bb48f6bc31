"""A session's plan: the same in Python as in the page's JavaScript."""

import itertools
import json
import shutil
import subprocess

import numpy as np
import pytest
from conftest import REPOSITORY

from brainjax.evaluation.human import human_plan

SCRIPT = REPOSITORY / 'brainjax' / 'reports' / 'human_plan.js'


def in_javascript(expression):
    """The value of an expression, by Node; skips where there is none."""
    if not shutil.which('node'):
        pytest.skip('node is not installed')
    code = f'{SCRIPT.read_text()};console.log(JSON.stringify({expression}))'
    done = subprocess.run(
        ['node', '-e', code], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(('pictures', 'methods'), [(2, 1), (12, 2), (140, 1)])
def test_plans_are_those_of_the_page(pictures, methods):
    numbers = pictures, human_plan.judged(pictures), human_plan.checks(pictures)
    arguments = ','.join(map(str, (*numbers, methods)))
    seeds = [0, 3, 2**31, human_plan.LARGEST_SEED]
    theirs = in_javascript(f'{seeds}.map(s => plan(s, {arguments}))')
    for seed, trials in zip(seeds, theirs):
        ours = human_plan.plan(seed, pictures, methods)
        assert [trial._asdict() for trial in ours] == trials


def test_numbers_are_those_of_mulberry32():
    """As they are published, and computed by Node of the page's script."""
    found = list(itertools.islice(human_plan.generator(0), 3))
    assert found == [1144304738 / 2**32, 1416247 / 2**32, 958946056 / 2**32]
    theirs = in_javascript('(r => Array.from({length: 3}, r))(generator(0))')
    assert found == theirs


def test_seals_are_fnv_1a():
    """Fowler, Noll and Vo's own values of 'a' and 'foobar'."""
    assert human_plan.seals(['a']) == [0xE40C292C]
    assert human_plan.seals(['foo', 'bar'])[1] == 0xBF9CF968
    theirs = in_javascript("[seal('ü'), seal('b', seal('ü'))]")
    assert human_plan.seals(['ü', 'b']) == theirs


@pytest.mark.parametrize('methods', [1, 2])
def test_a_plan_asks_for_each_picture_once(methods):
    sides = []
    for seed in range(60):
        trials = human_plan.plan(seed, 9, methods)
        tests = [trial for trial in trials if trial.kind == 'test']
        checks = [trial for trial in trials if trial.kind == 'check']
        assert len(tests) == 9 and len(checks) == 8
        for name in ('picture', 'lure'):
            assert sorted(getattr(t, name) for t in tests) == list(range(9))
        assert all((t.picture == t.lure) == (methods == 2) for t in tests)
        assert all(trial.picture != trial.lure for trial in checks)
        sides += [trial.side == 'left' for trial in trials]
    spread = 0.5 / np.sqrt(len(sides))
    assert np.mean(sides) == pytest.approx(0.5, abs=4 * spread)
    assert human_plan.plan(1, 9) != human_plan.plan(2, 9)


def test_one_observer_judges_at_most_a_hundred():
    trials = human_plan.plan(7, 140)
    assert len(trials) == 110 and human_plan.checks(95) == 10
    assert sum(trial.kind == 'test' for trial in trials) == 100
