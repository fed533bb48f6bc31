"""Which column of events.tsv names the stimulus, in layouts of public sets."""

import bids_files
import numpy as np
import pytest
from PIL import Image

from brainjax.errors import InputError
from brainjax.recordings.formats import bids

RAW = bids_files.RAW


def read(root, **options):
    return bids.read(root, **{**RAW, **options})


def shown(recording):
    """Names of the stimuli that were trained on, and tested."""
    names = recording.stimuli.names
    return [
        sorted({names[i] for i in part.stimulus})
        for part in (recording.train, recording.test)
    ]


def said(recording, *words):
    return any(all(w in p for w in words) for p in recording.problems)


THINGS = """
onset duration trial_type file_path
2     0.5      exp        bird/bird_06s.jpg
16    0.5      exp        pizza/pizza_06s.jpg
30    0.5      catch      catch057.jpg
34    0.5      test       key/key_17s.jpg
48    0.5      exp        fern/fern_06s.jpg
"""
NOD_COCO = """
onset duration trial_type response response_time condition
2     0.5      46.0       0.0      0.0           coco/000000201644.jpg
5     0.5      2000.0     1.0      1.223         n/a
8     0.5      108.0      1.0      2.631         coco/000000524991.jpg
11    0.5      77.0       1.0      1.095         coco/000000371365.jpg
14    0.5      1000.0     0.0      0.0           n/a
"""
NOD_IMAGENET = """
onset duration trial_type response_time stim_file
2     1.0      679.0      1.3           imagenet/n03814639/n03814639_14991.JPEG
14    1.0      679.0      1.2           imagenet/n03814639/n03814639_2.JPEG
28    1.0      988.0      1.2           imagenet/n12144580/n12144580_47835.JPEG
"""
BOLD5000 = """
onset duration Subj Sess Run Trial ImgName ImgType StimOn(s) StimOff(s) Press RT
6.0308  0.9675 1 1 2 1 n02948072_4353.JPEG imagenet 6.0308 6.9983 1 1.856
16.0062 1.0008 1 1 2 2 COCO_train2014_000000455486.jpg coco 16.0 17.0 3 4.6
25.9978 1.0008 1 1 2 3 COCO_train2014_000000191734.jpg rep_coco 26.0 27.0 2 n/a
36.0062 1.0008 1 1 2 4 coralreef3.jpg scenes 36.0 37.0 2 3.0
"""


def test_things(tmp_path):
    bids_files.data_set(tmp_path, {'task-things_run-01': THINGS})
    recording = read(tmp_path)
    assert shown(recording) == [
        ['bird/bird_06s', 'fern/fern_06s', 'pizza/pizza_06s'],
        ['key/key_17s'],
    ]
    assert {*recording.stimuli.categories} == {'bird', 'fern', 'pizza', 'key'}
    assert (len(recording.train), len(recording.test)) == (3, 1)


def test_natural_object_dataset(tmp_path):
    bids_files.data_set(tmp_path / 'coco', {'task-coco_run-01': NOD_COCO})
    recording = read(tmp_path / 'coco')
    train, test = shown(recording)
    assert train == ['000000201644', '000000524991'] and len(test) == 1
    assert said(recording, "'condition'", '2 of the 5 rows', '2000.0, 1000.0')
    # The name of the set is enough where the columns would do as well.
    root = bids_files.data_set(
        tmp_path / 'imagenet', {'task-imagenet_run-01': NOD_IMAGENET}
    )
    (root / 'dataset_description.json').write_text(
        '{"Name": " Natural Object Dataset (NOD)"}'
    )
    recording = read(root)
    assert sorted(recording.stimuli.names) == [
        'n03814639/n03814639_14991',
        'n03814639/n03814639_2',
        'n12144580/n12144580_47835',
    ]
    assert {*recording.stimuli.categories} == {'n03814639', 'n12144580'}
    # Both in one folder have no columns in common: one must be chosen.
    root = bids_files.data_set(
        tmp_path / 'both',
        {'task-coco_run-01': NOD_COCO, 'task-imagenet_run-01': NOD_IMAGENET},
    )
    with pytest.raises(InputError, match=r'tasks coco and imagenet.*`task`'):
        read(root)
    assert len(read(root, task='coco').stimuli) == 3


def test_bold5000(tmp_path):
    bids_files.data_set(tmp_path, {'task-5000scenes_run-02': BOLD5000})
    recording = read(tmp_path)
    assert shown(recording) == [
        [
            'COCO_train2014_000000455486',
            'coralreef3',
            'n02948072_4353',
        ],
        ['COCO_train2014_000000191734'],
    ]
    assert recording.stimuli.categories is None


def test_the_generic_preset_finds_the_same_columns(tmp_path):
    for name, events, column, count in (
        ('things', THINGS, 'file_path', 5),
        ('coco', NOD_COCO, 'condition', 3),
        ('imagenet', NOD_IMAGENET, 'stim_file', 3),
        ('bold', BOLD5000, 'ImgName', 4),
    ):
        root = bids_files.data_set(tmp_path / name, {'task-x_run-1': events})
        recording = read(root, preset='generic')
        assert len(recording.stimuli) == count
        assert said(recording, repr(column), 'look like file names')


