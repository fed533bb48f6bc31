"""No server, however faulty, leaves a wrong file behind."""

import gzip
import hashlib
import re

import numpy as np
import pytest
from faulty_server import (
    answer,
    chunked,
    endless,
    from_range,
    serve_answers,
    trickling,
)

from brainjax.errors import InputError
from brainjax.io import download

CONTENT = np.random.default_rng(0).bytes(20_000)
OTHER = np.random.default_rng(1).bytes(20_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
WHOLE = answer(body=CONTENT)
TAGGED = answer(body=CONTENT, ETag='"a"')
CUT = answer(body=CONTENT, sent=5000, ETag='"a"')
UNTAGGED_CUT = answer(body=CONTENT, sent=5000)
PAGE = b'<html>Please log in</html>'


def cut_then(*answers):
    return [CUT, *answers]


def part(told, body=CONTENT[5000:], **headers):
    return answer(
        '206 Partial Content', body, Content_Range=told, ETag='"a"', **headers
    )


def redirect(target):
    return answer('302 Found', Location=target)


# Name -> the answers, how a download ends without a hash and size, and with
# them: a part of the sentence, or None if the file comes as it should.
REST = 'bytes 5000-19999/20000'
KINDS = {
    'fine': ([WHOLE], None, None),
    'cut and resumed': (
        cut_then(from_range(CONTENT, ETag='"a"')),
        None,
        None,
    ),
    'cut always': ([UNTAGGED_CUT], 'was cut', 'was cut'),
    'cut without a tag': ([UNTAGGED_CUT, WHOLE], None, None),
    'cut in the header': (
        [lambda _, send: send(b'HTTP/1.1 200 OK\r\nContent-Le'), WHOLE],
        'of unknown length',
        None,
    ),
    'closed at once': ([lambda *_: None], 'was cut', 'was cut'),
    'no HTTP': ([lambda _, send: send(b'SSH-2.0-x\r\n')], 'was cut', 'was cut'),
    'another version': (
        cut_then(answer(body=CONTENT, ETag='"b"')),
        None,
        None,
    ),
    'part of another version': (
        cut_then(from_range(OTHER, ETag='"b"'), WHOLE),
        None,
        None,
    ),
    'part of another version, no tag before': (
        [answer(body=OTHER, sent=5000), from_range(CONTENT), WHOLE],
        None,
        'SHA-256',
    ),
    'part of another place': (
        cut_then(part('bytes 4000-19999/20000', CONTENT[4000:]), WHOLE),
        None,
        None,
    ),
    'part of another length': (
        cut_then(part('bytes 5000-29999/30000'), WHOLE),
        None,
        None,
    ),
    'part that ends before it begins': (
        cut_then(part('bytes 5000-4000/20000'), WHOLE),
        None,
        None,
    ),
    'part beyond the end': (
        cut_then(part('bytes 5000-30000/20000'), WHOLE),
        None,
        None,
    ),
    'part in other units': (
        cut_then(part('lines 5000-19999/20000'), WHOLE),
        None,
        None,
    ),
    'part without a range': (
        cut_then(answer('206 Partial Content', CONTENT[5000:]), WHOLE),
        None,
        None,
    ),
    'part of unknown length': (
        cut_then(part('bytes 5000-19999/*'), WHOLE),
        None,
        None,
    ),
    'parts in small pieces': (
        cut_then(
            part('bytes 5000-9999/20000', CONTENT[5000:10000]),
            from_range(CONTENT, ETag='"a"'),
        ),
        None,
        None,
    ),
    'part longer than told': (
        cut_then(part(REST, CONTENT[5000:] + b'more', length=False)),
        'goes on after 20000',
        'goes on after 20000',
    ),
    'part not asked for': (
        [part(REST)],
        'status 206, not with the whole',
        'status 206, not with the whole',
    ),
    '416 always': (
        [answer('416 Range Not Satisfiable', Content_Range='bytes */9')],
        'was cut',
        'was cut',
    ),
    '416 after a cut': (
        cut_then(
            answer('416 Range Not Satisfiable', Content_Range='bytes */9'),
            WHOLE,
        ),
        None,
        None,
    ),
    'gzip': (
        [answer(body=gzip.compress(CONTENT), Content_Encoding='gzip')],
        "content encoding 'gzip'",
        'it is another file',
    ),
    'deflate, length hidden': (
        [answer(body=b'x' * 500, length=False, Content_Encoding='deflate')],
        "content encoding 'deflate'",
        'was cut',
    ),
    'gzip in transfer': (
        [answer(body=b'x', length=False, Transfer_Encoding='gzip, chunked')],
        'transfer encoding',
        'transfer encoding',
    ),
    'endless': ([endless()], 'of unknown length', 'goes on after 20000'),
    'length too small': (
        [answer(body=CONTENT, length=9000)],
        'goes on after 9000',
        'has 9000 bytes',
    ),
    'length too large': (
        [answer(body=CONTENT, length=30000)],
        'was cut',
        'has 30000 bytes',
    ),
    'no length': (
        [answer(body=CONTENT, length=False)],
        'of unknown length',
        None,
    ),
    'empty': ([answer()], 'is empty', 'has 0 bytes'),
    'wrong file': ([answer(body=OTHER)], OTHER, 'SHA-256'),
    'shorter file': ([answer(body=OTHER[:99])], OTHER[:99], 'has 99 bytes'),
    'web page': (
        [answer(body=PAGE, Content_Type='text/html; charset=utf-8')],
        'is a web page',
        'has 26 bytes',
    ),
    'redirect to itself': ([redirect('/file.pth')], 'infinite', 'infinite'),
    'redirect to nothing': ([answer('302 Found')], '302', '302'),
    'redirect to no port': (
        [redirect('http://127.0.0.1:x/')],
        'not an address',
        'not an address',
    ),
    'redirect to a port too high': (
        [redirect('http://127.0.0.1:65537/')],
        *['not an address|be reached'] * 2,
    ),
    'redirected': ([redirect('/other'), WHOLE], None, None),
    'chunked': (
        [
            answer(
                body=chunked(CONTENT), length=False, Transfer_Encoding='chunked'
            )
        ],
        None,
        None,
    ),
    'chunked with a lying length': (
        [answer(body=chunked(CONTENT), length=7, Transfer_Encoding='chunked')],
        None,
        None,
    ),
    'many small cuts': (
        [
            answer(body=CONTENT, sent=3000, ETag='"a"'),
            *[
                lambda request, send: from_range(CONTENT, ETag='"a"')(
                    request, lambda data: send(data[:4000])
                )
            ]
            * 9,
        ],
        None,
        None,
    ),
}
_headers = b'HTTP/1.1 200 OK\r\n' + b'A: b\r\n' * 500
KINDS['headers without end'] = (
    [lambda _, send: send(_headers)],
    *['was cut'] * 2,
)
# A part that is not used, and all that is sent after it.
for _name, _part in {
    'the first part again': from_range(
        CONTENT, Content_Range='bytes 0-9/20000'
    ),
    'a part of no version': from_range(OTHER),
    'a length and a part that differ': part(REST, length=15001),
}.items():
    KINDS[_name] = cut_then(_part, WHOLE), None, None
for _code in (202, 203, 204, 205):
    _ends = f'status {_code}, not with the whole'
    _body = CONTENT if _code in (202, 203) else b''
    KINDS[str(_code)] = [answer(f'{_code} Strange', _body)], _ends, _ends
for _code in (300, 304, 400, 401, 403, 404, 407, 410, 451):
    KINDS[str(_code)] = [answer(f'{_code} No')], str(_code), str(_code)
for _code in (408, 429, 500, 502, 503):
    _answer = answer(f'{_code} Later', PAGE)
    KINDS[f'{_code} first'] = [_answer, WHOLE], None, None
    KINDS[f'{_code} always'] = [_answer], 'was cut', 'was cut'
for _length in (
    'abc',
    '-1',
    '+20000',
    '20_000',
    '20000, 20000',
    '1e4',
    '9' * 30,
):
    _answer = answer(body=CONTENT, length=_length)
    KINDS[f'length {_length}'] = [_answer], *['the Content-Length'] * 2
for _scheme in (
    'ftp://127.0.0.1/x',
    'file:///etc/hostname',
    'data:,x',
    'gopher:',
):
    KINDS[f'redirect to {_scheme}'] = (
        [redirect(_scheme)],
        *['leads to|not allowed'] * 2,
    )
for _end in (
    b'',
    b'zz\r\nx',
    b'-5\r\nabcdefg\r\n0\r\n\r\n',
    b'ffffffffff\r\nx',
):
    _answer = answer(
        body=chunked(CONTENT[:9000], _end),
        length=False,
        Transfer_Encoding='chunked',
    )
    KINDS[f'chunked with {_end!r}'] = [_answer], 'was cut', 'was cut'


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv('no_proxy', '127.0.0.1,localhost')


@pytest.mark.parametrize('known', ['hash', 'size', 'nothing'])
@pytest.mark.parametrize('kind', KINDS)
def test_no_wrong_file_is_kept(tmp_path, kind, known):
    answers, unknown, hashed = KINDS[kind]
    path = tmp_path / 'file'
    options, ends = {
        'hash': ({'size': len(CONTENT), 'sha256': SHA256}, [hashed]),
        # Ends in one of the two ways.
        'size': ({'size': len(CONTENT)}, [unknown, hashed]),
        'nothing': ({}, [unknown]),
    }[known]
    with serve_answers(*answers) as (url, requests):
        try:
            download.download(
                url, path, pause=0.0, attempts=3, timeout=2.0, **options
            )
        except InputError as error:
            _check_sentence(error, ends)
            assert not path.exists()
        else:
            right = [CONTENT if end is None else end for end in ends]
            assert path.read_bytes() in right
            assert [p.name for p in tmp_path.iterdir()] == ['file']
    assert len(requests) < 12


def _check_sentence(error, expected):
    text = str(error)
    words = '|'.join(end for end in expected if isinstance(end, str))
    assert re.search(words or 'nothing', text), text
    assert text.startswith('http://127.0.0.1')
    assert text.endswith('.')
    assert '\n' not in text
    assert len(text) < 400


def test_endless_chunks_stop_at_the_bound(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_MAX_GIB', '0.001')

    def write(request, send):
        answer(length=False, Transfer_Encoding='chunked')(request, send)
        while True:
            send(b'10000\r\n' + bytes(1 << 16) + b'\r\n')

    with (
        serve_answers(write) as (url, _),
        pytest.raises(InputError, match='goes on after 1073741 bytes'),
    ):
        download.download(url, tmp_path / 'file')
    assert not list(tmp_path.iterdir())


def test_a_trickle_is_given_up_and_what_came_is_kept(tmp_path):
    with (
        serve_answers(trickling(CONTENT)) as (url, _),
        pytest.raises(InputError, match='was cut 2 times'),
    ):
        download.download(
            url,
            tmp_path / 'file',
            sha256=SHA256,
            attempts=2,
            timeout=0.2,
            pause=0.0,
        )
    came = (tmp_path / 'file.part').read_bytes()
    assert came
    assert came == CONTENT[: len(came)]
    with serve_answers(from_range(CONTENT)) as (url, requests):
        download.download(url, tmp_path / 'file', sha256=SHA256)
    assert requests == [f'bytes={len(came)}-']
    assert (tmp_path / 'file').read_bytes() == CONTENT


def test_a_whole_part_needs_no_more_bytes(tmp_path):
    (tmp_path / 'file.part').write_bytes(CONTENT)
    full = answer('416 No', Content_Range=f'bytes */{len(CONTENT)}')
    with serve_answers(full) as (url, requests):
        download.download(url, tmp_path / 'file', sha256=SHA256)
    assert len(requests) == 1
    assert (tmp_path / 'file').read_bytes() == CONTENT


def test_a_tag_of_another_address_resumes_nothing(tmp_path):
    (tmp_path / 'file.part').write_bytes(OTHER[:700])
    (tmp_path / 'file.part.tag').write_text('"a"\nhttp://127.0.0.1/other')
    with serve_answers(TAGGED) as (url, requests):
        download.download(url, tmp_path / 'file')
    assert requests == [None]
    assert (tmp_path / 'file').read_bytes() == CONTENT


def test_versions_are_never_mixed(tmp_path):
    """Without hash and tag a cut download begins anew."""
    with serve_answers(UNTAGGED_CUT, WHOLE) as (url, requests):
        download.download(url, tmp_path / 'file', pause=0.0)
    assert requests == [None, None]
    asked = []

    def write(request, send):
        asked.append(request['If-Range'])
        from_range(CONTENT, ETag='"a"')(request, send)

    with serve_answers(CUT, write) as (url, requests):
        download.download(url, tmp_path / 'file', pause=0.0)
    assert (tmp_path / 'file').read_bytes() == CONTENT
    assert requests == [None, 'bytes=5000-']
    assert asked == ['"a"']
