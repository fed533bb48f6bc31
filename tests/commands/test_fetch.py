"""What `brainjax fetch` says of servers, and what it keeps."""

import contextlib

import faulty_server
import numpy as np
import pytest
from faulty_server import answer, serve_answers

from brainjax import __main__
from brainjax.networks import weights

NAME = 'lpips_alexnet'


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    return tmp_path / 'cache'


@pytest.fixture
def content(tmp_path):
    params = {
        layer: {part: np.ones(shape, np.float32) for part, shape in parts}
        for layer, parts in (
            (layer, parts.items())
            for layer, parts in weights.shapes(NAME).items()
        )
    }
    weights.write(tmp_path / 'whole.safetensors', params)
    return (tmp_path / 'whole.safetensors').read_bytes()


def kept(cache):
    return [p.name for p in cache.rglob('*') if p.is_file()]


def test_whole_weights_are_kept(cache, content, capsys):
    with serve_answers(answer(body=content)) as (url, _):
        assert __main__.main(['fetch', NAME, '--from', url]) == 0
    assert kept(cache) == [f'{NAME}.safetensors']
    assert capsys.readouterr().out.strip() == str(weights.path(NAME))


@pytest.mark.parametrize(
    'kind', ['cut', 'changed', 'text', 'empty', 'page', '404', 'long', 'chunks']
)
def test_wrong_weights_are_not_kept(cache, content, kind, capsys):
    reply = {
        'cut': answer(body=content[:-9]),
        'changed': answer(body=content.replace(b'F32', b'F31')),
        'text': answer(body=b'{"error": "not here"}'),
        'empty': answer(),
        'page': answer(body=b'<html>', Content_Type='text/html'),
        '404': answer('404 Not Found', b'<html>'),
        'long': answer(body=content, length='abc'),
        'chunks': answer(
            '200 OK',
            faulty_server.chunked(content[:-9]),
            False,
            Transfer_Encoding='chunked',
        ),
    }[kind]
    with serve_answers(reply) as (url, _):
        assert __main__.main(['fetch', NAME, '--from', url]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f'brainjax: {url}')
    assert said.endswith('.')
    assert not kept(cache)


def test_of_a_local_copy_nothing_is_removed(cache, content, tmp_path):
    path = tmp_path / 'copy.safetensors'
    path.write_bytes(content[:-1])
    with contextlib.suppress(SystemExit):
        assert __main__.main(['fetch', NAME, '--from', str(path)]) == 2
    assert path.read_bytes() == content[:-1]
    assert not kept(cache)