def test_rows_without_a_picture_are_no_stimuli(tmp_path):
    events = """
    onset duration trial_type stim_file
    2     1        image      a.png
    16    1        image      b.png
    22    1        button     n/a
    30    1        image      c.png
    44    1        image      d.png
    60    1        feedback   n/a
    """
    bids_files.data_set(tmp_path, {'task-see_run-1': events})
    recording = read(tmp_path)
    assert {*recording.stimuli.names} == {*'abcd'}
    assert said(recording, '2 of the 6 rows', 'button, feedback')


def test_pictures_of_rest_are_no_stimuli(tmp_path):
    events = """
    onset duration stim_file
    2     1        stimuli/a.png
    16    1        stimuli/Fixation.png
    30    1        stimuli/b.png
    44    1        N/A
    58    1        stimuli/c.png
    """
    small = bids_files.data_set(tmp_path, {'task-see_run-1': events})
    assert {*read(small).stimuli.names} == {*'abc'}


def test_a_column_may_be_asked_for(tmp_path):
    bids_files.data_set(tmp_path, {'task-see_run-1': NOD_COCO})
    recording = read(tmp_path, stimulus='trial_type')
    assert {*recording.stimuli.names} == {'46', '2000', '108', '77', '1000'}
    with pytest.raises(InputError, match=r"no column 'conditoin'.*'condition'"):
        read(tmp_path, stimulus='conditoin')
    with pytest.raises(InputError, match='preset=generic as well as stimulus'):
        read(tmp_path, preset='ds001246', stimulus='condition')


def test_names_of_pictures_decide_before_what_looks_like_files(tmp_path):
    events = """
    onset duration trial_type log
    2     1        cat        log_01.png
    16    1        dog        log_02.png
    30    1        owl        log_03.png
    """
    bids_files.data_set(tmp_path, {'task-see_run-1': events})
    assert said(read(tmp_path), "'log'", 'file names')
    (tmp_path / 'pictures').mkdir()
    for name in ('cat', 'dog', 'owl'):
        Image.new('RGB', (8, 8)).save(tmp_path / 'pictures' / f'{name}.png')
    recording = read(tmp_path, pictures=tmp_path / 'pictures')
    assert {*recording.stimuli.names} == {'cat', 'dog', 'owl'}
    assert said(recording, "'trial_type'", 'names of the pictures')


def test_a_column_of_few_values_is_taken_last_and_said(tmp_path):
    names = ['face', 'house'] * 15
    rows = [f'{2 * i} 1 {n} item{i}' for i, n in enumerate(names)]
    many = '\n'.join(['onset duration trial_type item', *rows])
    bids_files.data_set(tmp_path / 'many', {'task-see_run-1': many}, volumes=60)
    assert said(read(tmp_path / 'many'), "'item'", '30 different values')
    few = '\n'.join(row.rpartition(' ')[0] for row in many.splitlines())
    bids_files.data_set(tmp_path / 'few', {'task-see_run-1': few}, volumes=60)
    recording = read(tmp_path / 'few')
    assert said(recording, "'trial_type'", 'none fits better (2 different')
    times = """
    onset duration response_time
    2     1        0.4
    16    1        0.5
    """
    bids_files.data_set(tmp_path / 'none', {'task-see_run-1': times})
    with pytest.raises(InputError, match='no column of events'):
        read(tmp_path / 'none')


def test_what_repeats_in_every_run_has_many_values(tmp_path):
    """120 pictures shown in each of ten runs are 8 % of all rows."""
    names = [f'scene{i}' for i in range(6)] + ['n/a'] * 2
    rows = [f'{4 * i} 1 {n} {i % 2}' for i, n in enumerate(names)]
    events = '\n'.join(['onset duration condition response', *rows])
    runs = {f'task-see_run-{i}': events for i in range(12)}
    recording = read(bids_files.data_set(tmp_path, runs), preset='generic')
    assert len(recording.stimuli) == 6 and said(recording, "'condition'")


def test_folders_of_stimuli_are_kept_and_still_join(tmp_path):
    names = ['face/01.png', 'house/01.png', 'face/02.png', 'house/02.png']
    bids_files.data_set(
        tmp_path,
        {'task-see_run-1': bids_files.trials(*(f'stimuli/{n}' for n in names))},
    )
    pictures = tmp_path / 'pictures'
    for i, name in enumerate(names):
        path = pictures / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (8, 8), (i, i, i)).save(path)
    recording = read(tmp_path, pictures=pictures)
    order = [f'{name}.png' for name in recording.stimuli.names]
    assert sorted(order) == sorted(names)
    np.testing.assert_array_equal(
        recording.stimuli.images[:, 0, 0, 0], [names.index(n) for n in order]
    )
    # One folder alone would give both stimuli named 01 one picture.
    with pytest.raises(InputError, match='has one picture, 01'):
        read(tmp_path, pictures=pictures / 'face')


