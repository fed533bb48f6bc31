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
from brainjax.evaluation.human import human_plan, human_sessions
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


def write(path, *shown):
    test = human_sessions.HumanTest('t', shown[0], len(shown) - 2)
    human_test.render(path, human_test.Judgeable(*shown), test)


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
    write(tmp_path / 'p.html', names, SEEN[:3], MADE[:3])
    data, _ = held_by(tmp_path / 'p.html')
    assert [picture['name'] for picture in data['pictures']] == names


def test_large_pictures_are_made_smaller_and_checks_grow(tmp_path):
    names = [f'{i}' for i in range(95)]
    small = [np.full((1, 1, 3), i, np.uint8) for i in range(94)]
    images = [np.zeros((400, 800, 3), np.uint8), *small]
    write(tmp_path / 'p.html', names, images, images)
    data, _ = held_by(tmp_path / 'p.html')
    assert data['checks'] == 10
    assert decoded(data['pictures'][0]['seen']).shape == (192, 384, 3)


@pytest.mark.browser
def test_order_lures_and_sides_come_from_the_seed(page, tmp_path):
    with chromium(tmp_path) as browser:
        browser.open(f'{(page / "out/human_test.html").as_uri()}?seed=11')
        assert browser.script('return Number(element("seed").value)') == 11
        plans = browser.script('return [1, 11].map(s => plan(s, 5, 5, 8, 1))')
        for seed, trials in zip((1, 11), plans):
            ours = human_plan.plan(seed, 5)
            assert [trial._asdict() for trial in ours] == trials
        # Without a seed in the address everybody gets another.
        seeds = set()
        for _ in range(3):
            browser.open((page / 'out/human_test.html').as_uri())
            seeds.add(browser.script('return element("seed").value'))
        assert len(seeds) == 3


# The page's clock runs fast, so that a quick machine is no quick person.
FAST = 'const now = performance.now.bind(performance);'
FAST += 'performance.now = () => 20 * now();'


def play(browser, page, observer, seed, act, wrong=()):
    """Plays a session, wrong on some pictures; returns what was shown."""
    browser.open((page / 'out/human_test.html').as_uri())
    browser.script(FAST)
    browser.type('#observer', observer)
    browser.script('element("seed").value = arguments[0]', seed)
    browser.click('#form button')
    shown = []
    count = browser.script('return trials.length')
    for place in range(count):
        browser.until(
            f'at === {place} && shownAt !== null && '
            'performance.now() - shownAt > 600'
        )
        trial, images, fits, label = browser.script(
            'return [trials[at], Array.from(document.querySelectorAll("#trial '
            'img"), i => i.src), document.documentElement.scrollHeight <= '
            'innerHeight && document.documentElement.scrollWidth <= '
            'innerWidth, element("place").textContent]'
        )
        assert fits and label == f'Choice {place + 1} of {count}'
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
    assert all(600 < int(row['milliseconds']) < 99_999 for row in rows)

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


@pytest.mark.browser
def test_two_methods_are_shown_below_the_picture_that_was_seen(tmp_path):
    other = pictures_of(5, seed=2)
    write(tmp_path / 'out' / 'human_test.html', NAMES, SEEN, MADE, other)
    with chromium(tmp_path) as browser:
        shown = play(browser, tmp_path, 'ann', 5, browser.press)
        path = downloaded(tmp_path, 'human_test_ann_5.csv')
    for trial, (top, left, right) in shown:
        i, j = trial['picture'], trial['lure']
        true, lure = (left, right)[:: 1 if trial['side'] == 'left' else -1]
        np.testing.assert_array_equal(decoded(top), SEEN[i])
        is_check = trial['kind'] == 'check'
        expected = (SEEN[i], SEEN[j]) if is_check else (MADE[i], other[i])
        np.testing.assert_array_equal(decoded(true), expected[0])
        np.testing.assert_array_equal(decoded(lure), expected[1])
    session = human_sessions.read(path, human_sessions.HumanTest('t', NAMES, 2))
    assert all(session.correct.values()) and not session.fault


@pytest.mark.browser
def test_what_is_chosen_at_once_or_by_a_held_key_is_not_taken(page, tmp_path):
    with chromium(tmp_path) as browser:
        browser.open((page / 'out/human_test.html').as_uri())
        browser.click('#form button')
        browser.until('shownAt !== null')
        browser.script('shownAt = performance.now(); choose("left")')
        assert browser.script('return at') == 0
        held = 'new KeyboardEvent("keydown", {key: "ArrowLeft", repeat: true})'
        browser.script(f'shownAt -= 500; document.dispatchEvent({held})')
        assert browser.script('return at') == 0
        browser.script('choose("left")')
        assert browser.script('return at') == 1


@pytest.mark.browser
def test_the_page_is_of_use_at_320_pixels_by_keyboard_and_by_ear(
    page, tmp_path
):
    fits = (
        'return document.documentElement.scrollWidth <= innerWidth '
        '&& innerWidth === 320'
    )
    with chromium(tmp_path) as browser:
        browser.narrow(320, 480)
        browser.open((page / 'out/human_test.html').as_uri())
        assert browser.script(fits)
        wrong = [browser.violations()]
        browser.script('element("observer").focus()')
        browser.press('enter')  # The form's own key.
        browser.until('shownAt !== null')
        assert browser.script(fits)
        assert browser.script(
            'return document.documentElement.scrollHeight <= innerHeight'
        )
        wrong.append(browser.violations())
        named = 'return document.activeElement.id'
        assert browser.script(named) == 'question'
        for side in ('left', 'right'):
            browser.press('tab')
            assert browser.script(named) == side
            button = f'/element/{browser.find(f"#{side}")}'
            label = browser.send(f'{button}/computedlabel')
            assert f'{side.capitalize()} picture' in label
        browser.until('performance.now() - shownAt > 250')
        browser.press('enter')
        browser.until('at === 1 && shownAt !== null')
        place = f'/element/{browser.find("#place")}'
        assert browser.send(f'{place}/computedrole') == 'status'
        assert browser.send(f'{place}/text') == 'Choice 2 of 13'
        browser.script('at = trials.length; finish()')
        assert browser.script(fits) and browser.script(named) == 'download'
        wrong.append(browser.violations())
        assert wrong == [[], [], []]
