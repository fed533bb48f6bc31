"""The page of the test for people, played in a real browser and scored."""

import base64
import csv
import io
import json
import re
import time

import numpy as np
import pytest
from browser import chromium
from PIL import Image

from brainjax.__main__ import main
from brainjax.reports import human_test

NAMES = ['<!--<script>"a", ü', 'b', 'c', 'd', 'e']


def pictures_of(n, side=24, seed=0):
    generator = np.random.default_rng(seed)
    coarse = generator.integers(256, size=(n, 4, 4, 3), dtype=np.uint8)
    return list(np.kron(coarse, np.ones((1, side // 4, side // 4, 1), 'u1')))


SEEN, MADE = pictures_of(5), pictures_of(5, seed=1)


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """A folder with the pictures and the page."""
    folder = tmp_path_factory.mktemp('test')
    for name, images in (('seen', SEEN), ('made', MADE)):
        np.savez(folder / f'{name}.npz', images=np.stack(images), names=NAMES)
    out = folder / 'out'
    assert main([*evaluate(folder, out), '--human-test']) == 0
    return folder


def evaluate(folder, out):
    pair = [str(folder / 'made.npz'), str(folder / 'seen.npz')]
    return ['evaluate', *pair, '--out', str(out)]


def held_by(path):
    text = path.read_text(encoding='utf-8')
    (found,) = re.findall(
        '<script type="application/json".*?>(.*)</script>', text
    )
    return json.loads(found), text


def decoded(uri):
    kind, _, data = uri.partition(',')
    assert kind == 'data:image/png;base64'
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_page_holds_pictures_names_and_nothing_of_outside(page):
    data, text = held_by(page / 'out' / 'human_test.html')
    assert [picture['name'] for picture in data['pictures']] == NAMES
    for picture, seen, made in zip(data['pictures'], SEEN, MADE):
        np.testing.assert_array_equal(decoded(picture['seen']), seen)
        np.testing.assert_array_equal(decoded(picture['made']), made)
    assert data['checks'] == 8 and re.fullmatch('[0-9a-f]{16}', data['test'])
    assert not re.findall(r'https?://|src="(?!data:)|<link|@import', text)
    assert "default-src 'none'" in text


def test_a_name_cannot_leave_the_data(tmp_path):
    names = ['</script><script>alert(1)</script>', '{{ data }}', "'\u2028"]
    human_test.render(tmp_path / 'p.html', 't', names, SEEN[:3], MADE[:3])
    data, _ = held_by(tmp_path / 'p.html')
    assert [picture['name'] for picture in data['pictures']] == names


def test_large_pictures_are_made_smaller_and_checks_grow(tmp_path):
    names = [f'{i}' for i in range(95)]
    small = [np.full((1, 1, 3), i, np.uint8) for i in range(94)]
    images = [np.zeros((400, 800, 3), np.uint8), *small]
    human_test.render(tmp_path / 'p.html', 't', names, images, images)
    data, _ = held_by(tmp_path / 'p.html')
    assert data['checks'] == 10
    assert decoded(data['pictures'][0]['seen']).shape == (192, 384, 3)


def mulberry32(state):
    """The generator anew, in Python's integers."""
    whole = 0xFFFFFFFF
    while True:
        state = (state + 0x6D2B79F5) & whole
        x = ((state ^ (state >> 15)) * (state | 1)) & whole
        x ^= (x + ((x ^ (x >> 7)) * (x | 61) & whole)) & whole
        yield ((x ^ (x >> 14)) & whole) / 2**32


@pytest.mark.browser
def test_order_lures_and_sides_come_from_the_seed(page, tmp_path):
    with chromium(tmp_path) as browser:
        browser.open(f'{(page / "out/human_test.html").as_uri()}?seed=11')
        assert browser.script('return Number(element("seed").value)') == 11
        drawn = browser.script(
            'const r = generator(4294967295);'
            'return Array.from({length: 9}, () => r())'
        )
        anew = mulberry32(4294967295)
        assert drawn == [next(anew) for _ in range(9)]
        plans = browser.script('return [1, 1, 2, 3].map(plan)')
        assert plans[0] == plans[1] and plans[1] != plans[2] != plans[3]
        for trials in plans:
            tests = [t for t in trials if t['kind'] == 'test']
            checks = [t for t in trials if t['kind'] == 'check']
            assert len(checks) == 8 and len(tests) == 5
            for key in ('picture', 'lure'):
                assert sorted(t[key] for t in tests) == [0, 1, 2, 3, 4]
            assert all(t['picture'] != t['lure'] for t in trials)
        sides = browser.script(
            'return Array.from({length: 300}, (_, i) => plan(i))'
            '.flat().map(t => t.side)'
        )
        left = np.mean(np.array(sides) == 'left')
        assert left == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(len(sides)))
        # Without a seed in the address everybody gets another.
        seeds = set()
        for _ in range(3):
            browser.open((page / 'out/human_test.html').as_uri())
            seeds.add(browser.script('return element("seed").value'))
        assert len(seeds) == 3


def play(browser, page, observer, seed, act, wrong=()):
    """Plays a session, wrong on some pictures; returns what was shown."""
    browser.open((page / 'out/human_test.html').as_uri())
    browser.type('#observer', observer)
    browser.script('element("seed").value = arguments[0]', seed)
    browser.click('#form button')
    shown = []
    count = browser.script('return trials.length')
    for place in range(count):
        browser.until(f'at === {place} && shownAt !== null')
        trial, images, fits, label = browser.script(
            'return [trials[at], Array.from(document.querySelectorAll("#trial '
            'img"), i => i.src), document.documentElement.scrollHeight <= '
            'innerHeight && document.documentElement.scrollWidth <= '
            'innerWidth, element("place").textContent]'
        )
        assert fits and label == f'{place + 1} of {count}'
        shown.append((trial, images))
        other = {'left': 'right', 'right': 'left'}[trial['side']]
        is_wrong = trial['kind'] == 'test' and trial['picture'] in wrong
        act(other if is_wrong else trial['side'])
    browser.until('!element("end").hidden')
    browser.click('#download')
    return shown


def downloaded(folder, name, seconds=20):
    end = time.monotonic() + seconds
    while not (folder / name).exists():
        assert time.monotonic() < end, list(folder.iterdir())
        time.sleep(0.05)
    return folder / name


@pytest.mark.browser
def test_sessions_by_keyboard_and_by_touch_are_scored(page, tmp_path, capsys):
    with chromium(tmp_path) as browser:
        shown = play(browser, page, 'Ann, "A"', 5, browser.press, wrong=(3,))
        # Keys after the end do nothing.
        browser.press('left')
        assert browser.script('return at') == 13
        requests = browser.script(
            'return performance.getEntriesByType("resource").map(e => e.name)'
        )
        assert all(name.startswith('data:') for name in requests)
        by_keys = downloaded(tmp_path, 'human_test_Ann_A__5.csv')
        browser.send('/window/rect', {'width': 500, 'height': 700})
        play(browser, page, '', 6, lambda side: browser.tap(f'#{side}'))
        by_touch = downloaded(tmp_path, 'human_test_observer-6_6.csv')
        assert browser.complaints() == []
    for trial, (top, left, right) in shown:
        true, lure = (left, right)[:: 1 if trial['side'] == 'left' else -1]
        i, j = trial['picture'], trial['lure']
        np.testing.assert_array_equal(decoded(true), SEEN[i])
        np.testing.assert_array_equal(decoded(lure), SEEN[j])
        expected = SEEN[i] if trial['kind'] == 'check' else MADE[i]
        np.testing.assert_array_equal(decoded(top), expected)
    with open(by_keys, newline='', encoding='utf-8') as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 13 and {row['observer'] for row in rows} == {'Ann, "A"'}
    assert sum(row['correct'] == '0' for row in rows) == 1
    assert all(int(row['milliseconds']) < 20_000 for row in rows)

    flags = ['--draws', '200', '--human-results', str(by_keys), str(by_touch)]
    assert main([*evaluate(page, tmp_path / 'out'), *flags]) == 0
    assert 'human_two_way' in capsys.readouterr().out
    results = json.loads((tmp_path / 'out/scores.json').read_text())
    entry = results['scores']['human_two_way']
    assert entry['value'] == 0.9 and entry['chance'] == 0.5
    assert entry['n'] == 5 and entry['observers'] == 2
    with open(tmp_path / 'out/human.csv', newline='') as stream:
        rows = {row['name']: row for row in csv.DictReader(stream)}
    assert set(rows) == set(NAMES)
    assert rows['d'] == {'name': 'd', 'right': '1', 'answers': '2'}