def test_a_folder_that_all_share_is_no_part_of_the_name(tmp_path):
    bids_files.data_set(
        tmp_path,
        {
            'task-see_run-1': bids_files.trials(
                *(f'stimuli/{x}.jpg' for x in 'abc')
            )
        },
    )
    (tmp_path / 'flat').mkdir()
    for name in 'abc':
        Image.new('RGB', (8, 8)).save(tmp_path / 'flat' / f'{name}.jpg')
    recording = read(tmp_path, pictures=tmp_path / 'flat')
    assert {*recording.stimuli.names} == {*'abc'}
    assert recording.stimuli.images is not None


def test_one_stimulus_is_spelled_in_several_ways(tmp_path):
    bids_files.data_set(
        tmp_path,
        {
            'task-see_run-1': bids_files.trials(
                'caf\u00e9.JPG', '29.0', 'b.png'
            ),
            'task-see_run-2': bids_files.trials(
                'cafe\u0301.jpg', '29', 'x.y.png'
            ),
        },
    )
    recording = read(tmp_path)
    assert {*recording.stimuli.names} == {'caf\u00e9', '29', 'b', 'x.y'}
    # Two pictures that differ in their suffix alone stay two.
    root = bids_files.data_set(
        tmp_path / 'two',
        {'task-see_run-1': bids_files.trials('a.png', 'a.jpg', 'b.png')},
    )
    assert {*read(root).stimuli.names} == {'a.png', 'a.jpg', 'b'}


def test_trial_types_named_train_and_test_are_sets(tmp_path):
    events = """
    onset duration trial_type stim_file
    2     1        train      a.png
    16    1        test       b.png
    30    1        train      c.png
    """
    bids_files.data_set(tmp_path, {'task-see_run-1': events})
    assert shown(read(tmp_path)) == [['a', 'c'], ['b']]


def test_patterns_of_digits_are_names_and_pictures_go_before_cues(tmp_path):
    names = ['0110', '1001', '1' * 100, '0' * 100]
    rows = [f'{2 + 14 * i} 2 random {n}' for i, n in enumerate(names)]
    rows = ['onset duration trial_type stimulus_pattern', *rows]
    bids_files.data_set(tmp_path / 'a', {'task-see_run-1': '\n'.join(rows)})
    assert {*read(tmp_path / 'a').stimuli.names} == {*names}
    cues = [f'{2 + 14 * i} 2 c{i % 2}.png p{i}.png' for i in range(5)]
    rows = ['onset duration cue_file image_file', *cues]
    bids_files.data_set(tmp_path / 'b', {'task-see_run-1': '\n'.join(rows)})
    assert len(read(tmp_path / 'b').stimuli.names) == 5
    one = [f'{2 + 14 * i} 2 random' for i in range(5)]
    rows = ['onset duration trial_type', *one]
    bids_files.data_set(tmp_path / 'c', {'task-see_run-1': '\n'.join(rows)})
    with pytest.raises(InputError, match=r"all trials show 'random'.*stimulus"):
        read(tmp_path / 'c')


@pytest.mark.parametrize('kind', ['plain', 'R', 'Excel', 'nan'])
def test_events_as_other_software_writes_them(tmp_path, kind):
    bids_files.data_set(
        tmp_path, {'task-see_run-1': bids_files.trials('a', 'b', 'c')}
    )
    path = tmp_path / 'sub-01/func/sub-01_task-see_run-1_events.tsv'
    rows = [line.split('\t') for line in path.read_text().splitlines()]
    if kind == 'R':
        rows = [[f'"{cell}"' for cell in row] for row in rows]
    if kind == 'nan':
        rows[2][1] = 'NaN'
    text = '\r\n'.join('\t'.join(row) for row in rows)
    path.write_bytes(text.encode('utf-16' if kind == 'Excel' else 'utf-8'))
    assert [*read(tmp_path).stimuli.names] == ['a', 'b', 'c']


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('stim_file', 'onset', "two columns 'onset'"),
        ('onset', 'Onset', "no column 'onset', .* only .*'Onset'.*name it so"),
        ('\t', ',', "no column 'onset', .*; name it so, and separate .* tabs"),
        (
            '\n30',
            '\n30000',
            'begin up to 30000 s .* 40 volumes last 80 s.* seconds',
        ),
    ],
)
def test_events_that_cannot_be_read_rightly_are_refused(
    tmp_path, old, new, words
):
    bids_files.data_set(
        tmp_path, {'task-see_run-1': bids_files.trials('a', 'b', 'c')}
    )
    path = tmp_path / 'sub-01/func/sub-01_task-see_run-1_events.tsv'
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=words):
        read(tmp_path)


def test_two_repetition_times_are_told_once(tmp_path):
    events = bids_files.trials('a', 'b', 'c')
    runs = {'task-see_run-1': events, 'task-see_run-2': events}
    bids_files.data_set(tmp_path, runs, seconds=2.0)
    for path in tmp_path.rglob('*_bold.json'):
        path.write_text('{"RepetitionTime": 1.5}')
    told = [x for x in read(tmp_path).problems if 'those of the sidecars' in x]
    assert len(told) == 1 and '1.5 s' in told[0] and '2 s' in told[0]
