"""One fit, several test sets: a run of each, its trials decoded with all."""

import os
import pathlib
import shutil

import h5py
import numpy as np
import pytest
from published import deep_files
from tiny_inversion_files import SHAPES, write_true

from brainjax import config_files, experiment, test_sets
from brainjax.__main__ import main
from brainjax.errors import InputError
from brainjax.io import feature_folders, files
from brainjax.methods import references
from brainjax.methods.inversion import decoding_blocks, training
from brainjax.recordings import open_recording

SETS = ('natural', 'imagery')
CHANGES = {
    **{'recording.tests': SETS, 'subsets.rois': ('V1',), 'references': True},
    'recording.groups': ('shapes=colorExpStim*',),
}


def config_of(named, **changes):
    return config_files.load_config(
        'shen2019_natural', deep_files.SMALL | named | changes
    )


@pytest.fixture(scope='module')
def named(tmp_path_factory):
    return deep_files.write(tmp_path_factory.mktemp('deep'))


@pytest.fixture(scope='module')
def finished(named, tmp_path_factory):
    folder = tmp_path_factory.mktemp('sets') / 'run'
    calls = []
    counted = {
        'decode': decoding_blocks,
        'open_data': experiment,
        'fit': references.reference,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, module in counted.items():
            made = getattr(module, name)

            def call(*args, name=name, made=made, **options):
                calls.append(args[1].name if name == 'decode' else name)
                return made(*args, **options)

            patch.setattr(module, name, call)
        told = test_sets.run(config_of(named, **CHANGES), folder)
    return folder, told, calls


def test_what_all_sets_share_is_fitted_once(finished):
    folder, told, calls = finished
    # Data opened once a set; all voxels, then the region; one of references.
    assert calls == [
        *len(SETS) * ['open_data'],
        *2 * deep_files.SMALL['network.layers'],
        'fit',
    ]
    assert told == files.read_json(folder / 'scores.json')
    for name in SETS:
        own = files.read_json(folder / name / 'scores.json')
        assert own['config']['recording']['test'] == name
        assert own.get('published', {}).keys() == (
            {'two_way_pixels'} if name == 'natural' else set()
        )
        assert ('two_way_pixels_of_shapes' in own['scores']) == (
            name == 'imagery'
        )
        assert 'two_way_pixels_from_V1' in own['scores']
        for score, value in own['scores'].items():
            assert told['scores'][f'{score}_of_{name}'] == value
        with np.load(folder / name / 'reconstructions.npz') as found:
            shown = {*found['names'].tolist()}
            assert {*deep_files.SHOWN[name]} <= shown
        assert not (folder / name / 'features/train').exists()
    page = (folder / 'report.html').read_text()
    assert all(f'<th scope="col">{name}</th>' in page for name in SETS)


def test_a_finished_run_of_sets_opens_nothing(
    finished, named, tmp_path, monkeypatch
):
    folder, told, _ = finished
    again = tmp_path / 'run'
    shutil.copytree(folder, again)
    opened = []
    open_data = experiment.open_data

    def counted(config):
        opened.append(config.recording.test)
        return open_data(config)

    monkeypatch.setattr(experiment, 'open_data', counted)

    def run():
        return test_sets.run(config_of(named, **CHANGES), again)

    assert run() == told and not opened
    # What a set wrote is a result of the whole.
    image = next((again / 'imagery/images').iterdir())
    before = image.read_bytes()
    image.write_bytes(before[:-2])
    assert run()['scores'] == told['scores'] and opened == [*SETS]
    assert image.read_bytes() == before
    assert run() and opened == [*SETS]
    # Files that may hold something else are looked at.
    os.utime(next(pathlib.Path(named['recording.path']).iterdir()), ns=(0, 0))
    assert run() and opened == 2 * [*SETS]


def test_a_set_has_the_pictures_of_a_run_of_its_own(finished, named, tmp_path):
    folder, told, _ = finished
    alone = config_of(named, **{'recording.test': 'imagery'})
    scores = experiment.run(alone, tmp_path / 'run')['scores']
    ours, theirs = (
        dict(np.load(path / 'reconstructions.npz'))
        for path in (folder / 'imagery', tmp_path / 'run')
    )
    assert ours['names'].tolist() == theirs['names'].tolist()
    np.testing.assert_allclose(ours['images'], theirs['images'], atol=2e-3)
    for name, each in scores.items():
        assert told['scores'][f'{name}_of_imagery']['n'] == each['n']


def test_what_is_decoded_is_kept_for_each_set(finished, named, tmp_path):
    data = experiment.open_data(config_of(named))
    config = config_of(named)
    prepared = training.fit_ridge(data.normalised.train, config)
    layers = {}
    rng = np.random.default_rng(0)
    true = {'a': (5, 2, 2), 'b': (7,)}
    names = [*'xyz']
    for name, shape in true.items():
        values = rng.normal(size=(3, *shape)).astype(np.float32)
        feature_folders.write_features(tmp_path / 'true', name, names, values)
    layers = feature_folders.open_layers(tmp_path / 'true')
    fmri = rng.normal(size=(5, data.recording.voxels)).astype(np.float32)

    def wanted(part, rows):
        shown = [f'{part}{i}' for i in range(len(rows))]
        return training.Wanted(shown, rows, tmp_path / part)

    def read(part):
        found = feature_folders.open_layers(tmp_path / part)
        return {k: feature_folders.read(x, x.names) for k, x in found.items()}

    def decode(*sets):
        training.decode(prepared, layers, names, sets, config)

    both = wanted('one', fmri[:2]), wanted('two', fmri[2:])
    decode(*both)
    decode(wanted('all', fmri))
    for layer, values in read('all').items():
        assert values.shape == (5, *true[layer])
        for part, rows in (('one', slice(2)), ('two', slice(2, None))):
            np.testing.assert_array_equal(read(part)[layer], values[rows])
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob('*/*.npy')}
    decode(*both)
    assert before == {p: p.stat().st_mtime_ns for p in before}
    (tmp_path / 'two/a.npy').write_bytes(b'damaged')
    decode(*both)
    np.testing.assert_array_equal(read('two')['a'], read('all')['a'][2:])
    assert not [*tmp_path.glob('*/*unfinished*')]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'recording.tests': ('natural', 'natural')}, 'name each set once'),
        ({'recording.tests': ('a/b',)}, 'name each set once'),
        ({'recording.folds': 3}, 'neither config.recording.folds'),
        ({'recording.path': ''}, 'is for deep image reconstruction of rec'),
        ({'recording.groups': ('x=no*',)}, "'x=no[*]' matches 0"),
        ({'recording.tests': ('natural', 'nosuch')}, "test set 'nosuch'"),
    ],
)
def test_what_cannot_be_tested_is_refused(named, tmp_path, changes, message):
    config = config_of(named, **{'recording.tests': SETS} | changes)
    with pytest.raises(InputError, match=message):
        test_sets.run(config, tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_several_sets_go_through_one_driver(named, tmp_path):
    config = config_of(named, **{'recording.tests': SETS})
    with pytest.raises(InputError, match='name one set by config'):
        experiment.run(config, tmp_path / 'run')


def test_other_training_voxels_are_refused(tmp_path):
    named = deep_files.write(tmp_path)
    path = tmp_path / 'bdata/sub-01_perceptionLetterImage_original_VC.h5'
    with h5py.File(path, 'r+') as file:
        file['dataset'][0, 0] = np.nan  # A voxel that only letters lack.
    config = config_of(
        named,
        **{'recording.tests': ('natural', 'letter')},
        **{'recording.options': 'drop=nan'},
    )
    with pytest.raises(InputError, match="with the test set 'letter' than"):
        test_sets.run(config, tmp_path / 'run')


def test_a_dry_run_tells_of_the_first(named, tmp_path, capsys):
    assert not main(
        [
            *('run', '--config', 'shen2019_natural', '--dry-run'),
            f'--workdir={tmp_path / "run"}',
            *(
                f'--config.{key}={value}'
                for key, value in (named | deep_files.SMALL).items()
            ),
            f'--config.recording.tests={SETS}',
        ]
    )
    told = capsys.readouterr().out
    assert told.startswith("Of 2 test sets, 'natural':\n")
    assert str(tmp_path / 'run/natural') in told


def test_the_command_decodes_several_sets_at_once(named, tmp_path, capsys):
    options = f'pictures={named["recording.images"]}', 'size=16'
    recording = open_recording(
        named['recording.path'], pictures=named['recording.images'], size=16
    )
    write_true(tmp_path / 'true', recording)
    common = (
        *('decode', named['recording.path'], '--roi=V1', '--k=1'),
        *(f'--option={text}' for text in options),
        f'--features={tmp_path / "true"}',
    )
    together = tmp_path / 'together'
    assert not main([*common, '--tests=natural,letter', f'--out={together}'])
    folders = [
        together / name / layer / 'sub-01/V1'
        for name in ('natural', 'letter')
        for layer in SHAPES
    ]
    assert capsys.readouterr().out.split() == [*map(str, folders)]
    alone = tmp_path / 'alone'
    assert not main([*common, '--option=test=letter', f'--out={alone}'])
    for layer in SHAPES:
        names = [path.stem for path in (alone / layer / 'sub-01/V1').iterdir()]
        assert len(names) == 2
        ours, theirs = (
            feature_folders.read(
                feature_folders.open_folder(
                    folder / layer / 'sub-01/V1', layer
                ),
                names,
            )
            for folder in (together / 'letter', alone)
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert main([*common, '--tests=letter', '--folds=2', '--out=x']) == 2
    assert 'leave --tests' in capsys.readouterr().err
